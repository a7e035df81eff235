"""A board in this process: real machine code on a simulated chip, in virtual time.

Nothing here sleeps or runs in the background: time passes only while somebody waits for the board, so every
run of the same program gives the same cycles.
"""

from __future__ import annotations

import itertools
import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_sim.chips import Chip
from firmware_sim.cpu import CALL_CYCLES, CALL_INSTRUCTIONS, CALLS, CYCLES, Cpu, CpuState
from firmware_sim.errors import FirmwareFault, PowerCutError, SimulatorError
from firmware_sim.faults import Line
from firmware_sim.hexfile import parse_hex
from firmware_sim.idle import Idle
from firmware_sim.peripherals.base import Refused
from firmware_sim.peripherals.uart import Uart
from nnlite.errors import UsageError
from nnlite.profile import Profile

__all__ = ["Board", "Measurement", "Snapshot", "open_board", "running_board"]

_FOREVER = 1 << 62
#: of the simulated specimen, when nothing else is asked for
_UNIQUE_ID = 0x5EED0002_5EED0001
_numbers = itertools.count(1)
_running: weakref.WeakValueDictionary[int, Board] = weakref.WeakValueDictionary()


@dataclass
class Measurement:
    """What the calls of one function cost, its callees included.

    Attributes
    ----------
    calls : how many returned.
    instructions : exact (on the M4 without instructions whose condition failed inside an IT block).
    cycles : estimated.
    """

    calls: int = 0
    instructions: int = 0
    cycles: int = 0


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything a board is, for `Board.restore`: core, memories, peripherals, the wait for events, bytes not read yet.

    The line is not part of it: faults, counters and noise go on as they were.
    """

    cpu: CpuState
    chip: list[dict[str, Any]]
    idle: tuple[object, ...]
    inbox: bytes
    powered: bool


class Board:
    """A simulated board. Opened by `open_board`.

    Parameters
    ----------
    profile : which board; its chip, memories, clock and pins.
    image : firmware as Intel HEX text; by default the prebuilt one of the profile.
    revision : of the silicon, for start-up errata; by default the newest.
    unique_id : of the chip, 64 bits.

    Attributes
    ----------
    profile : as given.
    line : the `firmware_sim.faults.Line` between laptop and board.
    """

    def __init__(
        self, profile: Profile, image: str | None = None, revision: int | None = None, unique_id: int = _UNIQUE_ID
    ) -> None:
        self.profile = profile
        self.number = next(_numbers)
        self.line = Line()
        self.port_open = False
        self._flash = np.full(profile.flash_bytes, 0xFF, np.uint8)
        self._ram = np.zeros(profile.ram_bytes, np.uint8)
        self.cpu = Cpu(profile.core, profile.flash_start, self._flash, profile.ram_start, self._ram)
        self.chip = Chip(profile, self, self._flash, revision, unique_id)
        self.cpu.on_flash_store = self._flash_store
        for start, size in self.chip.spaces:
            self.cpu.map_registers(start, size, self._read, self._write)
        self._symbols = {} if image is not None else profile.firmware.symbols
        self._load(image if image is not None else profile.firmware_hex())
        self._fault: FirmwareFault | None = None
        self._powered = False
        self._idle = Idle(self.cpu)
        self._polled_now = False
        self._inbox = bytearray()
        _running[self.number] = self
        self.boot()

    def _load(self, text: str) -> None:
        end = 0
        for address, data in parse_hex(text):
            at = address - self.profile.flash_start
            if not 0 <= at <= self._flash.size - len(data):
                raise SimulatorError(
                    f"the firmware has bytes at {address:#010x}, where {self.profile.name} has no flash"
                )
            self._flash[at : at + len(data)] = np.frombuffer(data, np.uint8)
            end = max(end, at + len(data))
        self.firmware_bytes = end
        self.cpu.load_code(self.profile.flash_start, self._flash[:end].tobytes())

    # ---- time (peripherals.base.Timeline) ----

    @property
    def now(self) -> int:
        """Cycles since power-up."""
        return self.cpu.cycles

    def skip_to(self, cycles: int) -> None:
        """Let time pass while the core stands still."""
        self.cpu.cycles = max(self.cpu.cycles, cycles)

    def wake_at(self, cycles: int) -> None:
        """End the current run then, to look at what happened."""
        self.cpu.stop_at(cycles)

    def polled(self) -> None:
        """The firmware read a flag that is not set. When it does nothing but wait, time jumps to the next event,
        or to the end of the run; `cycles` counts that time, `instructions` only what was executed."""
        self._polled_now = True
        if self._idle.polled():
            self._jump()

    def _jump(self) -> None:
        event = self.chip.next_event()
        self.skip_to(min(self.cpu.deadline, event if event is not None else _FOREVER))

    def changed(self) -> None:
        """A flag came up by itself: who waits will find it at one of the next looks."""
        self._idle.busy()

    # ---- what the core meets ----

    def _read(self, address: int) -> int:
        # Nine reads in ten are of a UART flag that is unset and cannot have changed: they need not go all the way.
        uart = self.chip.uart
        if uart.events.get(address - uart.base) == 0 and self.cpu.view[CYCLES] < uart.next:
            if not self._idle.polled():
                return 0
            self._jump()
            return uart.flag(address - uart.base)
        self._polled_now = False
        value = self.chip.read(address)
        if not self._polled_now:
            self._idle.busy()
        return value

    def _write(self, address: int, value: int) -> None:
        self._idle.busy()
        self.chip.write(address, value)

    def _flash_store(self, address: int, size: int, value: int) -> None:
        self._idle.busy()
        self.chip.nvmc.store(address, size, value)

    # ---- running ----

    @property
    def cycles(self) -> int:
        """Cycles since power-up: estimated for instructions, exact for waiting and flash operations."""
        return self.cpu.cycles

    @property
    def instructions(self) -> int:
        """Instructions executed since power-up, counted one by one."""
        return self.cpu.instructions

    @property
    def seconds(self) -> float:
        """Simulated seconds since power-up."""
        return self.cpu.cycles / self.profile.clock_hz

    @property
    def seconds_to_event(self) -> float | None:
        """Simulated seconds until it has something to do: 0 while it computes, None while only the laptop can tell."""
        if not self._idle.waiting:
            return 0.0
        event = self.chip.next_event()
        return None if event is None else max(0, event - self.cycles) / self.profile.clock_hz

    @property
    def uart(self) -> Uart:
        """The UART, with `overruns`, `bytes_received` and `bytes_sent` since power-up."""
        return self.chip.uart

    def boot(self) -> None:
        """Power on: RAM holds noise, flash what it held, the clock starts at 0."""
        self._ram[:] = np.random.Generator(np.random.PCG64(0)).integers(0, 256, self._ram.size, np.uint8)
        self._fault = None
        self._powered = True
        self._idle.busy()
        self._inbox.clear()
        self.chip.power_on()
        self.cpu.counters[:2] = 0
        self.cpu.reset()
        self._paint_stack()

    def reset(self) -> None:
        """Reset pin: as `boot`, but RAM keeps its bits and time goes on."""
        cycles, instructions = self.cycles, self.instructions
        ram = self._ram.copy()
        self.boot()
        self._ram[:] = ram
        self.cpu.counters[:2] = instructions, cycles

    def cut_power(self) -> None:
        """Take the power away: the core stops between two instructions, RAM is lost, flash stays."""
        self._powered = False

    def cut_power_at_flash_operation(self, number: int) -> None:
        """Take the power away in front of the `number`-th flash operation after the next `boot`."""
        self.chip.nvmc.cut_at = number

    def run(self, cycles: int) -> None:
        """Let the board run for some cycles.

        Raises
        ------
        FirmwareFault : the firmware did what silicon would not forgive.
        PowerCutError : the board has no power.
        """
        self._run_to(self.cycles + cycles, 0)

    def _run_to(self, cycle: int, wanted: int) -> None:
        """Run up to a cycle, or until `wanted` bytes (if any) are in the inbox."""
        self.check()
        while self.cpu.cycles < cycle:
            self.cpu.run(cycle)
            self._collect()
            if self.chip.nvmc.cut:
                self.chip.nvmc.cut_at = None
                self._powered = False
            elif self.cpu.error is not None:
                self._fail(str(self.cpu.error), self.cpu.error)
            elif self.cpu.stopped is not None:
                self._fail(self.cpu.stopped.what, None)
            self.check()
            if wanted and len(self._inbox) >= wanted:
                return

    def _fail(self, what: str, cause: BaseException | None) -> None:
        if cause is not None and not isinstance(cause, Refused):
            self.cpu.error = None  # Ctrl-C, say: not the firmware's doing
            raise cause
        pc = self.cpu.pc if cause is None else self.cpu.error_pc
        self._fault = FirmwareFault(f"{self.profile.name}: {what}; {self.where(pc)}")

    def check(self) -> None:
        """Raise what keeps the board from running, if anything does."""
        if self._fault is not None:
            raise self._fault
        if not self._powered:
            raise PowerCutError(f"the simulated {self.profile.name} has no power; boot() gives it back")

    def where(self, pc: int | None = None) -> str:
        """Where the core, or a given address, is: pc, and the function if the image's symbols are known."""
        pc = self.cpu.pc if pc is None else pc
        inside = [n for n, s in self._symbols.items() if s.address <= pc < s.address + s.size]
        return f"pc {pc:#010x}" + (f" in {inside[0]}" if inside else "")

    # ---- the serial line ----

    def _collect(self) -> None:
        sent = self.chip.uart.sent
        arrived = bytearray()
        while sent and sent[0][0] <= self.cpu.cycles:
            arrived.append(sent.popleft()[1])
        self._inbox += self.line.carry("from_board", bytes(arrived))

    def write_line(self, data: bytes, baud: int) -> None:
        """Bytes from the laptop: they arrive one after the other, 10 bit times each."""
        self.check()
        self.chip.uart.receive(self.line.carry("to_board", data), baud)

    def read_line(self, size: int, timeout: float | None) -> bytes:
        """Up to `size` bytes from the board, as many as there are when the simulated `timeout` has passed.

        None waits until `size` bytes are there, but not for a board that waits for the laptop itself: then what
        there is comes back.
        """
        limit = _FOREVER if timeout is None else self.cycles + round(timeout * self.profile.clock_hz)
        while len(self._inbox) < size and self.cycles < limit:
            if timeout is None and self.seconds_to_event is None:
                break
            self._run_to(limit if timeout is not None else self.cycles + self.profile.clock_hz, size)
        out = bytes(self._inbox[:size])
        del self._inbox[:size]
        return out

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the laptop has not read yet."""
        return len(self._inbox)

    def discard_input(self) -> None:
        """Forget the bytes that the laptop has not read."""
        self._inbox.clear()

    @property
    def url(self) -> str:
        """A pyserial URL that any serial client of this process can open, one at a time."""
        return f"sim://board/{self.number}"

    # ---- memory ----

    def symbol(self, name: str) -> int:
        """Address of a function or object of the firmware.

        Raises
        ------
        SimulatorError : the image has none of that name, or no table of symbols.
        """
        if name not in self._symbols:
            raise SimulatorError(f"the firmware of {self.profile.name} has no symbol '{name}'")
        return self._symbols[name].address

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of flash or RAM.

        Raises
        ------
        SimulatorError : some of them are in neither.
        """
        memory, at = self._memory(address, size)
        return memory[at : at + size].tobytes()

    def write_memory(self, address: int, data: bytes) -> None:
        """Set bytes of flash or RAM, by no rule but the writer's."""
        memory, at = self._memory(address, len(data))
        memory[at : at + len(data)] = np.frombuffer(data, np.uint8)

    def _memory(self, address: int, size: int) -> tuple[npt.NDArray[np.uint8], int]:
        for start, memory in ((self.profile.flash_start, self._flash), (self.profile.ram_start, self._ram)):
            if start <= address and address + size <= start + memory.size:
                return memory, address - start
        raise SimulatorError(f"{size} bytes at {address:#010x} are not in flash or RAM of {self.profile.name}")

    @property
    def flash(self) -> bytes:
        """The whole flash."""
        return self._flash.tobytes()

    def load_flash(self, content: bytes) -> None:
        """Replace what lies behind the firmware, as an earlier session left it, and boot."""
        reserve = self.profile.firmware_reserve_bytes
        self._flash[reserve:] = np.frombuffer(content, np.uint8)[reserve:]
        self.boot()

    def flash_bytes_programmed(self, start: int, end: int) -> int:
        """Bytes of the words in [start, end) that were programmed since their page was erased."""
        first, last = ((a - self.profile.flash_start) // 4 for a in (start, end))
        return 4 * int(np.count_nonzero(self.chip.nvmc.programmed[first:last]))

    def poison(self, name: str) -> None:
        """Fill an object with noise, for `touched` to tell later how far the firmware used it."""
        memory, at, noise = self._noise(name)
        memory[at : at + noise.size] = noise

    def touched(self, name: str) -> int:
        """Bytes of an object up to the last that differs from the noise that `poison` left."""
        memory, at, noise = self._noise(name)
        changed = np.flatnonzero(memory[at : at + noise.size] != noise)
        return int(changed[-1]) + 1 if changed.size else 0

    def _noise(self, name: str) -> tuple[npt.NDArray[np.uint8], int, npt.NDArray[np.uint8]]:
        address, size = self.symbol(name), self._symbols[name].size
        memory, at = self._memory(address, size)
        noise = np.random.Generator(np.random.PCG64(address)).integers(0, 256, size, np.uint8)
        noise[3::4] |= 0x7F  # no float below 2^127 ends so: the last byte of the last float written never looks unused
        return memory, at, noise

    def _paint_stack(self) -> None:
        if "stack" in self._symbols:
            self.poison("stack")

    @property
    def stack_high_water(self) -> int:
        """Bytes of the deepest stack since power-up: what no longer holds the paint of `boot`."""
        memory, at, noise = self._noise("stack")
        changed = np.flatnonzero(memory[at : at + noise.size] != noise)
        return noise.size - int(changed[0]) if changed.size else 0

    @contextmanager
    def measure(self, function: str) -> Iterator[Measurement]:
        """Count instructions and cycles of every call of a function inside the `with`, its callees included."""
        result = Measurement()
        hook = self.cpu.watch_call(self.symbol(function))
        try:
            yield result
        finally:
            self.cpu.unwatch(hook)
            counted = self.cpu.counters[[CALLS, CALL_INSTRUCTIONS, CALL_CYCLES]].tolist()
            result.calls, result.instructions, result.cycles = counted

    # ---- snapshots ----

    def snapshot(self) -> Snapshot:
        """Everything as it is now."""
        return Snapshot(self.cpu.save(), self.chip.save(), self._idle.save(), bytes(self._inbox), self._powered)

    def restore(self, state: Snapshot) -> None:
        """Back to a snapshot, as often as wanted."""
        self.cpu.restore(state.cpu)
        self.chip.restore(state.chip)
        self._powered = state.powered
        self._fault = None
        self._idle.restore(state.idle)
        self._inbox[:] = state.inbox

    def close(self) -> None:
        """Nobody can open the board's URL any more."""
        _running.pop(self.number, None)
        self._powered = False

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_board(
    board: str | Profile,
    image: str | Path | None = None,
    *,
    revision: int | None = None,
    unique_id: str | None = None,
) -> Board:
    """Boot a board.

    Parameters
    ----------
    board : a bundled profile's name, or a profile.
    image : path of an Intel HEX file; by default the profile's prebuilt firmware.
    revision : of the silicon (see `firmware_sim.chips.Chip`); by default the newest.
    unique_id : of the chip, 16 hexadecimal digits, as HELLO gives it; by default the same for every board.

    Raises
    ------
    UsageError : no such board, or an id that is none.
    IncompatibleError : there is no firmware for the board.
    SimulatorError : the image cannot be read, or has bytes where the board has no flash.
    MissingExtraError : what simulated boards are made of is not installed (the extra `sim`).
    """
    if unique_id is not None and not re.fullmatch(r"[0-9a-fA-F]{16}", unique_id):
        raise UsageError(f"the unique id of a chip has 16 hexadecimal digits, '{unique_id}' has not")
    profile = board if isinstance(board, Profile) else Profile.load(board)
    try:
        text = None if image is None else Path(image).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SimulatorError(f"cannot read the firmware {image}: {error}") from error
    return Board(profile, text, revision, _UNIQUE_ID if unique_id is None else int(unique_id, 16))


def running_board(number: int) -> Board | None:
    """The board with this number, if it is open."""
    return _running.get(number)
