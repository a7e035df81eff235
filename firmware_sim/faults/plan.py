"""`Faults`: everything that chance, or a plan, does to a board from the start."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from nnlite.errors import UsageError

__all__ = ["Faults"]

_EXAMPLE = "write it as flip=0.0005,drop=0.0001,latency=0.005"
_CHANCES = ("flip", "drop", "double", "burst", "silence")
_LENGTHS = ("burst_bytes", "silence_bytes")
_LONGEST_LATENCY_SECONDS = 1.0
_MOST_PPM = 100_000


@dataclass(frozen=True)
class Faults:
    """What a board has to bear, for `open_board(..., faults=...)` and `--board-faults`. The same seed, the same faults.

    Each kind has random numbers of its own, in each direction of the line: another rate of one moves no other.

    Attributes
    ----------
    seed : of everything that chance does.
    flip, drop, double : for each byte the chance, 0 to 1, that one of its bits is inverted, that it is lost, that it
        arrives twice.
    burst : the chance that `burst_bytes` bytes arrive as others, from this one on.
    silence : the chance that `silence_bytes` bytes are lost, from this one on.
    latency : simulated seconds that bytes take between laptop and UART, each way: USB takes 0.001 to 0.05.
    interface_chip : put the interface chip with its two buffers in between (`firmware_sim.interface_chip`).
    clock_ppm : how much faster than nominal the core's crystal is, in millionths.
    flash_busy_from : flash operation since power-up from which on NVMC.READY stays 0.

    Raises
    ------
    UsageError : a number that cannot be.
    """

    seed: int = 0
    flip: float = 0.0
    drop: float = 0.0
    double: float = 0.0
    burst: float = 0.0
    burst_bytes: int = 8
    silence: float = 0.0
    silence_bytes: int = 64
    latency: float = 0.0
    interface_chip: bool = False
    clock_ppm: int = 0
    flash_busy_from: int | None = None

    def __post_init__(self) -> None:
        for name in _CHANCES:
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is the chance of each byte, from 0 to 1, not {getattr(self, name):g}")
        for name in _LENGTHS:
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is a number of bytes, 1 or more, not {getattr(self, name)}")
        if not 0 <= self.latency <= _LONGEST_LATENCY_SECONDS:
            raise UsageError(f"latency is in seconds, from 0 to {_LONGEST_LATENCY_SECONDS:g}, not {self.latency:g}")
        if abs(self.clock_ppm) > _MOST_PPM:
            raise UsageError(f"clock_ppm is in millionths, at most {_MOST_PPM:,} either way, not {self.clock_ppm:,}")
        if self.flash_busy_from is not None and self.flash_busy_from < 1:
            raise UsageError(f"flash_busy_from counts flash operations from 1 on, it cannot be {self.flash_busy_from}")

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> Faults:
        """Read "flip=0.0005,drop=0.0001,interface_chip": the names above, but for the seed.

        Raises
        ------
        UsageError : a part that says nothing, and how to write it.
        """
        values: dict[str, float | bool] = {}
        for part in text.split(","):
            name, _, value = part.strip().partition("=")
            try:
                if name in values:
                    raise UsageError(f"{name} is there twice")
                values[name] = _read(name, value)
                cls(**{name: values[name]})  # type: ignore[arg-type]
            except UsageError as error:
                raise UsageError(f"'{part.strip()}': {error}; {_EXAMPLE}") from None
        return cls(seed=seed, **values)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """As `parse` reads it; empty without faults."""
        parts = []
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "seed" and value != field.default:
                parts.append(field.name if value is True else f"{field.name}={value}")
        return ",".join(parts)


def _read(name: str, value: str) -> float | bool:
    """The value that a text stands for: a flag stands alone, counts are whole."""
    kinds = {field.name: str(field.type) for field in fields(Faults) if field.name != "seed"}
    if name not in kinds:
        raise UsageError(f"there is no fault '{name}'; those are {', '.join(kinds)}")
    if kinds[name] == "bool":
        if value:
            raise UsageError(f"{name} stands alone, without a value")
        return True
    try:
        number = int(value) if "int" in kinds[name] else float(value)
    except ValueError:
        raise UsageError(f"'{value}' is no {'whole ' if 'int' in kinds[name] else ''}number") from None
    if not math.isfinite(number):
        raise UsageError(f"'{value}' is no number")
    return number
