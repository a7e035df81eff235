"""How long a device takes: one answer, and the spread over many."""

from __future__ import annotations

from collections import deque
from dataclasses import astuple, dataclass, fields

import numpy as np

from nnlite.link.protocol import Times

__all__ = ["Latencies", "Latency"]

#: a stream may go on for days; so many of its latest answers are kept
_KEPT = 100_000
_PERCENTILES = {"p50": 50.0, "p95": 95.0, "max": 100.0}


@dataclass(frozen=True)
class Latency:
    """Seconds that requests took.

    Attributes
    ----------
    computing : in the kernels, by the device's own counter.
    device : from a request's last byte to the making of its answer, by the same counter.
    round_trip : from sending a request to having its answer, by the laptop's clock.
    """

    computing: float = 0.0
    device: float = 0.0
    round_trip: float = 0.0

    def __add__(self, other: Latency) -> Latency:
        return Latency(self.computing + other.computing, self.device + other.device, self.round_trip + other.round_trip)

    @classmethod
    def of(cls, times: Times, tick_hz: int, round_trip: float) -> Latency:
        """From the ticks of an answer."""
        return cls(times.computing / tick_hz, times.device / tick_hz, round_trip)


class Latencies:
    """Those of a stream's answers."""

    def __init__(self) -> None:
        self._kept: deque[Latency] = deque(maxlen=_KEPT)
        self.count = 0

    def add(self, latency: Latency) -> None:
        """One more answer."""
        self._kept.append(latency)
        self.count += 1

    def spread(self) -> dict[str, dict[str, float]]:
        """Seconds by part (computing, device, round_trip) and p50, p95, max, each an answer's own (nearest rank)."""
        parts = np.array([astuple(latency) for latency in self._kept]).reshape(-1, len(fields(Latency))).T
        return {
            field.name: {
                name: float(np.percentile(part, percent, method="inverted_cdf"))
                for name, percent in _PERCENTILES.items()
            }
            for field, part in zip(fields(Latency), parts, strict=True)
            if part.size
        }
