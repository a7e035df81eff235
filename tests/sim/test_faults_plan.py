"""`Faults`: what can be said in it, how it is written, and what each of its kinds does to a board."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import open_board
from firmware_sim.faults import Faults, Line
from nnlite.device import Device
from nnlite.errors import UsageError
from tests.sim.conversation import BAUD, answers, let_start, request
from tests.sim.machine_code import CONFIG, HALT, RAM, READY, WEN, bare_board, store, wait, word

PAGE = 0x8000


def test_what_is_written_is_what_is_read() -> None:
    faults = Faults.parse("flip=0.0005, burst=0.001,burst_bytes=4,latency=0.005,interface_chip,clock_ppm=-40", seed=7)
    assert faults == Faults(7, 0.0005, burst=0.001, burst_bytes=4, latency=0.005, interface_chip=True, clock_ppm=-40)
    assert str(faults) == "flip=0.0005,burst=0.001,burst_bytes=4,latency=0.005,interface_chip,clock_ppm=-40"
    assert Faults.parse(str(faults), seed=7) == faults
    assert str(Faults(seed=3)) == ""


CHANCE = st.floats(0, 1)


@given(
    st.builds(
        Faults,
        st.integers(),
        *[CHANCE] * 4,
        burst_bytes=st.integers(1),
        silence=CHANCE.map(np.float64),
        silence_bytes=st.integers(1),
        latency=CHANCE,
        interface_chip=st.booleans(),
        clock_ppm=st.integers(-100_000, 100_000),
        flash_busy_from=st.none() | st.integers(1),
    )
)
def test_every_plan_is_read_as_it_was_written(faults: Faults) -> None:
    assert not str(faults) or Faults.parse(str(faults), faults.seed) == faults


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flop=1", "'flop=1': there is no fault 'flop'; those are flip, drop, double, burst, .*; write it as flip=0"),
        ("", "'': there is no fault ''"),
        ("seed=3", "there is no fault 'seed'"),
        ("flip", "'flip': '' is no number; write it as"),
        ("flip=nan", "'flip=nan': 'nan' is no number"),
        ("flip=0.1,drop=2", "'drop=2': drop is the chance of each byte, from 0 to 1, not 2; write it as"),
        ("flip=0.1,flip=0.1", "flip is there twice"),
        ("burst_bytes=2.5", "'2.5' is no whole number"),
        ("burst_bytes=0", "burst_bytes is a number of bytes, 1 or more, not 0"),
        ("latency=5", "latency is in seconds, from 0 to 1, not 5"),
        ("interface_chip=1", "interface_chip stands alone, without a value"),
        ("clock_ppm=200000", "clock_ppm is in millionths, at most 100,000 either way, not 200,000"),
        ("flash_busy_from=0", "flash_busy_from counts flash operations from 1 on, it cannot be 0"),
    ],
)
def test_what_cannot_be_is_refused_with_how_to_write_it(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Faults.parse(text)


def through(faults: Faults, data: bytes) -> bytes:
    line = Line()
    line.expose_to(faults)
    return line.carry("to_board", data)


def test_a_burst_damages_so_many_bytes_one_behind_the_other() -> None:
    arrived = through(Faults(seed=5, burst=0.002, burst_bytes=6), bytes(4_000))
    damaged = [n for n, byte in enumerate(arrived) if byte]
    runs = [n for n in damaged if n - 1 not in damaged]
    assert len(arrived) == 4_000
    assert len(runs) > 2
    assert len({arrived[n] for n in damaged}) > len(damaged) // 2
    assert damaged == [n for first in runs for n in range(first, first + 6)]


def test_a_silence_loses_so_many_bytes_one_behind_the_other() -> None:
    sent = bytes(range(250))
    arrived = through(Faults(seed=7, silence=0.004, silence_bytes=50), sent)
    first = next(n for n, byte in enumerate(arrived) if byte != sent[n])
    assert arrived == sent[:first] + sent[first + 50 :]


@pytest.mark.parametrize("kind", ["flip", "drop", "double", "burst", "silence"])
def test_no_kind_moves_the_faults_of_another(kind: str) -> None:
    """The bits that flip are the same ones, whatever else there is or is not, and a lower rate flips some of them."""
    line, alone = Line(), Line()
    line.noise(flip=0.01, seed=3, **{} if kind == "flip" else {kind: 1e-12})  # type: ignore[arg-type]
    alone.noise(flip=0.01, seed=3)
    assert line.carry("to_board", bytes(5_000)) == alone.carry("to_board", bytes(5_000))
    fewer = through(Faults(seed=3, flip=0.005), bytes(5_000))
    more = through(Faults(seed=3, flip=0.01), bytes(5_000))
    assert {n: b for n, b in enumerate(fewer) if b}.items() < {n: b for n, b in enumerate(more) if b}.items()


@pytest.mark.parametrize("latency", [0.001, 0.016, 0.05])
def test_latency_is_added_each_way_and_changes_nothing_else(latency: float) -> None:
    def answered(faults: Faults) -> tuple[float, list[bytes]]:
        with open_board("microbit", faults=faults) as board:
            let_start(board)
            start = board.seconds
            board.write_line(request(1), BAUD)
            frames = answers(board, 1, 1.0)
            return board.seconds - start, [frame.payload for frame in frames]

    at_once, frames = answered(Faults())
    later, same = answered(Faults(latency=latency))
    assert frames
    assert frames == same
    assert later - at_once == pytest.approx(2 * latency, abs=5e-4)  # a polling loop may be met at another place


def test_what_is_on_the_way_is_part_of_a_snapshot() -> None:
    with open_board("microbit", faults=Faults(latency=0.05)) as board:
        let_start(board)
        board.write_line(request(1), BAUD)
        while not board.link.on_the_way:
            board.run(1_000)
        state = board.snapshot()
        first = board.read_line(500, 1.0)
        board.restore(state)
        assert len(first) > 20
        assert board.read_line(500, 1.0) == first


def test_a_board_whose_clock_is_off_takes_another_time_by_the_laptops() -> None:
    def cycles_in_a_second(ppm: int) -> int:
        with open_board("microbit", faults=Faults(clock_ppm=ppm)) as board:
            let_start(board)
            start = board.cycles
            assert board.read_line(1, 1.0) == b""
            return board.cycles - start

    assert cycles_in_a_second(0) == pytest.approx(16_000_000, abs=10)
    assert cycles_in_a_second(500) == pytest.approx(16_008_000, abs=10)
    assert cycles_in_a_second(-20_000) == pytest.approx(15_680_000, abs=10)


def test_a_busy_flag_that_sticks_holds_the_firmware_up() -> None:
    write = [store(CONFIG, WEN), store(PAGE, 1), wait(READY), store(PAGE + 4, 2), wait(READY), store(RAM, 0xD0E), HALT]
    stuck = bare_board(*write)
    stuck.keep_flash_busy_from(2)
    stuck.run(16_000_000)
    assert [word(stuck, a) for a in (PAGE, PAGE + 4)] == [1, 2]  # both operations were carried out
    assert word(stuck, RAM) != 0xD0E
    assert stuck.instructions < 1_000  # a wait costs nothing
    stuck.boot()
    stuck.keep_flash_busy_from(None)
    stuck.run(16_000_000)
    assert word(stuck, RAM) == 0xD0E


def test_all_of_it_at_once_and_the_device_gets_through() -> None:
    faults = Faults.parse("flip=0.0003,drop=0.0001,burst=0.0002,latency=0.004,interface_chip,clock_ppm=100", seed=2)
    with open_board("microbit", faults=faults) as board, Device.open(board.url) as device:
        assert device.info().board == "microbit"
        assert board.seconds > 0.008


def test_a_board_takes_them_as_text() -> None:
    with open_board("microbit", faults="latency=0.05,drop=0.001") as board:
        assert board.faults == Faults(latency=0.05, drop=0.001)
    with pytest.raises(UsageError, match="there is no fault 'sleep'"):
        open_board("microbit", faults="sleep=1")
