"""What the terms of `nnlite.cycles` take on a board, from calls of the functions of its firmware."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nnlite.cycles import Call, Table, terms
from nnlite.profile import Profile
from tests.proof.code_paths import Code, Span
from tests.proof.cycle_parts import KINDS, PARTS, WHOLE, Measured, Size, measure, measure_whole
from tests.proof.runtime_calls import Chip, chip

__all__ = ["digest", "fit"]

Prices = dict[str, tuple[float, float, float]]
#: term -> cycles
Ends = dict[str, float]
Matrix = npt.NDArray[np.float64]
#: a call that has the same cycles whatever the numbers are is off by no more than what rounding does to the solution
_EXACT = 1e-3
_SEED = 9


def digest(profile: Profile) -> str:
    """Of the prebuilt image."""
    return hashlib.blake2s(profile.firmware_hex().encode("ascii"), digest_size=16).hexdigest()


def _sizes(rng: np.random.Generator) -> Iterator[Size]:
    """Small ones that tell all terms from each other."""
    for inputs in (1, 2, 3, 4, 5, 8, 11):
        for outputs in (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 18):
            yield Size(inputs, outputs, int(rng.integers(1, 5)))


def _usual_sizes(rng: np.random.Generator) -> Iterator[Size]:
    """As networks have them."""
    for _ in range(120):
        inputs, outputs = (int(2 ** rng.uniform(0.5, 7)) for _ in range(2))
        yield Size(inputs, outputs, int(rng.integers(1, 9)))
    for inputs, outputs in ((784, 10), (784, 16), (640, 8), (300, 20), (300, 10), (200, 40), (12, 300), (150, 60)) * 2:
        yield Size(inputs, outputs, 2)


def _columns(rows: list[dict[str, float]], structural: bool) -> tuple[list[str], Matrix]:
    """Terms and how many of each every call took; without those that are never there, or that always come with another
    one. `structural` leaves out what stands for a curve."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    kept: list[str] = []
    columns: list[npt.NDArray[np.float64]] = []
    for name in names:
        column = np.array([row.get(name, 0.0) for row in rows], np.float64)
        if not column.any() or (structural and " log " in name):
            continue
        with_it = np.array([*columns, column])
        if np.linalg.matrix_rank(with_it) == len(with_it):
            kept.append(name)
            columns.append(column)
    return kept, np.array(columns).T


def _solve(rows: list[dict[str, float]], values: npt.ArrayLike, structural: bool) -> tuple[dict[str, float], float]:
    """What each term takes, and by how much the worst call differs from the sum."""
    names, matrix = _columns(rows, structural)
    wanted = np.asarray(values, np.float64)
    scale = 1.0 / np.maximum(1.0, wanted) if not structural else np.ones_like(wanted)
    solution = np.linalg.lstsq(matrix * scale[:, None], wanted * scale, rcond=None)[0]
    return dict(zip(names, solution.tolist(), strict=True)), float(np.abs(matrix @ solution - wanted).max())


class _Fit:
    """One board's."""

    def __init__(self, profile: Profile, board: Chip) -> None:
        self._profile, self._chip = profile, board
        self._rng = np.random.default_rng(_SEED)

    def part(self, name: str) -> Prices:
        """Of a function that computes."""
        by_kind: dict[str, list[Measured]] = {kind: [] for kind in KINDS}
        for kind, runs in by_kind.items():
            sizes = [*_sizes(self._rng)]
            runs += [measure(self._chip, name, self._rng, kind, size) for size in sizes]
        exact = self._exactly([run for runs in by_kind.values() for run in runs])
        if exact is not None:
            return exact
        usual = [measure(self._chip, name, self._rng, "usual", size) for size in _usual_sizes(self._rng)]
        estimate, _ = _solve([self._terms(call) for _, call in usual], [cycles for cycles, _ in usual], False)
        segments = Code(self._profile).segments(PARTS[name][0])
        return _together(estimate, [self._bounds(segments, self._flow(name, kind)) for kind in KINDS[1:]])

    def whole(self, name: str) -> Prices:
        """Of a function that calls those."""
        layers = range(1, 6)
        runs = [measure_whole(self._chip, name, self._rng, n, samples) for n in layers for samples in (1, 2, 3, 4)]
        exact = self._exactly(runs)
        if exact is not None:
            return exact
        estimate, _ = _solve([self._terms(call) for _, call in runs], [cycles for cycles, _ in runs], False)
        function, apart = WHOLE[name]
        segments = Code(self._profile, apart).segments(function)
        flow = (measure_whole(self._chip, name, self._rng, n, 3) for n in layers)
        return _together(estimate, [self._bounds(segments, flow, times=1 + len(apart))])

    def _terms(self, call: Call) -> dict[str, float]:
        return terms(self._profile.core, call)

    def _exactly(self, runs: list[Measured]) -> Prices | None:
        """Where cycles do not depend on what the numbers are: with an FPU. Software has other ways for some numbers."""
        if not self._profile.fpu:
            return None
        prices, off = _solve([self._terms(call) for _, call in runs], [cycles for cycles, _ in runs], True)
        if off > _EXACT:
            return None
        return {name: (round(price, 6),) * 3 for name, price in prices.items() if abs(price) > 1e-6}  # type: ignore[misc]

    def _flow(self, name: str, kind: str) -> Iterator[Measured]:
        for size in _sizes(self._rng):
            if kind == "rare" and size.outputs == 1:  # the one term of a row's sum is usual
                continue
            yield measure(self._chip, name, self._rng, kind, size)

    def _bounds(self, segments: dict[int, Span], runs: Iterator[Measured], times: int = 1) -> tuple[Ends, Ends]:
        """Least and most, by how often each segment of the code begins and what it takes then.

        Parameters
        ----------
        times : how often a run calls the function.
        """
        rows, counts = [], []
        before = self._chip.times()
        for _, call in runs:
            after = self._chip.times()
            rows.append(self._terms(call))
            counts.append([int(after[at // 2] - before[at // 2]) / times for at in segments])
            before = after
        low: Ends = defaultdict(float)
        high: Ends = defaultdict(float)
        for (at, span), often in zip(segments.items(), np.array(counts).T, strict=True):
            per_term, off = _solve(rows, often, True)
            if off > _EXACT:
                raise ValueError(f"how often {at:#x} is reached is no sum of what the model counts: off by {off}")
            for term, count in per_term.items():
                low[term] += count * span[0]
                high[term] += count * span[1]
        return low, high


def _together(estimate: dict[str, float], bounds: list[tuple[Ends, Ends]]) -> Prices:
    """One price a term: the least and the most of all kinds of data."""
    names = list(dict.fromkeys([*estimate, *(name for pair in bounds for ends in pair for name in ends)]))

    def price(name: str) -> tuple[float, float, float]:
        lows, highs = ([pair[side].get(name, 0.0) for pair in bounds] for side in (0, 1))
        return round(min(lows), 4), round(estimate.get(name, 0.0), 4), round(max(highs), 4)

    return {name: price(name) for name in names}


def fit(profile: Profile) -> Table:
    """All parts of a board."""
    with chip(profile) as board:
        one = _Fit(profile, board)
        return Table(digest(profile), {**{n: one.part(n) for n in PARTS}, **{n: one.whole(n) for n in WHOLE}})
