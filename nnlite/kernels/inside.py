"""Functions that only kernels call, compiled once, as a part of those.

Numba makes machine code of each function by itself, optimised, and then once more inside of every function that calls
it, all the way up. That was most of the time that a computer's first training took.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit, types
from numba.core.codegen import JITCodeLibrary

from nnlite.kernels.constants import Specializing

__all__ = ["FOR_KERNELS", "STRICT", "inside", "light_kernel"]

P = ParamSpec("P")
R = TypeVar("R")

#: without fastmath nothing is fused or reassociated; division by zero gives what IEEE-754 says; and no kernel makes an
#: array, so no references to arrays need counting
STRICT = {"fastmath": False, "error_model": "numpy", "_nrt": False}
#: what only kernels call needs no doors for Python and C programs, which take as long to compile as itself
FOR_KERNELS = {**STRICT, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
#: arguments that a function decides by, so that it is compiled for each number that is known
_DECIDING = {"activation"}


class _Unfinished(JITCodeLibrary):  # type: ignore[misc]
    """What Numba makes for LLVM of a function, neither optimised nor turned into machine code: its callers' are."""

    def _optimize_final_module(self) -> None:
        """Together with the caller."""

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """None: it is nowhere in memory by itself."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> _Unfinished:
        """For `set_env` below."""
        return self

    def set_env(self, name: str, environment: object) -> None:
        """What generated code would find Python objects by, in memory that this has none of."""


class _Inside(Specializing):
    """The compiler of kernels, with that for its result."""

    def compile_extra(self, function: Any) -> Any:
        self.state.library = _Unfinished(self.state.targetctx.codegen(), function.__qualname__)
        return super().compile_extra(function)


def inside(function: Callable[P, R], **options: bool) -> Callable[P, R]:
    """Compiles a function for other kernels only, into their machine code. Python cannot call it."""

    def refuse(*args: Any) -> None:
        raise TypeError(f"{function.__qualname__} is part of other kernels and cannot be called from Python")

    return _inside(function, refuse, options)


def light_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """The same for what is over at once even as Python: that is what it stays where Python calls it."""
    return _inside(function, function, {})


def _inside(function: Callable[P, R], for_python: Callable[..., Any], options: dict[str, bool]) -> Callable[P, R]:
    compiled: Any = njit(pipeline_class=_Inside, **FOR_KERNELS, **options)(function)

    def add_overload(result: Any) -> None:
        # not to what Numba looks through when Python calls: there is no machine code to jump to
        compiled.overloads[tuple(result.signature.args)] = result

    def compile_for_python(*args: Any) -> Callable[..., Any]:
        return for_python

    template_of = compiled.get_call_template
    decides = [name in _DECIDING for name in inspect.signature(function).parameters]

    def get_call_template(arguments: Iterable[Any], keywords: Any) -> Any:
        # Numba would compile it once more for each number that stands where it is called
        kinds = [kind if any(decides[n : n + 1]) else types.unliteral(kind) for n, kind in enumerate(arguments)]
        return template_of(tuple(kinds), keywords)

    compiled.add_overload, compiled._compile_for_args = add_overload, compile_for_python
    compiled.get_call_template = get_call_template
    return cast(Callable[P, R], compiled)
