"""The bits of `nnlite.kernels`, sooner: sums side by side in SIMD lanes and registers, never split.

One set of kernels for networks of every size, compiled once on a computer; and, for one sample a step, one for each
network that registers hold, where its training is long. docs/NUMERICS.md, "Plain and fast forms",
says why each step gives the plain kernels' bits; tests/fast holds it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nnlite.kernels.step import Shape

__all__ = ["Choice", "choose"]

#: weights times samples times epochs from which on the fast kernels are through sooner than the plain ones, which do
#: some 3e8 a second: where this process has used them before, where they must be loaded from disk (0.2 s), and where
#: another process must compile them first, once on a computer, while the plain ones train
_PAYS_FROM = {"loaded": 1e6, "on disk": 1e8, "nowhere": 5e9}
#: samples times epochs from which on a network's own kernel, which saves 20 to 90 ns a sample, makes up for its
#: compilation (1 to 3 s)
_OWN_PAYS_FROM = 5e7


class Choice(NamedTuple):
    """Fast kernels for a training.

    Attributes
    ----------
    tiny : whether it is one for this network alone, which is held in registers.
    where : they are: "loaded" by this process, "on disk" or "nowhere".
    """

    tiny: bool
    where: str


def choose(work: float, samples: float, shape: Shape, one_by_one: bool, measures: bool) -> Choice | None:
    """Those that are through soonest, whatever must be done first; None for the plain ones.

    Parameters
    ----------
    work : weights times samples times epochs.
    samples : times epochs.
    shape : of the layers that are trained.
    one_by_one : whether that is plain SGD with a sample a step, which has kernels of its own.
    measures : whether losses or accuracy are measured between epochs, which has one, too.
    """
    if work < _PAYS_FROM["loaded" if "nnlite.fast.engine" in sys.modules else "on disk"]:
        return None
    from nnlite.fast.engine import fits_registers, where_compiled

    if one_by_one and fits_registers(shape):
        own = where_compiled(shape, one_by_one, measures, True)
        if work >= _PAYS_FROM[own] and (own != "nowhere" or samples >= _OWN_PAYS_FROM):
            return Choice(True, own)
    where = where_compiled(shape, one_by_one, measures, False)
    return Choice(False, where) if work >= _PAYS_FROM[where] else None
