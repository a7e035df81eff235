"""Where everything of a network lies while it is trained fast: in rows filled up with zeros to whole vectors.

Two layouts, for two ways to compute. In batches lanes are samples, and each layer's W lies by columns: a row for each
output, its weights and then its bias, as if the layer had one more input that is always 1. With one sample a step lanes
are outputs: a row of biases, then the rows of W. What fills up never enters a sum of the network's own.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.fast.lanes import COUNTS, LANES
from nnlite.kernels.step import Shape

__all__ = [
    "Plan",
    "SinglePlan",
    "TinyPlan",
    "make_plan",
    "make_single_plan",
    "make_tiny_plan",
    "padded",
    "plan_of_thread",
    "tiny_views",
    "views",
]

Vector = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
#: floats of a network, and layers, up to which it can have a kernel of its own. 32 registers of AVX-512 hold 512, and
#: beyond 800 there is less and less to gain; what is larger, or deeper, may take more than 4 s to compile
_HELD, _DEEPEST = 800, 5


class Plan(NamedTuple):
    """A network in batches.

    Attributes
    ----------
    sizes : (layers + 1,), inputs, hidden..., outputs.
    width : (layers + 1,), those and the 1 behind them, filled up.
    units : (layers + 1,), the sum of `width` of the layers before; times `samples`, where a layer begins in `rows`, a
        row of its `width` for each sample, and in `columns`, a row of `samples` for each unit. The inputs of further
        threads are behind the outputs: to fetch them again is no slower than to have them from another CPU.
    blocks : (layers + 1,), where each layer's block of the parameters is; nothing for the inputs.
    samples : of a batch, filled up.
    hidden, output : as in `Shape`.
    """

    sizes: Indices
    width: Indices
    units: Indices
    blocks: Indices
    samples: int
    hidden: int
    output: int


class SinglePlan(NamedTuple):
    """A network with one sample a step.

    Attributes
    ----------
    sizes : (layers + 1,), inputs, hidden..., outputs.
    width : (layers + 1,), the same filled up.
    values : (layers + 1,), where in a sample's record the outputs of each layer are; the samples first.
    slopes : (layers + 1,), where in a sample's dA those of each layer are; nothing for the inputs.
    blocks : (layers + 1,), where each layer's block of the parameters is; nothing for the inputs.
    transposed : (layers + 1,), where its W transposed is, (outputs, inputs); from the second layer on.
    record : floats of a sample's record, filled up.
    gradient : floats of a sample's dA, filled up.
    hidden, output : as in `Shape`.
    """

    sizes: Indices
    width: Indices
    values: Indices
    slopes: Indices
    blocks: Indices
    transposed: Indices
    record: int
    gradient: int
    hidden: int
    output: int


class TinyPlan(NamedTuple):
    """A network that the registers hold, with one sample a step: each layer is b, the rows of W and its columns, a
    vector each, one after the other.

    Attributes
    ----------
    sizes : inputs, hidden..., outputs.
    hidden, output : as in `Shape`.
    """

    sizes: tuple[int, ...]
    hidden: int
    output: int

    @property
    def lanes(self) -> int:
        """Of each vector: as few as there are vectors of that the widest layer fits in."""
        return min(count for count in COUNTS if count >= max(self.sizes[1:]))

    @property
    def columns(self) -> tuple[int, ...]:
        """How many of each layer; nobody needs those of the first."""
        return (0, *self.sizes[2:])

    @property
    def blocks(self) -> list[int]:
        """Where each layer begins; one more for the end."""
        counts = [self.lanes * (1 + i + o) for i, o in zip(self.sizes, self.columns, strict=False)]
        return list(itertools.accumulate(counts, initial=0))


def padded(size: int) -> int:
    """Filled up to whole vectors."""
    return -(-size // LANES) * LANES


def _starts(counts: list[int]) -> Indices:
    """Where each begins when they lie one after the other; one more for the end."""
    return np.cumsum([0, *counts], dtype=np.int64)


def make_plan(shape: Shape, samples: int) -> tuple[Plan, int]:
    """The plan for so many samples side by side, and how many floats its parameters take."""
    sizes = [int(size) for size in shape.sizes]
    width = [padded(size + 1) for size in sizes]
    blocks = _starts([0, *(o * i for i, o in zip(width, sizes[1:], strict=False))])
    plan = Plan(
        np.array(sizes, np.int64),
        np.array(width, np.int64),
        _starts(width)[:-1],
        blocks[:-1],
        padded(samples),
        shape.hidden,
        shape.output,
    )
    return plan, int(blocks[-1])


def plan_of_thread(plan: Plan, thread: int) -> Plan:
    """The same with the thread's own place for inputs."""
    if thread == 0:
        return plan
    units = plan.units.copy()
    units[0] = units[-1] + plan.width[-1] + (thread - 1) * plan.width[0]
    return plan._replace(units=units)


def make_single_plan(shape: Shape) -> tuple[SinglePlan, int, int]:
    """The plan, and how many floats parameters and transposed weights take."""
    sizes = [int(size) for size in shape.sizes]
    width = [padded(size) for size in sizes]
    pairs = list(itertools.pairwise(width))
    values, slopes = _starts(width), _starts([0, *width[1:]])
    blocks = _starts([0, *(o + i * o for i, o in pairs)])
    transposed = _starts([0, 0, *(i * o for i, o in pairs[1:])])
    plan = SinglePlan(
        np.array(sizes, np.int64),
        np.array(width, np.int64),
        values[:-1],
        slopes[:-1],
        blocks[:-1],
        transposed[:-1],
        int(values[-1]),
        int(slopes[-1]),
        shape.hidden,
        shape.output,
    )
    return plan, int(blocks[-1]), int(transposed[-1])


def make_tiny_plan(shape: Shape) -> TinyPlan | None:
    """The plan, or None if the registers do not hold the network."""
    plan = TinyPlan(tuple(int(size) for size in shape.sizes), int(shape.hidden), int(shape.output))
    fits = max(plan.sizes[1:]) <= LANES and len(plan.sizes) - 1 <= _DEEPEST
    return plan if fits and plan.blocks[-1] <= _HELD else None


def tiny_views(plan: TinyPlan, plain: Vector, packed: Vector) -> list[tuple[Vector, Vector]]:
    """As `views`; W comes twice, by rows and by columns."""
    at, pairs = 0, []
    for (i, o), columns, first in zip(itertools.pairwise(plan.sizes), plan.columns, plan.blocks, strict=False):
        rows = packed[first : first + (1 + i + columns) * plan.lanes].reshape(-1, plan.lanes)
        w = plain[at : at + i * o].reshape(i, o)
        pairs += [(w, rows[1 : 1 + i, :o]), (plain[at + i * o : at + i * o + o], rows[0, :o])]
        if columns:
            pairs.append((w, rows[1 + i :, :i].T))
        at += i * o + o
    return pairs


def views(plan: Plan | SinglePlan, plain: Vector, packed: Vector) -> list[tuple[Vector, Vector]]:
    """Of what there is of each parameter, in the kernels' form and in this one: pairs of the same numbers, layer by
    layer, W and b."""
    at, pairs = 0, []
    for n in range(1, plan.sizes.size):
        i, o, first = int(plan.sizes[n - 1]), int(plan.sizes[n]), int(plan.blocks[n])
        if isinstance(plan, Plan):
            wide = int(plan.width[n - 1])
            block = packed[first : first + o * wide].reshape(o, wide)
            w, b = block[:, :i].T, block[:, i]
        else:
            wide = int(plan.width[n])
            block = packed[first : first + (1 + i) * wide].reshape(1 + i, wide)
            w, b = block[1:, :o], block[0, :o]
        pairs += [(plain[at : at + i * o].reshape(i, o), w), (plain[at + i * o : at + i * o + o], b)]
        at += i * o + o
    return pairs
