"""Threads that compute one batch together: who does what, and how they wait for each other.

Which thread computes a sum changes nothing about the sum, so the bits are those of one thread.
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nnlite.fast.jit import inlined, part

__all__ = ["meet", "share"]

_INT64 = ir.IntType(64)
#: looks at who has arrived, some microseconds, before others may have the processor: they may be who is waited for
_PATIENCE = 1000


@intrinsic  # type: ignore[untyped-decorator]
def _arrive(typing_context: Any, arrived: Any) -> Any:
    """Add 1 to the first number of an array, for every thread to see, with all that was written before. Returns what it
    was."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        data = context.make_array(sig.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", data, _INT64(1), "seq_cst")

    return types.int64(arrived), generate


@intrinsic  # type: ignore[untyped-decorator]
def _arrived(typing_context: Any, arrived: Any) -> Any:
    """The number as all threads have made it by now."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        data = context.make_array(sig.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(data, "seq_cst", 8)

    return types.int64(arrived), generate


@intrinsic  # type: ignore[untyped-decorator]
def _give_way(typing_context: Any) -> Any:
    """Let another thread have this processor, where there is a simple way to say so."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        if sys.platform != "win32":
            of_system = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, of_system, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


@part
def meet(arrived: Any, threads: int) -> None:
    """Wait until all of the threads are here."""
    if threads > 1:
        expected, looks = (_arrive(arrived) // threads + 1) * threads, 0
        while _arrived(arrived) < expected:
            looks += 1
            if looks > _PATIENCE:
                _give_way()


@inlined
def share(count: int, together: int, thread: int, threads: int) -> tuple[int, int]:
    """First and end of the part that is a thread's; so many stay together, but for the last."""
    groups = (count + together - 1) // together
    first = groups * thread // threads * together
    end = groups * (thread + 1) // threads * together
    return min(first, count), min(end, count)
