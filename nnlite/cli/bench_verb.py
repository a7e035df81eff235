"""The verb bench: what computing costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnlite.cli.plan_verbs import BoardOption
from nnlite.cli.screen import JsonOption, QuietOption, note, print_json, progress_bar
from nnlite.errors import UsageError

if TYPE_CHECKING:
    from nnlite.bench.device import Cost, Row

__all__ = ["bench"]


def _cost(cost: Cost | None) -> str:
    return "-" if cost is None else f"{cost.instructions:,} / {cost.cycles:,}"


def _seconds(cycles: int, clock_hz: int) -> str:
    return f"{1000 * cycles / clock_hz:.3g} ms"


def _table(rows: list[Row]) -> str:
    """Instructions / estimated cycles of each workload, then why some do not fit."""
    cells = [("", "network", "inference", "softmax", "training step", "inference", "step", "flash", "RAM")]
    for row in rows:
        sizes = "-".join(map(str, row.sizes))
        step = row.training_step
        cells.append(
            (
                row.workload,
                sizes if len(sizes) <= 20 else f"{sizes[:17]}...",
                _cost(row.inference),
                _cost(row.softmax),
                _cost(step),
                _seconds(row.inference.cycles, row.clock_hz),
                "-" if step is None else _seconds(step.cycles, row.clock_hz),
                f"{row.flash_bytes:,}",
                f"{row.ram_bytes:,}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for line in cells:
        left = (cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True))
        right = (cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True))
        lines.append("  ".join((*left, *right)).rstrip())
    for row in rows:
        lines += [f"{row.workload}: {reason}" for reason in row.reasons]
    return "\n".join(lines)


def _profile(row: Row) -> str:
    lines = [f"{row.workload}, instructions and cycles by function:"]
    lines += [
        f"  {name:<28} {cost.instructions:>12,} {cost.cycles:>12,}" for name, cost in row.profile.items() if cost.cycles
    ]
    return "\n".join(lines)


def bench(
    what: Annotated[str, typer.Argument(metavar="device", help="What to measure; device is all there is so far.")],
    board: BoardOption,
    profile: Annotated[bool, typer.Option("--profile", help="Also what each function takes.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """What inference and a training step cost on a board.

    Runs the functions of the board's own firmware in the simulator, on networks of five sizes. Instructions are exact,
    cycles an estimate; every result is compared with the laptop's, bit for bit. Inference is that of the dense layers,
    softmax comes on top where probabilities are asked for; a training step is that of one sample with SGD. A network
    that the board has no room for is measured with more flash behind the same firmware, and it says what is missing.

    \b
    Examples:
      nnlite bench device --board microbit2
      nnlite bench device --board microbit --profile --json
    """
    if what != "device":
        raise UsageError(f"bench measures 'device', not '{what}'")
    from nnlite.bench import bench_device
    from nnlite.bench.workloads import WORKLOADS
    from nnlite.profile import Profile

    rows: list[Row] = []
    limits: Any = Profile.load(board)
    with progress_bar("workloads", quiet) as advance:
        for row in bench_device(limits, profile):
            rows.append(row)
            advance(len(rows), len(WORKLOADS))
    if as_json:
        print_json([row.to_dict() for row in rows])
        return
    note(f"{limits.title}, {limits.core} at {limits.clock_hz / 1e6:g} MHz; instructions / estimated cycles:", quiet)
    print(_table(rows))
    for row in rows:
        if row.profile:
            print(_profile(row))
