"""The short way through `firmware_sim.cpu.hooks.at_instruction`, which nearly every instruction takes.

An instruction is plain when it lies in flash that is not busy, was decoded before, has no flags, the deadline has not
come and nothing waits for the next instruction. All there is to do then is counting, in some twenty operations. What
Numba compiles is called through a wrapper that keeps registers and looks for an exception, which took longer than that;
so these operations are built for LLVM one by one, and all that is not plain goes on to Numba's code.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from firmware_sim.cpu import hooks, slots

__all__ = ["step_address"]

_i64, _i32 = ir.IntType(64), ir.IntType(32)
_SLOTS = _i64.as_pointer()
_STEP = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), _i64, _i32, _SLOTS])
#: an entry that is decoded and has no flags, less 1, is less
_PLAIN = (1 << slots.FLAG_SHIFT) - 1
_engines: list[Any] = []  # each owns the machine code that its address points to


class _Words:
    """Loads and stores of slots."""

    def __init__(self, builder: ir.IRBuilder, words: ir.Value) -> None:
        self._builder, self._words = builder, words

    def at(self, index: int | ir.Value) -> ir.Value:
        return self._builder.gep(self._words, [_i64(index) if isinstance(index, int) else index])

    def __getitem__(self, index: int | ir.Value) -> ir.Value:
        return self._builder.load(self.at(index))

    def __setitem__(self, index: int | ir.Value, value: ir.Value) -> None:
        self._builder.store(value, self.at(index))


def _module(otherwise: int, checked: bool) -> ir.Module:
    module = ir.Module("plain")
    function = ir.Function(module, _STEP, "step")
    engine, at, size, words = function.args
    entry_block, found, count, more = (function.append_basic_block(name) for name in ("", "found", "count", "more"))
    b = ir.IRBuilder(entry_block)
    slot = _Words(b, words)

    def field(entry: ir.Value, shift: int, mask: int) -> ir.Value:
        return b.and_(b.lshr(entry, _i64(shift)), _i64(mask))

    in_sequence = b.icmp_signed("==", at, slot[slots.NEXT])
    cycles = slot[slots.CYCLES]
    if checked:  # a jump may be a return
        quiet = b.icmp_signed("==", b.or_(slot[slots.SP_MOVED], slot[slots.CALLING]), _i64(0))
        quiet = b.and_(quiet, in_sequence)
    else:
        cycles = b.select(in_sequence, cycles, b.add(cycles, slot[slots.TAKEN]))
        quiet = b.icmp_signed("!=", at, slot[slots.RETURN])
    halfword = b.lshr(b.sub(at, slot[slots.BASE]), _i64(1))
    quiet = b.and_(quiet, b.icmp_signed("<", cycles, slot[slots.DEADLINE]))
    b.cbranch(b.and_(quiet, b.icmp_unsigned("<", halfword, slot[slots.PLAIN_HALFWORDS])), found, more)

    b.position_at_end(found)
    place = b.add(halfword, _i64(slots.TABLE))
    entry = slot[place]
    b.cbranch(b.icmp_unsigned("<", b.sub(b.trunc(entry, _i32), _i32(1)), _i32(_PLAIN)), count, more)

    b.position_at_end(count)
    if checked:
        slot[place] = b.add(entry, _i64(1 << slots.EXECUTED_SHIFT))
        slot[slots.LAST] = halfword
    slot[slots.INSTRUCTIONS] = b.add(slot[slots.INSTRUCTIONS], field(entry, slots.COUNT_SHIFT, slots.COUNT_MASK))
    slot[slots.CYCLES] = b.add(cycles, field(entry, 0, slots.BYTE))
    slot[slots.TAKEN] = field(entry, slots.TAKEN_SHIFT, slots.BYTE)
    slot[slots.NEXT] = b.add(at, b.zext(size, _i64))
    b.ret_void()

    b.position_at_end(more)
    whole = b.inttoptr(_i64(otherwise), _STEP.as_pointer())
    b.call(whole, [engine, at, size, words], tail="musttail")
    b.ret_void()
    return module


@lru_cache(maxsize=2)
def step_address(checked: bool) -> int:
    """Address of the function that Unicorn is to call before each instruction."""
    otherwise = hooks.at_instruction_checked if checked else hooks.at_instruction
    module = llvm.parse_assembly(str(_module(otherwise.address, checked)))
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=3)
    compiled = llvm.create_mcjit_compiler(module, machine)
    compiled.finalize_object()
    _engines.append(compiled)
    return int(compiled.get_function_address("step"))
