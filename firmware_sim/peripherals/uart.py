"""UART with its 6-byte receive FIFO (nRF51 Reference Manual 28; the nRF52's legacy UART is the same, PS 6.32).

Bytes take their time: 10 bits each way. Received ones wait in `line` until their stop bit has passed; one that
finds the FIFO full is lost and sets OVERRUN, as on the chip. A receiver looks at each bit in the middle, counted in
its own bit times from the edge of the start bit: as long as sender and receiver agree to some 5 %, that is the
sender's bit. Beyond, frames are read off the sender's waveform, wrong or without a stop bit as it may be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, takewhile
from typing import NamedTuple

from firmware_sim.cpu.interface import Known
from firmware_sim.cpu.slots import COMING_MOST
from firmware_sim.peripherals.base import POWER, EventPeripheral, Refused, Reset, Timeline
from firmware_sim.peripherals.clock import Clock

__all__ = ["Uart"]

_STARTRX, _STOPRX, _STARTTX, _STOPTX, _SUSPEND = 0x000, 0x004, 0x008, 0x00C, 0x01C
_RXDRDY, _TXDRDY, _ERROR, _RXTO = 0x108, 0x11C, 0x124, 0x144
_ERRORSRC, _ENABLE, _PSELTXD, _PSELRXD, _RXD, _TXD, _BAUDRATE = 0x480, 0x500, 0x50C, 0x514, 0x518, 0x51C, 0x524
_CONFIG = 0x56C
_NAMES = {
    _STARTRX: "TASKS_STARTRX",
    _STOPRX: "TASKS_STOPRX",
    _STARTTX: "TASKS_STARTTX",
    _STOPTX: "TASKS_STOPTX",
    _SUSPEND: "TASKS_SUSPEND",
    0x100: "EVENTS_CTS",
    0x104: "EVENTS_NCTS",
    _RXDRDY: "EVENTS_RXDRDY",
    _TXDRDY: "EVENTS_TXDRDY",
    _ERROR: "EVENTS_ERROR",
    _RXTO: "EVENTS_RXTO",
    0x200: "SHORTS",
    _ERRORSRC: "ERRORSRC",
    _ENABLE: "ENABLE",
    0x508: "PSELRTS",
    _PSELTXD: "PSELTXD",
    0x510: "PSELCTS",
    _PSELRXD: "PSELRXD",
    _RXD: "RXD",
    _TXD: "TXD",
    _BAUDRATE: "BAUDRATE",
    _CONFIG: "CONFIG",
    POWER: "POWER",
}
_OVERRUN, _PARITY, _FRAMING, _BREAK = 1, 2, 4, 8
_HWFC, _PARITY_INCLUDED = 0x1, 0xE
_UART, _UARTE = 4, 8  # ENABLE
_NEVER = 1 << 62
_HELD_LOW = -1  # in place of a byte
#: frames that a stopped receiver still takes before RXTO (nRF51 RM 28.6)
_FRAMES_AFTER_STOP = 4
#: BAUDRATE values, the rates they stand for, and those that the divider makes of them (nRF51 RM 28.10.10, PS 6.32.10)
_RATES = {
    0x0004F000: (1_200, 1_205),
    0x0009D000: (2_400, 2_396),
    0x0013B000: (4_800, 4_808),
    0x00275000: (9_600, 9_598),
    0x003B0000: (14_400, 14_414),
    0x004EA000: (19_200, 19_208),
    0x0075F000: (28_800, 28_829),
    0x00800000: (31_250, 31_250),
    0x009D5000: (38_400, 38_462),
    0x00E50000: (56_000, 55_944),
    0x00EBF000: (57_600, 57_762),
    0x013A9000: (76_800, 76_923),
    0x01D7E000: (115_200, 115_942),
    0x03AFB000: (230_400, 231_884),
    0x04000000: (250_000, 250_000),
    0x075F7000: (460_800, 470_588),
    0x0EBED000: (921_600, 941_176),
    0x0EBEDFA4: (921_600, 941_176),
    0x10000000: (1_000_000, 1_000_000),
}


class _Sent(NamedTuple):
    """What the laptop puts on the line: a byte, or the line held low for ten `bit`s."""

    done: int  # cycle of the end, as the board counts
    byte: int
    start: float
    bit: float  # cycles

    @property
    def levels(self) -> int:
        """Its ten bits, the first one lowest."""
        return 0 if self.byte == _HELD_LOW else self.byte << 1 | 0x200


class _Frame(NamedTuple):
    """What a receiver makes of the line's waveform."""

    done: int
    byte: int
    errors: int
    last: float  # cycle of the last look


class Uart(EventPeripheral):
    """One UART and the line to the interface chip.

    Attributes
    ----------
    events : the event registers; they hold until `next`, unless somebody writes or reads a register.
    next : cycle of the next thing that happens by itself.
    host_baud : the laptop's rate, as far as known.
    moved : whether anything has happened by itself since somebody set this to False.
    """

    def __init__(
        self,
        base: int,
        time: Timeline,
        clock: Clock,
        clock_hz: int,
        fifo_bytes: int,
        pins: tuple[int, int],
        irq: int | None = None,
    ) -> None:
        super().__init__("UART0", base, time, irq, _NAMES)
        self._clock = clock
        self._clock_hz = clock_hz
        self._fifo_bytes = fifo_bytes
        self._pins = pins  # TXD, RXD as the board wires them
        self.host_baud = 0
        self.moved = False
        self.overruns = self.bytes_received = self.bytes_sent = 0
        self.power_on()

    def power_on(self) -> None:
        super().power_on()
        self.values = {_PSELTXD: 0xFFFFFFFF, _PSELRXD: 0xFFFFFFFF, _BAUDRATE: 0x04000000}
        self.fifo: deque[int] = deque()
        self.line: deque[_Sent] = deque()  # still to arrive
        self.sent: deque[tuple[int, int]] = deque()  # (cycle of the stop bit, byte) of what the chip sends
        self.line_free = 0.0
        self._receiving = self._transmitting = False
        self._receiving_until: int | None = None
        self._sending_until: int | None = None
        self._looks_from = 0.0  # where the search for the next start bit begins
        self._compared = 0.0  # the laptop's bit that `_in_step` is about
        self._in_step = False
        self.next = _NEVER

    def reset(self, kind: Reset) -> None:
        super().reset(kind)
        if kind == "power":
            self.overruns = self.bytes_received = self.bytes_sent = 0

    @property
    def baud(self) -> int:
        """Its rate, nominal."""
        return self._rates()[0]

    @property
    def byte_cycles(self) -> float:
        """Cycles of one byte on the line, at the nominal rate."""
        return self._clock_hz * self._frame_bits / self._rates()[0]

    @property
    def _frame_bits(self) -> int:
        """Start, 8 data, parity if there is one, stop."""
        return 11 if self.values.get(_CONFIG, 0) & _PARITY_INCLUDED else 10

    def _rates(self) -> tuple[int, int]:
        return _RATES[self.values[_BAUDRATE]]

    # ---- the laptop's end ----

    def receive(self, data: bytes, host_baud: int) -> None:
        """Let bytes from the laptop arrive, one after the other, from now on."""
        bit = self._host_bit(host_baud)
        start = max(float(self.time.now), self.line_free)
        for byte in data:
            end = start + 10 * bit
            self.line.append(_Sent(round(end), byte, start, bit))
            start = end
        self.line_free = start
        self.host_baud = host_baud
        self._find_next()

    def forget_line(self) -> None:
        """Lose what the laptop sent and is not here yet."""
        self.line.clear()
        self.line_free = float(self.time.now)
        self._find_next()

    def hold_low(self, seconds: float) -> None:
        """Let the laptop hold the line low from now on, as a break."""
        cycles = seconds * self._clock_hz
        start = max(float(self.time.now), self.line_free)
        self.line.append(_Sent(round(start + cycles), _HELD_LOW, start, cycles / 10))
        self.line_free = start + cycles
        self._find_next()

    def _host_bit(self, host_baud: int) -> float:
        """Cycles of a bit of the laptop's, whose clock is right; the board's are as long as its crystal says."""
        return self._clock_hz * (1_000_000 + self._clock.ppm) / 1_000_000 / host_baud

    def _own_bit(self) -> float:
        return self._clock_hz / self._rates()[1]

    # ---- receiving ----

    def _connected(self, offset: int, pin: int) -> bool:
        return self.values.get(_ENABLE) == _UART and self.values[offset] == pin

    def _listens(self) -> bool:
        return self._receiving and self._connected(_PSELRXD, self._pins[1])

    def _plain(self, sent: _Sent) -> bool:
        """Whether each of the receiver's looks falls into the bit it is meant for, so that the byte is just taken."""
        if sent.bit != self._compared:
            self._compared = sent.bit
            last = 9.5 * self._own_bit() / sent.bit  # where the last look falls, which is the first to be off
            self._in_step = 9 <= last < 10 and self._frame_bits == 10
        return self._in_step and sent.byte != _HELD_LOW and self._looks_from <= sent.start + 1

    def _edges(self) -> Iterator[tuple[float, int]]:
        """Where the line's level changes, and to what."""
        level, end = 1, -1.0
        for sent in self.line:
            if level == 0 and sent.start > end + 1e-6:
                level = 1
                yield end, 1
            levels = sent.levels
            for n in range(10):
                if levels >> n & 1 != level:
                    level ^= 1
                    yield sent.start + n * sent.bit, level
            end = sent.start + 10 * sent.bit
        if level == 0:
            yield end, 1

    def _frame(self) -> _Frame | None:
        """The next frame that the receiver reads off the line, in looks at the middles of its own bits."""
        bit, bits = self._own_bit(), self._frame_bits
        edges: list[tuple[float, int]] = []
        start: float | None = None
        for at, to in self._edges():
            if start is None and to == 0 and at >= self._looks_from - 1e-6:
                start = at
            elif start is not None and at > start + bits * bit:
                break
            edges.append((at, to))
        if start is None:
            return None

        def level(at: float) -> int:
            return next((level for edge, level in reversed(edges) if edge <= at), 1)

        looks = [level(start + (n + 0.5) * bit) for n in range(1, bits)]
        byte = sum(look << n for n, look in enumerate(looks[:8]))
        errors = 0 if looks[-1] else _FRAMING
        if bits == 11 and looks[8] != byte.bit_count() % 2:
            errors |= _PARITY
        last = start + (bits - 0.5) * bit
        if not any(looks):  # low for longer than a frame?
            last = start + bits * bit
            errors |= 0 if level(last) else _BREAK
        return _Frame(int(-(-last // 1)), byte, errors, last)

    def _arrive(self) -> None:
        """Move in what has arrived by now."""
        self.moved = True
        now, listens = self.time.now, self._listens()
        while self.line:
            sent = self.line[0]
            plain = listens and self._plain(sent)
            frame = self._frame() if listens and not plain else None
            if (frame or sent).done > now:
                break
            if frame is not None:
                self._looks_from = frame.last
                while self.line and self.line[0].done <= frame.done:
                    self.line.popleft()
                self._take(frame.byte, frame.errors)
                continue
            self.line.popleft()
            self._looks_from = max(self._looks_from, sent.start + 10 * sent.bit)
            self.time.changed()
            if plain:
                self._take(sent.byte, 0)
        if self._sending_until is not None and self._sending_until <= self.time.now:
            self._sending_until = None
            self.happen(_TXDRDY)
        if self._receiving_until is not None and self._receiving_until <= self.time.now:
            self._receiving, self._receiving_until = False, None
            self.happen(_RXTO)
        self._find_next()

    def _take(self, byte: int, errors: int) -> None:
        """A frame has come to its end."""
        self.time.changed()
        self.bytes_received += 1
        if len(self.fifo) >= self._fifo_bytes:
            self.overruns += 1
            errors |= _OVERRUN
        else:
            self.fifo.append(byte)
            if len(self.fifo) == 1:
                self.events[_RXDRDY] = 1
        if errors:
            self.values[_ERRORSRC] = self.values.get(_ERRORSRC, 0) | errors
            self.events[_ERROR] = 1

    def _find_next(self) -> None:
        arrives = _NEVER
        if self.line:
            sent = self.line[0]
            frame = self._frame() if self._listens() and not self._plain(sent) else None
            arrives = (frame or sent).done
        self.next = min(arrives, self._sending_until or _NEVER, self._receiving_until or _NEVER)

    def next_event(self) -> int | None:
        self.update()
        return None if self.next == _NEVER else self.next

    def update(self) -> None:
        if self.next <= self.time.now:
            self._arrive()

    # ---- what the core may do without asking ----

    def known(self, constants: Mapping[int, int]) -> Known:
        """The registers of a receiver that takes one byte after the other, and the bytes that will come."""
        base = self.base
        coming: list[tuple[int, int]] = []
        then = self.next
        one_by_one = self._sending_until is None and self._receiving_until is None and len(self.fifo) < 2
        if one_by_one and self._listens() and self.line and self._plain(self.line[0]):
            bit = self.line[0].bit  # of those behind it nothing else than this can differ
            alike = takewhile(lambda sent: sent.bit == bit and sent.byte != _HELD_LOW, islice(self.line, COMING_MOST))
            coming = [(sent.done, sent.byte) for sent in alike]
            then = self.line[len(coming)].done if len(coming) < len(self.line) else _NEVER
        return Known(
            flags={base + offset: value for offset, value in self.events.items()},
            until=self.next,
            received=base + _RXDRDY,
            data=base + _RXD,
            byte=self.fifo[0] if len(self.fifo) == 1 else None,
            coming=coming if len(self.fifo) < 2 else (),
            then=then,
            constants=constants,
        )

    def done(self, addresses: Iterable[int]) -> None:
        """What the core has done while it knew what there was: it cleared a flag, or read RXD, or a byte came."""
        came, data, received = self.base + _RXDRDY | 1, self.base + _RXD, self.base + _RXDRDY
        fifo, events = self.fifo, self.events
        for address in addresses:
            if address == came:
                sent = self.line.popleft()
                self._looks_from = max(self._looks_from, sent.start + 10 * sent.bit)
                self.bytes_received += 1
                fifo.append(sent.byte)
                events[_RXDRDY] = 1
            elif address == data:
                fifo.popleft()
                if fifo:  # one came meanwhile
                    events[_RXDRDY] = 1
            elif address == received:
                events[_RXDRDY] = 0
            else:
                events[address - self.base] = 0
        self._find_next()

    # ---- registers ----

    def flag(self, offset: int) -> int:
        """An event as it is now."""
        self.update()
        return self.events[offset]

    def load(self, offset: int) -> int:
        if offset != _RXD:
            return self.values.get(offset, 0)
        if not self.fifo:
            raise Refused("UART0.RXD was read with no byte in it")
        byte = self.fifo.popleft()
        if self.fifo:
            self.events[_RXDRDY] = 1
        return byte

    def store(self, offset: int, value: int) -> None:
        if offset == _ERRORSRC:
            self.values[offset] = self.values.get(offset, 0) & ~value
            return
        if offset == _TXD:
            self._send(value & 0xFF)
            return
        if offset == _ENABLE and value == _UARTE:
            raise Refused(
                "UART0.ENABLE = 8 switches UARTE0 on, the UART with DMA, which is not simulated; take 4, UART0"
            )
        if offset == _CONFIG and value & _HWFC:
            raise Refused("UART0.CONFIG.HWFC asks for flow control, and the board wires neither RTS nor CTS")
        if offset == _BAUDRATE and value not in _RATES:
            raise Refused(f"UART0.BAUDRATE is {value:#x}, which is no rate of the manual's table")
        self.values[offset] = value
        self._compared = 0.0
        self._find_next()

    def task(self, offset: int) -> None:
        if offset in (_STARTRX, _STARTTX) and not self._clock.crystal:
            raise Refused("UART0 was started without the crystal: at the RC oscillator's 6 % no byte would be right")
        if offset == _STARTRX:
            if not self._receiving:  # a byte that is on its way is read from its start bit on
                self._looks_from = self.line[0].start if self.line else float(self.time.now)
            self._receiving, self._receiving_until = True, None
        elif offset == _STARTTX:
            self._transmitting = True
        if offset in (_STOPTX, _SUSPEND):
            self._transmitting = False
        if offset in (_STOPRX, _SUSPEND) and self._receiving and self._receiving_until is None:
            self._receiving_until = self.time.now + round(_FRAMES_AFTER_STOP * self.byte_cycles)
        self._find_next()

    def _send(self, byte: int) -> None:
        if not self._transmitting:
            raise Refused("UART0.TXD was written before TASKS_STARTTX")
        if not self._connected(_PSELTXD, self._pins[0]):
            enabled, pin = self.values.get(_ENABLE, 0), self.values[_PSELTXD]
            raise Refused(
                f"UART0.TXD was written with ENABLE {enabled} and PSELTXD {pin:#x}; "
                f"the board's serial line needs ENABLE {_UART} and PSELTXD {self._pins[0]:#x}"
            )
        if self._sending_until is not None:
            raise Refused("UART0.TXD was written before TXDRDY: the byte on its way would be lost")
        done = self.time.now + round(self.byte_cycles)
        self._sending_until = done
        self._find_next()
        self.sent.append((done, self._as_the_host_reads(byte)))
        self.bytes_sent += 1
        self.time.byte_sent(done)

    def _as_the_host_reads(self, byte: int) -> int:
        """What looks at the middles of the laptop's bits make of a byte."""
        if not self.host_baud:
            return byte
        ratio = self._host_bit(self.host_baud) / self._own_bit()
        if 8 <= 8.5 * ratio < 9:  # the last data bit is the first to be missed
            return byte
        bits = self._frame_bits
        levels = byte << 1 | 1 << bits - 1 | (byte.bit_count() % 2 << 9 if bits == 11 else 0)
        looks = (int((n + 1.5) * ratio) for n in range(8))
        return sum((levels >> look & 1 if look < bits else 1) << n for n, look in enumerate(looks))
