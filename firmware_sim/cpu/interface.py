"""What a board asks of a core, whatever computes it. `CortexM` is the one there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Cpu", "Frame", "Known", "Placed", "Stop"]


@dataclass(frozen=True)
class Stop:
    """Why the core cannot go on: what happened, at which address of memory, if any."""

    what: str
    address: int | None


@dataclass(frozen=True)
class Frame:
    """One level of the call stack: the address that is, or was left, there; whether an exception interrupted it."""

    pc: int
    interrupted: bool


class Known(NamedTuple):
    """What the core may know of a serial line's registers.

    Attributes
    ----------
    flags : by address; they hold until the cycle `until`, or the next byte.
    received : the address of the flag for a received byte; `data` that of the byte, `byte` what is there.
    coming : cycle and value of the next bytes; `then` the cycle up to which nothing more is known to come.
    constants : registers that always read the same.
    """

    flags: Mapping[int, int]
    until: int
    received: int
    data: int
    byte: int | None
    coming: Sequence[tuple[int, int]]
    then: int
    constants: Mapping[int, int]


@dataclass(frozen=True)
class Placed:
    """Where the arguments of a call go, by the core's calling convention.

    Attributes
    ----------
    registers : by name, with what they are to hold.
    sp : where the stack is before the call.
    stack : what lies below that at the call: arguments, then arrays.
    aside : address and bytes of arrays that lie elsewhere.
    arrays : address of each numpy array, and the array itself, which is given back what the function left there.
    array_bytes : what the arrays take.
    """

    registers: Mapping[str, int]
    sp: int
    stack: bytes
    aside: tuple[int, bytes] | None
    arrays: Sequence[tuple[int, npt.NDArray[Any]]]
    array_bytes: int


class Cpu(Protocol):
    """A core with its memories, in virtual time.

    Attributes
    ----------
    cycles, instructions : since power-up; cycles may be moved forward by whoever knows that nothing happens.
    pc, sp : program counter and stack pointer between two runs.
    stopped, error, fault_pc : why it cannot go on, an exception that came up in a register access, and where that was.
    reached, returned, sleeping : what ended the last run: a marked address, a function that Python called has
        returned, an instruction that waits for an interrupt.
    on_read, on_write, on_flash_store : what accesses to registers and stores to flash do.
    """

    cycles: int
    instructions: int
    pc: int
    sp: int
    stopped: Stop | None
    error: BaseException | None
    fault_pc: int
    reached: bool
    returned: bool
    sleeping: bool
    on_read: Callable[[int], int]
    on_write: Callable[[int, int], None]
    on_flash_store: Callable[[int, int, int], None]

    def map_registers(self, start: int, size: int) -> None:
        """Let accesses to [start, start + size) call `on_read` and `on_write`."""

    def load_code(self, code: bytes, in_ram: tuple[int, int] | None) -> None:
        """Flash begins with this image, which has code between these addresses of RAM, or nobody knows where."""

    def code_changed(self, start: int, size: int) -> None:
        """Flash in [start, start + size) is not what it was."""

    def reset(self) -> None:
        """Registers as after reset."""

    def run(self, deadline: int) -> None:
        """Run until a cycle, or until something happened."""

    @property
    def deadline(self) -> int:
        """Cycle at which the current run ends."""

    def stop_at(self, cycles: int) -> None:
        """Bring the current run's deadline forward."""

    @property
    def interruptible(self) -> bool:
        """Whether any interrupt is enabled or pending."""

    def request(self, interrupts: tuple[int, ...]) -> None:
        """Peripherals ask for these interrupts now."""

    def take_exceptions(self) -> None:
        """Enter what is pending and may be entered now; wake a core that sleeps for it."""

    @property
    def waiting(self) -> bool:
        """Whether it does nothing but wait."""

    def looked(self) -> bool:
        """It looked at an unset flag. Returns whether it only waits."""

    def busy(self) -> None:
        """It did something else."""

    def know(self, line: Known, postable: bool) -> None:
        """Registers that are known for a while, and whether the core may change them without asking.

        For speed alone: a core that asks each time does nothing here and in `know_unset`, and posts nothing.
        """

    def know_unset(self, address: int, until: int) -> None:
        """One more flag that is known to be 0, until the core does anything else than look at flags."""

    def posted(self) -> list[int]:
        """What the core changed without asking, since it was asked last: addresses of flags that were cleared and of
        data that was read, in their order; the address of a received byte's flag, and 1, for a byte that came."""

    def disturbed(self) -> None:
        """Something changed from outside: no flag is known."""

    def set_stack(self, limit: int) -> None:
        """The main stack must not grow below this address; 0 when that is not known."""

    @property
    def stack_depth(self) -> int:
        """Bytes of the deepest main stack since reset."""

    def frames(self, pc: int | None = None) -> list[Frame]:
        """Where the core is, and the calls that led there, the innermost first."""

    def registers(self) -> dict[str, int]:
        """The core's registers by name."""

    def flash_busy(self, cycles: int) -> None:
        """Flash is busy up to a cycle: the core stands still, or goes on in RAM until it fetches from flash."""

    def stop_before(self, address: int | None) -> None:
        """Let runs end in front of an instruction, not counting one that the core stands at now; None for none."""

    def measure(self, function: int) -> None:
        """Count what calls of a function cost from now on."""

    def measured(self, function: int) -> tuple[int, int, int]:
        """End of `measure`: calls that returned, instructions, cycles."""

    def executed(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """For each halfword of flash, then of RAM: how often it was executed, the instructions and the cycles that this
        makes."""

    def watch(self, start: int, end: int) -> None:
        """Follow how far the memory in [start, end) is used."""

    @property
    def watched(self) -> int:
        """End of the highest access to the watched memory."""

    def place(self, arguments: Sequence[object], fpu: bool, arrays_at: int | None) -> Placed:
        """Find a place for the arguments of a call, on the stack in use or for arrays from an address on.

        `fpu` : whether the image passes floats in the FPU's registers. An argument that cannot be passed is refused.
        """

    def call(self, function: int, placed: Placed) -> None:
        """Let the next run begin with a function."""

    def check_result(self, kind: object) -> None:
        """Refuse a type that a function cannot return."""

    def result(self, kind: type | None, fpu: bool) -> Any:
        """What the function returned that was called last, as that type."""

    def save_registers(self) -> Any:
        """What `restore_registers` puts back after a call: registers, calls, which exceptions are active."""

    def restore_registers(self, state: Any) -> None:
        """As if nothing had run since, but for memory and time; an exception that is not over is pending again."""

    def save(self) -> Any:
        """A snapshot of the core and its memories."""

    def restore(self, state: Any) -> None:
        """Back to a snapshot."""
