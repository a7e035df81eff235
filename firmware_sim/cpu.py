"""A Cortex-M core on Unicorn: memory, exact instruction counts, estimated cycles, stops at a cycle.

Knows nothing of the chip around it: registers come through `map_registers`, what a store to flash does is
decided by whoever sets `on_flash_store`.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import unicorn
from numba import carray, cfunc, types
from unicorn import arm_const
from unicorn.unicorn_py3 import unicorn as binding

from firmware_sim.timing import TAKEN_SHIFT, cycle_table

__all__ = ["Cpu", "CpuState", "Stop"]

# The counters that the hook keeps; the cycle table lies behind them.
INSTRUCTIONS, CYCLES, DEADLINE, NEXT, TAKEN, RESUMED, BASE, HALFWORDS = range(8)
RETURN, CALLS, CALL_INSTRUCTIONS, CALL_CYCLES, START_INSTRUCTIONS, START_CYCLES = range(8, 14)
TABLE = 16

_emu_stop = binding.uclib.uc_emu_stop
_emu_stop.argtypes = [ctypes.c_void_p]
_emu_stop.restype = ctypes.c_int


@cfunc(types.void(types.voidptr, types.uint64, types.uint32, types.CPointer(types.int64)))
def _count(engine, address, size, counters):  # type: ignore[no-untyped-def]  # compiled, typed by its signature
    """Before each instruction: count it, add its cycles, stop at the deadline."""
    state = carray(counters, (TABLE,))
    at = np.int64(address)
    if at == state[RESUMED]:
        state[RESUMED] = -1  # it was counted when the run stopped in front of it
        return
    if at != state[NEXT]:
        state[CYCLES] += state[TAKEN]
    if at == state[RETURN]:
        state[CALLS] += 1
        state[CALL_INSTRUCTIONS] += state[INSTRUCTIONS] - state[START_INSTRUCTIONS]
        state[CALL_CYCLES] += state[CYCLES] - state[START_CYCLES]
        state[RETURN] = -1
    entry = np.int64(1)
    halfword = (at - state[BASE]) >> 1
    if halfword >= 0 and halfword < state[HALFWORDS]:
        entry = counters[TABLE + halfword]
    state[INSTRUCTIONS] += 1
    state[CYCLES] += entry & ((1 << TAKEN_SHIFT) - 1)
    state[TAKEN] = entry >> TAKEN_SHIFT
    state[NEXT] = at + size
    if state[CYCLES] >= state[DEADLINE]:
        state[RESUMED] = at
        _emu_stop(engine)


class _RegisterBatch:
    """All registers in one call into Unicorn, with arrays made once: the binding's own batch takes 30 times as long."""

    def __init__(self, floating_point: bool) -> None:
        names = [*range(arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_R12 + 1)]
        names += [arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_LR, arm_const.UC_ARM_REG_CPSR]
        if floating_point:
            names += range(arm_const.UC_ARM_REG_D0, arm_const.UC_ARM_REG_D15 + 1)
        self._names = (ctypes.c_int * len(names))(*names)
        self._values = (ctypes.c_uint64 * len(names))()
        first = ctypes.addressof(self._values)
        self._pointers = (ctypes.c_void_p * len(names))(*(first + 8 * n for n in range(len(names))))
        self._count = ctypes.c_int(len(names))

    def read(self, engine: Any) -> bytes:
        binding.uclib.uc_reg_read_batch(engine._uch, self._names, self._pointers, self._count)
        return bytes(self._values)


@dataclass(frozen=True)
class Stop:
    """Why the core cannot go on: what happened, at which address of memory, if any."""

    what: str
    address: int | None


@dataclass(frozen=True, eq=False)
class CpuState:
    """All that a snapshot of the core needs."""

    context: Any
    counters: npt.NDArray[np.int64]
    ram: npt.NDArray[np.uint8]
    flash: npt.NDArray[np.uint8]
    pc: int


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


class Cpu:
    """One core with its flash and RAM.

    Parameters
    ----------
    core : "cortex-m0" or "cortex-m4f".
    flash_start, flash, ram_start, ram : memories as uint8 arrays; the CPU reads flash, and RAM both ways, in place.

    Attributes
    ----------
    counters : what the hook keeps, by the names above; NEXT is behind the instruction that is being executed, and is
        right also from inside a register access, as are all others.
    view : the same numbers, read one by one in a third of the time.
    """

    def __init__(
        self, core: str, flash_start: int, flash: npt.NDArray[np.uint8], ram_start: int, ram: npt.NDArray[np.uint8]
    ) -> None:
        self.core = core
        self.flash_start, self.flash = flash_start, flash
        self.ram_start, self.ram = ram_start, ram
        self.on_flash_store: Callable[[int, int, int], None] = lambda address, size, value: None
        self.stopped: Stop | None = None
        self.error: BaseException | None = None
        self.error_pc = 0
        self._keep: list[Any] = []
        # UC_MODE_MCLASS would silently make every core a Cortex-M33.
        self.engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        model = arm_const.UC_CPU_ARM_CORTEX_M0 if core == "cortex-m0" else arm_const.UC_CPU_ARM_CORTEX_M4
        self.engine.ctl_set_cpu_model(model)
        self.engine.ctl_set_tcg_buffer_size(4 << 20)
        # Protected only afterwards: a store to memory that was mapped read-only is not dropped, whatever the hook says.
        self.engine.mem_map_ptr(flash_start, flash.size, unicorn.UC_PROT_ALL, flash.ctypes.data)
        self.engine.mem_protect(flash_start, flash.size, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self.engine.mem_map_ptr(ram_start, ram.size, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE, ram.ctypes.data)
        self.engine.hook_add(unicorn.UC_HOOK_MEM_WRITE_PROT, self._flash_store)
        self.engine.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED | unicorn.UC_HOOK_MEM_FETCH_PROT, self._unmapped)
        self.engine.hook_add(unicorn.UC_HOOK_INTR, self._exception)
        self.engine.hook_add(unicorn.UC_HOOK_INSN_INVALID, self._undefined)
        self._registers = _RegisterBatch(core == "cortex-m4f")
        self._hook: Any = None
        self._count_in(np.zeros(TABLE, np.int64))
        self.pc = 0

    def load_code(self, start: int, code: bytes) -> None:
        """Make the cycle table of the code that lies in flash from `start` on."""
        table = cycle_table(code, start, self.core)
        self._count_in(np.concatenate([np.zeros(TABLE, np.int64), table]))
        self.counters[[RESUMED, RETURN, NEXT]] = -1
        self.counters[BASE], self.counters[HALFWORDS] = start, table.size
        if self._hook is not None:
            binding.uclib.uc_hook_del(self.engine._uch, self._hook)
        self._hook = ctypes.c_size_t(0)
        status = binding.uclib.uc_hook_add(
            self.engine._uch,
            ctypes.byref(self._hook),
            unicorn.UC_HOOK_CODE,
            ctypes.cast(_count.address, ctypes.c_void_p),
            ctypes.c_void_p(self.counters.ctypes.data),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status:
            raise unicorn.UcError(status)

    def _count_in(self, counters: npt.NDArray[np.int64]) -> None:
        self.counters = counters
        self.view = memoryview(counters)  # type: ignore[arg-type, unused-ignore]  # typed from Python 3.12 on

    def map_registers(
        self, start: int, size: int, read: Callable[[int], int], write: Callable[[int, int], None]
    ) -> None:
        """Let accesses to [start, start + size) call `read(address)` and `write(address, value)`."""

        # Past the binding's wrappers, which would take half of the time of an access.
        @binding.MMIO_READ_CFUNC  # type: ignore[untyped-decorator]
        def on_read(_: int, offset: int, width: int, __: int) -> int:
            try:
                return read(start + offset)
            except BaseException as error:
                self._stop_for(error)
                return 0

        @binding.MMIO_WRITE_CFUNC  # type: ignore[untyped-decorator]
        def on_write(_: int, offset: int, width: int, value: int, __: int) -> None:
            try:
                write(start + offset, value)
            except BaseException as error:
                self._stop_for(error)

        self._keep += [on_read, on_write]
        calls = [ctypes.cast(function, ctypes.c_void_p) for function in (on_read, on_write)]
        status = binding.uclib.uc_mmio_map(self.engine._uch, start, size, calls[0], None, calls[1], None)
        if status:
            raise unicorn.UcError(status)

    def _stop_for(self, error: BaseException) -> None:
        """An exception cannot cross the engine: it is kept, to be raised when the run has stopped."""
        self.error = error
        self.error_pc = self.engine.reg_read(arm_const.UC_ARM_REG_PC)  # the run stops behind the access
        self.view[DEADLINE] = 0

    def _flash_store(self, _: Any, __: int, address: int, size: int, value: int, ___: Any) -> bool:
        try:
            self.on_flash_store(address, size, value & (1 << 8 * size) - 1)
        except BaseException as error:
            self._stop_for(error)
        return True  # drop the store itself: what flash then holds is decided above

    def _unmapped(self, _: Any, access: int, address: int, size: int, __: int, ___: Any) -> bool:
        kinds = {
            unicorn.UC_MEM_READ_UNMAPPED: "a read",
            unicorn.UC_MEM_WRITE_UNMAPPED: "a write",
            unicorn.UC_MEM_FETCH_UNMAPPED: "a jump",
            unicorn.UC_MEM_FETCH_PROT: "a jump",
        }
        where = "below RAM: the stack overflowed" if 0 < self.ram_start - address <= 4096 else "where nothing is mapped"
        self.stopped = Stop(f"{kinds.get(access, 'an access')} of {size} bytes at {address:#010x}, {where}", address)
        return False

    def _exception(self, _: Any, number: int, __: Any) -> None:
        names = {1: "an undefined instruction", 2: "SVC", 4: "an unaligned access", 7: "BKPT"}
        self.stopped = Stop(
            f"{names.get(number, f'exception {number}')}; the firmware has no handler that returns", None
        )
        self.engine.emu_stop()

    def _undefined(self, _: Any, __: Any) -> bool:
        self.stopped = Stop("an undefined instruction", None)
        return False

    @property
    def cycles(self) -> int:
        """Estimated cycles since power-up, those that were skipped included."""
        return self.view[CYCLES]

    @cycles.setter
    def cycles(self, value: int) -> None:
        self.view[CYCLES] = value

    @property
    def instructions(self) -> int:
        """Instructions executed since power-up. Exact on the M0; on the M4 one whose condition failed inside an
        IT block is not in it."""
        return self.view[INSTRUCTIONS]

    def stop_at(self, cycles: int) -> None:
        """Bring the current run's deadline forward."""
        self.view[DEADLINE] = min(self.view[DEADLINE], cycles)

    @property
    def deadline(self) -> int:
        """Cycle at which the current run ends."""
        return self.view[DEADLINE]

    def reset(self) -> None:
        """Registers as after reset: stack pointer and entry point from the vector table."""
        stack, entry = np.frombuffer(self.flash[:8].tobytes(), "<u4").tolist()
        for register in range(arm_const.UC_ARM_REG_R0, arm_const.UC_ARM_REG_R0 + 13):
            self.engine.reg_write(register, 0)
        self.engine.reg_write(arm_const.UC_ARM_REG_LR, 0xFFFFFFFF)
        self.engine.reg_write(arm_const.UC_ARM_REG_SP, stack)
        self.pc = entry & ~1
        self.stopped = self.error = None
        self.counters[[RESUMED, RETURN, NEXT]] = -1
        self.counters[TAKEN] = 0

    def run(self, deadline: int) -> None:
        """Run until `deadline` in cycles. Afterwards `stopped` or `error` says whether something happened."""
        self.counters[DEADLINE] = deadline
        with _interrupt_held():
            try:
                self.engine.emu_start(self.pc | 1, 0xFFFFFFFF)
            except unicorn.UcError as error:
                if self.stopped is None:
                    self.stopped = Stop(str(error), None)
            self.pc = self.engine.reg_read(arm_const.UC_ARM_REG_PC)

    def registers(self) -> bytes:
        """All registers but pc; right also from inside a register access of the running core."""
        return self._registers.read(self.engine)

    def watch_call(self, function: int) -> Any:
        """Count what happens from the entry of `function` to its return, in the CALL_ counters. Returns the hook."""
        self.counters[[CALLS, CALL_INSTRUCTIONS, CALL_CYCLES]] = 0
        self.counters[RETURN] = -1

        def entered(_: Any, __: int, ___: int, ____: Any) -> None:
            # This hook runs after the counting one: the function's first instruction is in the counters already.
            first = int(self.counters[TABLE + (function - self.counters[BASE]) // 2]) & ((1 << TAKEN_SHIFT) - 1)
            self.counters[START_INSTRUCTIONS] = self.counters[INSTRUCTIONS] - 1
            self.counters[START_CYCLES] = self.counters[CYCLES] - first
            self.counters[RETURN] = self.engine.reg_read(arm_const.UC_ARM_REG_LR) & ~1

        hook = self.engine.hook_add(unicorn.UC_HOOK_CODE, entered, None, function, function)
        self.engine.ctl_flush_tb()  # what was translated with one hook calls that one only
        return hook

    def unwatch(self, hook: Any) -> None:
        """Take a hook of `watch_call` back."""
        self.engine.hook_del(hook)
        self.counters[RETURN] = -1

    def save(self) -> CpuState:
        """A snapshot."""
        return CpuState(self.engine.context_save(), self.counters.copy(), self.ram.copy(), self.flash.copy(), self.pc)

    def restore(self, state: CpuState) -> None:
        """Back to a snapshot."""
        self.engine.context_restore(state.context)
        self.counters[:] = state.counters
        self.ram[:] = state.ram
        self.flash[:] = state.flash
        self.pc = state.pc
        self.stopped = self.error = None
