"""The bits of `nnlite.kernels`, sooner: sums side by side in SIMD lanes and registers, never split.

One set of kernels for networks of every size, compiled once on a computer. docs/NUMERICS.md, "Plain and fast forms",
says why each step gives the plain kernels' bits; tests/fast holds it.
"""

from __future__ import annotations

import sys

__all__ = ["pays"]

#: weights times samples times epochs from which on the fast kernels are through sooner than the plain ones, which do
#: some 3e8 a second: where this process has used them before, where they must be loaded from disk (0.2 s), and where
#: they must be compiled first (5 to 15 s)
_PAYS_FROM = {"loaded": 1e6, "on disk": 1e8, "nowhere": 3e9}


def pays(work: float, one_by_one: bool, measures: bool) -> bool:
    """Whether the fast kernels are through sooner, whatever must be done first.

    Parameters
    ----------
    work : weights times samples times epochs.
    one_by_one : whether that is plain SGD with a sample a step, which has a kernel of its own.
    measures : whether losses or accuracy are measured between epochs, which has one, too.
    """
    if work < _PAYS_FROM["loaded" if "nnlite.fast.engine" in sys.modules else "on disk"]:
        return False
    from nnlite.fast.engine import where_compiled

    return work >= _PAYS_FROM[where_compiled(one_by_one, measures)]
