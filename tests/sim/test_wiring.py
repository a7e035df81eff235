"""LEDs and buttons of the micro:bits."""

from __future__ import annotations

import pytest

from firmware_sim.chips import Chip
from firmware_sim.wiring import Picture, leds, press, release
from nnlite.errors import UsageError
from tests.sim.machine_code import HALT, RAM, bare_board, store, wait, word
from tests.sim.registers import bare_chip

BUTTONS = {"microbit": {"A": 17, "B": 26}, "microbit2": {"A": 14, "B": 23}}
DARK = ((False,) * 5,) * 5


def drive(chip: Chip, pin: int, level: bool) -> None:
    """As a firmware does it."""
    base = 0x50000300 if pin >= 32 else 0x50000000
    chip.write(base + (0x508 if level else 0x50C), 1 << pin % 32)
    chip.write(base + 0x518, 1 << pin % 32)


def picture(text: str) -> Picture:
    return tuple(tuple(place == "#" for place in row) for row in text.split())


@pytest.mark.parametrize("name", ["microbit", "microbit2"])
@pytest.mark.parametrize("button", ["A", "B"])
def test_a_button_pulls_its_pin_to_ground(name: str, button: str) -> None:
    chip, _ = bare_chip(name)
    pin = BUTTONS[name][button]
    chip.write(0x50000700 + 4 * pin, 0)  # no pull of its own: the board has one
    assert chip.read(0x50000510) == 1 << pin
    press(chip, button)
    assert chip.read(0x50000510) == 0
    release(chip, button)
    assert chip.read(0x50000510) == 1 << pin
    with pytest.raises(UsageError, match="no button 'C'; its buttons: A, B"):
        press(chip, "C")


def test_a_firmware_that_waits_for_a_button_costs_nothing() -> None:
    pin_cnf, inputs = 0x50000700 + 4 * 17, 0x50000510
    board = bare_board(store(pin_cnf, 0), store(RAM, 0), wait(inputs), store(RAM, 1), HALT)
    press(board.chip, "A")
    board.run(16_000_000)
    assert (word(board, RAM), board.instructions < 50) == (0, True)
    held = board.snapshot()
    release(board.chip, "A")
    board.run(100)
    assert word(board, RAM) == 1
    board.restore(held)  # the button, too
    board.run(16_000_000)
    assert word(board, RAM) == 0


def test_rows_of_the_first_micro_bit() -> None:
    """Nine columns and three rows make the display, in an order of their own."""
    chip, _ = bare_chip("microbit")
    columns, rows = range(4, 13), range(13, 16)
    assert leds(chip) == DARK
    for pin in columns:
        drive(chip, pin, False)
    drive(chip, 13, True)
    assert leds(chip) == picture("#.#.# ..... .#... ##### .....")
    drive(chip, 13, False)
    drive(chip, 14, True)
    assert leds(chip) == picture(".#.#. ..... #.#.# ..... .#.#.")
    drive(chip, 14, False)
    drive(chip, 15, True)
    assert leds(chip) == picture("..... ##### ...#. ..... #.#.#")
    for pin in rows:
        drive(chip, pin, True)
    assert leds(chip) == ((True,) * 5,) * 5
    drive(chip, 4, True)
    assert leds(chip) == picture(".#### ##### ####. ##### ##.##")


#: (x, y) of each column of each row, - where there is no LED
MATRIX = """
00 20 40 43 33 23 13 03 12
42 02 22 10 30 34 14 -  -
24 44 04 01 11 21 31 41 32
"""


def test_each_led_of_the_first_micro_bit() -> None:
    chip, _ = bare_chip("microbit")
    for pin in range(4, 13):
        drive(chip, pin, True)
    for row, places in enumerate(MATRIX.split("\n")[1:4]):
        drive(chip, 13 + row, True)
        for column, place in enumerate(places.split()):
            drive(chip, 4 + column, False)
            lit = [f"{x}{y}" for y, line in enumerate(leds(chip)) for x, on in enumerate(line) if on]
            assert lit == ([] if place == "-" else [place])
            drive(chip, 4 + column, True)
        drive(chip, 13 + row, False)


def test_rows_and_columns_of_the_second_micro_bit() -> None:
    chip, _ = bare_chip("microbit2")
    rows, columns = (21, 22, 15, 24, 19), (28, 11, 31, 37, 30)
    for number, row in enumerate(rows):
        for place, column in enumerate(columns):
            drive(chip, row, True)
            drive(chip, column, False)
            lit = [(y, x) for y, line in enumerate(leds(chip)) for x, on in enumerate(line) if on]
            assert lit == [(number, place)]
            drive(chip, row, False)
            drive(chip, column, True)
    assert leds(chip) == DARK
