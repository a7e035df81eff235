"""What Unicorn calls before each instruction, at each access to RAM, and at each access to a register: compiled.

The state is one array of int64, see `firmware_sim.cpu.slots`. Numba keeps the machine code between processes; it sees
a change in this file alone, so what is compiled depends on a number, too, that stands for all files that it is made of.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from numba import carray, cfunc, njit, types
from unicorn import arm_const

from firmware_sim.cpu import bridge
from firmware_sim.cpu.idle import looked
from firmware_sim.cpu.known import busy, clear, find, may_post, take, wait
from firmware_sim.cpu.slots import (
    ABSENT,
    ALIGNS,
    ARMED,
    BASE,
    BYTE,
    BYTE_IN,
    CALL,
    CALL_CYCLES,
    CALL_INSTRUCTIONS,
    CALLING,
    CALLS,
    CODE_END,
    CODE_START,
    CORE,
    COUNT_MASK,
    COUNT_SHIFT,
    CYCLES,
    DEADLINE,
    DEPTH,
    EVENT,
    EXECUTED_SHIFT,
    FLAG,
    FLAG_MASK,
    FLAG_SHIFT,
    FLASH_ADDRESS,
    FLASH_BUSY,
    FLOATS,
    FPU,
    FRAME,
    FRAMES,
    FRAMES_MOST,
    HALFWORDS,
    IN_IT,
    INSTRUCTIONS,
    LAST,
    MEASURED,
    MOVES_SP,
    NEXT,
    NO_CODE,
    NO_FPU,
    NOT_ON_THIS_CORE,
    OVERWRITTEN,
    PENDING,
    PLAIN_HALFWORDS,
    RAM_ADDRESS,
    RAM_HALFWORDS,
    RAM_START,
    REACHED,
    REGISTER,
    RETURN,
    SELF,
    SENDS,
    SKIP,
    SP_LIMIT,
    SP_LOWEST,
    SP_MOVED,
    SP_TOP,
    STACK_OVERFLOW,
    START_CYCLES,
    START_INSTRUCTIONS,
    STOPS,
    TABLE,
    TAKEN,
    TAKEN_SHIFT,
    TRAP,
    TRAP_ADDRESS,
    UNALIGNED,
    UNKNOWN,
    UNMASKS,
    WATCH_HIGH,
)

__all__ = [
    "at_access",
    "at_instruction",
    "at_instruction_checked",
    "at_look",
    "at_register_read",
    "at_register_write",
]

_R0 = arm_const.UC_ARM_REG_R0
_SP, _LR, _CONTROL = arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_LR, arm_const.UC_ARM_REG_CONTROL
_ENTRY = (1 << EXECUTED_SHIFT) - 1
_SLOTS = types.CPointer(types.int64)


@njit
def _register(engine, slots, name):  # type: ignore[no-untyped-def]
    slots[REGISTER] = 0
    bridge.reg_read(engine, name, slots[SELF] + 8 * REGISTER)
    return slots[REGISTER]


@njit
def _trap(engine, slots, reason, address):  # type: ignore[no-untyped-def]
    slots[TRAP], slots[TRAP_ADDRESS] = reason, address
    bridge.emu_stop(engine)


@njit
def _stack_fits(engine, slots):  # type: ignore[no-untyped-def]
    """After an instruction that moved sp. A stack elsewhere is a thread's, and not looked at."""
    slots[SP_MOVED] = 0
    sp = _register(engine, slots, _SP)
    slots[TRAP_ADDRESS] = sp
    if sp > slots[SP_TOP]:
        return True
    if sp < slots[SP_LIMIT] and _register(engine, slots, _CONTROL) & 2:
        return True
    slots[SP_LOWEST] = min(slots[SP_LOWEST], sp)
    return sp >= slots[SP_LIMIT]


@njit
def _code(slots, at, size):  # type: ignore[no-untyped-def]
    """The instruction there, in flash or RAM: its first halfword lowest."""
    start = slots[FLASH_ADDRESS] + at - slots[BASE]
    within = at - slots[RAM_START]
    if within >= 0 and within < 2 * slots[RAM_HALFWORDS]:
        start = slots[RAM_ADDRESS] + within
    return carray(bridge.pointer(start), (1,))[0] & ((1 << 8 * size) - 1)


@njit
def _wait_for_flash(slots):  # type: ignore[no-untyped-def]
    """The core fetches from flash that may be busy: it stands still until it is not."""
    slots[CYCLES] = max(slots[CYCLES], slots[FLASH_BUSY])
    slots[FLASH_BUSY], slots[PLAIN_HALFWORDS] = 0, slots[HALFWORDS]


@njit
def _base(engine, slots, at, size):  # type: ignore[no-untyped-def]
    """The base register of an access to several words; its offset, if any, is a multiple of 4 (ARMv7-M, A5.2.1, A5.3.5,
    A5.3.6, A6.5)."""
    code = _code(slots, at, size)
    base = code & 15 if size == 4 else code >> 8 & 7
    if base > 12:
        return 0  # sp and pc have no lowest bits
    return _register(engine, slots, _R0 + base)


@njit
def _push_call(engine, slots, back):  # type: ignore[no-untyped-def]
    """A call that will return to `back`; those below sp have been left by other ways than a return."""
    sp = _register(engine, slots, _SP)
    depth = slots[DEPTH]
    while depth > 0 and slots[FRAMES + FRAME * (depth - 1) + 1] < sp and not slots[FRAMES + FRAME * (depth - 1)] & 1:
        depth -= 1
    if depth < FRAMES_MOST:
        frame = FRAMES + FRAME * depth
        slots[frame], slots[frame + 1], slots[frame + 2] = back, sp, 0
        slots[CALLING] = 1
        depth += 1
    slots[DEPTH] = depth


@njit
def _jumped(slots, at, checked):  # type: ignore[no-untyped-def]
    slots[CYCLES] += slots[TAKEN]
    slots[TAKEN] = 0
    slots[NEXT] = at
    if checked:
        if slots[LAST] >= 0:
            slots[TABLE + slots[HALFWORDS] + slots[RAM_HALFWORDS] + slots[LAST]] += 1
            slots[LAST] = -1
        if slots[DEPTH] > 0 and slots[FRAMES + FRAME * (slots[DEPTH] - 1)] == at:
            slots[DEPTH] -= 1
            slots[CALLING] = 0
    if at == slots[RETURN]:
        slots[CALLS] += 1
        slots[CALL_INSTRUCTIONS] += slots[INSTRUCTIONS] - slots[START_INSTRUCTIONS]
        slots[CALL_CYCLES] += slots[CYCLES] - slots[START_CYCLES]
        slots[RETURN] = -1


@njit
def _special(engine, slots, at, size, flags, checked):  # type: ignore[no-untyped-def]
    """An instruction that is more than a count. Returns whether it may be executed."""
    if flags & STOPS and slots[ARMED]:
        if at != slots[SKIP]:
            _trap(engine, slots, REACHED, at)
            return False
        slots[SKIP] = -1
    if checked:
        if flags & ABSENT:
            _trap(engine, slots, NOT_ON_THIS_CORE, at)
            return False
        if flags & FLOATS and not slots[FPU]:
            _trap(engine, slots, NO_FPU, at)
            return False
        if flags & ALIGNS and _base(engine, slots, at, size) & 3:
            _trap(engine, slots, UNALIGNED, slots[REGISTER])
            return False
        if flags & MOVES_SP:
            slots[SP_MOVED] = 1
        if flags & CALL:
            _push_call(engine, slots, at + size)
    if flags & MEASURED and slots[RETURN] < 0:
        slots[START_INSTRUCTIONS], slots[START_CYCLES] = slots[INSTRUCTIONS], slots[CYCLES]
        slots[RETURN] = _register(engine, slots, _LR) & ~1
    if flags & UNMASKS and slots[PENDING]:
        slots[DEADLINE] = 0
    if flags & SENDS:
        slots[EVENT] = 1
    return True


def _step(checked, sources):  # type: ignore[no-untyped-def]
    @cfunc(types.void(types.voidptr, types.int64, types.uint32, _SLOTS), cache=True)
    def at_instruction(engine, at, size, slots):  # type: ignore[no-untyped-def]
        """Count it, add its cycles, stop at the deadline; `checked`: look for what silicon would not forgive.

        The whole rule; `firmware_sim.cpu.plain` stands in front of it and does the same for what is plain.
        """
        sources  # noqa: B018
        halfword = (at - slots[BASE]) >> 1
        known = halfword >= 0 and halfword < slots[HALFWORDS]
        within = (at - slots[RAM_START]) >> 1
        in_ram = within >= 0 and within < slots[RAM_HALFWORDS]
        if in_ram:
            if checked and (at < slots[CODE_START] or at >= slots[CODE_END]):
                _trap(engine, slots, NO_CODE, at)
                return
            halfword, known = slots[HALFWORDS] + within, True
        if at != slots[NEXT]:
            _jumped(slots, at, checked)
        if slots[FLASH_BUSY] and not in_ram:
            _wait_for_flash(slots)
        entry = UNKNOWN
        if known:
            entry = slots[TABLE + halfword]
            if entry & _ENTRY == 0:
                bridge.decode(slots[CORE], at)
                entry = slots[TABLE + halfword]
            if in_ram:
                made_of = slots[TABLE + 2 * (slots[HALFWORDS] + slots[RAM_HALFWORDS]) + within]
                if made_of != _code(slots, at, size):
                    _trap(engine, slots, OVERWRITTEN, at)
                    return
        flags = entry >> FLAG_SHIFT & FLAG_MASK
        if slots[CYCLES] >= slots[DEADLINE] and not flags & IN_IT:
            bridge.emu_stop(engine)
            return
        if checked:
            if slots[SP_MOVED] and not _stack_fits(engine, slots):
                _trap(engine, slots, STACK_OVERFLOW, slots[TRAP_ADDRESS])
                return
            if slots[CALLING]:
                slots[FRAMES + FRAME * (slots[DEPTH] - 1) + 2] = at
                slots[CALLING] = 0
        if flags and not _special(engine, slots, at, size, flags, checked):
            return
        if checked and known:
            slots[TABLE + halfword] = entry + (1 << EXECUTED_SHIFT)
            slots[LAST] = halfword
        slots[INSTRUCTIONS] += entry >> COUNT_SHIFT & COUNT_MASK
        slots[CYCLES] += entry & BYTE
        slots[TAKEN] = entry >> TAKEN_SHIFT & BYTE
        slots[NEXT] = at + size

    return at_instruction


def _access(sources):  # type: ignore[no-untyped-def]
    @cfunc(types.void(types.voidptr, types.int32, types.int64, types.int32, types.int64, _SLOTS), cache=True)
    def at_access(engine, kind, address, size, value, slots):  # type: ignore[no-untyped-def]
        """An access to the watched memory: how far it was used."""
        sources  # noqa: B018
        slots[WATCH_HIGH] = max(slots[WATCH_HIGH], address + size)

    return at_access


def _register_read(sources):  # type: ignore[no-untyped-def]
    @cfunc(types.uint64(types.voidptr, types.uint64, types.uint32, _SLOTS), cache=True)
    def at_register_read(engine, offset, size, space):  # type: ignore[no-untyped-def]
        """A read of a register: what is known for a while is answered here."""
        sources  # noqa: B018
        slots = bridge.pointer(space[1])
        address = space[0] + types.int64(offset)
        at = find(slots, address)
        if at and slots[at + 3] != BYTE_IN:
            if slots[at + 2] == 0:
                if not wait(engine, slots):
                    return 0
                at = find(slots, address)  # as it is after the wait
            elif slots[at + 3] == FLAG:
                busy(slots)
            if at:
                return slots[at + 2]
        elif at and may_post(slots):
            take(slots, at)
            return slots[at + 2]
        return bridge.read_register(slots[CORE], address, size)

    return at_register_read


def _register_write(sources):  # type: ignore[no-untyped-def]
    @cfunc(types.void(types.voidptr, types.uint64, types.uint32, types.uint64, _SLOTS), cache=True)
    def at_register_write(engine, offset, size, value, space):  # type: ignore[no-untyped-def]
        """A write to a register: a flag that is cleared is cleared here."""
        sources  # noqa: B018
        slots = bridge.pointer(space[1])
        address = space[0] + types.int64(offset)
        if value == 0 and size == 4 and may_post(slots):
            at = find(slots, address)
            if at and slots[at + 3] == FLAG:
                clear(slots, at)
                return
        bridge.write_register(slots[CORE], address, size, value)

    return at_register_write


def _look(sources):  # type: ignore[no-untyped-def]
    @cfunc(types.int64(types.voidptr, _SLOTS), cache=True)
    def at_look(engine, slots):  # type: ignore[no-untyped-def]
        """`firmware_sim.cpu.idle.looked`, for Python."""
        sources  # noqa: B018
        return looked(engine, carray(slots, (TABLE,)))

    return at_look


def _sources() -> int:
    """A number that changes with any of the files that the hooks are made of."""
    names = ("bridge", "hooks", "idle", "known", "slots")
    content = b"".join((Path(__file__).parent / f"{name}.py").read_bytes() for name in names)
    return zlib.crc32(content)


_SOURCES = _sources()
at_instruction = _step(False, _SOURCES)  # type: ignore[no-untyped-call]
at_instruction_checked = _step(True, _SOURCES)  # type: ignore[no-untyped-call]
at_access = _access(_SOURCES)  # type: ignore[no-untyped-call]
at_register_read = _register_read(_SOURCES)  # type: ignore[no-untyped-call]
at_register_write = _register_write(_SOURCES)  # type: ignore[no-untyped-call]
at_look = _look(_SOURCES)  # type: ignore[no-untyped-call]
