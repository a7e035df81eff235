"""Ways to compile fast kernels, all as strict as `nnlite.kernels.jit.kernel`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from numba import njit

from nnlite.kernels import jit

__all__ = ["FORCED", "fast_kernel", "inlined", "part"]

P = ParamSpec("P")
R = TypeVar("R")

#: no kernel makes an array, so none need count references to them: it took half of the time of small networks
_NO_REFERENCES = {"_nrt": False}
#: what only kernels call needs no door for Python, which takes as long to compile as itself
_INNER = {**_NO_REFERENCES, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
#: of an `overload`: what makes no function of its own, in the end
FORCED = {**_INNER, "forceinline": True, "fastmath": False, "error_model": "numpy"}
#: what Python calls: kept on disk, and other threads run meanwhile
fast_kernel = jit.compiler(Path(jit.__file__).parent, Path(__file__).parent, nogil=True, **_NO_REFERENCES)


def part(function: Callable[P, R]) -> Callable[P, R]:
    """A function of its own in the machine code of whoever calls it."""
    return cast(Callable[P, R], njit(fastmath=False, error_model="numpy", **_INNER)(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """No function of its own: Numba puts its lines where it is called, and never compiles it alone."""
    return cast(Callable[P, R], njit(fastmath=False, error_model="numpy", inline="always", **_INNER)(function))
