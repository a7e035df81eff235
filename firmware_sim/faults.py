"""Faults on the line between laptop and board, for tests: the n-th byte flipped, lost or doubled, or silence.

Deterministic: what happens depends on how many bytes went by, on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Direction", "Line"]

Direction = Literal["to_board", "from_board"]


@dataclass
class Line:
    """What the line does to the bytes that pass it.

    Attributes
    ----------
    passed : bytes that came to the line so far, by direction.
    """

    passed: dict[str, int] = field(default_factory=lambda: {"to_board": 0, "from_board": 0})
    _flips: dict[tuple[str, int], int] = field(default_factory=dict)
    _drops: set[tuple[str, int]] = field(default_factory=set)
    _doubles: set[tuple[str, int]] = field(default_factory=set)
    _silent_from: dict[str, int] = field(default_factory=dict)

    def flip(self, direction: Direction, after: int, mask: int = 1) -> None:
        """Invert the bits of `mask` in the byte that comes after `after` more bytes."""
        self._flips[direction, self.passed[direction] + after] = mask

    def drop(self, direction: Direction, after: int, count: int = 1) -> None:
        """Lose `count` bytes that come after `after` more bytes."""
        start = self.passed[direction] + after
        self._drops |= {(direction, n) for n in range(start, start + count)}

    def double(self, direction: Direction, after: int) -> None:
        """Let the byte that comes after `after` more bytes arrive twice."""
        self._doubles.add((direction, self.passed[direction] + after))

    def silence(self, direction: Direction, after: int = 0) -> None:
        """Lose everything that comes after `after` more bytes, until `restore`."""
        self._silent_from[direction] = self.passed[direction] + after

    def restore(self) -> None:
        """A perfect line again."""
        self._flips.clear()
        self._drops.clear()
        self._doubles.clear()
        self._silent_from.clear()

    def carry(self, direction: Direction, data: bytes) -> bytes:
        """What arrives of `data`."""
        out = bytearray()
        for byte in data:
            key = (direction, self.passed[direction])
            self.passed[direction] += 1
            if key in self._drops or key[1] >= self._silent_from.get(direction, key[1] + 1):
                continue
            arrives = bytes([byte ^ self._flips.get(key, 0)])
            out += arrives * 2 if key in self._doubles else arrives
        return bytes(out)
