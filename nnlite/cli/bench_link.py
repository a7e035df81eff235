"""What `nnlite bench link` measures and prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnlite.cli.screen import aligned, note, print_json, progress_bar

if TYPE_CHECKING:
    from nnlite.bench.link import Delta, Use
    from nnlite.profile import Profile

__all__ = ["bench_link", "delta_lines", "use_table"]


def use_table(uses: list[Use]) -> str:
    """A line for each board and rate, below what the columns are."""
    cells = [("board", "baud", "model", "flash", "of the line", "ceiling", "pull", "of the line")]
    for use in uses:
        cells.append(
            (
                use.board,
                f"{use.baud:,}",
                f"{use.image_bytes:,} bytes",
                f"{use.flash_seconds:.2f} s + {use.erase_seconds:.2f} s erasing",
                f"{use.flash_use:.1%}",
                f"{use.ceiling:.1%}",
                f"{use.pull_seconds:.2f} s",
                f"{use.pull_use:.1%}",
            )
        )
    return aligned(cells, 1)


def delta_lines(deltas: list[Delta]) -> str:
    """A line for each board."""
    return "\n".join(
        f"{delta.board}: another last layer of 784-32-10 changes {delta.pages_changed} of {delta.pages} pages; "
        f"{delta.delta_bytes:,} bytes are sent instead of {delta.whole_bytes:,} ({delta.share:.1%})"
        for delta in deltas
    )


def bench_link(profiles: list[Profile], baud: int | None, latency: float | None, as_json: bool, quiet: bool) -> None:
    """Measure each board at one rate, or at all that it has, and print what came out."""
    from nnlite.bench.link import LATENCY_SECONDS, measure_delta, measure_use, rates

    latency = LATENCY_SECONDS if latency is None else latency
    runs = [(profile, rate) for profile in profiles for rate in ((baud,) if baud is not None else rates(profile))]
    uses: list[Use] = []
    deltas: list[Delta] = []
    with progress_bar("transfers", quiet) as advance:
        for profile, rate in runs:
            uses.append(measure_use(profile, rate, latency))
            advance(len(uses), len(runs) + len(profiles))
        for profile in profiles:
            deltas.append(measure_delta(profile, latency))
            advance(len(uses) + len(deltas), len(runs) + len(profiles))
    if as_json:
        print_json({"use": [use.to_dict() for use in uses], "delta": [delta.to_dict() for delta in deltas]})
        return
    note(f"the largest model that fits, {latency * 1000:g} ms each way, simulated:", quiet)
    print(use_table(uses))
    print(delta_lines(deltas))
