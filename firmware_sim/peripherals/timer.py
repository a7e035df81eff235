"""TIMER (nRF51 Reference Manual 18, nRF52833 PS 6.30): counts at 16 MHz / 2^PRESCALER, or what TASKS_COUNT says.

An event comes at the tick that makes the counter equal to CC[n]; with COMPARE[n]_CLEAR that tick makes it 0, so that
a period has CC[n] ticks. Between two accesses nothing is stepped: `update` works out what has happened since.
"""

from __future__ import annotations

from firmware_sim.peripherals.base import POWER, EventPeripheral, Refused, Timeline, numbered

__all__ = ["Timer"]

_START, _STOP, _COUNT, _CLEAR, _SHUTDOWN, _CAPTURE = 0x000, 0x004, 0x008, 0x00C, 0x010, 0x040
_COMPARE, _SHORTS = 0x140, 0x200
_MODE, _BITMODE, _PRESCALER, _CC = 0x504, 0x508, 0x510, 0x540
_HZ = 16_000_000
#: BITMODE 0 to 3
_BITS = (16, 8, 24, 32)
_PRESCALER_MAX = 9
_STOP_SHORT = 8  # bit of COMPARE[0]_STOP; COMPARE[0]_CLEAR is bit 0


class Timer(EventPeripheral):
    """One timer.

    Parameters
    ----------
    channels : registers CC[n].
    bits : of the widest counter that BITMODE may ask for.
    low_power : whether MODE has a low-power counter, too.
    """

    def __init__(
        self,
        name: str,
        base: int,
        time: Timeline,
        clock_hz: int,
        irq: int | None = None,
        channels: int = 4,
        bits: int = 32,
        low_power: bool = False,
    ) -> None:
        names = {_START: "TASKS_START", _STOP: "TASKS_STOP", _COUNT: "TASKS_COUNT", _CLEAR: "TASKS_CLEAR"}
        names |= {_SHUTDOWN: "TASKS_SHUTDOWN", **numbered("TASKS_CAPTURE", _CAPTURE, channels)}
        names |= {**numbered("EVENTS_COMPARE", _COMPARE, channels), _SHORTS: "SHORTS"}
        names |= {_MODE: "MODE", _BITMODE: "BITMODE", _PRESCALER: "PRESCALER", **numbered("CC", _CC, channels)}
        names[POWER] = "POWER"
        super().__init__(name, base, time, irq, names)
        self._clock_hz = clock_hz
        self._channels = channels
        self._widest = bits
        self._modes = 3 if low_power else 2
        self.power_on()

    def power_on(self) -> None:
        super().power_on()
        self.values = {_SHORTS: 0, _MODE: 0, _BITMODE: 0, _PRESCALER: 4} | {
            _CC + 4 * n: 0 for n in range(self._channels)
        }
        self._counted = 0  # the counter at `_since`, or now if it does not run by itself
        self._since = 0
        self._running = False
        self._looked_at: set[int] = set()  # the channels whose event the firmware has asked for

    @property
    def count(self) -> int:
        """The counter now."""
        self.update()
        return self._counted

    @property
    def _ticks_by_itself(self) -> bool:
        return self._running and self.values[_MODE] == 0

    def _cycle(self, ticks: int) -> int:
        """The cycle of a tick after `_since`."""
        return self._since - (-(ticks << self.values[_PRESCALER]) * self._clock_hz // _HZ)

    def _modulus(self) -> int:
        return 1 << _BITS[self.values[_BITMODE]]

    def _ahead(self, counted: int) -> tuple[list[int], int | None, int | None, int]:
        """From a value of the counter, in ticks: each channel's match, the first that clears, the first that stops,
        and how far that holds."""
        modulus, shorts = self._modulus(), self.values[_SHORTS]
        # A counter that stands at CC[n] has been there already.
        matches = [(self.values[_CC + 4 * n] - counted - 1) % modulus + 1 for n in range(self._channels)]
        clears = min((match for n, match in enumerate(matches) if shorts >> n & 1), default=None)
        stops = min((match for n, match in enumerate(matches) if shorts >> _STOP_SHORT + n & 1), default=None)
        return matches, clears, stops, min(clears or modulus, stops or modulus)

    def update(self) -> None:
        if not self._ticks_by_itself:
            return
        left = (self.time.now - self._since) * _HZ // self._clock_hz >> self.values[_PRESCALER]
        while left and self._running:
            began = self._counted
            matches, clears, stops, limit = self._ahead(began)
            ticks = min(left, limit)
            self._pass(ticks, matches, clears, stops)
            left -= ticks
            if ticks == clears and began == 0 and left > ticks:  # each whole period is like the last
                self._since = self._cycle(left // ticks * ticks)
                left %= ticks

    def _pass(self, ticks: int, matches: list[int], clears: int | None, stops: int | None) -> None:
        for n, match in enumerate(matches):
            if match <= ticks:
                self.happen(_COMPARE + 4 * n)
        self._since = self._cycle(ticks)
        self._counted = 0 if ticks == clears else (self._counted + ticks) % self._modulus()
        self._running = ticks != stops

    def next_event(self) -> int | None:
        """The next event that is asked for: by an interrupt, or by a firmware that has looked at its register."""
        if not (self.enabled or self._looked_at) or not self._ticks_by_itself:
            return None
        asked = [n for n in range(self._channels) if self.enabled >> 16 + n & 1 or n in self._looked_at]
        if not asked:
            return None
        self.update()
        asked = [n for n in asked if not self.events[_COMPARE + 4 * n]]
        matches, clears, stops, limit = self._ahead(self._counted)
        found = [matches[n] for n in asked if matches[n] <= limit]
        if not found and clears == limit != stops:
            matches, _, _, limit = self._ahead(0)
            found = [clears + matches[n] for n in asked if matches[n] <= limit]
        return self._cycle(min(found)) if found and self._running else None

    def read(self, offset: int) -> int:
        if offset in self.events:
            self._looked_at.add((offset - _COMPARE) // 4)
        return super().read(offset)

    def store(self, offset: int, value: int) -> None:
        name = self.register(offset)
        if offset == _MODE and value >= self._modes:
            raise Refused(f"{name} = {value} is no mode of this timer")
        if offset == _BITMODE and (value >= len(_BITS) or _BITS[value] > self._widest):
            width = f" ({_BITS[value]} bits)" if value < len(_BITS) else ""
            raise Refused(f"{name} = {value}{width} is not there: this timer has {self._widest} bits at most")
        if offset == _PRESCALER and value > _PRESCALER_MAX:
            raise Refused(f"{name} = {value} is more than {_PRESCALER_MAX}")
        if offset in (_MODE, _BITMODE, _PRESCALER) and self._running and value != self.values[offset]:
            raise Refused(f"{name} must not change while the timer runs")
        self.values[offset] = value

    def task(self, offset: int) -> None:
        if offset == _START:
            self._since = self._since if self._running else self.time.now
            self._running = True
        elif offset in (_STOP, _SHUTDOWN):
            self._running = False
        elif offset == _CLEAR:
            self._counted, self._since = 0, self.time.now
        elif offset >= _CAPTURE:
            self.values[_CC + offset - _CAPTURE] = self.count
        elif self.values[_MODE] == 0:
            raise Refused(f"{self.register(offset)} does nothing in timer mode: set MODE to Counter first")
        elif self._running:
            matches, clears, stops, _ = self._ahead(self._counted)
            self._pass(1, matches, clears, stops)
