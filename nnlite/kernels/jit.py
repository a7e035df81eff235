"""One way to compile every kernel: strict IEEE arithmetic, kept on disk between processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

__all__ = ["kernel"]

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile without fastmath, so that nothing is fused or reassociated (docs/NUMERICS.md)."""
    return cast(Callable[P, R], njit(cache=True, fastmath=False, error_model="numpy")(function))
