"""The verb bench: what computing costs, and what the line is used for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlite.cli.bench_kernels import bench_kernels
from nnlite.cli.bench_link import bench_link
from nnlite.cli.screen import JsonOption, QuietOption, aligned, note, print_json, progress_bar
from nnlite.errors import UsageError

if TYPE_CHECKING:
    from nnlite.bench.boards import Cost
    from nnlite.bench.device import Row
    from nnlite.profile import Profile

__all__ = ["bench"]


def _cost(cost: Cost | None) -> str:
    return "-" if cost is None else f"{cost.instructions:,} / {cost.cycles:,}"


def _seconds(cycles: int, clock_hz: int) -> str:
    return f"{1000 * cycles / clock_hz:.3g} ms"


def _table(rows: list[Row]) -> str:
    """Instructions / estimated cycles of each workload, then why some do not fit."""
    cells = [("", "network", "inference", "softmax", "training step", "emlearn", "inference", "step", "flash", "RAM")]
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
                _cost(row.emlearn),
                _seconds(row.inference.cycles, row.clock_hz),
                "-" if step is None else _seconds(step.cycles, row.clock_hz),
                f"{row.flash_bytes:,}",
                f"{row.ram_bytes:,}",
            )
        )
    lines = [aligned(cells, 2)]
    for row in rows:
        lines += [f"{row.workload}: {reason}" for reason in row.reasons]
    return "\n".join(lines)


def _profile(row: Row) -> str:
    lines = [f"{row.workload}, instructions and cycles by function:"]
    lines += [
        f"  {name:<28} {cost.instructions:>12,} {cost.cycles:>12,}" for name, cost in row.profile.items() if cost.cycles
    ]
    return "\n".join(lines)


#: which of the options belong to what
_OPTIONS = {
    "device": ("--board", "--profile"),
    "link": ("--board", "--baud", "--latency"),
    "kernels": ("--workloads", "--batch-sizes", "--peers", "--seconds", "--rounds", "--plot"),
}


def bench(
    what: Annotated[str, typer.Argument(metavar="kernels|device|link", help="What to measure.")],
    board: Annotated[
        list[str] | None,
        typer.Option(
            "--board", help="device, link: a board's name, or the path of a profile; for link any number, else all."
        ),
    ] = None,
    profile: Annotated[bool, typer.Option("--profile", help="device: also what each function takes.")] = False,
    baud: Annotated[int | None, typer.Option("--baud", min=1, help="link: this rate; else all that it has.")] = None,
    latency: Annotated[
        float | None, typer.Option("--latency", min=0, max=1, help="link: seconds each way; 0.016 without.")
    ] = None,
    workloads: Annotated[
        str | None, typer.Option("--workloads", metavar="NAMES", help="kernels: such as A,B; else everything.")
    ] = None,
    batch_sizes: Annotated[
        str | None, typer.Option("--batch-sizes", metavar="SIZES", help="kernels: such as 1,32; else 1,32,256.")
    ] = None,
    peers: Annotated[
        str | None,
        typer.Option("--peers", metavar="NAMES", help="kernels: of c, runtime, jax, torch, sklearn; else all."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.001, max=60, help="kernels: of one run, about; 0.5 without.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, max=1000, help="kernels: runs of each, in turn; 5 without.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="SVG", help="kernels: a file to draw the paces into.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """What computing costs here and on a board; how full its line is.

    kernels: how fast this computer trains networks of five sizes with plain SGD: nnlite, the same arithmetic in C (c:
    plain loops for the network; runtime: what boards have; both by the fastest compiler there is), and jax, torch and
    scikit-learn where they are installed. One thread and a process each; they take turns, and what counts is the ratio
    within a round. Every one must learn the same, those in C bit for bit. Without --workloads also what a second thread
    brings, and how long a whole process takes for scikit-learn's digits. Takes some minutes of a quiet computer.

    device: what inference and a training step cost. Runs the functions of the board's own firmware in the simulator, on
    the same networks. Instructions are exact, cycles an estimate; every result is compared with the laptop's, bit
    for bit. Inference is that of the dense layers, softmax comes on top where probabilities are asked for; a training
    step is that of one sample with SGD. A network that the board has no room for is measured with more flash behind the
    same firmware, and it says what is missing. Where the packages emlearn and ziglang are installed, emlearn's C engine
    stands beside it.

    link: how much of the serial line a flash and a pull of the largest model that fits fill, from FLASH_BEGIN to the
    answer to FLASH_COMMIT without the time that erasing takes, and what goes over it when only the last layer of a
    network is another one. All of it in simulated time. Ceiling is where programming one word after the other would
    take all the time.

    \b
    Examples:
      nnlite bench kernels
      nnlite bench kernels --workloads A,B --batch-sizes 1,32 --peers c,jax --json
      nnlite bench device --board microbit2
      nnlite bench device --board microbit --profile --json
      nnlite bench link --board microbit --baud 250000
    """
    if what not in _OPTIONS:
        raise UsageError(f"bench measures 'kernels', 'device' or 'link', not '{what}'")
    given: dict[str, object] = {"--board": board, "--profile": profile or None, "--baud": baud, "--latency": latency}
    given |= {"--workloads": workloads, "--batch-sizes": batch_sizes, "--peers": peers}
    given |= {"--seconds": seconds, "--rounds": rounds, "--plot": plot}
    for option, value in given.items():
        if value is not None and option not in _OPTIONS[what]:
            owners = " and ".join(f"'bench {name}'" for name, options in _OPTIONS.items() if option in options)
            raise UsageError(f"{option} belongs to {owners}; leave it out")
    if what == "kernels":
        bench_kernels(workloads, batch_sizes, peers, seconds, rounds, plot, as_json, quiet)
        return
    from nnlite.profile import Profile, profile_names

    boards = board or ([] if what == "device" else profile_names())
    profiles = [Profile.load(name) for name in boards]
    if what == "link":
        measured = profiles if board else [known for known in profiles if known.has_firmware]
        bench_link(measured, baud, latency, as_json, quiet)
        return
    if len(profiles) != 1:
        raise UsageError("bench device measures one board: name it with --board; 'nnlite boards' lists them")
    _bench_device(profiles[0], profile, as_json, quiet)


def _bench_device(limits: Profile, profile: bool, as_json: bool, quiet: bool) -> None:
    """Measure the workloads on a board and print what came out."""
    from nnlite.bench import emlearn
    from nnlite.bench.device import bench_device
    from nnlite.bench.workloads import WORKLOADS

    rows: list[Row] = []
    with progress_bar("workloads", quiet) as advance:
        for row in bench_device(limits, profile):
            rows.append(row)
            advance(len(rows), len(WORKLOADS))
    if as_json:
        print_json([row.to_dict() for row in rows])
        return
    note(f"{limits.title}, {limits.core} at {limits.clock_hz / 1e6:g} MHz; instructions / estimated cycles:", quiet)
    print(_table(rows))
    if emlearn.missing() is not None:
        note(f"emlearn's inference is not measured without {emlearn.missing()}: pip install 'nnlite-mcu[bench]'", quiet)
    for row in rows:
        if row.profile:
            print(_profile(row))
