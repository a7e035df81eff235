"""GPIOTE: tasks and events on pins (nRF51 Reference Manual 15, nRF52833 PS 6.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firmware_sim.peripherals.base import POWER, EventPeripheral, Refused, Timeline, numbered
from firmware_sim.peripherals.gpio import Gpio

__all__ = ["Gpiote"]

_OUT, _SET, _CLR, _IN, _PORT, _CONFIG = 0x000, 0x030, 0x060, 0x100, 0x17C, 0x510
_EVENT, _TASK = 1, 3
_LO_TO_HI, _HI_TO_LO, _TOGGLE = 1, 2, 3


class Gpiote(EventPeripheral):
    """The channels between pins and the rest of the chip.

    Parameters
    ----------
    ports : of the chip, in order; they tell this one of their pins.
    set_and_clear : whether there are TASKS_SET and TASKS_CLR.
    extra : further registers, which only keep what is written.
    """

    WIRING = EventPeripheral.WIRING | {"_ports"}

    def __init__(
        self,
        base: int,
        time: Timeline,
        irq: int | None,
        ports: Sequence[Gpio],
        channels: int,
        set_and_clear: bool,
        extra: Mapping[int, str],
    ) -> None:
        names = numbered("TASKS_OUT", _OUT, channels)
        if set_and_clear:
            names |= {**numbered("TASKS_SET", _SET, channels), **numbered("TASKS_CLR", _CLR, channels)}
        names |= {**numbered("EVENTS_IN", _IN, channels), _PORT: "EVENTS_PORT"}
        names |= {**numbered("CONFIG", _CONFIG, channels), POWER: "POWER", **extra}
        super().__init__("GPIOTE", base, time, irq, names)
        self._ports = tuple(ports)
        self._channels = channels
        for port in ports:
            port.watcher = self
        self.power_on()

    def power_on(self) -> None:
        super().power_on()
        self.values = {}
        self._outputs = [0] * self._channels
        self._take()

    def _setting(self, channel: int) -> tuple[int, int, int, int]:
        """Mode, port, pin and polarity."""
        value = self.values.get(_CONFIG + 4 * channel, 0)
        return value & 3, value >> 13 & 1, value >> 8 & 31, value >> 16 & 3

    def _take(self) -> None:
        for number, port in enumerate(self._ports):
            inputs = outputs = level = 0
            for channel in range(self._channels):
                mode, on, pin, _ = self._setting(channel)
                if on == number:
                    inputs |= (mode == _EVENT) << pin
                    outputs |= (mode == _TASK) << pin
                    level |= (mode == _TASK and self._outputs[channel]) << pin
            port.take(inputs, outputs, level)

    def store(self, offset: int, value: int) -> None:
        name = self.register(offset)
        self.values[offset] = value
        if not _CONFIG <= offset < _CONFIG + 4 * self._channels:
            return
        channel = (offset - _CONFIG) // 4
        mode, port, pin, _ = self._setting(channel)
        if mode == 2 or port >= len(self._ports):
            raise Refused(f"{name} = {value:#x} asks for a mode or a port that there is not")
        others = (self._setting(n) for n in range(self._channels) if n != channel)
        if mode == _TASK and (_TASK, port, pin) in [other[:3] for other in others]:
            raise Refused(f"{name} takes pin P{port}.{pin:02}, which another channel drives already")
        self._outputs[channel] = value >> 20 & 1
        self._take()

    def task(self, offset: int) -> None:
        first = _CLR if offset >= _CLR else _SET if offset >= _SET else _OUT
        channel = (offset - first) // 4
        mode, _, _, polarity = self._setting(channel)
        if mode != _TASK:
            raise Refused(f"{self.register(offset)} without a pin: CONFIG[{channel}].MODE is not Task")
        if first == _SET or (first == _OUT and polarity == _LO_TO_HI):
            self._outputs[channel] = 1
        elif first == _CLR or polarity == _HI_TO_LO:
            self._outputs[channel] = 0
        elif polarity == _TOGGLE:
            self._outputs[channel] ^= 1
        self._take()

    # ---- gpio.Watcher ----

    def pins_changed(self, port: Gpio, before: int) -> None:
        """Raise the events of the channels that wait for this edge."""
        number = self._ports.index(port)
        rose, fell = port.levels & ~before, before & ~port.levels
        edges = {_LO_TO_HI: rose, _HI_TO_LO: fell, _TOGGLE: rose | fell}
        for channel in range(self._channels):
            mode, on, pin, polarity = self._setting(channel)
            if mode == _EVENT and on == number and edges.get(polarity, 0) >> pin & 1:
                self.happen(_IN + 4 * channel)

    def detected(self) -> None:
        """Raise the event of SENSE."""
        self.happen(_PORT)
