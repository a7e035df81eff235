"""RTC (nRF51 Reference Manual 19, nRF52833 PS 6.22): 24 bits at 32,768 Hz / (PRESCALER + 1).

An event comes only while INTEN or EVTEN asks for it. One of CC[n] comes when the counter gets there; a CC[n] that is
written when the counter is one short of it may be missed on the chip, and is missed here.
"""

from __future__ import annotations

from firmware_sim.peripherals.base import POWER, EventPeripheral, Refused, Timeline, numbered
from firmware_sim.peripherals.clock import Clock

__all__ = ["Rtc"]

_START, _STOP, _CLEAR, _TRIGOVRFLW = 0x000, 0x004, 0x008, 0x00C
_TICK, _OVRFLW, _COMPARE = 0x100, 0x104, 0x140
_EVTEN, _EVTENSET, _EVTENCLR, _COUNTER, _PRESCALER, _CC = 0x340, 0x344, 0x348, 0x504, 0x508, 0x540
_MODULUS = 1 << 24
_ALMOST_OVERFLOWN = 0xFFFFF0
_PRESCALER_MAX = 0xFFF


class Rtc(EventPeripheral):
    """One real-time counter, on the ticks that the clock's low-frequency oscillator makes.

    Parameters
    ----------
    channels : registers CC[n].
    """

    def __init__(self, name: str, base: int, time: Timeline, clock: Clock, irq: int | None, channels: int) -> None:
        names = {_START: "TASKS_START", _STOP: "TASKS_STOP", _CLEAR: "TASKS_CLEAR", _TRIGOVRFLW: "TASKS_TRIGOVRFLW"}
        names |= {_TICK: "EVENTS_TICK", _OVRFLW: "EVENTS_OVRFLW", **numbered("EVENTS_COMPARE", _COMPARE, channels)}
        names |= {_EVTEN: "EVTEN", _EVTENSET: "EVTENSET", _EVTENCLR: "EVTENCLR", _COUNTER: "COUNTER"}
        names |= {_PRESCALER: "PRESCALER", **numbered("CC", _CC, channels), POWER: "POWER"}
        super().__init__(name, base, time, irq, names)
        self._clock = clock
        self._channels = channels
        self.power_on()

    def power_on(self) -> None:
        super().power_on()
        self.values = {_PRESCALER: 0} | {_CC + 4 * n: 0 for n in range(self._channels)}
        self._routed = 0  # EVTEN
        self._counted = 0  # the counter at `_since`
        self._since = 0  # ticks of the low-frequency clock then
        self._running = False
        self._missed: set[int] = set()  # channels whose CC came too late for the next count
        self._seen: int | None = None  # what COUNTER was at the last look

    @property
    def count(self) -> int:
        """The counter now."""
        self.update()
        return self._counted

    def _divider(self) -> int:
        return self.values[_PRESCALER] + 1

    def _counts_until(self, event: int) -> int:
        """Counts until an event."""
        if event == _TICK:
            return 1
        if event == _OVRFLW:
            return _MODULUS - self._counted
        n = (event - _COMPARE) // 4
        counts = (self.values[_CC + 4 * n] - self._counted - 1) % _MODULUS + 1
        return counts + _MODULUS if counts == 1 and n in self._missed else counts

    def _asked(self) -> list[int]:
        """The events that INTEN or EVTEN asks for."""
        wanted = self.enabled | self._routed
        return [event for event in self.events if wanted >> (event - _TICK) // 4 & 1]

    def update(self) -> None:
        if not self._running:
            return
        counts = (self._clock.lf_ticks() - self._since) // self._divider()
        if counts == 0:
            return
        for event in self._asked():
            if self._counts_until(event) <= counts:
                self.happen(event)
        self._since += counts * self._divider()
        self._counted = (self._counted + counts) % _MODULUS
        self._missed.clear()

    def next_event(self) -> int | None:
        """The next event that is asked for, or the next count if the firmware has looked at this one."""
        if not self._running or not self._clock.lf_started:
            return None
        self.update()
        found = [self._counts_until(event) for event in self._asked() if not self.events[event]]
        if self._seen == self._counted:
            found.append(1)
        return self._clock.lf_cycle(self._since + min(found) * self._divider()) if found else None

    def load(self, offset: int) -> int:
        if offset in (_EVTEN, _EVTENSET, _EVTENCLR):
            return self._routed
        if offset != _COUNTER:
            return self.values[offset]
        if self._seen == self._counted:
            self.time.polled()  # a firmware may wait for it to count
            self.update()
        self._seen = self._counted
        return self._counted

    def store(self, offset: int, value: int) -> None:
        name = self.register(offset)
        if offset == _COUNTER:
            raise Refused(f"{name} is read-only")
        if offset == _EVTEN:
            self._routed = value
        elif offset == _EVTENSET:
            self._routed |= value
        elif offset == _EVTENCLR:
            self._routed &= ~value
        elif offset == _PRESCALER:
            if self._running:
                raise Refused(f"{name} must not change while the RTC runs")
            self.values[offset] = value & _PRESCALER_MAX
        else:
            n = (offset - _CC) // 4
            self.values[offset] = value % _MODULUS
            if self._running:
                self._missed.add(n)

    def task(self, offset: int) -> None:
        if offset == _START:
            if not self._clock.lf_started:
                raise Refused(
                    f"{self.name}.TASKS_START without the low-frequency clock: it would stand still; trigger "
                    "CLOCK.TASKS_LFCLKSTART first"
                )
            self._since = self._since if self._running else self._clock.lf_ticks()
            self._running = True
        elif offset == _STOP:
            self._running = False
        else:
            self._counted = 0 if offset == _CLEAR else _ALMOST_OVERFLOWN
            self._since = self._clock.lf_ticks()
            self._missed.clear()
