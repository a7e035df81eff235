"""UART with its 6-byte receive FIFO (nRF51 Reference Manual 28; the nRF52's legacy UART is the same, PS 6.32).

Bytes take their time: 10 bits each way. Received ones wait in `line` until their stop bit has passed; one that
finds the FIFO full is lost and sets OVERRUN, as on the chip.
"""

from __future__ import annotations

from collections import deque

from firmware_sim.peripherals.base import Peripheral, Refused, Timeline
from firmware_sim.peripherals.clock import Clock

__all__ = ["Uart"]

_TASKS = {0x000: "TASKS_STARTRX", 0x004: "TASKS_STOPRX", 0x008: "TASKS_STARTTX", 0x00C: "TASKS_STOPTX"}
_EVENTS = {0x108: "EVENTS_RXDRDY", 0x11C: "EVENTS_TXDRDY", 0x124: "EVENTS_ERROR"}
_RXDRDY, _TXDRDY, _ERROR = 0x108, 0x11C, 0x124
_ERRORSRC, _ENABLE, _PSELTXD, _PSELRXD, _RXD, _TXD, _BAUDRATE = 0x480, 0x500, 0x50C, 0x514, 0x518, 0x51C, 0x524
_OVERRUN = 1
_BITS = 10  # start, 8 data, stop
_NEVER = 1 << 62
#: BAUDRATE values and the rates they stand for (nRF51 RM 28.10.10)
_RATES = {0x00275000: 9_600, 0x01D7E000: 115_200, 0x04000000: 250_000, 0x10000000: 1_000_000}


class Uart(Peripheral):
    """One UART and the line to the interface chip.

    Attributes
    ----------
    events : the event registers; they hold until `next`, unless somebody writes or reads a register.
    next : cycle of the next thing that happens by itself.
    """

    NAMES = (
        _TASKS
        | _EVENTS
        | {
            _ERRORSRC: "ERRORSRC",
            _ENABLE: "ENABLE",
            0x508: "PSELRTS",
            _PSELTXD: "PSELTXD",
            0x510: "PSELCTS",
            _PSELRXD: "PSELRXD",
            _RXD: "RXD",
            _TXD: "TXD",
            _BAUDRATE: "BAUDRATE",
            0x56C: "CONFIG",
        }
    )

    def __init__(
        self, base: int, time: Timeline, clock: Clock, clock_hz: int, fifo_bytes: int, pins: tuple[int, int]
    ) -> None:
        super().__init__("UART0", base, time)
        self._clock = clock
        self._clock_hz = clock_hz
        self._fifo_bytes = fifo_bytes
        self._pins = pins  # TXD, RXD as the board wires them
        self.power_on()

    def power_on(self) -> None:
        self.values = {_PSELTXD: 0xFFFFFFFF, _PSELRXD: 0xFFFFFFFF, _BAUDRATE: 0x04000000}
        self.fifo: deque[int] = deque()
        self.line: deque[tuple[int, int]] = deque()  # (cycle of the stop bit, byte) still to arrive
        self.sent: deque[tuple[int, int]] = deque()  # the same for what the chip sends
        self.line_free = 0.0
        self._host_baud = 0
        self._receiving = self._transmitting = False
        self._sending_until: int | None = None
        self.next = _NEVER
        self.events = {_RXDRDY: 0, _TXDRDY: 0, _ERROR: 0}
        self.overruns = 0
        self.bytes_received = 0
        self.bytes_sent = 0

    @property
    def byte_cycles(self) -> float:
        """Cycles of one byte on the line."""
        return self._clock_hz * _BITS / self._rate()

    def _rate(self) -> int:
        setting = self.values[_BAUDRATE]
        if setting not in _RATES:
            raise Refused(f"UART0.BAUDRATE is {setting:#x}, which is no rate of the manual's table that is simulated")
        return _RATES[setting]

    def receive(self, data: bytes, host_baud: int) -> None:
        """Let bytes from the laptop arrive, one after the other, from now on."""
        start = max(float(self.time.now), self.line_free)
        for byte in data:
            start += self._clock_hz * _BITS / host_baud
            self.line.append((round(start), byte))
        self.line_free = start
        self._host_baud = host_baud
        self._find_next()

    def _connected(self, offset: int, pin: int) -> bool:
        return self.values.get(_ENABLE) == 4 and self.values[offset] == pin

    def _arrive(self) -> None:
        """Move in what has arrived by now."""
        while self.line and self.line[0][0] <= self.time.now:
            byte = self.line.popleft()[1]
            self.time.changed()
            if not (self._receiving and self._connected(_PSELRXD, self._pins[1]) and self._rate() == self._host_baud):
                continue  # nobody listens, or at another rate
            self.bytes_received += 1
            if len(self.fifo) >= self._fifo_bytes:
                self.overruns += 1
                self.values[_ERRORSRC] = self.values.get(_ERRORSRC, 0) | _OVERRUN
                self.events[_ERROR] = 1
                continue
            self.fifo.append(byte)
            if len(self.fifo) == 1:
                self.events[_RXDRDY] = 1
        if self._sending_until is not None and self._sending_until <= self.time.now:
            self._sending_until = None
            self.events[_TXDRDY] = 1
            self.time.changed()
        self._find_next()

    def _find_next(self) -> None:
        arrives = self.line[0][0] if self.line else _NEVER
        self.next = arrives if self._sending_until is None else min(arrives, self._sending_until)

    def next_event(self) -> int | None:
        return None if self.next == _NEVER else self.next

    def flag(self, offset: int) -> int:
        """An event as it is now."""
        if self.next <= self.time.now:
            self._arrive()
        return self.events[offset]

    def read(self, offset: int) -> int:
        if self.next <= self.time.now:
            self._arrive()
        if offset in self.events:
            if self.events[offset] == 0:
                self.time.polled()
            return self.flag(offset)
        self.register(offset)
        if offset == _RXD:
            if not self.fifo:
                raise Refused("UART0.RXD was read with no byte in it")
            byte = self.fifo.popleft()
            if self.fifo:
                self.events[_RXDRDY] = 1
            return byte
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self.register(offset)
        self._arrive()
        if offset in _TASKS:
            self._task(offset, value)
        elif offset in self.events:
            self.events[offset] = value
        elif offset == _ERRORSRC:
            self.values[offset] = self.values.get(offset, 0) & ~value
        elif offset == _TXD:
            self._send(value & 0xFF)
        else:
            self.values[offset] = value

    def _task(self, offset: int, value: int) -> None:
        if value != 1:
            return
        if offset in (0x000, 0x008) and not self._clock.crystal:
            raise Refused("UART0 was started without the crystal: at the RC oscillator's 6 % no byte would be right")
        if offset in (0x000, 0x004):
            self._receiving = offset == 0x000
        else:
            self._transmitting = offset == 0x008

    def _send(self, byte: int) -> None:
        if not self._transmitting or not self._connected(_PSELTXD, self._pins[0]):
            raise Refused("UART0.TXD was written with the transmitter not started, or not on the pin the board wires")
        if self._sending_until is not None:
            raise Refused("UART0.TXD was written before TXDRDY: the byte on its way would be lost")
        done = self.time.now + round(self.byte_cycles)
        self._sending_until = done
        self._find_next()
        self.sent.append((done, byte))
        self.bytes_sent += 1
        self.time.wake_at(done)
