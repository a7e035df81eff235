"""What the micro:bits wire to the pins of their chip: two buttons and 25 LEDs.

Sources: schematics of the micro:bit v1.5 and v2.00. A pin is a number as PSEL registers take it: 32 a port. Neither
board has a crystal of 32,768 Hz; what would be its pins are taken by other things. The Nano 33 BLE has one in its
module, and neither buttons nor such LEDs: for it, as for a board that is not known, nothing stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from firmware_sim.peripherals.gpio import Gpio
from nnlite.errors import UsageError

__all__ = ["Picture", "Wiring", "leds", "press", "release", "wiring_of"]

Picture = tuple[tuple[bool, ...], ...]


@dataclass(frozen=True)
class Wiring:
    """One board's.

    Attributes
    ----------
    buttons : their pins by letter. Each has a pull-up on the board and connects to ground while it is pressed.
    leds : five rows of five pairs (anode, cathode): an LED is lit while its anode is high and its cathode low.
    low_frequency_crystal : whether there is one of 32,768 Hz.
    """

    buttons: Mapping[str, int] = field(default_factory=dict)
    leds: tuple[tuple[tuple[int, int], ...], ...] = ()
    low_frequency_crystal: bool = True


class _Wired(Protocol):
    """A chip, as far as this goes."""

    wiring: Wiring

    def port(self, pin: int) -> tuple[Gpio, int]: ...


_P1 = 32
_V1_COLUMN, _V1_ROW = 4, 13  # the first of nine, P0.04 on, and of three, P0.13 on
#: the row and the column of the matrix at each place of the display, as two digits
_V1_MATRIX = ("00 13 01 14 02", "23 24 25 26 27", "11 08 12 28 10", "07 06 05 04 03", "22 16 20 15 21")
_V1_LEDS = tuple(
    tuple((_V1_ROW + int(place[0]), _V1_COLUMN + int(place[1])) for place in row.split()) for row in _V1_MATRIX
)
_V2_ROWS = (21, 22, 15, 24, 19)
_V2_COLUMNS = (28, 11, 31, _P1 + 5, 30)
_V2_LEDS = tuple(tuple((row, column) for column in _V2_COLUMNS) for row in _V2_ROWS)

_BOARDS: Mapping[str, Wiring] = MappingProxyType(
    {
        "microbit": Wiring({"A": 17, "B": 26}, _V1_LEDS, False),
        "microbit2": Wiring({"A": 14, "B": 23}, _V2_LEDS, False),
    }
)


def wiring_of(name: str) -> Wiring:
    """What is known of a board; of an unknown one, nothing is wired."""
    return _BOARDS.get(name, Wiring())


def leds(chip: _Wired) -> Picture:
    """Which LEDs are lit now: five rows of five. A firmware that goes through the rows one by one lights one row's."""

    def lit(anode: int, cathode: int) -> bool:
        high, low = chip.port(anode), chip.port(cathode)
        return high[0].drives(high[1]) is True and low[0].drives(low[1]) is False

    return tuple(tuple(lit(*pins) for pins in row) for row in chip.wiring.leds)


def press(chip: _Wired, button: str) -> None:
    """Hold a button down: "A" or "B"."""
    _hold(chip, button, False)


def release(chip: _Wired, button: str) -> None:
    """Let go of a button."""
    _hold(chip, button, True)


def _hold(chip: _Wired, button: str, level: bool) -> None:
    if button not in chip.wiring.buttons:
        there = ", ".join(chip.wiring.buttons) or "none"
        raise UsageError(f"the board has no button '{button}'; its buttons: {there}")
    port, pin = chip.port(chip.wiring.buttons[button])
    port.hold(pin, level)
    port.time.changed()
