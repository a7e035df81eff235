"""Threads that compute one batch together: who does what, and how they wait for each other.

Which thread computes a sum, or a stretch of it, changes nothing about the sum, so the bits are those of one thread.
All have the same number of parts to finish, and each counts its own: who waits need only compare two counters.
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nnlite.fast.jit import inlined, part

__all__ = ["APART", "STOP", "finish", "follow", "is_stopped", "meet", "share", "wait_for_last"]

#: numbers from one thread's counter of parts to the next one's: CPUs fetch cache lines by twos
APART = 16
#: which of those numbers is no counter: what is not 0 there tells all threads to leave, since one of them never comes
STOP = 1
#: looks at another thread's counter, some microseconds, before others may have the processor: they may be who is
#: waited for
_PATIENCE = 1000


def _counter(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
    """Where a thread's counter is; it alone writes there."""
    data = context.make_array(sig.args[0])(context, builder, arguments[0]).data
    return builder.gep(data, [builder.mul(arguments[1], ir.Constant(ir.IntType(64), APART))])


@intrinsic  # type: ignore[untyped-decorator]
def _parts_of(typing_context: Any, progress: Any, thread: Any) -> Any:
    """How many parts a thread has finished; all that it wrote before is there to read."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        return builder.load_atomic(_counter(context, builder, sig, arguments), "acquire", 8)

    return types.int64(progress, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _set_parts(typing_context: Any, progress: Any, thread: Any, parts: Any) -> Any:
    """Say that a thread has finished so many."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        builder.store_atomic(arguments[2], _counter(context, builder, sig, arguments), "release", 8)
        return context.get_dummy_value()

    return types.void(progress, types.int64, types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _give_way(typing_context: Any) -> Any:
    """Let another thread have this processor, where there is a simple way to say so."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        if sys.platform != "win32":
            of_system = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, of_system, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic  # type: ignore[untyped-decorator]
def is_stopped(typing_context: Any, progress: Any) -> Any:
    """Whether nobody shall wait any more; what is computed from then on means nothing."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, arguments: Any) -> ir.Value:
        data = context.make_array(sig.args[0])(context, builder, arguments[0]).data
        word = builder.load_atomic(builder.gep(data, [ir.Constant(ir.IntType(64), STOP)]), "acquire", 8)
        return builder.icmp_signed("!=", word, ir.Constant(ir.IntType(64), 0))

    return types.boolean(progress), generate


@part
def _wait(progress: Any, other: int, parts: int) -> None:
    looks = 0
    while _parts_of(progress, other) < parts and not (looks > _PATIENCE and is_stopped(progress)):
        looks += 1
        if looks > _PATIENCE:
            _give_way()


@inlined
def finish(progress: Any, thread: int) -> None:
    """A thread has one more part behind it."""
    _set_parts(progress, thread, _parts_of(progress, thread) + 1)


@inlined
def follow(progress: Any, thread: int) -> None:
    """Wait until the thread before this one has finished the part that is next here; the first need not."""
    if thread > 0:
        _wait(progress, thread - 1, _parts_of(progress, thread) + 1)


@inlined
def wait_for_last(progress: Any, thread: int, threads: int) -> None:
    """Wait until the last thread, and so every one, has finished as many parts as this one."""
    if thread < threads - 1:
        _wait(progress, threads - 1, _parts_of(progress, thread))


@part
def meet(progress: Any, thread: int, threads: int) -> None:
    """Wait until all of the threads are here."""
    if threads > 1:
        finish(progress, thread)
        for other in range(threads):
            _wait(progress, other, _parts_of(progress, thread))


@inlined
def share(count: int, together: int, thread: int, threads: int) -> tuple[int, int]:
    """First and end of the part that is a thread's; so many stay together, but for the last."""
    groups = (count + together - 1) // together
    first = groups * thread // threads * together
    end = groups * (thread + 1) // threads * together
    return min(first, count), min(end, count)
