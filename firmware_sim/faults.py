"""Faults on the line between laptop and board, for tests: the n-th byte flipped, lost or doubled, silence, or noise.

Deterministic: what happens depends on how many bytes went by and on the noise's seed, on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal, get_args

from nnlite.errors import UsageError

__all__ = ["Direction", "Line"]

Direction = Literal["to_board", "from_board"]


class _Noise:
    """What chance does to the bytes of one direction."""

    def __init__(self, flip: float, drop: float, double: float, seed: str) -> None:
        self._rates = flip, drop, double
        self._chance = Random(seed)

    def next(self) -> tuple[int, bool, bool]:
        """For the next byte: the bits to invert, whether it is lost, whether it arrives twice."""
        # As many draws for every byte: another rate then moves none of the faults that there were.
        flip, drop, double = (self._chance.random() < rate for rate in self._rates)
        mask = 1 << self._chance.getrandbits(3)
        return mask if flip else 0, drop, double


@dataclass
class Line:
    """What the line does to the bytes that pass it. A direction is "to_board" or "from_board".

    Attributes
    ----------
    passed : bytes that came to the line so far, by direction.
    damaged : how many of them did not arrive as they came, by direction.
    """

    passed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(get_args(Direction), 0))
    damaged: dict[str, int] = field(default_factory=lambda: dict.fromkeys(get_args(Direction), 0))
    _flips: dict[tuple[str, int], int] = field(default_factory=dict, repr=False)
    _drops: set[tuple[str, int]] = field(default_factory=set, repr=False)
    _doubles: set[tuple[str, int]] = field(default_factory=set, repr=False)
    _silent_from: dict[str, int] = field(default_factory=dict, repr=False)
    _noise: dict[str, _Noise] = field(default_factory=dict, repr=False)

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

    def noise(
        self, *directions: Direction, flip: float = 0.0, drop: float = 0.0, double: float = 0.0, seed: int = 0
    ) -> None:
        """Let chance damage what comes from now on, until `restore`. Takes the place of an earlier noise.

        Parameters
        ----------
        directions : both when none is given; each has random numbers of its own.
        flip, drop, double : for each byte the chance, 0 to 1, that one of its bits is inverted, that it is lost, that
            it arrives twice.
        seed : the same seed damages the same bytes.

        Raises
        ------
        UsageError : a chance that is none.
        """
        for name, chance in (("flip", flip), ("drop", drop), ("double", double)):
            if not 0 <= chance <= 1:
                raise UsageError(f"{name} is the chance of each byte, from 0 to 1, not {chance:g}")
        for direction in directions or get_args(Direction):
            self._noise[direction] = _Noise(flip, drop, double, f"{seed} {direction}")

    def restore(self) -> None:
        """A perfect line again."""
        self._flips.clear()
        self._drops.clear()
        self._doubles.clear()
        self._silent_from.clear()
        self._noise.clear()

    def carry(self, direction: Direction, data: bytes) -> bytes:
        """What arrives of `data`."""
        noise = self._noise.get(direction)
        out = bytearray()
        for byte in data:
            key = (direction, self.passed[direction])
            self.passed[direction] += 1
            flip, drop, double = noise.next() if noise is not None else (0, False, False)
            lost = drop or key in self._drops or key[1] >= self._silent_from.get(direction, key[1] + 1)
            count = 0 if lost else 2 if double or key in self._doubles else 1
            arrives = bytes([byte ^ flip ^ self._flips.get(key, 0)]) * count
            self.damaged[direction] += arrives != bytes([byte])
            out += arrives
        return bytes(out)
