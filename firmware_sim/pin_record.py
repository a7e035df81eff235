"""The edges of pins that somebody asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

__all__ = ["Edge", "PinRecord"]


class Edge(NamedTuple):
    """A change of a pin: cycles since power-up, and whether the chip drives it high or low then; None: not at all."""

    cycle: int
    level: bool | None


class PinRecord:
    """One board's.

    Attributes
    ----------
    changed : whether the chip has changed any pin since somebody set this to False.
    """

    def __init__(self) -> None:
        self.changed = False
        self._lists: list[tuple[int, list[Edge]]] = []

    @contextmanager
    def follow(self, pin: int, now: Edge) -> Iterator[list[Edge]]:
        """A list of a pin's edges, which grows inside the `with`."""
        edges = [now]
        self._lists.append((pin, edges))
        try:
            yield edges
        finally:
            self._lists = [entry for entry in self._lists if entry[1] is not edges]

    def note(self, cycle: int, level: Callable[[int], bool | None]) -> None:
        """The chip has changed a pin: `level` tells what it drives each to."""
        self.changed = True
        for pin, edges in self._lists:
            driven = level(pin)
            if driven != edges[-1].level:
                edges.append(Edge(cycle, driven))
