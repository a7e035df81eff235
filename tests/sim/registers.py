"""A chip without a core: a test reads and writes its registers, and says what time it is."""

from __future__ import annotations

import numpy as np

from firmware_sim.chips import Chip
from firmware_sim.cpu.exceptions import Exceptions
from nnlite.profile import Profile

EVENTS, INTENSET, INTENCLR = 0x100, 0x304, 0x308
CLOCK, UART, GPIOTE, TIMER0, RTC0 = 0x40000000, 0x40002000, 0x40006000, 0x40008000, 0x4000B000


class Time:
    """A timeline that the test moves; a poll lets it jump to `jump_to`, if that is set."""

    def __init__(self) -> None:
        self.now = 0
        self.polls = self.changes = 0
        self.jump_to: int | None = None

    def skip_to(self, cycles: int) -> None:
        self.now = max(self.now, cycles)

    def wake_at(self, cycles: int) -> None: ...

    def byte_sent(self, cycles: int) -> None: ...

    def flash_changed(self, start: int, size: int) -> None: ...

    def pins_changed(self) -> None: ...

    def polled(self) -> None:
        self.polls += 1
        if self.jump_to is not None:
            self.now, self.jump_to = self.jump_to, None

    def changed(self) -> None:
        self.changes += 1


class NoCore:
    """What the system registers write to."""

    def __init__(self) -> None:
        self.exceptions = Exceptions()
        self.fpu = False

    def use_fpu(self, enabled: bool) -> None:
        self.fpu = enabled


def bare_chip(name: str = "microbit") -> tuple[Chip, Time]:
    """A chip that was just powered, as the board of that name wires it."""
    time = Time()
    profile = Profile.load(name)
    chip = Chip(profile, time, NoCore(), np.full(profile.flash_bytes, 0xFF, np.uint8), None, 1)
    chip.reset("power")
    return chip, time


def with_crystal(name: str = "microbit") -> tuple[Chip, Time]:
    """A chip whose core runs from the crystal."""
    chip, time = bare_chip(name)
    chip.write(CLOCK, 1)
    time.now = chip.next_event() or 0
    assert chip.read(CLOCK + EVENTS) == 1
    return chip, time


def with_low_frequency_clock(name: str = "microbit") -> tuple[Chip, Time]:
    """A chip whose low-frequency RC oscillator runs."""
    chip, time = bare_chip(name)
    chip.write(CLOCK + 0x008, 1)
    time.now = chip.next_event() or 0
    assert chip.read(CLOCK + 0x104) == 1
    return chip, time
