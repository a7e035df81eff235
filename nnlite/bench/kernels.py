"""Training on this computer: nnlite beside its own arithmetic in C and the libraries that are installed.

Each has one thread and a process of its own; they take turns, so that what else the computer does meets all of them.
What counts is the ratio within a round, and of the rounds the median.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nnlite.bench.computer import cores, describe_computer
from nnlite.bench.digits import Digits, digits_path, time_digits
from nnlite.bench.peers.process import Process, started
from nnlite.bench.peers.roster import OURS, TWO_THREADS, Peer
from nnlite.bench.peers.task import Floats, Task
from nnlite.bench.workloads import WORKLOADS, Workload
from nnlite.errors import IncompatibleError, IntegrityError

__all__ = [
    "BATCH_SIZES",
    "ROUNDS",
    "ROWS",
    "SECONDS",
    "Cell",
    "Pace",
    "Results",
    "Summary",
    "bench_kernels",
    "summaries",
]

BATCH_SIZES = (1, 32, 256)
#: rows of the data that an epoch goes over
ROWS = 8192
#: of one run, about, and how often each has its turn
SECONDS, ROUNDS = 0.5, 5
#: batches after which a peer that sums in another order must be where nnlite is; with more of them a sum that is next
#: to 0 may fall to either side of ReLU
_COMMON_BATCHES = 4
#: how far it may be from there, as a share of the way from the first parameters; float32 alone makes some 1e-5
_TOLERANCE = 1e-4
#: the batch sizes that a first look goes by
_USUAL = (1, 32)
#: where two threads are tried
_THREADED = "C", 32


@dataclass(frozen=True)
class Pace:
    """How fast one of them trained.

    Attributes
    ----------
    way : of those that it can be done in, the fastest.
    rows, epochs : of a run.
    samples_per_second : median of the rounds.
    ratio : nnlite's pace by this one, median of the rounds; 1 for nnlite itself.
    least, most : ratio of a round.
    """

    way: str
    rows: int
    epochs: int
    samples_per_second: float
    ratio: float
    least: float
    most: float


@dataclass(frozen=True)
class Cell:
    """A workload with a batch size.

    Attributes
    ----------
    ours : nnlite's pace.
    peers : by their names.
    """

    workload: str
    sizes: tuple[int, ...]
    batch_size: int
    ours: Pace
    peers: dict[str, Pace]

    def to_dict(self) -> dict[str, Any]:
        """As `nnlite bench kernels --json` prints it."""
        paces = {"nnlite": self.ours, **self.peers}
        return {
            "workload": self.workload,
            "sizes": list(self.sizes),
            "batch_size": self.batch_size,
            "paces": {name: vars(pace) for name, pace in paces.items()},
        }


@dataclass(frozen=True)
class Summary:
    """nnlite's ratio to one peer over many cells.

    Attributes
    ----------
    geometric_mean : by batch size, over the workloads.
    usual : geometric mean over the batch sizes 1 and 32, as far as they were measured; None without both.
    least : the smallest ratio, and its cell.
    """

    peer: str
    geometric_mean: dict[int, float]
    usual: float | None
    least: float
    least_workload: str
    least_batch_size: int

    def to_dict(self) -> dict[str, Any]:
        """As `nnlite bench kernels --json` prints it."""
        return vars(self) | {"geometric_mean": {str(size): mean for size, mean in self.geometric_mean.items()}}


@dataclass(frozen=True)
class Results:
    """Of the whole bench.

    Attributes
    ----------
    computer : see `describe_computer`.
    versions : of nnlite and of each peer, by its name.
    missing : why a peer, or another part, was not measured.
    two_threads : nnlite with one thread and, as its peer, with two; None where that was not measured.
    digits : None where they were not measured.
    """

    computer: dict[str, str | int]
    versions: dict[str, str]
    missing: dict[str, str]
    cells: list[Cell]
    two_threads: Cell | None
    digits: Digits | None

    def to_dict(self) -> dict[str, Any]:
        """As `nnlite bench kernels --json` prints it."""
        return {
            "computer": self.computer,
            "versions": self.versions,
            "missing": self.missing,
            "cells": [cell.to_dict() for cell in self.cells],
            "summary": [summary.to_dict() for summary in summaries(self.cells)],
            "two_threads": None if self.two_threads is None else self.two_threads.to_dict(),
            "digits": None if self.digits is None else asdict(self.digits),
        }


@dataclass(frozen=True)
class _Field:
    """Who takes part.

    Attributes
    ----------
    versions : of nnlite and of each peer, by its name.
    missing : why another does not take part.
    """

    ours: Process
    peers: dict[str, Process]
    versions: dict[str, str]
    missing: dict[str, str]

    @property
    def size(self) -> int:
        """How many they are."""
        return 1 + len(self.peers)


def bench_kernels(
    workloads: Sequence[Workload],
    batch_sizes: Sequence[int],
    peers: Mapping[str, Peer],
    seconds: float,
    rounds: int,
    whole: bool,
    progress: Callable[[int, int], None],
) -> Results:
    """Let nnlite and its peers train.

    Parameters
    ----------
    batch_sizes : divisors of `ROWS`.
    peers : of the roster, by their names.
    seconds : that one run takes, about.
    rounds : of each of them in each cell.
    whole : also what a second thread brings, and how long a whole process takes.
    progress : called with the steps that are done, and how many there are.

    Raises
    ------
    IncompatibleError : a peer that is there cannot train a workload.
    IntegrityError : a peer comes to other parameters; or nnlite and its own arithmetic in C to other bits.
    """
    done = 0
    extra = 2 * (1 + rounds) if whole else 0

    def show() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    with _field_of(peers) as field:
        total = len(workloads) * len(batch_sizes) * field.size * (1 + rounds) + extra
        cells = [_measure(field, one, size, seconds, rounds, show) for one in workloads for size in batch_sizes]
    missing = dict(field.missing)
    two_threads = digits = None
    if whole and cores() < 2:
        missing["two_threads"] = "there is one processor"
    elif whole:
        name, size = _THREADED
        with _field_of({"two_threads": TWO_THREADS}) as pair:
            workload = next(workload for workload in WORKLOADS if workload.name == name)
            two_threads = _measure(pair, workload, size, seconds, rounds, show)
    path = digits_path() if whole else None
    if path is not None:
        digits = time_digits(path, rounds)
    elif whole:
        missing["digits"] = "scikit-learn is not installed, which has them"
    return Results(describe_computer(), field.versions, missing, cells, two_threads, digits)


@contextlib.contextmanager
def _field_of(peers: Mapping[str, Peer]) -> Iterator[_Field]:
    """Start nnlite and those peers that can be had; they are gone at the end."""
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(started(OURS))
        field = _Field(ours, {}, {"nnlite": ours.version()}, {})
        for name, peer in peers.items():
            if not peer.is_installed:
                field.missing[name] = f"{peer.install} is not installed"
                continue
            process = stack.enter_context(started(peer))
            try:
                field.versions[name] = process.version()
            except IncompatibleError as error:
                field.missing[name] = str(error)
            else:
                field.peers[name] = process
        yield field


def _measure(
    field: _Field, workload: Workload, batch_size: int, seconds: float, rounds: int, show: Callable[[], None]
) -> Cell:
    """Let all of them train one workload.

    Parameters
    ----------
    seconds : that one run takes, about.
    rounds : of each.
    show : called whenever one of them is ready, and after each run.

    Raises
    ------
    IncompatibleError : one of them cannot train it.
    IntegrityError : one of them comes to other parameters; or nnlite and its own arithmetic in C to other bits.
    """
    parameters, X, truth = workload.draw_rows(ROWS)
    task = Task(workload.sizes, workload.output, workload.learning_rate, batch_size, parameters, X, truth)
    entered = [field.ours, *field.peers.values()]
    begun = []
    for process in entered:
        way, (rows, epochs) = process.begin(task, seconds)
        begun.append((way, rows, epochs))
        if process is not field.ours:
            same = (rows, epochs) if process.peer.same_bits else (_COMMON_BATCHES * batch_size, 1)
            _compare(process, workload, parameters, field.ours.learn(*same), process.learn(*same))
        show()
    for process, (_, rows, _) in zip(entered, begun, strict=True):
        process.prepare(rows)
    paces: list[list[float]] = [[] for _ in entered]
    for number in range(rounds):
        turn = number % len(entered)
        for n in (*range(turn, len(entered)), *range(turn)):
            _, rows, epochs = begun[n]
            paces[n].append(rows * epochs / entered[n].run(epochs))
            show()
    found = [_pace(size, mine, paces[0]) for size, mine in zip(begun, paces, strict=True)]
    return Cell(workload.name, workload.sizes, batch_size, found[0], dict(zip(field.peers, found[1:], strict=True)))


def _pace(begun: tuple[str, int, int], mine: list[float], ours: list[float]) -> Pace:
    ratios = [a / b for a, b in zip(ours, mine, strict=True)]
    return Pace(*begun, statistics.median(mine), statistics.median(ratios), min(ratios), max(ratios))


def _compare(process: Process, workload: Workload, start: Floats, ours: Floats, theirs: Floats) -> None:
    """Both must have learned the same."""
    where = f"{process.peer.title} does not learn workload {workload.name} as nnlite does"
    if process.peer.same_bits:
        different = int(np.count_nonzero(ours.view(np.uint32) != theirs.view(np.uint32)))
        if different:
            raise IntegrityError(f"{where}: {different} of {ours.size} parameters have other bits; report this")
    apart = float(np.linalg.norm(theirs.astype(np.float64) - ours) / np.linalg.norm(ours.astype(np.float64) - start))
    if not apart <= _TOLERANCE:
        raise IntegrityError(f"{where}: its parameters are {apart:.2g} of the way apart; is it another version?")


def summaries(cells: Sequence[Cell]) -> list[Summary]:
    """Of each peer, over all cells."""
    sizes = tuple(dict.fromkeys(cell.batch_size for cell in cells))
    found = []
    for peer in dict.fromkeys(peer for cell in cells for peer in cell.peers):
        by_size = {size: [cell.peers[peer].ratio for cell in cells if cell.batch_size == size] for size in sizes}
        usual = [ratio for size in _USUAL for ratio in by_size.get(size, [])]
        worst = min(cells, key=lambda cell: cell.peers[peer].ratio)
        found.append(
            Summary(
                peer,
                {size: _geometric_mean(ratios) for size, ratios in by_size.items()},
                _geometric_mean(usual) if set(_USUAL) <= set(sizes) else None,
                worst.peers[peer].ratio,
                worst.workload,
                worst.batch_size,
            )
        )
    return found


def _geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios))
