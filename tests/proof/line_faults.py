"""Which faults of the line are tried, and what became of the transfers."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, replace

from firmware_sim import open_board
from firmware_sim.faults import Faults
from tests.proof.talk import LARGE, SMALL, Talk, talk

__all__ = ["BIT_ERRORS", "CASES", "HEAD", "SEEDS", "SLICE", "Found", "row", "slice_of", "try_case"]

#: chances of each bit
BIT_ERRORS = (0.0, 1e-7, 1e-6, 1e-5, 3e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3)
_BITS = 8
SEEDS = range(4)
HEAD = (
    "| fault, both ways | board | transfers | complete and right | ended by a named error | flash, B/s | pull, B/s |\n"
    "|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True)
class Case:
    """Faults, and what is said meanwhile."""

    faults: Faults
    what: Talk = SMALL


def _cases() -> dict[str, Case]:
    cases = {f"bit errors {rate:g}" if rate else "none": Faults(flip=1 - (1 - rate) ** _BITS) for rate in BIT_ERRORS}
    for rate in (1e-5, 1e-4, 1e-3):
        cases[f"lost bytes {rate:g}"] = Faults(drop=rate)
        cases[f"doubled bytes {rate:g}"] = Faults(double=rate)
        cases[f"bursts of 8 bytes {rate:g}"] = Faults(burst=rate)
        cases[f"silences of 64 bytes {rate:g}"] = Faults(silence=rate)
    for milliseconds in (1, 5, 16, 50):
        cases[f"latency {milliseconds} ms"] = Faults(latency=milliseconds / 1000)
    cases["interface chip"] = Faults(interface_chip=True)
    cases["interface chip, latency 16 ms"] = Faults(interface_chip=True, latency=0.016)
    all_of_it = Faults(interface_chip=True, latency=0.016, flip=8e-4, drop=1e-4)
    cases["interface chip, latency 16 ms, bit errors 0.0001, lost bytes 0.0001"] = all_of_it
    fast = ["none", "bit errors 1e-05", "bit errors 0.0001", "lost bytes 0.0001", "silences of 64 bytes 0.0001"]
    return {name: Case(faults) for name, faults in cases.items()} | {
        f"{name}, the higher rate": Case(cases[name], LARGE) for name in (*fast, "latency 16 ms")
    }


CASES = _cases()
#: the cases that every run of the tests tries, with a seed of their own
SLICE = (
    "bit errors 0.001",
    "silences of 64 bytes 0.001",
    "interface chip, latency 16 ms, bit errors 0.0001, lost bytes 0.0001",
    "bit errors 0.0001, the higher rate",
)
_SLICE_SEED = 11


def slice_of(name: str) -> Case:
    """A case as the tests try it."""
    case = CASES[name]
    return replace(case, faults=replace(case.faults, seed=_SLICE_SEED))


@dataclass(frozen=True)
class Found:
    """What became of the transfers of one case on one board.

    Attributes
    ----------
    complete : how many came to an end and were right.
    errors : how many ended by an error, by its name.
    flash, pull : bytes of image a simulated second, the median of those that were complete; 0 for none.
    """

    complete: int
    errors: Counter[str]
    flash: float
    pull: float


def try_case(board: str, name: str) -> Found:
    """Try all transfers of a case with every seed.

    Raises
    ------
    Violation : one ended neither complete and right nor with a named error.
    """
    case = CASES[name]
    seconds: dict[str, list[float]] = {}
    errors: Counter[str] = Counter()
    for seed in SEEDS:
        with open_board(board, faults=replace(case.faults, seed=seed)) as opened:
            for step, ended in talk(opened, case.what).items():
                if ended.error is None:
                    seconds.setdefault(step, []).append(ended.seconds)
                else:
                    errors[type(ended.error).__name__] += 1

    def rate(step: str) -> float:
        return case.what.image_bytes / statistics.median(seconds[step]) if step in seconds else 0.0

    return Found(sum(map(len, seconds.values())), errors, rate("flash"), rate("pull"))


def row(title: str, board: str, found: Found) -> str:
    """One row of the table."""
    errors = ", ".join(f"{count} {name}" for name, count in sorted(found.errors.items())) or "0"
    total = found.complete + found.errors.total()
    return f"| {title} | {board} | {total} | {found.complete} | {errors} | {found.flash:,.0f} | {found.pull:,.0f} |\n"
