"""What `nnlite bench kernels` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nnlite.cli.screen import aligned, note, print_json, progress_bar, sizes_of
from nnlite.errors import UsageError

if TYPE_CHECKING:
    from nnlite.bench.kernels import Cell, Results, Summary

__all__ = ["bench_kernels", "drawn", "pace_table", "summary_table"]

T = TypeVar("T")


def _title(peer: str) -> str:
    from nnlite.bench.peers.roster import OURS, PEERS

    return PEERS.get(peer, OURS).title


def _digits_of(value: float) -> str:
    """Three of them, or as many as there are in front of the point."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def pace_table(cells: Sequence[Cell]) -> str:
    """Thousand samples per second, and beside each peer how many times that nnlite is."""
    head = ["", "batch", "nnlite"]
    for peer in cells[0].peers:
        head += [_title(peer), "ratio"]
    rows = [head]
    for cell in cells:
        row = [cell.workload, str(cell.batch_size), _digits_of(cell.ours.samples_per_second / 1e3)]
        for pace in cell.peers.values():
            row += [_digits_of(pace.samples_per_second / 1e3), _digits_of(pace.ratio)]
        rows.append(row)
    return aligned(rows, 1)


def summary_table(found: Sequence[Summary]) -> str:
    """Ratios over many cells, a column for each peer."""
    rows = [["nnlite's ratio to", *(_title(one.peer) for one in found)]]
    for size in found[0].geometric_mean:
        means = [_digits_of(one.geometric_mean[size]) for one in found]
        rows.append([f"geometric mean, batch size {size}", *means])
    usual = [_digits_of(one.usual) for one in found if one.usual is not None]
    if usual:
        rows.append(["geometric mean, batch sizes 1 and 32", *usual])
    rows.append(["least", *(_digits_of(one.least) for one in found)])
    rows.append(["  workload and batch size", *(f"{one.least_workload} {one.least_batch_size}" for one in found)])
    return aligned(rows, 1)


def drawn(cells: Sequence[dict[str, Any]]) -> str:
    """An SVG: a row for each cell, as `Cell.to_dict` gives it, and a dot for each that trained."""
    from nnlite.bench.plot import dot_plot

    groups: dict[str, dict[str, dict[str, float]]] = {}
    for cell in cells:
        dots = {_title(name): pace["samples_per_second"] for name, pace in cell["paces"].items()}
        groups.setdefault(cell["workload"], {})[f"{cell['workload']}, {cell['batch_size']}"] = dots
    return dot_plot(list(groups.values()), "samples per second; rows: workload, batch size")


def bench_kernels(
    workloads: str | None,
    batch_sizes: str | None,
    peers: str | None,
    seconds: float | None,
    rounds: int | None,
    plot: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure what is asked for, everything without `workloads`, and print what came out."""
    from nnlite.bench import kernels
    from nnlite.bench.computer import describe_computer
    from nnlite.bench.peers.roster import PEERS
    from nnlite.bench.workloads import WORKLOADS
    from nnlite.files import check_writable, write_whole

    chosen = _named("--workloads", workloads, {workload.name: workload for workload in WORKLOADS})
    entered = _named("--peers", peers, PEERS)
    sizes = list(kernels.BATCH_SIZES) if batch_sizes is None else sizes_of("--batch-sizes", batch_sizes)
    if not sizes or not all(size > 0 and kernels.ROWS % size == 0 for size in sizes):
        raise UsageError(f"--batch-sizes takes divisors of {kernels.ROWS:,}, such as 1,32; not '{batch_sizes}'")
    if plot is not None:
        check_writable(plot)
    computer = describe_computer()
    words = f"{computer['processor']}, {computer['system']}, Python {computer['python']}"
    note(f"{words}; some minutes, best with nothing else to do", quiet)
    with progress_bar("training", quiet) as advance:
        results = kernels.bench_kernels(
            list(chosen.values()),
            list(dict.fromkeys(sizes)),
            entered,
            kernels.SECONDS if seconds is None else seconds,
            kernels.ROUNDS if rounds is None else rounds,
            workloads is None,
            advance,
        )
    if plot is not None:
        write_whole(plot, drawn([cell.to_dict() for cell in results.cells]).encode())
    for what, why in results.missing.items():
        note(f"{what} is not measured: {why}", quiet)
    absent = [PEERS[name].install for name in results.missing if name in PEERS and PEERS[name].install]
    if absent:
        note(f"to have them measured: pip install {' '.join(absent)}", quiet)
    if as_json:
        print_json(results.to_dict())
    else:
        _print(results, kernels.summaries(results.cells), quiet)


def _named(option: str, text: str | None, known: Mapping[str, T]) -> dict[str, T]:
    """What an option names, each once, in the order of what is known; everything without it."""
    if text is None:
        return dict(known)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UsageError(f"{option} knows {', '.join(known)}, not '{name}'")
    if not names:
        raise UsageError(f"{option} takes names with commas between; it knows {', '.join(known)}")
    return {name: one for name, one in known.items() if name in names}


def _print(results: Results, found: Sequence[Summary], quiet: bool) -> None:
    for version in dict.fromkeys(results.versions.values()):
        note(f"  {version}", quiet)
    note("thousand samples per second, one thread each; ratio: nnlite's pace by the one to its left", quiet)
    print(pace_table(results.cells))
    if found:
        print()
        print(summary_table(found))
    if results.two_threads is not None:
        pair = results.two_threads
        gain = 1 / pair.peers["two_threads"].ratio
        print(f"\n{pair.workload} at batch size {pair.batch_size}, two threads: {gain:.2f} times as fast as one")
    if results.digits is not None:
        digits = results.digits
        sizes = "-".join(map(str, digits.sizes))
        print(f"digits, {sizes}, {digits.epochs} epochs, whole process: {digits.seconds:.2f} s")
