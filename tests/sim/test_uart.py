"""The UART as the manual has it: six bytes of FIFO, bits that take time, and what it refuses."""

from __future__ import annotations

import pytest

from firmware_sim import Board, FirmwareFault
from tests.sim.machine_code import (
    CRYSTAL_START,
    ENABLE,
    ERROR,
    ERRORSRC,
    HALT,
    PSELTXD,
    RAM,
    RXD,
    RXDRDY,
    STARTRX,
    STARTTX,
    TXD,
    TXDRDY,
    UART,
    Part,
    bare_board,
    keep,
    load,
    store,
    uart_on,
    wait,
    word,
)
from tests.sim.registers import INTENSET, with_crystal

BAUD = 115_200
BYTE_CYCLES = 16_000_000 * 10 / BAUD


def started(*steps: tuple[Part, ...]) -> Board:
    """A board whose UART is on."""
    board = bare_board(*uart_on(), *steps, HALT)
    board.run(10_000)
    return board


@pytest.mark.parametrize(("sent", "lost"), [(6, 0), (7, 1), (9, 3)])
def test_the_fifo_holds_six_bytes_and_loses_the_later_ones(sent: int, lost: int) -> None:
    reads = [step for n in range(6) for step in (load(RXD), keep(RAM + 16 + 4 * n))]
    held = [store(RAM, 0), wait(RAM)]  # until the test lets it go on
    board = started(*held, load(ERROR), keep(RAM + 4), load(ERRORSRC), keep(RAM + 8), *reads)
    board.write_line(bytes(range(1, sent + 1)), BAUD)
    board.run(round(BYTE_CYCLES * (sent + 1)))
    board.write_memory(RAM, b"\1")
    board.run(1000)
    assert [word(board, RAM + 16 + 4 * n) for n in range(6)] == [1, 2, 3, 4, 5, 6]
    assert (word(board, RAM + 4), word(board, RAM + 8)) == (int(lost > 0), int(lost > 0))  # EVENTS_ERROR, OVERRUN
    assert (board.uart.overruns, board.uart.bytes_received) == (lost, sent)


def test_overrun_is_cleared_by_writing_its_bit_back() -> None:
    held = [store(RAM, 0), wait(RAM)]
    board = started(*held, store(ERRORSRC, 1), load(ERRORSRC), keep(RAM + 4))
    board.write_line(bytes(7), BAUD)
    board.run(round(BYTE_CYCLES * 8))
    board.write_memory(RAM, b"\1")
    board.run(1000)
    assert word(board, RAM + 4) == 0


def test_a_byte_arrives_when_its_stop_bit_has_passed() -> None:
    board = started(store(RAM, 0), wait(RXDRDY), store(RAM, 1))
    start = board.cycles
    board.write_line(b"x", BAUD)
    board.run(round(BYTE_CYCLES) - 1)
    assert word(board, RAM) == 0
    board.run(30)
    assert word(board, RAM) == 1
    assert board.cycles - start == pytest.approx(BYTE_CYCLES + 29, abs=6)  # a run may end late by one instruction


def test_bytes_of_two_writes_follow_each_other() -> None:
    board = started()
    board.write_line(b"abc", BAUD)
    board.write_line(b"def", BAUD)
    board.run(round(5.5 * BYTE_CYCLES))
    load_now = board.uart.bytes_received
    board.uart.read(RXDRDY - 0x40002000)
    assert (load_now, board.uart.bytes_received) == (0, 5)  # looked at when the firmware looks


def test_a_byte_that_is_sent_takes_its_time() -> None:
    board = started(store(TXDRDY, 0), store(TXD, 0x5A), wait(TXDRDY), store(TXD, 0xA5), wait(TXDRDY))
    board.boot()
    assert board.read_line(1, 1.0) == b"\x5a"
    first = board.cycles
    assert board.read_line(1, 1.0) == b"\xa5"
    assert board.cycles - first == pytest.approx(BYTE_CYCLES, abs=30)  # a turn of the loop, a store, the next byte
    assert board.uart.bytes_sent == 2


@pytest.mark.parametrize("rx", [24, 3])
def test_nothing_arrives_on_another_pin(rx: int) -> None:
    board = bare_board(*uart_on(rx=rx), store(RAM, 0), wait(RXDRDY), store(RAM, 1), HALT)
    board.run(10_000)
    board.write_line(b"abcd", BAUD)
    board.run(16_000_000)
    assert (board.uart.bytes_received, word(board, RAM)) == (0, 0)


class Line:
    """A chip without a core whose UART is on, and the laptop's end of the line."""

    def __init__(self, setting: int = 0x01D7E000, config: int = 0, ppm: int = 0) -> None:
        self.chip, self.time = with_crystal()
        self.uart = self.chip.uart
        self.chip.clock.ppm = ppm
        for offset, value in ((0x50C, 24), (0x514, 25), (0x524, setting), (0x56C, config), (0x500, 4)):
            self.uart.write(offset, value)
        self.uart.write(0x008, 1)
        self.uart.write(0x000, 1)

    def wait(self, seconds: float = 0.1) -> None:
        """Let it pass, with a look at every event."""
        end = self.time.now + round(16_000_000 * seconds)
        while (event := self.uart.next_event()) is not None and event <= end:
            self.time.now = max(self.time.now, event)
            self.uart.update()
        self.time.now = end

    def arrived(self) -> bytes:
        """What the FIFO holds."""
        out = bytearray()
        while self.uart.fifo:
            out.append(self.uart.read(0x518))
        return bytes(out)

    def errors(self) -> int:
        """ERRORSRC, cleared; EVENTS_ERROR says the same."""
        value = self.uart.read(0x480)
        assert self.uart.read(0x124) == int(value != 0)
        self.uart.write(0x124, 0)
        self.uart.write(0x480, value)
        return value

    def send(self, data: bytes) -> bytes:
        """What the laptop reads when the board sends."""
        for byte in data:
            self.uart.write(0x51C, byte)
            self.wait(0.02)
        return bytes(byte for _, byte in self.uart.sent)


OVERRUN, PARITY, FRAMING, BREAK = 1, 2, 4, 8
#: of the manual's table: each setting with its rate and what the divider makes of it
TABLE = [(0x0004F000, 1_200, 1_205), (0x00275000, 9_600, 9_598), (0x00EBF000, 57_600, 57_762)]
TABLE += [(0x01D7E000, 115_200, 115_942), (0x04000000, 250_000, 250_000), (0x0EBED000, 921_600, 941_176)]
TABLE += [(0x10000000, 1_000_000, 1_000_000)]


@pytest.mark.parametrize(("setting", "rate", "real"), TABLE)
@pytest.mark.parametrize("error", [-0.05, -0.02, 0.0, 0.02, 0.05])
def test_within_five_percent_bytes_arrive_right_both_ways(setting: int, rate: int, real: int, error: float) -> None:
    line = Line(setting)
    assert line.uart.byte_cycles == pytest.approx(160_000_000 / rate)
    data = b"\x00\xff\x55\xaa\x81x"
    line.uart.receive(data, round(real * (1 + error)))
    line.wait()
    assert (line.arrived(), line.errors()) == (data, 0)
    assert line.send(data) == data


@pytest.mark.parametrize(("error", "framing"), [(-0.06, True), (0.06, True), (-0.5, False), (1.2, False)])
def test_beyond_they_do_not(error: float, framing: bool) -> None:
    """By the middle of the stop bit 6 % are more than half a bit."""
    line = Line(0x04000000)
    line.uart.receive(b"\x00\x40\x15\x00", round(250_000 * (1 + error)))
    line.wait()
    assert line.arrived() != b"\x00\x40\x15\x00"
    assert line.errors() & FRAMING or not framing


@pytest.mark.parametrize(
    ("host", "sent", "read"),
    [
        (125_000, b"\xff", b"\xfe"),  # the start bit is two bits long
        (125_000, b"\x00", b"\x00"),
        (500_000, b"\xff", b"\xff"),  # the start bit is over before the middle of the first one is looked at
        (500_000, b"\x0f", b"\xf9"),  # bits 2, 4, 6, stop
    ],
)
def test_a_frame_at_another_rate_is_read_off_the_waveform(host: int, sent: bytes, read: bytes) -> None:
    line = Line(0x04000000)
    line.uart.receive(sent, host)
    line.wait()
    assert line.arrived()[:1] == read


def test_after_a_frame_the_receiver_looks_for_the_next_edge() -> None:
    """8 % slower, it misses the second start bit; bit 2, the first that falls after it, is taken for one."""
    line = Line(0x04000000)
    line.uart.receive(b"\xff\xfb", 270_000)
    line.wait()
    assert (line.arrived(), line.errors()) == (b"\xff\xff", FRAMING)


@pytest.mark.parametrize(
    ("host", "read"), [(125_000, b"\xfe\xff"), (500_000, b"\x98\x78"), (250_000, b"\xfa\x56"), (230_000, b"\xfa\xb6")]
)
def test_a_laptop_at_another_rate_reads_what_it_must(host: int, read: bytes) -> None:
    """The middles of its bits fall, at 500,000 baud, into the board's bits 0, 1, 1, 2, 2, 3, 3, 4."""
    line = Line(0x04000000)
    line.uart.receive(b"", host)
    assert line.send(b"\xfa\x56") == read


def test_a_fast_receiver_reads_several_frames_from_one() -> None:
    """Each bit of the laptop's is four: what it sends falls three times, at 0, 16 and 32, where a frame can begin."""
    line = Line(0x04000000)
    line.uart.receive(b"\x55", 250_000 // 4)
    start = line.time.now
    line.wait(0.0001)
    assert line.time.now - start < 16 * 160 + 1  # before the byte is over
    assert line.arrived() == b"\x78"
    line.wait()
    assert (line.arrived(), line.errors()) == (b"\x78\xf8", FRAMING)


@pytest.mark.parametrize(
    ("ppm", "right"), [(100, True), (40_000, True), (-40_000, True), (70_000, False), (-70_000, False)]
)
def test_a_drifting_clock_is_as_a_wrong_rate(ppm: int, right: bool) -> None:
    line = Line(0x04000000, ppm=ppm)
    line.uart.receive(b"\x00\x40\x15\xfe", 250_000)
    line.wait()
    assert (line.arrived() == b"\x00\x40\x15\xfe") is right
    assert (line.errors() == 0) is right


def test_a_line_held_low_is_a_break() -> None:
    line = Line()
    line.uart.hold_low(0.001)
    line.wait()
    assert (line.arrived(), line.errors()) == (b"\0", FRAMING | BREAK)
    line.uart.hold_low(9.8 / 115_942)  # no stop bit, but no longer than a frame
    line.wait()
    assert (line.arrived(), line.errors()) == (b"\0", FRAMING)
    line.uart.receive(b"ok", BAUD)
    line.wait()
    assert (line.arrived(), line.errors()) == (b"ok", 0)


def test_parity_that_the_laptop_does_not_send() -> None:
    """Its stop bit is where the board looks for even parity, the idle line where it looks for the stop bit."""
    line = Line(config=0xE)
    assert line.uart.byte_cycles == pytest.approx(16_000_000 * 11 / BAUD)
    line.uart.receive(b"\x01", BAUD)
    line.wait()
    assert (line.arrived(), line.errors()) == (b"\x01", 0)
    line.uart.receive(b"\x03", BAUD)
    line.wait()
    assert (line.arrived(), line.errors()) == (b"\x03", PARITY)


@pytest.mark.parametrize(("event", "bit"), [(0x108, 2), (0x11C, 7), (0x124, 9), (0x144, 17)])
def test_each_event_interrupts(event: int, bit: int) -> None:
    line = Line()
    line.uart.write(INTENSET, 1 << bit)
    line.uart.receive(b"x", BAUD)
    line.uart.hold_low(0.001)
    line.uart.write(0x51C, 1)
    assert line.chip.requests() == ()
    line.wait()
    line.uart.write(0x004, 1)
    line.wait()
    assert line.chip.requests() == (2,)
    line.uart.write(event, 0)
    assert line.chip.requests() == ()


def test_a_byte_more_in_the_fifo_interrupts_again() -> None:
    line = Line()
    line.uart.write(INTENSET, 1 << 2)
    line.uart.receive(b"ab", BAUD)
    line.wait()
    for byte in b"ab":
        assert line.uart.interrupt()
        line.uart.write(0x108, 0)
        assert not line.uart.interrupt()
        assert line.uart.read(0x518) == byte
    assert not line.uart.interrupt()


def test_a_stopped_receiver_takes_four_frames_more() -> None:
    line = Line()
    line.uart.receive(b"abcdef", BAUD)
    line.uart.write(0x004, 1)
    line.wait(4.5 * 10 / BAUD)
    assert (line.uart.read(0x144), line.arrived()) == (1, b"abcd")
    line.wait()
    assert line.arrived() == b""


def test_power_resets_it() -> None:
    line = Line()
    line.uart.write(INTENSET, 4)
    line.uart.write(0xFFC, 0)
    assert [line.uart.read(offset) for offset in (0xFFC, INTENSET, 0x500)] == [0, 0, 0]
    line.uart.write(0xFFC, 1)
    assert line.uart.read(0xFFC) == 1


CRYSTAL = (*store(CRYSTAL_START, 1), *wait(0x40000100))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((store(ENABLE, 4), store(STARTRX, 1)), "UART0 was started without the crystal"),
        ((store(ENABLE, 4), store(STARTTX, 1)), "UART0 was started without the crystal"),
        ((store(CRYSTAL_START, 1), store(STARTRX, 1)), "UART0 was started without the crystal"),  # it takes a while
        ((CRYSTAL, store(ENABLE, 4), store(PSELTXD, 24), store(TXD, 1)), "UART0.TXD was written before TASKS_STARTTX"),
        (
            (uart_on(tx=25), store(TXD, 1)),
            "with ENABLE 4 and PSELTXD 0x19; the board's serial line needs ENABLE 4 and PSELTXD 0x18",
        ),
        ((uart_on(), store(ENABLE, 0), store(TXD, 1)), "UART0.TXD was written with ENABLE 0 and PSELTXD 0x18; the"),
        ((uart_on(), store(TXD, 1), store(TXD, 2)), "UART0.TXD was written before TXDRDY"),
        ((uart_on(), load(RXD)), "UART0.RXD was read with no byte in it"),
        ((uart_on(baudrate=0x12345),), "UART0.BAUDRATE is 0x12345"),
        ((store(ENABLE, 8),), "UART0.ENABLE = 8 switches UARTE0 on, .* not simulated; take 4"),
        ((store(UART + 0x56C, 1),), "UART0.CONFIG.HWFC asks for flow control"),
        ((uart_on(), load(0x40002400)), "UART0 has no register at 0x40002400 that is simulated"),
        ((uart_on(), store(0x40002400, 1)), "UART0 has no register at 0x40002400 that is simulated"),
    ],
)
def test_what_would_not_work_on_silicon_is_refused(steps: tuple[tuple[Part, ...], ...], message: str) -> None:
    board = bare_board(*steps, HALT)
    with pytest.raises(FirmwareFault, match=f"{message}.*; pc 0x0000"):
        board.run(100_000)
