"""A Cortex-M core on Unicorn: memory, exact instruction counts, estimated cycles, exceptions, stops at a cycle.

Knows nothing of the chip around it: registers come through `map_registers`, what a store to flash does is
decided by whoever sets `on_flash_store`. What Unicorn lets pass and silicon does not is checked in the hooks.
"""

from __future__ import annotations

import ctypes
import itertools
import signal
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import unicorn
from unicorn import arm_const as arm
from unicorn.unicorn_py3 import unicorn as binding

from firmware_sim.cpu import aapcs, bridge, hooks, slots
from firmware_sim.cpu.cycles import disassemble, entries, operand_address
from firmware_sim.cpu.exceptions import NMI, SV_CALL, Exceptions
from firmware_sim.cpu.idle import FLAGS_MOST
from firmware_sim.cpu.interface import Frame, Known, Placed, Stop
from firmware_sim.cpu.known import NOWHERE
from firmware_sim.cpu.plain import step_address
from firmware_sim.cpu.slots import KNOWN as _KNOWN
from firmware_sim.cpu.slots import KNOWN_COUNT as _KNOWN_COUNT
from firmware_sim.cpu.slots import OTHERS as _OTHERS
from firmware_sim.cpu.slots import POSTED_COUNT as _POSTED_COUNT
from firmware_sim.cpu.slots import WAITING as _WAITING
from firmware_sim.errors import Refused

__all__ = ["CortexM", "CpuState"]

_ENTRY = (1 << slots.EXECUTED_SHIFT) - 1
#: where a function that Python called returns to; nothing is mapped there
_BACK_TO_PYTHON = 0x1FFF0000
_FOREVER = 1 << 62
_WFI, _WFE, _YIELD = 0xBF30, 0xBF20, 0xBF10
_SLOTS = ctypes.POINTER(ctypes.c_int64)
_T = 1 << 24
#: the high byte of a first halfword that has a second one is this or more (ARMv7-M, A5.1)
_WIDE = 0xE8
_ALIGNED = 1 << 9
_FLOAT_FRAME = 18 * 4  # s0 to s15, FPSCR and a word that keeps it aligned
_numbers = itertools.count(1)
#: slots that say where this core's arrays are: a snapshot may come from another board
_OWN = [slots.BASE, slots.HALFWORDS, slots.CORE, slots.SELF, slots.FLASH_ADDRESS, slots.RAM_ADDRESS, slots.RAM_WORDS]
_OWN += [slots.RAM_START, slots.RAM_HALFWORDS, slots.CODE_START, slots.CODE_END, slots.RAM_COPY]
_OWN += [slots.BATCH_NAMES, slots.BATCH_POINTERS, slots.BATCH_COUNT]
_CORE_REGISTERS = {f"r{n}": arm.UC_ARM_REG_R0 + n for n in range(13)} | {
    "sp": arm.UC_ARM_REG_SP,
    "lr": arm.UC_ARM_REG_LR,
}
_ARGUMENTS = _CORE_REGISTERS | {f"s{n}": arm.UC_ARM_REG_S0 + n for n in range(16)}
#: what of the slots belongs to the code that a call from Python interrupts
_INTERRUPTED = [slots.NEXT, slots.LAST, slots.TAKEN, slots.SP_MOVED, slots.CALLING, slots.DEPTH]
_STACKED = ("r0", "r1", "r2", "r3", "r12", "lr")


@lru_cache(maxsize=8)
def _learned(code: bytes, core: str) -> npt.NDArray[np.int64]:
    """Entries that boards with the same image have found already."""
    return np.zeros(len(code) // 2, np.int64)


@dataclass(frozen=True, eq=False)
class CpuState:
    """All that a snapshot of the core needs."""

    context: Any
    slots: npt.NDArray[np.int64]
    ram: npt.NDArray[np.uint8]
    flash: npt.NDArray[np.uint8]
    waiting_ram: npt.NDArray[np.int64] | None
    exceptions: Exceptions
    pc: int
    sleeping: bool


@dataclass(frozen=True, eq=False)
class _Interrupted:
    """What a call from Python interrupts."""

    context: Any
    slots: npt.NDArray[np.int64]
    active: list[int]
    pc: int
    sleeping: bool
    returned: bool


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Keep a Ctrl-C until the engine has returned.

    Raised inside of a hook it would get lost on the way through the engine, or leave a register half written.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[Any] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held and callable(before):
            before(*held[0])


class CortexM:
    """One core with its flash and RAM; a `firmware_sim.cpu.Cpu`.

    Parameters
    ----------
    core : "cortex-m0" or "cortex-m4f".
    flash_start, flash, ram_start, ram : memories as uint8 arrays; the CPU reads flash, and RAM both ways, in place.
    checks : whether to look for what Unicorn does not (stack, alignment, FPU, instructions that the core has not), to
        keep the call stack and to count for a profile.

    Attributes
    ----------
    counters : what the hooks keep, see `firmware_sim.cpu.slots`.
    view : the same numbers, read one by one in a third of the time.
    stopped, error, fault_pc : why it cannot go on, an exception that came up in a register access, and where that was.
    reached, returned, sleeping : what ended the last run: a marked address, a function that Python called has
        returned, WFI or WFE.
    exceptions : what is pending, enabled and active.
    """

    def __init__(
        self,
        core: str,
        flash_start: int,
        flash: npt.NDArray[np.uint8],
        ram_start: int,
        ram: npt.NDArray[np.uint8],
        checks: bool = True,
    ) -> None:
        self.core = core
        self.checks = checks
        self.flash_start, self.flash = flash_start, flash
        self.ram_start, self.ram = ram_start, ram
        self.on_flash_store: Callable[[int, int, int], None] = lambda address, size, value: None
        self.on_read: Callable[[int], int] = lambda address: 0
        self.on_write: Callable[[int, int], None] = lambda address, value: None
        self.stopped: Stop | None = None
        self.error: BaseException | None = None
        self.fault_pc = 0
        self.reached = self.returned = self.sleeping = False
        self.exceptions = Exceptions()
        self.pc = 0
        self._m4 = core != "cortex-m0"
        self._exception_return: int | None = None
        self._keep: list[Any] = []
        self._marks: dict[int, int] = {}
        self._stop_before: int | None = None
        self._watch: ctypes.c_size_t | None = None
        self._halfwords = flash.size // 2
        in_ram = ram.size // 2
        halfwords = self._halfwords + in_ram
        self.counters = np.zeros(slots.TABLE + 2 * halfwords + in_ram, np.int64)
        self.view = memoryview(self.counters)  # type: ignore[arg-type, unused-ignore]  # typed from Python 3.12 on
        self._table = self.counters[slots.TABLE : slots.TABLE + halfwords]
        self._entries = self.view[slots.TABLE :]
        self._jumps = self.counters[slots.TABLE + halfwords : slots.TABLE + 2 * halfwords]
        self._made_of = self.counters[slots.TABLE + 2 * halfwords :]
        self._known: npt.NDArray[np.int64] | None = None
        self.number = next(_numbers)
        bridge.cores[self.number] = weakref.ref(self)
        weakref.finalize(self, bridge.cores.pop, self.number)
        self._make_engine()
        self._fill_slots()

    def _make_engine(self) -> None:
        # UC_MODE_MCLASS would silently make every core a Cortex-M33.
        self.engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        self.engine.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4 if self._m4 else arm.UC_CPU_ARM_CORTEX_M0)
        self.engine.ctl_set_tcg_buffer_size(4 << 20)
        # Protected only afterwards: a store to memory that was mapped read-only is not dropped, whatever the hook says.
        flash, ram = self.flash, self.ram
        self.engine.mem_map_ptr(self.flash_start, flash.size, unicorn.UC_PROT_ALL, flash.ctypes.data)
        self.engine.mem_protect(self.flash_start, flash.size, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self.engine.mem_map_ptr(self.ram_start, ram.size, unicorn.UC_PROT_ALL, ram.ctypes.data)
        self.engine.hook_add(unicorn.UC_HOOK_MEM_WRITE_PROT, self._flash_store)
        self.engine.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, self._unmapped)
        self.engine.hook_add(unicorn.UC_HOOK_INTR, self._exception)
        self.engine.hook_add(unicorn.UC_HOOK_INSN_INVALID, self._undefined)
        self._add_hook(unicorn.UC_HOOK_CODE, step_address(self.checks), 1, 0)

    def _add_hook(self, kinds: int, function: int, first: int, last: int) -> ctypes.c_size_t:
        hook = ctypes.c_size_t(0)
        status = binding.uclib.uc_hook_add(
            self.engine._uch,
            ctypes.byref(hook),
            kinds,
            ctypes.c_void_p(function),
            ctypes.c_void_p(self.counters.ctypes.data),
            ctypes.c_uint64(first),
            ctypes.c_uint64(last),
        )
        if status:
            raise unicorn.UcError(status)
        return hook

    def _fill_slots(self) -> None:
        names = [*_CORE_REGISTERS.values(), arm.UC_ARM_REG_CPSR]
        if self._m4:
            names += range(arm.UC_ARM_REG_D0, arm.UC_ARM_REG_D15 + 1)
        values = self.counters.ctypes.data + 8 * slots.BATCH
        self._batch_names = (ctypes.c_int * len(names))(*names)
        self._batch_pointers = (ctypes.c_void_p * len(names))(*(values + 8 * n for n in range(len(names))))
        self._ram_copy = np.zeros(self.ram.size // 8, np.int64)
        self.counters[slots.BASE], self.counters[slots.HALFWORDS] = self.flash_start, self._halfwords
        self.counters[slots.RAM_START], self.counters[slots.RAM_HALFWORDS] = self.ram_start, self.ram.size // 2
        self.counters[[slots.CODE_START, slots.CODE_END]] = self.ram_start, self.ram_start + self.ram.size
        self.counters[slots.PLAIN_HALFWORDS] = self._halfwords
        self.counters[slots.CORE], self.counters[slots.SELF] = self.number, self.counters.ctypes.data
        self.counters[slots.FLASH_ADDRESS] = self.flash.ctypes.data
        self.counters[slots.RAM_ADDRESS] = self.ram.ctypes.data
        self.counters[slots.RAM_WORDS] = self.ram.size // 8
        self.counters[slots.RAM_COPY] = self._ram_copy.ctypes.data
        self.counters[slots.BATCH_NAMES] = ctypes.addressof(self._batch_names)
        self.counters[slots.BATCH_POINTERS] = ctypes.addressof(self._batch_pointers)
        self.counters[slots.BATCH_COUNT] = len(names)

    # ---- code ----

    def load_code(self, code: bytes, in_ram: tuple[int, int] | None) -> None:
        """Flash begins with this image: what other boards learned of its instructions holds here too.

        `in_ram` : between which addresses of RAM it has code, if that is known: `checks` stop it elsewhere.
        """
        if in_ram is not None:
            self.counters[[slots.CODE_START, slots.CODE_END]] = in_ram
        self._known = _learned(code, self.core)
        self._table[: self._known.size] = self._known

    def code_changed(self, start: int, size: int) -> None:
        """Flash in [start, start + size) is not what it was: forget what was made of its instructions."""
        first = (start - self.flash_start) // 2
        if self._known is not None and first < self._known.size:
            self._known = None
        if size == 4 and not (self._entries[first] or self._entries[first + 1] or self._entries[first - 1]):
            return  # a word of data: firmware that writes flash does it by the thousand
        table = self._table[max(first - 1, 0) : min(first + (size + 1) // 2, self._halfwords)]
        if table.any():
            table[:] = 0
            self.engine.ctl_flush_tb()

    def decode(self, address: int) -> None:
        """Make the entries of the instructions from an address on (the hooks ask when they meet a new one)."""
        memory, start, first = self._memory_of(address)
        at = address - start
        self._make(address, slots.UNKNOWN)  # also when nothing can be made of it
        for place, entry in entries(memoryview(memory)[at:], address, self.core):  # type: ignore[arg-type, unused-ignore]
            index = first + (place - start) // 2
            if place != address and self._table[index] & _ENTRY:
                break
            self._make(place, entry)
            if self._known is not None and index < self._known.size:
                self._known[index] = entry

    def _make(self, address: int, entry: int) -> None:
        """This is the entry of an instruction; one that was counted keeps its counts."""
        memory, start, first = self._memory_of(address)
        at = address - start
        index = first + at // 2
        counted = self._table[index] & ~_ENTRY
        self._table[index] = counted | entry | self._marks.get(address, 0) << slots.FLAG_SHIFT
        if memory is self.ram:
            self._made_of[at // 2] = int.from_bytes(self._code(address), "little")

    def _memory_of(self, address: int) -> tuple[npt.NDArray[np.uint8], int, int]:
        """The memory with an instruction: its bytes, its first address, and the index of its first entry."""
        if self._is_in_ram(address):
            return self.ram, self.ram_start, self._halfwords
        return self.flash, self.flash_start, 0

    def _is_in_ram(self, address: int) -> bool:
        return 0 <= address - self.ram_start < self.ram.size

    def _code(self, address: int) -> bytes:
        """The instruction at an address: 2 bytes, 4 bytes, or none where no memory is."""
        memory, start, _ = self._memory_of(address)
        at = address - start
        if not 0 <= at < memory.size:
            return b""
        return memory[at : at + (4 if memory[at + 1] >= _WIDE else 2)].tobytes()

    def _index(self, address: int) -> int:
        _, start, first = self._memory_of(address)
        return first + (address - start) // 2

    def _forget_ram_code(self) -> None:
        """RAM has other code than entries, and the engine's translation, were made of."""
        self._table[self._halfwords :] &= ~_ENTRY
        self.engine.ctl_flush_tb()

    def stop_before(self, address: int | None) -> None:
        """Let runs end in front of an instruction, not counting one that the core stands at now; None for none."""
        if self._stop_before is not None:
            self._unmark(self._stop_before, slots.STOPS)
        self._stop_before = address
        self.reached = False
        self.view[slots.ARMED] = address is not None
        self.view[slots.SKIP] = self.pc
        if address is not None:
            self._mark(address, slots.STOPS)

    def _mark(self, address: int, flag: int) -> None:
        """Set STOPS or MEASURED on an instruction."""
        self._marks[address] = self._marks.get(address, 0) | flag
        index = self._index(address)
        if not self._table[index] & _ENTRY:
            self.decode(address)
        self._table[index] |= flag << slots.FLAG_SHIFT

    def _unmark(self, address: int, flag: int) -> None:
        """Take a mark back."""
        self._marks[address] &= ~flag
        self._table[self._index(address)] &= ~(flag << slots.FLAG_SHIFT)

    def executed(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """For each halfword of flash, then of RAM, while `checks` are on: how often its instruction was executed, the
        instructions that this counts for, and its cycles."""
        entry, times = self._table & _ENTRY, self._table >> slots.EXECUTED_SHIFT
        instructions = times * (entry >> slots.COUNT_SHIFT & slots.COUNT_MASK)
        cycles = times * (entry & slots.BYTE) + self._jumps * (entry >> slots.TAKEN_SHIFT & slots.BYTE)
        return times, instructions, cycles

    # ---- registers of the chip ----

    def map_registers(self, start: int, size: int) -> None:
        """Let accesses to [start, start + size) call `on_read` and `on_write`."""
        space = np.array([start, self.counters.ctypes.data], np.int64)
        self._keep.append(space)
        data = ctypes.c_void_p(space.ctypes.data)
        read, write = (ctypes.c_void_p(f.address) for f in (hooks.at_register_read, hooks.at_register_write))
        status = binding.uclib.uc_mmio_map(
            self.engine._uch, ctypes.c_uint64(start), ctypes.c_uint64(size), read, data, write, data
        )
        if status:
            raise unicorn.UcError(status)

    def read_register(self, address: int, size: int) -> int:
        """The core reads a register of the chip, or a part of it."""
        try:
            if size == 4 and not address & 3:
                return self.on_read(address)
            self._check_register(address, size)
            return self.on_read(address & ~3) >> 8 * (address & 3) & (1 << 8 * size) - 1
        except BaseException as error:
            self._stop_for(error)
            return 0

    def write_register(self, address: int, size: int, value: int) -> None:
        """The core writes a register of the chip, or a part of it."""
        try:
            if size < 4 or address & 3:
                self._check_register(address, size)
                shift, mask = 8 * (address & 3), (1 << 8 * size) - 1
                value = self.on_read(address & ~3) & ~(mask << shift) | (value & mask) << shift
            self.on_write(address & ~3, value)
        except BaseException as error:
            self._stop_for(error)

    @staticmethod
    def _check_register(address: int, size: int) -> None:
        if address % size:
            raise Refused(f"an unaligned access of {size} bytes to a register at {address:#010x}")

    def know(self, line: Known, postable: bool) -> None:
        """Registers that are known for a while, unless they are accessed by other ways than the hooks'.

        `postable` : whether the core may change them without asking; `posted` tells what it did.
        """
        view, at, until = self.view, _KNOWN, line.until
        for address, value in line.flags.items():
            if address == line.received:
                view[slots.RECEIVED] = at
            view[at], view[at + 1], view[at + 2], view[at + 3] = address, until, value, slots.FLAG
            at += slots.KNOWN_WORDS
        view[slots.DATA], view[slots.DATA_ADDRESS] = at, line.data
        there = line.data if line.byte is not None else NOWHERE
        view[at], view[at + 1], view[at + 2], view[at + 3] = there, until, line.byte or 0, slots.BYTE_IN
        at += slots.KNOWN_WORDS
        for address, value in line.constants.items():
            view[at], view[at + 1], view[at + 2], view[at + 3] = address, _FOREVER, value, slots.CONSTANT
            at += slots.KNOWN_WORDS
        count = 0
        for cycle, byte in line.coming:
            view[slots.COMING + count], view[slots.COMING + count + 1] = cycle, byte
            count += 2
        view[slots.COMING + count] = line.then
        view[slots.COMING_COUNT], view[slots.COMING_NEXT] = count // 2, 0
        view[_KNOWN_COUNT] = view[slots.LASTING_COUNT] = (at - _KNOWN) // slots.KNOWN_WORDS
        view[slots.POSTABLE] = postable

    def know_unset(self, address: int, until: int) -> None:
        """One more flag that is known to be 0, until the core does anything else than look at flags."""
        count = self.view[_KNOWN_COUNT]
        if count < slots.KNOWN_MOST:
            at = _KNOWN + slots.KNOWN_WORDS * count
            self.view[at], self.view[at + 1], self.view[at + 2], self.view[at + 3] = address, until, 0, slots.CONSTANT
            self.view[_KNOWN_COUNT] = count + 1

    def posted(self) -> list[int]:
        """What the core changed without asking, since it was asked last: see `firmware_sim.cpu.known`."""
        count = self.view[_POSTED_COUNT]
        if not count:
            return []
        self.view[_POSTED_COUNT] = 0
        return self.view[slots.POSTED : slots.POSTED + count].tolist()

    def disturbed(self) -> None:
        """Something changed from outside: nothing is known, and no byte is said to come."""
        self.view[_KNOWN_COUNT] = self.view[slots.LASTING_COUNT] = self.view[slots.COMING_COUNT] = 0

    def busy(self) -> None:
        """The core did something else than to look at an unset flag."""
        view = self.view
        view[_WAITING] = 0
        view[_OTHERS] = FLAGS_MOST
        view[_KNOWN_COUNT] = view[slots.LASTING_COUNT]

    def looked(self) -> bool:
        """The core looked at an unset flag. Returns whether it only waits (see `firmware_sim.cpu.idle`)."""
        return bool(hooks.at_look.ctypes(self.engine._uch, self.counters.ctypes.data_as(_SLOTS)))

    @property
    def waiting(self) -> bool:
        """Whether the core sleeps, or its last look at a flag found everything as an earlier one had."""
        return self.sleeping or bool(self.view[slots.WAITING])

    # ---- what stops it ----

    def _stop_for(self, error: BaseException) -> None:
        """An exception cannot cross the engine: it is kept, to be raised when the run has stopped."""
        self.error = error
        self.fault_pc = self.engine.reg_read(arm.UC_ARM_REG_PC)  # the run stops behind the access
        self.view[slots.DEADLINE] = 0

    def _stop(self, what: str, address: int | None = None) -> None:
        if self.stopped is None:
            self.stopped = Stop(what, address)
            self.fault_pc = self.engine.reg_read(arm.UC_ARM_REG_PC)

    def _flash_store(self, _: Any, __: int, address: int, size: int, value: int, ___: Any) -> bool:
        try:
            self.on_flash_store(address, size, value & (1 << 8 * size) - 1)
        except BaseException as error:
            self._stop_for(error)
        return True  # drop the store itself: what flash then holds is decided above

    def _unmapped(self, _: Any, access: int, address: int, size: int, __: int, ___: Any) -> bool:
        fetch = access == unicorn.UC_MEM_FETCH_UNMAPPED
        if fetch and address & ~1 == _BACK_TO_PYTHON:
            self.returned = True
            return False
        if fetch:
            self._stop_for_jump(address, "where nothing is")
            return False
        verb = "a write" if access == unicorn.UC_MEM_WRITE_UNMAPPED else "a read"
        below = 0 < self.ram_start - address <= 4096
        where = "below RAM: the stack overflowed" if below else "where nothing is mapped"
        self._stop(f"{verb} of {size} bytes at {address:#010x}, {where}", address)
        return False

    def _stop_for_jump(self, address: int, where: str) -> None:
        self._stop(f"a jump to {address:#010x}, {where}", address)
        self.fault_pc = self._last_pc()
        if self.view[slots.CALLING]:  # it did not get there
            self.view[slots.DEPTH] -= 1

    def _last_pc(self) -> int:
        """The instruction that was executed last, where that is known."""
        last = self.view[slots.LAST]
        if last < 0:
            return self._read(arm.UC_ARM_REG_PC)
        return self.flash_start + 2 * last if last < self._halfwords else self.ram_start + 2 * (last - self._halfwords)

    def _exception(self, _: Any, number: int, __: Any) -> None:
        if number == 8:
            self._exception_return = self.engine.reg_read(arm.UC_ARM_REG_PC)
        elif number == 2:
            self.exceptions.pending.add(SV_CALL)
        elif number == 4:
            address = operand_address(self._code_at_pc(), self.registers())
            where = "" if address is None else f" at {address:#010x}"
            self._stop(f"an unaligned access{where}, which a Cortex-M0 cannot make", address)
        elif not self.returned:
            names = {
                1: "an undefined instruction",
                3: "a jump to where nothing is executed",
                7: "BKPT with no debugger",
                17: "an instruction of the FPU",
            }
            self._stop(names.get(number, f"exception {number}"))
        self.engine.emu_stop()

    def _code_at_pc(self) -> tuple[bytes, int]:
        pc = self.engine.reg_read(arm.UC_ARM_REG_PC)
        return self._code(pc), pc

    def _undefined(self, _: Any, __: Any) -> bool:
        code = int.from_bytes(self._code(self._read(arm.UC_ARM_REG_PC) - 2), "little")
        if code == _WFE:
            if not self.view[slots.EVENT]:
                self.sleeping = True
                self.view[slots.DEADLINE] = 0
            self.view[slots.EVENT] = 0
        elif code != _YIELD:
            self._stop("an undefined instruction")
            return False
        return True

    def _trapped(self) -> None:
        """A hook stopped the run: say why."""
        reason, address = self.view[slots.TRAP], self.view[slots.TRAP_ADDRESS]
        self.view[slots.TRAP] = 0
        self.reached = reason == slots.REACHED
        if reason == slots.STACK_OVERFLOW:
            limit = self.view[slots.SP_LIMIT]
            what = (
                f"the stack overflowed: sp is {address:#010x}, {limit - address} bytes below its end at {limit:#010x}"
            )
        elif reason == slots.NOT_ON_THIS_CORE:
            what = f"an undefined instruction: a Cortex-M0 has no '{disassemble(*self._code_at_pc())}'"
        elif reason == slots.NO_FPU:
            what = f"'{disassemble(*self._code_at_pc())}' while SCB.CPACR does not enable the FPU"
        elif reason == slots.UNALIGNED:
            what = f"an unaligned access at {address:#010x}, which '{disassemble(*self._code_at_pc())}' cannot make"
        elif reason == slots.NO_CODE:
            self._stop_for_jump(address, "in RAM, where the image has no code")
            return
        else:
            return
        self.stopped = Stop(what, None if reason in (slots.NOT_ON_THIS_CORE, slots.NO_FPU) else address)
        self.fault_pc = self._last_pc() if reason == slots.STACK_OVERFLOW else self.pc

    # ---- time ----

    @property
    def cycles(self) -> int:
        """Estimated cycles since power-up, those that were skipped included."""
        return self.view[slots.CYCLES]

    @cycles.setter
    def cycles(self, value: int) -> None:
        self.view[slots.CYCLES] = value

    @property
    def instructions(self) -> int:
        """Instructions executed since power-up, condition-failed ones included."""
        return self.view[slots.INSTRUCTIONS]

    @instructions.setter
    def instructions(self, value: int) -> None:
        self.view[slots.INSTRUCTIONS] = value

    def stop_at(self, cycles: int) -> None:
        """Bring the current run's deadline forward."""
        self.view[slots.DEADLINE] = min(self.view[slots.DEADLINE], cycles)

    def flash_busy(self, cycles: int) -> None:
        """Flash is busy up to a cycle: the core stands still, or goes on in RAM until it fetches from flash."""
        if self._is_in_ram(self.view[slots.NEXT] - 2):
            self.view[slots.FLASH_BUSY], self.view[slots.PLAIN_HALFWORDS] = cycles, 0
        else:
            self.cycles = max(self.cycles, cycles)

    @property
    def deadline(self) -> int:
        """Cycle at which the current run ends."""
        return self.view[slots.DEADLINE]

    # ---- running ----

    def set_stack(self, limit: int) -> None:
        """The main stack must not grow below this address; 0 when that is not known."""
        self.counters[slots.SP_LIMIT] = limit

    @property
    def stack_depth(self) -> int:
        """Bytes between where the main stack begins and the lowest that sp was since reset, while `checks` are on."""
        return self.view[slots.SP_TOP] - self.view[slots.SP_LOWEST]

    def use_fpu(self, enabled: bool) -> None:
        """What SCB.CPACR says."""
        self.view[slots.FPU] = enabled

    def reset(self) -> None:
        """Registers as after reset: stack pointer and entry point from the vector table."""
        stack, entry = np.frombuffer(self.flash[:8].tobytes(), "<u4").tolist()
        self._write(arm.UC_ARM_REG_IPSR, 0)
        for name in (arm.UC_ARM_REG_CONTROL, arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK):
            self._write(name, 0)
        for register in range(arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R0 + 13):
            self._write(register, 0)
        self._write(arm.UC_ARM_REG_XPSR, _T)
        self._write(arm.UC_ARM_REG_CPSR, self._read(arm.UC_ARM_REG_CPSR))
        self._write(arm.UC_ARM_REG_LR, 0xFFFFFFFF)
        self._write(arm.UC_ARM_REG_SP, stack)
        self.pc = entry & ~1
        self.stopped = self.error = self._exception_return = None
        self.reached = self.returned = self.sleeping = False
        self.exceptions = Exceptions(vectors=self.flash_start)
        self.counters[[slots.RETURN, slots.NEXT, slots.LAST, slots.SKIP]] = -1
        cleared = [slots.TAKEN, slots.TRAP, slots.PENDING, slots.EVENT, slots.FPU]
        cleared += [slots.SP_MOVED, slots.DEPTH, slots.CALLING, slots.FLASH_BUSY]
        self.counters[cleared] = 0
        self.counters[slots.PLAIN_HALFWORDS] = self._halfwords
        self.counters[[slots.SP_TOP, slots.SP_LOWEST]] = stack
        self.busy()

    def _read(self, register: int) -> int:
        value = self.engine.reg_read(register)
        assert isinstance(value, int)
        return value

    def _write(self, register: int, value: int) -> None:
        self.engine.reg_write(register, value)

    def run(self, deadline: int) -> None:
        """Run until `deadline` in cycles, or until something happened that the attributes tell."""
        self.counters[slots.DEADLINE] = deadline
        self.reached = self.returned = False
        with _interrupt_held():
            try:
                self._execute()
            except unicorn.UcError as error:
                if not self.returned:
                    self._stop(str(error))
            self.pc = self._read(arm.UC_ARM_REG_PC)
        if self.returned:
            self._measured_to(_BACK_TO_PYTHON)
        if self.view[slots.TRAP]:
            self._trapped()
        elif self._exception_return is not None:
            code, self._exception_return = self._exception_return, None
            self._leave(code)
        elif not (self.stopped or self.error or self.returned) and self.view[slots.NEXT] == self.pc:
            ended = int.from_bytes(self._code(self.pc - 2), "little") == _WFI
            # A deadline stops in front of an instruction, WFI behind itself.
            self.sleeping = self.sleeping or (ended and self.cycles < self.deadline)

    def _execute(self) -> None:
        self.engine.emu_start(self.pc | 1, 0xFFFFFFFF)
        while self.view[slots.TRAP] == slots.OVERWRITTEN:
            self.view[slots.TRAP] = 0
            self._forget_ram_code()
            self.engine.emu_start(self.view[slots.TRAP_ADDRESS] | 1, 0xFFFFFFFF)

    # ---- exceptions ----

    def _masks(self) -> tuple[int, int, int]:
        basepri, faultmask = arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK
        both = (self._read(basepri), self._read(faultmask)) if self._m4 else (0, 0)
        return (self._read(arm.UC_ARM_REG_PRIMASK), *both)

    @property
    def interruptible(self) -> bool:
        """Whether any interrupt is enabled or pending."""
        return bool(self.exceptions.enabled or self.exceptions.pending)

    def request(self, interrupts: tuple[int, ...]) -> None:
        """Peripherals ask for these interrupts now (numbers of the NVIC, from 0)."""
        self.exceptions.pend_requests(interrupts)

    def take_exceptions(self) -> None:
        """Enter what is pending and may be entered now; wake a core that sleeps for it."""
        exceptions = self.exceptions
        masks = self._masks()
        number = exceptions.next(*masks)
        if self.sleeping and (number is not None or exceptions.next(0, *masks[1:]) is not None):
            self.sleeping = False
        if SV_CALL in exceptions.pending and number != SV_CALL and number is None:
            self._stop("SVC where its priority is not enough: it would become a HardFault")
            self.fault_pc = self.pc - 2
            return
        if number is not None:
            exceptions.pending.discard(number)
            self._enter(number)
        self.view[slots.PENDING] = bool(exceptions.pending)

    def _words(self, address: int, count: int) -> npt.NDArray[np.uint32] | None:
        at = address - self.ram_start
        inside = 0 <= at <= self.ram.size - 4 * count and address % 4 == 0
        return self.ram[at : at + 4 * count].view("<u4") if inside else None

    def _enter(self, number: int) -> None:
        """Exception entry (ARMv7-M, B1.5.6 and B1.5.7); everything is stacked at once, lazily or not."""
        control, sp, xpsr = map(self._read, (arm.UC_ARM_REG_CONTROL, arm.UC_ARM_REG_SP, arm.UC_ARM_REG_XPSR))
        floats = self._m4 and bool(control & 4)
        handler, process = bool(self.exceptions.active), bool(control & 2)
        frame = (sp - 32 - (_FLOAT_FRAME if floats else 0)) & ~7
        words = self._words(frame, 8 + (18 if floats else 0))
        limit = self.view[slots.SP_LIMIT] if self.checks and not process else 0
        if words is None or frame < limit:
            self.stopped = Stop(f"the stack overflowed at the entry of exception {number}: sp is {sp:#010x}", sp)
            self.fault_pc = self.pc
            return
        for index, name in enumerate(_STACKED):
            words[index] = self._read(_CORE_REGISTERS[name])
        words[6], words[7] = self.pc, xpsr | (_ALIGNED if sp & 4 else 0)
        if floats:
            for n in range(16):
                words[8 + n] = self._read(arm.UC_ARM_REG_S0 + n)
            words[24] = self._read(arm.UC_ARM_REG_FPSCR)
            self._write(arm.UC_ARM_REG_FPSCR, 0)
        vector = self._vector(number)
        if vector is None:
            return
        self._write(arm.UC_ARM_REG_SP, frame)
        self._write(arm.UC_ARM_REG_CONTROL, control & 1)
        code = 0xFFFFFFF1 if handler else 0xFFFFFFFD if process else 0xFFFFFFF9
        self._write(arm.UC_ARM_REG_LR, code & ~0x10 if floats else code)
        self._write(arm.UC_ARM_REG_XPSR, _T | number)
        self._write(arm.UC_ARM_REG_CPSR, self._read(arm.UC_ARM_REG_CPSR))  # without this it would not know a return
        self.exceptions.active.append(number)
        self._push_exception(frame)
        self._go(vector)
        if self.checks and not process:
            self.view[slots.SP_LOWEST] = min(self.view[slots.SP_LOWEST], frame)

    def _vector(self, number: int) -> int | None:
        at = self.exceptions.vectors + 4 * number
        for start, memory in ((self.flash_start, self.flash), (self.ram_start, self.ram)):
            if start <= at <= start + memory.size - 4:
                if memory is self.flash:
                    self.cycles = max(self.cycles, self.view[slots.FLASH_BUSY])
                value = int.from_bytes(memory[at - start : at - start + 4].tobytes(), "little")
                if value & 1:
                    return value & ~1
                self.stopped = Stop(f"exception {number} has the vector {value:#010x}, which is no Thumb address", at)
                break
        else:
            self.stopped = Stop(f"exception {number} has its vector at {at:#010x}, where no memory is", at)
        self.fault_pc = self.pc
        return None

    def _leave(self, code: int) -> None:
        """Exception return (ARMv7-M, B1.5.8). `code` is EXC_RETURN without its lowest bit."""
        self.fault_pc = self._last_pc()
        self._measured_to(code)
        if not self.exceptions.active:
            self.stopped = Stop("a return from an exception while none is active", None)
            return
        if self.exceptions.active.pop() != NMI and self._m4:
            self._write(arm.UC_ARM_REG_FAULTMASK, 0)
        floats, process, thread = not code & 0x10, bool(code & 4), bool(code & 8)
        control = self._read(arm.UC_ARM_REG_CONTROL)
        self._write(arm.UC_ARM_REG_IPSR, 0)
        sp = self._read(arm.UC_ARM_REG_PSP if process else arm.UC_ARM_REG_MSP)
        words = self._words(sp, 8 + (18 if floats else 0))
        if words is None or thread == bool(self.exceptions.active):
            self.stopped = Stop(f"a return from an exception with EXC_RETURN {code | 1:#010x} and sp {sp:#010x}", sp)
            return
        xpsr = int(words[7])
        if floats:
            for n in range(16):
                self._write(arm.UC_ARM_REG_S0 + n, int(words[8 + n]))
            self._write(arm.UC_ARM_REG_FPSCR, int(words[24]))
        self._write(arm.UC_ARM_REG_CONTROL, control & 1 | (2 if process else 0) | (4 if floats else 0))
        self._write(arm.UC_ARM_REG_SP, sp + 4 * words.size + (4 if xpsr & _ALIGNED else 0))
        for index, name in enumerate(_STACKED):
            self._write(_CORE_REGISTERS[name], int(words[index]))
        self._write(arm.UC_ARM_REG_XPSR, xpsr & ~_ALIGNED)
        self._write(arm.UC_ARM_REG_CPSR, self._read(arm.UC_ARM_REG_CPSR))
        self.view[slots.EVENT] = 1
        self._pop_exception()
        self._go(int(words[6]) & ~1)

    def _go(self, pc: int) -> None:
        """Go on at another address, after the cycles of an exception's entry or return (an estimate: 16 and 12)."""
        self.pc = pc
        self.view[slots.CYCLES] += 12 if self._m4 else 16
        self.counters[slots.NEXT] = pc
        self.counters[slots.LAST] = -1
        self.counters[[slots.TAKEN, slots.SP_MOVED, slots.CALLING]] = 0
        self.busy()

    # ---- the call stack ----

    def _push_exception(self, sp: int) -> None:
        depth = self.view[slots.DEPTH]
        if depth < slots.FRAMES_MOST:
            at = slots.FRAMES + slots.FRAME * depth
            self.counters[at : at + slots.FRAME] = self.pc | 1, sp, 0
            self.view[slots.DEPTH] = depth + 1

    def _pop_exception(self) -> None:
        depth = self.view[slots.DEPTH]
        while depth > 0:
            depth -= 1
            if self.view[slots.FRAMES + slots.FRAME * depth] & 1:
                break
        self.view[slots.DEPTH] = depth

    def frames(self, pc: int | None = None) -> list[Frame]:
        """Where the core is, and the calls that led there, the innermost first; only the first without `checks`."""
        out = [Frame(self.pc if pc is None else pc, False)]
        for n in reversed(range(self.view[slots.DEPTH])):
            back = self.view[slots.FRAMES + slots.FRAME * n]
            # The call is the instruction before the one it returns to, and has 2 or 4 bytes.
            out.append(Frame(back & ~1, True) if back & 1 else Frame(back - 2, False))
        return out

    # ---- calls from Python ----

    def place(self, arguments: Sequence[object], fpu: bool, arrays_at: int | None) -> Placed:
        """Find a place for the arguments of a call (AAPCS), on the stack in use or for arrays from an address on."""
        return aapcs.place(arguments, self.sp & ~7, fpu, arrays_at)

    def call(self, function: int, placed: Placed) -> None:
        """Let the next run begin with a function."""
        sp = placed.sp - len(placed.stack)
        at = sp - self.ram_start
        self.ram[at : at + len(placed.stack)] = np.frombuffer(placed.stack, np.uint8)
        for name, value in placed.registers.items():
            self._write(_ARGUMENTS[name], value)
        self._write(arm.UC_ARM_REG_SP, sp)
        self._write(arm.UC_ARM_REG_LR, _BACK_TO_PYTHON | 1)
        self.sleeping = self.returned = False
        self.pc = function
        self.counters[slots.NEXT] = function
        self.counters[slots.LAST] = -1
        self.counters[[slots.TAKEN, slots.SP_MOVED, slots.CALLING]] = 0

    def check_result(self, kind: object) -> None:
        """Refuse a type that a function cannot return."""
        aapcs.check_result(kind)

    def result(self, kind: type | None, fpu: bool) -> Any:
        """What the function returned that was called last, as that type."""
        d0 = self._read(arm.UC_ARM_REG_D0) if fpu else 0
        return aapcs.result(kind, self._read(arm.UC_ARM_REG_R0), self._read(arm.UC_ARM_REG_R1), d0, fpu)

    def save_registers(self) -> _Interrupted:
        """What `restore_registers` puts back after a call: registers, calls, which exceptions are active."""
        return _Interrupted(
            self.engine.context_save(),
            self.counters[_INTERRUPTED],
            list(self.exceptions.active),
            self.pc,
            self.sleeping,
            self.returned,
        )

    def restore_registers(self, state: _Interrupted) -> None:
        """As if nothing had run since, but for memory and time; an exception that is not over is pending again."""
        self.engine.context_restore(state.context)
        self.counters[_INTERRUPTED] = state.slots
        exceptions = self.exceptions
        exceptions.pending |= set(exceptions.active) - set(state.active)
        exceptions.active[:] = state.active
        self.view[slots.PENDING] = bool(exceptions.pending)
        self.pc, self.sleeping, self.returned = state.pc, state.sleeping, state.returned

    @property
    def sp(self) -> int:
        """The stack pointer in use."""
        return self._read(arm.UC_ARM_REG_SP)

    @sp.setter
    def sp(self, value: int) -> None:
        self._write(arm.UC_ARM_REG_SP, value)

    def registers(self) -> dict[str, int]:
        """The core's registers by name."""
        out = {name: self._read(register) for name, register in _CORE_REGISTERS.items()}
        out |= {"pc": self.fault_pc if self.stopped or self.error else self.pc, "xpsr": self._read(arm.UC_ARM_REG_XPSR)}
        return out

    # ---- measuring ----

    def measure(self, function: int) -> None:
        """Count what calls of a function cost from now on, in the CALL_ counters."""
        self.counters[[slots.CALLS, slots.CALL_INSTRUCTIONS, slots.CALL_CYCLES]] = 0
        self.counters[slots.RETURN] = -1
        self._mark(function, slots.MEASURED)

    def measured(self, function: int) -> tuple[int, int, int]:
        """End of `measure`: calls that returned, instructions, cycles."""
        self._unmark(function, slots.MEASURED)
        self.counters[slots.RETURN] = -1
        calls, instructions, cycles = self.counters[[slots.CALLS, slots.CALL_INSTRUCTIONS, slots.CALL_CYCLES]].tolist()
        return calls, instructions, cycles

    def _measured_to(self, back: int) -> None:
        """The function that is measured has gone back to where no instruction is: out of an exception, or to Python."""
        view = self.view
        if view[slots.RETURN] == back:
            view[slots.RETURN] = -1
            view[slots.CALLS] += 1
            view[slots.CALL_INSTRUCTIONS] += view[slots.INSTRUCTIONS] - view[slots.START_INSTRUCTIONS]
            view[slots.CALL_CYCLES] += view[slots.CYCLES] + view[slots.TAKEN] - view[slots.START_CYCLES]
            view[slots.TAKEN] = 0

    def watch(self, start: int, end: int) -> None:
        """Follow how far the memory in [start, end) is used; every access to memory takes longer from then on."""
        if self._watch is not None:
            binding.uclib.uc_hook_del(self.engine._uch, self._watch)
        kinds = unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE
        self._watch = self._add_hook(kinds, hooks.at_access.address, start, end - 1)
        self.engine.ctl_flush_tb()  # what was translated without it does not call it
        self.counters[slots.WATCH_HIGH] = start

    @property
    def watched(self) -> int:
        """End of the highest access to the watched memory."""
        return self.view[slots.WATCH_HIGH]

    # ---- snapshots ----

    def save(self) -> CpuState:
        """A snapshot."""
        waiting_ram = self._ram_copy.copy() if self.view[slots.RAM_KEPT] else None
        return CpuState(
            self.engine.context_save(),
            self.counters[: slots.TABLE].copy(),
            self.ram.copy(),
            self.flash.copy(),
            waiting_ram,
            self.exceptions.copy(),
            self.pc,
            self.sleeping,
        )

    def restore(self, state: CpuState) -> None:
        """Back to a snapshot."""
        self.engine.context_restore(state.context)
        own = self.counters[_OWN]
        self.counters[: slots.TABLE] = state.slots
        self.counters[_OWN] = own
        self.ram[:] = state.ram
        changed = np.flatnonzero(self.flash.view(np.uint64) != state.flash.view(np.uint64))
        if changed.size:
            self.flash[:] = state.flash
            first, last = 8 * int(changed[0]), 8 * int(changed[-1]) + 8
            self.code_changed(self.flash_start + first, last - first)
        if state.waiting_ram is not None:
            self._ram_copy[:] = state.waiting_ram
        self.exceptions = state.exceptions.copy()
        self.pc, self.sleeping = state.pc, state.sleeping
        self.stopped = self.error = None
