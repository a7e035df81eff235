"""Ways to compile fast kernels, all as strict as `nnlite.kernels.jit.kernel`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from nnlite.kernels import jit
from nnlite.kernels.inside import FOR_KERNELS, inside

__all__ = ["FORCED", "fast_kernel", "inlined", "part"]

P = ParamSpec("P")
R = TypeVar("R")

#: of an `overload`: what makes no function of its own, in the end
FORCED = {"forceinline": True, **FOR_KERNELS}
#: what Python calls: kept on disk, and other threads run meanwhile
fast_kernel = jit.compiler(Path(jit.__file__).parent, Path(__file__).parent, nogil=True)


def part(function: Callable[P, R]) -> Callable[P, R]:
    """A function of its own in the machine code of whoever calls it."""
    return inside(function)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Not even that: its lines are where it is called."""
    return inside(function, forceinline=True)
