"""A board in this process: real machine code on a simulated chip, in virtual time.

Nothing here sleeps or runs in the background: time passes only while somebody waits for the board, so every
run of the same program gives the same cycles.
"""

from __future__ import annotations

import itertools
import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np

from firmware_sim import wiring
from firmware_sim.chips import Chip, check_chip
from firmware_sim.cpu import Frame, Placed, make_cpu
from firmware_sim.errors import FirmwareFault, PowerCutError, Refused, SimulatorError
from firmware_sim.faults import Faults, Line
from firmware_sim.function_profile import FunctionCost
from firmware_sim.image import Image
from firmware_sim.injection import Injection
from firmware_sim.measuring import Measurement, Measuring
from firmware_sim.memory import Bytes, Memory
from firmware_sim.peripherals.base import Reset
from firmware_sim.peripherals.nvmc import Outcome
from firmware_sim.peripherals.uart import Uart
from firmware_sim.pin_record import Edge, PinRecord
from firmware_sim.serial_link import SerialLink
from firmware_sim.witness import board_closed
from nnlite.errors import UsageError
from nnlite.profile import Profile

__all__ = ["Board", "Edge", "Measurement", "Snapshot", "open_board", "running_board", "running_boards"]

_FOREVER = 1 << 62
#: calls that a fault's message names
_CALLERS = 6
#: of the simulated specimen, when nothing else is asked for
_UNIQUE_ID = 0x5EED0002_5EED0001
_numbers = itertools.count(1)
_running: weakref.WeakValueDictionary[int, Board] = weakref.WeakValueDictionary()


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything a board is, for `Board.restore`: core, memories, peripherals, bytes not read yet.

    The line is not part of it: faults, counters and noise go on as they were.
    """

    board: str
    cpu: Any
    chip: list[dict[str, Any]]
    link: Any
    powered: bool
    stack_content: bytes


class Board:
    """A simulated board. Opened by `open_board`.

    Parameters
    ----------
    profile : which board; its chip, memories, clock and pins.
    image : the firmware; by default the prebuilt one of the profile.
    revision : of the silicon, for start-up errata; by default the newest.
    unique_id : of the chip, 64 bits.
    checks : see `open_board`.
    faults : what it has to bear from the start.

    Attributes
    ----------
    profile, image, faults : as given.
    line : the `firmware_sim.faults.Line` between laptop and board.
    """

    def __init__(
        self,
        profile: Profile,
        image: Image | None = None,
        revision: int | None = None,
        unique_id: int = _UNIQUE_ID,
        faults: Faults | None = None,
        *,
        checks: bool = True,
    ) -> None:
        self.profile = profile
        self.image = Image.of_profile(profile) if image is None else image
        self.checks = checks
        self.faults = faults or Faults()
        self._pins = PinRecord()
        self._stops_at_pins = False
        self._chance = Random(f"{self.faults.seed} sessions")
        self.number = next(_numbers)
        self.port_open = False
        self._memory = Memory(profile, self.flash_changed)
        flash, ram = self._memory.flash, self._memory.ram
        self.cpu = make_cpu(profile.core, profile.flash_start, flash, profile.ram_start, ram, checks)
        self.chip = Chip(profile, self, self.cpu, flash, revision, unique_id)
        self.chip.clock.ppm = self.faults.clock_ppm
        self.chip.nvmc.busy_from = self.faults.flash_busy_from
        self.link = SerialLink(profile.name, self.chip.uart, self, self.cycles_per_second, self.faults)
        self.cpu.on_read, self.cpu.on_write, self.cpu.on_flash_store = self._read, self._write, self._flash_store
        for start, size in self.chip.spaces:
            self.cpu.map_registers(start, size)
        self.firmware_bytes = self._memory.load(self.image)
        self.cpu.load_code(flash[: self.firmware_bytes].tobytes(), self.image.code_in_ram)
        self._injection = Injection(self.cpu, self._memory, self.chip.nvmc)
        self._measuring = Measuring(self.cpu, self.image, self._memory, checks)
        self._fault: FirmwareFault | None = None
        self._powered = False
        self._life = 0  # how often what ran began anew, by a reset or a snapshot
        self._polled_now = False
        self._event = _FOREVER  # the next one, at the last look at a flag that was unset
        self._wanted = _FOREVER
        self._closed = False
        _running[self.number] = self
        self.boot()

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
        # First: a flag of another peripheral may come up by this, which is no waiting.
        self._event = self._next_event()
        if self.cpu.looked():
            self.skip_to(min(self.cpu.deadline, self._event))

    def _next_event(self) -> int:
        event = self.chip.next_event()
        return _FOREVER if event is None else event

    def changed(self) -> None:
        """A flag came up by itself: who waits will find it at one of the next looks."""
        self.cpu.busy()

    def pins_changed(self) -> None:
        """Note the edges of pins that are recorded, and end the run for whoever waits for one."""
        self._pins.note(self.cycles, self.pin)
        if self._stops_at_pins:
            self.cpu.stop_at(0)

    def flash_changed(self, start: int, size: int) -> None:
        """What was made of code there is no longer true."""
        self.cpu.code_changed(start, size)

    def flash_busy(self, cycles: int) -> None:
        """Flash is busy up to a cycle: a core that executes it stands still, one that executes RAM goes on."""
        self.cpu.flash_busy(cycles)
        self.cpu.disturbed()  # READY, which was known to be 1

    def byte_sent(self, cycles: int) -> None:
        """The last bit of a byte will have gone then: end the run if somebody waits for no more than that."""
        # Each of those under way may arrive twice.
        if len(self.link.unread) + 2 * len(self.chip.uart.sent) >= self._wanted:
            self.cpu.stop_at(cycles)

    # ---- what the core meets ----

    def _tell(self) -> None:
        """Tell the core what it may know: nine accesses in ten are to the UART's flags and the bytes that come."""
        self.chip.uart.moved = False
        self.cpu.know(self.chip.uart.known(self.chip.nvmc.constants), not self.cpu.interruptible)

    def _settle(self) -> None:
        """Carry out what the core did by that knowledge."""
        posted = self.cpu.posted()
        if posted:
            self.chip.uart.done(posted)

    def _read(self, address: int) -> int:
        self._settle()
        self._polled_now = False
        value = self.chip.read(address)
        of_uart = address & ~0xFFF == self.chip.uart.base
        unset = not value and self._polled_now
        if not unset:
            self.cpu.busy()
        elif self._event <= self.cycles:
            self._event = self._next_event()
        if of_uart or self.chip.uart.moved:  # bytes that were told as still coming are here
            self._tell()
        if unset and not of_uart:
            self.cpu.know_unset(address, self._event)
        return value

    def _write(self, address: int, value: int) -> None:
        self._settle()
        self.chip.write(address, value)
        self.cpu.busy()
        if address & ~0xFFF == self.chip.uart.base:
            self._tell()
        if self.cpu.interruptible:
            self.cpu.disturbed()
            self.cpu.stop_at(0)  # it may have asked for an interrupt, or allowed one

    def _flash_store(self, address: int, size: int, value: int) -> None:
        self.cpu.busy()
        self.chip.nvmc.store(address, size, value)

    # ---- running ----

    @property
    def damage(self) -> list[str]:
        """What was done to its memories and its power so far, in words, with the cycle."""
        return self._injection.damage

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
        return self.cpu.cycles / self.cycles_per_second

    @property
    def seconds_to_event(self) -> float | None:
        """Simulated seconds until it has something to do: 0 while it computes, None while only the laptop can tell."""
        events = [event for event in (self.chip.next_event(), self.link.next_arrival) if event is not None]
        if not self.cpu.waiting:  # asked second: a flag may have come up by the first
            return 0.0
        return max(0, min(events) - self.cycles) / self.cycles_per_second if events else None

    @property
    def uart(self) -> Uart:
        """The UART, with `overruns`, `bytes_received` and `bytes_sent` since power-up."""
        return self.chip.uart

    def boot(self) -> None:
        """Power on: RAM holds noise, flash what it held, the clock starts at 0, and nothing waits for the laptop."""
        self._start("power", self._memory.ram_after_power_up(self.image.stack))

    def reset(self) -> None:
        """Reset pin: as `boot`, but RAM keeps its bits, time goes on, and the laptop keeps what it has not read."""
        self._start("pin")

    def _start(self, kind: Reset, ram: Bytes | None = None) -> None:
        """Begin anew after a reset of some kind, with this in RAM unless it keeps its bits."""
        self._check_open()
        self._fault = None
        self._life += 1
        self._powered = True
        if kind == "power":
            self.link.forget()
            self.cpu.cycles = self.cpu.instructions = 0
        else:
            self.link.collect()
        self.chip.reset(kind)
        self.cpu.reset()
        if self.image.stack is not None:
            self.cpu.set_stack(self.image.stack[0])
        if ram is not None:
            self._memory.ram[:] = ram
            self._measuring.ram_is_new()
        self.cpu.disturbed()  # what was told of the line is no longer so

    def cut_power(self) -> None:
        """Take the power away: the core stops between two instructions, RAM is lost, flash stays."""
        self._powered = False

    def cut_power_at_flash_operation(self, number: int, outcome: Outcome = "nothing", seed: int = 0) -> None:
        """Take the power away at the `number`-th flash operation after the next `boot`.

        Parameters
        ----------
        number : 1 is the first; each word that is programmed and each page that is erased counts.
        outcome : what of the operation is done. "nothing": the power goes in front of it. "torn": each bit that would
            change has changed with one chance, which is drawn, too: in a word bits that would fall, in a page bits
            that would rise. "half-erased": of a page each bit that would rise has risen with a chance of a half; a
            word is torn. "all": the power goes behind it. A bit of real flash that was left in between may also read
            as 0 or 1 by turns; here it has one value and keeps it.
        seed : of the bits.

        Raises
        ------
        UsageError : no such outcome, or an operation that is none.
        """
        self._injection.cut_at_flash_operation(number, outcome, seed)

    def keep_flash_busy_from(self, number: int | None) -> None:
        """Let NVMC.READY stay 0 from the `number`-th flash operation after power-up on. None mends it."""
        self.chip.nvmc.busy_from = number

    def at_cycle(self, cycle: int, fault: Callable[[], None]) -> None:
        """Do something to the board, such as `board.cut_power`, as soon as so many cycles have passed since power-up.

        The core is between two instructions then. Once only; a snapshot knows nothing of it.
        """
        self._injection.plan(cycle, fault)

    def flip_bit(self, address: int, bit: int) -> None:
        """Invert a bit, 0 to 7, of a byte of flash or RAM, by no rule of flash.

        Raises
        ------
        SimulatorError : the address is in neither.
        UsageError : a byte has no such bit.
        """
        self._injection.flip(address, bit)

    def flip_bits(self, memory: Literal["ram", "flash"], count: int, seed: int = 0) -> list[tuple[int, int]]:
        """Invert `count` different bits that chance chooses, anywhere in RAM or flash. Returns (address, bit) of each.

        Raises
        ------
        UsageError : no such memory, or more bits than it has.
        """
        return self._injection.flip_some(memory, count, seed)

    def brown_out(self, seed: int = 0, decay: float = 0.1) -> None:
        """Let the supply dip: the core resets, flash stays, time goes on, part of RAM is lost.

        Each bit of RAM becomes what it is after power-up with the chance `decay`, 0 to 1. RESETREAS reads 0, as after
        power-up: a brown-out has no bit of its own.
        """
        powered_up = self._memory.ram_after_power_up(self.image.stack)
        self._start("brown-out", self._injection.decay(powered_up, decay, seed))

    def run(self, cycles: int) -> None:
        """Let the board run for some cycles.

        Raises
        ------
        FirmwareFault : the firmware did what silicon would not forgive.
        PowerCutError : the board has no power.
        """
        self._run_to(self.cycles + cycles)

    def run_until(self, what: bytes | str | int | Callable[[Board], bool], timeout: float = 1.0) -> bytes:
        """Let the board run until something is there.

        Parameters
        ----------
        what : bytes, that it sends; or the name of a function, that it is about to execute; or a number of cycles since
            power-up; or a condition, which is asked 100 times in a simulated millisecond, which takes its time: for one
            of pins or LEDs, `run_until_pins` is faster.
        timeout : simulated seconds.

        Returns
        -------
        bytes : what it sent, up to and with the bytes that were waited for; nothing for the others.

        Raises
        ------
        SimulatorError : it was not there in time.
        FirmwareFault, PowerCutError : as `run`.
        """
        limit = self.cycles + round(timeout * self.cycles_per_second)
        if isinstance(what, bytes | bytearray):
            if self._run_to(limit, lambda: what in self.link.unread, wanted=0):
                return self.take(self.link.unread.index(what) + len(what))
        elif isinstance(what, str):
            self.cpu.stop_before(self._function(what))
            try:
                if self._run_to(limit, lambda: self.cpu.reached):
                    return b""
            finally:
                self.cpu.stop_before(None)
        elif isinstance(what, int | np.integer):
            self._run_to(min(int(what), limit))
            if self.cycles >= what:
                return b""
        elif callable(what):
            while not what(self):
                if self.cycles >= limit:
                    break
                self._run_to(min(limit, self.cycles + self.profile.clock_hz // 100_000))
            else:
                return b""
        else:
            raise UsageError(
                f"run_until takes bytes, the name of a function, a whole number of cycles or a condition, not {what!r}"
            )
        raise self._missed(getattr(what, "__name__", "the condition") if callable(what) else f"{what!r}", timeout)

    def run_until_pins(self, condition: Callable[[Board], bool] | None = None, timeout: float = 1.0) -> None:
        """Let the board run until the chip changes a pin, as fast as `run`: the core stops behind the instruction.

        Parameters
        ----------
        condition : on what is asked at once and then whenever a pin has changed, such as
            `lambda board: board.leds[0][0]`; without one, the next change of any pin is it.
        timeout : simulated seconds.

        Raises
        ------
        SimulatorError : it was not there in time.
        FirmwareFault, PowerCutError : as `run`.
        """
        if condition is not None and condition(self):
            return

        def done() -> bool:
            changed, self._pins.changed = self._pins.changed, False
            return changed and (condition is None or condition(self))

        self._stops_at_pins, self._pins.changed = True, False
        try:
            if self._run_to(self.cycles + round(timeout * self.cycles_per_second), done):
                return
        finally:
            self._stops_at_pins = False
        raise self._missed("a change of a pin" if condition is None else "what was asked of the pins", timeout)

    def _missed(self, wanted: str, timeout: float) -> SimulatorError:
        return SimulatorError(
            f"{self.profile.name}: {wanted} was not there within {timeout:g} simulated seconds; it is at "
            f"{self.where()}; {self.waiting_bytes} bytes from it wait, the last are {bytes(self.link.unread[-32:])!r}"
        )

    def call(
        self,
        function: str,
        *arguments: object,
        returns: type | None = int,
        arrays_at: str | int | None = None,
        timeout: float = 1.0,
    ) -> Any:
        """Call a C function of the image. Registers are as before afterwards; memory and time are not.

        .data and .bss are there once the firmware's start-up code has run: `run_until("main")` first.

        Parameters
        ----------
        function : its name.
        arguments : integers and addresses of 32 bits; floats, which are C's `float`; np.float64 for a `double`;
            np.int64 and np.uint64; bytes and numpy arrays. An array is copied to the stack and passed by its address,
            and what the function wrote into it is copied back. The chip sees its dtype: `np.arange(4)` is of 64 bits.
        arrays_at : name or address of memory to copy the arrays to, for a stack that is too small.
        returns : int (unsigned, 32 bits), float, bool, None, or a number of numpy's such as np.int16 or np.float64.
        timeout : simulated seconds.

        Raises
        ------
        SimulatorError : no such function, an argument that cannot be passed, the board was reset meanwhile, or the
            function did not return in time.
        FirmwareFault, PowerCutError : as `run`; the board stays where that happened.
        """
        self.check()
        self.cpu.check_result(returns)
        address, fpu = self._function(function), self.image.hard_float
        placed = self.cpu.place(arguments, fpu, self.symbol(arrays_at) if isinstance(arrays_at, str) else arrays_at)
        self._check_room(function, placed, arrays_at)
        if placed.aside is not None:
            self.write_memory(*placed.aside)
        before, life = self.cpu.save_registers(), self._life
        try:
            self.cpu.call(address, placed)
            returned = self._run_to(
                self.cycles + round(timeout * self.cycles_per_second),
                lambda: self.cpu.returned or self._life != life,
            )
            if self._life != life:
                raise SimulatorError(
                    f"{self.profile.name}: the board was reset during the call of {function}, which did not return"
                )
            if not returned:
                raise SimulatorError(
                    f"{self.profile.name}: {function} did not return within {timeout:g} simulated seconds; "
                    f"it is at {self.where()}"
                )
            value = self.cpu.result(returns, fpu)
        finally:
            # A halted board stays where it is, for the report; one that was reset meanwhile has begun anew.
            if self._life == life and self._powered and self._fault is None:
                self.cpu.restore_registers(before)
        for at, array in placed.arrays:
            if array.flags.writeable:
                array[...] = np.frombuffer(self.read_memory(at, array.nbytes), array.dtype).reshape(array.shape)
        return value

    def _check_room(self, function: str, placed: Placed, arrays_at: str | int | None) -> None:
        """Refuse a call whose arguments have no room."""
        size = self.image.symbols[arrays_at].size if isinstance(arrays_at, str) else 0
        if 0 < size < placed.array_bytes:
            raise SimulatorError(
                f"the arrays of {function} take {placed.array_bytes} bytes, {arrays_at} has {size}; name a larger "
                "object with arrays_at"
            )
        low, top = self.image.stack or (0, 0)
        lowest = low if low <= placed.sp <= top else self.profile.ram_start  # a thread's stack ends somewhere above
        if placed.sp - len(placed.stack) < lowest:
            advice = "; name other memory that is free with arrays_at" if arrays_at is None else ""
            raise SimulatorError(
                f"the arguments of {function} take {len(placed.stack)} bytes of the stack, which has "
                f"{placed.sp - lowest}{advice if placed.array_bytes else ''}"
            )

    def _run_to(self, cycle: int, done: Callable[[], bool] = lambda: False, wanted: int = _FOREVER) -> bool:
        """Run up to a cycle, or until it is done, which is asked whenever something happened and for each byte from
        the `wanted`-th on. Returns whether it is."""
        self.check()
        self._wanted = wanted
        while self.cpu.cycles < cycle:
            if done():
                return True
            limit = min(self._injection.next(cycle), self.link.next_arrival or cycle)
            if self.cpu.interruptible:
                self.cpu.request(self.chip.requests())
                self.cpu.take_exceptions()
                limit = min(limit, max(self._next_event(), self.cycles + 1))
            if self.cpu.stopped is None:
                if self.cpu.sleeping:
                    self.skip_to(min(limit, max(self._next_event(), self.cycles + 1)))
                else:
                    self.cpu.run(limit)
                    self._settle()
            self.link.collect()
            self._look()
            self._injection.act()
            self.check()
        return done()

    def _look(self) -> None:
        """What ended a run, and whether there can be another one."""
        if self._injection.cut():
            self._powered = False
        elif self.chip.scb.reset_requested:
            self._start("soft")
        elif self.cpu.error is not None:
            self._fail(str(self.cpu.error), None, self.cpu.error)
        elif self.cpu.stopped is not None:
            self._fail(self.cpu.stopped.what, self.cpu.stopped.address, None)
        self.check()

    def _fail(self, what: str, address: int | None, cause: BaseException | None) -> None:
        if cause is not None and not isinstance(cause, Refused):
            self.cpu.error = None  # Ctrl-C, say: not the firmware's doing
            raise cause
        pc = self.cpu.fault_pc
        trace = self.backtrace(pc)
        called = f", called from {', '.join(trace[1:_CALLERS])}" if len(trace) > 1 else ""
        message = f"{self.profile.name}: {what}; pc {pc:#010x} in {trace[0]}{called}"
        self._fault = FirmwareFault(message, what, pc, address, trace)

    def check(self) -> None:
        """Raise what keeps the board from running, if anything does."""
        self._check_open()
        if self._fault is not None:
            raise self._fault
        if not self._powered:
            raise PowerCutError(f"the simulated {self.profile.name} has no power; boot() gives it back")

    def _check_open(self) -> None:
        if self._closed:
            raise SimulatorError(f"the simulated {self.profile.name} is closed; open_board opens another one")

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def where(self, pc: int | None = None) -> str:
        """Where the core, or a given address, is: pc, function and source line as far as the image tells."""
        if pc is None:
            pc = self.cpu.pc if self._fault is None else self._fault.pc
        return f"pc {pc:#010x} in {self._place(pc)}"

    def _place(self, pc: int) -> str:
        function, line = self.image.function_at(pc), self.image.line_at(pc)
        name = "no function that the image names" if function is None else function
        return name + (f" ({line})" if line else "")

    def backtrace(self, pc: int | None = None) -> list[str]:
        """The calls that led to where the core is, the innermost first, as "function (file:line)".

        Followed while it runs, so it needs no debugging information; without `checks` it is the innermost alone.
        """

        def told(frame: Frame) -> str:
            return ("interrupted: " if frame.interrupted else "") + self._place(frame.pc)

        if pc is None and self._fault is not None:
            return list(self._fault.backtrace)
        return [told(frame) for frame in self.cpu.frames(pc)]

    def registers(self) -> dict[str, int]:
        """The core's registers by name, pc and xpsr included."""
        return self.cpu.registers()

    # ---- the serial line ----

    @property
    def line(self) -> Line:
        """The line between laptop and board: faults are set on it."""
        return self.link.line

    @property
    def cycles_per_second(self) -> float:
        """What the core does in a second of the laptop's: its crystal may be off."""
        return self.profile.clock_hz * (1 + self.faults.clock_ppm / 1_000_000)

    def set_rate(self, baud: int) -> None:
        """The laptop sets its port to a rate. An interface chip with limits forgets what it has when that is new."""
        _check_rate(baud)
        self.link.set_rate(baud)
        self.cpu.disturbed()

    def write_line(self, data: bytes, baud: int) -> None:
        """Bytes from the laptop: they arrive one after the other, 10 bit times each."""
        self.check()
        _check_rate(baud)
        self.link.send(data, baud)
        self.cpu.disturbed()

    def draw(self, below: int) -> int:
        """A number from 0 to `below` - 1 for a client's sessions, by the seed of `faults`."""
        return self._chance.randrange(below)

    def break_line(self, seconds: float) -> None:
        """The laptop holds the line low: the interface chip holds the board in reset meanwhile."""
        if not self._powered:
            self.check()
        self.skip_to(self.cycles + round(seconds * self.cycles_per_second))
        self.reset()

    def read_line(self, size: int, timeout: float | None) -> bytes:
        """Up to `size` bytes from the board, as many as there are when the simulated `timeout` has passed.

        None waits until `size` bytes are there, but not for a board that waits for the laptop itself: then what
        there is comes back.
        """
        limit = _FOREVER if timeout is None else self.cycles + round(timeout * self.cycles_per_second)
        self.link.reading = True
        try:
            self.link.collect()
            while self.waiting_bytes < size and self.cycles < limit:
                if timeout is None and self.seconds_to_event is None:
                    break
                until = limit if timeout is not None else self.cycles + self.profile.clock_hz
                self._run_to(until, lambda: self.waiting_bytes >= size, wanted=size)
        finally:
            self.link.reading = False
        return self.take(size)

    def take(self, size: int) -> bytes:
        """Up to `size` bytes that are there already."""
        return self.link.take(size)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the laptop has not read yet."""
        return len(self.link.unread)

    def discard_input(self) -> None:
        """Forget the bytes that the laptop has not read."""
        self.link.unread.clear()

    @property
    def url(self) -> str:
        """A pyserial URL that any serial client of this process can open, one at a time."""
        return f"sim://board/{self.number}"

    # ---- pins ----

    def pin(self, number: int) -> bool | None:
        """What a pin is driven to: high, low, or None when the chip does not drive it. P1's pins are 32 and theirs."""
        port, pin = self.chip.port(number)
        return port.drives(pin)

    @contextmanager
    def record_pin(self, number: int) -> Iterator[list[Edge]]:
        """List the edges of a pin inside the `with`, as far as the chip drives it; the first entry is how it begins."""
        with self._pins.follow(number, Edge(self.cycles, self.pin(number))) as edges:
            yield edges

    def hold(self, number: int, level: bool | None) -> None:
        """Hold a pin high or low from outside, or let go of it."""
        port, pin = self.chip.port(number)
        port.hold(pin, level)
        self.cpu.busy()

    @property
    def leds(self) -> wiring.Picture:
        """Which LEDs are lit now: five rows of five. A display that is driven row by row shows one row."""
        return wiring.leds(self.chip)

    def press(self, button: str) -> None:
        """Hold a button down: "A" or "B"."""
        wiring.press(self.chip, button)

    def release(self, button: str) -> None:
        """Let go of a button."""
        wiring.release(self.chip, button)

    # ---- memory ----

    def symbol(self, name: str) -> int:
        """Address of a function or object of the firmware.

        Raises
        ------
        SimulatorError : the image has none of that name, or no table of symbols.
        """
        if name not in self.image.symbols:
            if not self.image.symbols:
                raise SimulatorError(
                    f"the firmware of {self.profile.name} is a HEX file, which has no names such as '{name}'; give "
                    "open_board the ELF file that it was made of"
                )
            raise SimulatorError(f"the firmware of {self.profile.name} has no symbol '{name}'")
        return self.image.symbols[name].address

    def _function(self, name: str) -> int:
        """Address of a function."""
        address = self.symbol(name)
        if not self._memory.in_flash(address) and self.image.function_at(address) is None:
            raise SimulatorError(f"{name} lies at {address:#010x}, which is not in flash: it is no function")
        return address

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of flash or RAM.

        Raises
        ------
        SimulatorError : some of them are in neither.
        UsageError : a size that is none.
        """
        return self._memory.read(address, size)

    def write_memory(self, address: int, data: bytes) -> None:
        """Set bytes of flash or RAM, by no rule but the writer's."""
        self._memory.write(address, data)
        self.cpu.disturbed()

    @property
    def flash(self) -> bytes:
        """The whole flash."""
        return self._memory.flash.tobytes()

    def load_flash(self, content: bytes) -> None:
        """Replace what lies behind the firmware, as an earlier session left it, and boot."""
        size, reserve = self._memory.flash.size, self.profile.firmware_reserve_bytes
        if len(content) != size:
            raise UsageError(f"the flash of {self.profile.name} has {size:,} bytes, not {len(content):,}")
        self._memory.write(self.profile.flash_start + reserve, content[reserve:])
        self.boot()

    def flash_bytes_programmed(self, start: int, end: int) -> int:
        """Bytes of the words in [start, end) that were programmed since their page was erased."""
        first, last = ((a - self.profile.flash_start) // 4 for a in (start, end))
        return 4 * int(np.count_nonzero(self.chip.nvmc.programmed[first:last]))

    def poison(self, name: str) -> None:
        """Fill an object in RAM with noise and follow how far it is read and written: see `touched`. One at a time.

        Raises
        ------
        SimulatorError : there is no such object, or it is not in RAM.
        """
        self._measuring.poison(name, self.symbol(name), self.image.symbols[name].size)
        self.cpu.disturbed()

    def touched(self, name: str) -> int:
        """Bytes of the object that was poisoned last up to the last that was read or written since.

        Raises
        ------
        SimulatorError : another one was poisoned last, or none.
        """
        return self._measuring.touched(name, self.symbol(name))

    @property
    def stack_high_water(self) -> int:
        """Bytes of the deepest main stack: since reset the lowest that sp was, with `checks`; without them what changed
        since power-up or brown-out, as RAM outlasts other resets, if the image tells where the stack is."""
        return self._measuring.stack_high_water

    @contextmanager
    def measure(self, function: str) -> Iterator[Measurement]:
        """Count instructions and cycles of every call of a function inside the `with`, its callees included."""
        with self._measuring.measure(function, self._function(function)) as result:
            yield result

    @contextmanager
    def profile_functions(self) -> Iterator[list[FunctionCost]]:
        """Count what each function costs inside the `with`, without its callees: the list is filled at its end.

        Raises
        ------
        SimulatorError : the board was opened without `checks`, so nothing was counted by function.
        """
        with self._measuring.profile(self.profile) as rows:
            yield rows

    # ---- snapshots ----

    def snapshot(self) -> Snapshot:
        """Everything as it is now."""
        content = self._measuring.stack_content
        return Snapshot(self.profile.name, self.cpu.save(), self.chip.save(), self.link.save(), self._powered, content)

    def restore(self, state: Snapshot) -> None:
        """Back to a snapshot, as often as wanted; also to that of another board of the same kind.

        Raises
        ------
        SimulatorError : it is of another kind of board, or this one is closed.
        """
        self._check_open()
        if state.board != self.profile.name:
            raise SimulatorError(f"the snapshot is of a {state.board}, and this is a {self.profile.name}")
        self.cpu.restore(state.cpu)
        self.chip.restore(state.chip)
        self._powered = state.powered
        self._measuring.stack_content = state.stack_content
        self._fault = None
        self._life += 1
        self.link.restore(state.link)

    def close(self) -> None:
        """The end: nobody can open the board's URL any more, and it does not run again."""
        if _running.pop(self.number, None) is not None:
            board_closed(self)
        self._closed = True

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_rate(baud: int) -> None:
    if baud < 1:
        raise UsageError(f"a rate is in bits per second, 1 or more, not {baud}")


def open_board(
    board: str | Profile,
    image: str | Path | None = None,
    *,
    checks: bool = True,
    revision: int | None = None,
    unique_id: str | None = None,
    faults: Faults | str | None = None,
) -> Board:
    """Boot a board.

    Parameters
    ----------
    board : a bundled profile's name, or a profile.
    image : path of an ELF or Intel HEX file; by default the profile's prebuilt firmware. Names, source lines and the
        stack's end come from an ELF file.
    checks : look at each instruction for what silicon would not forgive beside what always stops: a stack that
        overflows, multiple loads that are not aligned, the FPU before it is on, instructions that the core has not.
        Backtraces and `profile_functions` need it too.
    revision : of the silicon (see `firmware_sim.chips.Chip`); by default the newest.
    unique_id : of the chip, 16 hexadecimal digits, as HELLO gives it; by default the same for every board.
    faults : what it has to bear: a `firmware_sim.faults.Faults`, or a text that its `parse` reads; by default nothing.

    Raises
    ------
    UsageError : no such board, an id that is none, or faults that are none.
    IncompatibleError : there is no firmware for the board.
    SimulatorError : the image cannot be read, or has bytes where the board has no flash; its chip is not simulated.
    MissingExtraError : what simulated boards are made of is not installed (the extra `sim`).
    """
    if unique_id is not None and not re.fullmatch(r"[0-9a-fA-F]{16}", unique_id):
        raise UsageError(f"the unique id of a chip has 16 hexadecimal digits, '{unique_id}' has not")
    profile = board if isinstance(board, Profile) else Profile.load(board)
    if image is not None:
        check_chip(profile)
    loaded = None if image is None else Image.load(image)
    number = _UNIQUE_ID if unique_id is None else int(unique_id, 16)
    planned = Faults.parse(faults) if isinstance(faults, str) else faults
    return Board(profile, loaded, revision, number, planned, checks=checks)


def running_boards() -> tuple[Board, ...]:
    """All boards that are open, the oldest first."""
    # The pairs are taken in one pass: a board that nobody holds can vanish between two looks at the table.
    return tuple(board for _, board in sorted(_running.items()))


def running_board(number: int) -> Board | None:
    """The board with this number, if it is open."""
    return _running.get(number)
