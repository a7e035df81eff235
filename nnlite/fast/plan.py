"""Where everything of a network lies while it is trained fast: rows and columns filled up to whole vectors.

A layer's block of `parameters` is its biases, one row, then the rows of W; every row is filled with zeros to a multiple
of 16, and so are the rows. What fills up is computed along and never enters a sum of the network's own.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.fast.lanes import LANES
from nnlite.kernels.step import Shape

__all__ = ["Plan", "make_plan", "pack", "padded", "unpack"]

Vector = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


class Plan(NamedTuple):
    """A network's sizes and the offsets of its layers.

    Attributes
    ----------
    sizes : (layers + 1,), inputs, hidden..., outputs.
    width : (layers + 1,), the same filled up.
    values : (layers + 1,), where in a sample's record the outputs of each layer are; the samples first.
    slopes : (layers + 1,), where in a sample's dA those of each layer are; nothing for the inputs.
    blocks : (layers + 1,), where each layer's block of the parameters is; nothing for the inputs.
    transposed : (layers + 1,), where its W transposed is, (outputs, inputs); from the second layer on.
    widest : the largest of `width`.
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
    widest: int
    record: int
    gradient: int
    hidden: int
    output: int


def padded(size: int) -> int:
    """Filled up to whole vectors."""
    return -(-size // LANES) * LANES


def _starts(counts: list[int]) -> Indices:
    """Where each begins when they lie one after the other; one more for the end."""
    return np.cumsum([0, *counts], dtype=np.int64)


def make_plan(shape: Shape) -> tuple[Plan, int, int]:
    """The plan, and how many floats parameters and transposed weights take."""
    sizes = [int(size) for size in shape.sizes]
    width = [padded(size) for size in sizes]
    pairs = list(itertools.pairwise(width))
    values, slopes = _starts(width), _starts([0, *width[1:]])
    blocks = _starts([0, *(o + i * o for i, o in pairs)])
    transposed = _starts([0, 0, *(i * o for i, o in pairs[1:])])
    plan = Plan(
        np.array(sizes, np.int64),
        np.array(width, np.int64),
        values[:-1],
        slopes[:-1],
        blocks[:-1],
        transposed[:-1],
        max(width),
        int(values[-1]),
        int(slopes[-1]),
        shape.hidden,
        shape.output,
    )
    return plan, int(blocks[-1]), int(transposed[-1])


def _views(plan: Plan, plain: Vector, packed: Vector) -> list[tuple[Vector, Vector]]:
    """Pairs of views that hold the same numbers: W and b of each layer in both forms."""
    at, pairs = 0, []
    for n in range(1, plan.sizes.size):
        i, o, wide = int(plan.sizes[n - 1]), int(plan.sizes[n]), int(plan.width[n])
        first = int(plan.blocks[n])
        block = packed[first : first + (1 + i) * wide].reshape(1 + i, wide)[:, :o]
        pairs += [(plain[at : at + i * o].reshape(i, o), block[1:]), (plain[at + i * o : at + i * o + o], block[0])]
        at += i * o + o
    return pairs


def pack(plan: Plan, plain: Vector, packed: Vector) -> None:
    """Parameters, or what an optimiser keeps of each, from the kernels' form to this one."""
    for source, target in _views(plan, plain, packed):
        target[...] = source


def unpack(plan: Plan, packed: Vector, plain: Vector) -> None:
    """And back."""
    for target, source in _views(plan, plain, packed):
        target[...] = source
