"""Faults on the line between laptop and board: the n-th byte flipped, lost or doubled, silence, or noise.

Deterministic: what happens depends on how many bytes went by and on the noise's seed, on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal, get_args

from firmware_sim.faults.plan import Faults
from nnlite.errors import UsageError

__all__ = ["Direction", "Line"]

Direction = Literal["to_board", "from_board"]


class _Noise:
    """What chance does to the bytes of one direction. Each kind has a generator of its own."""

    def __init__(self, faults: Faults, direction: str) -> None:
        self._faults = faults
        kinds = ("flip", "drop", "double", "burst", "silence")
        # A kind that never happens needs no numbers.
        self._chance = {k: Random(f"{faults.seed} {direction} {k}") for k in kinds if getattr(faults, k)}
        self._burst_left = self._silence_left = 0

    @property
    def happens(self) -> bool:
        """Whether there is any."""
        return bool(self._chance)

    def next(self) -> tuple[int, bool, bool]:
        """For the next byte: the bits to invert, whether it is lost, whether it arrives twice."""
        mask, lost, double = 0, False, False
        # As many draws for every byte: a higher rate adds faults and moves none.
        for kind, chance in self._chance.items():
            happens = chance.random() < getattr(self._faults, kind)
            if kind == "flip":
                bit = 1 << chance.getrandbits(3)
                mask ^= bit if happens else 0
            elif kind == "drop":
                lost |= happens
            elif kind == "double":
                double = happens
            elif kind == "burst":
                other = 1 + int(chance.random() * 255)
                if happens:
                    self._burst_left = self._faults.burst_bytes
                if self._burst_left:
                    self._burst_left -= 1
                    mask ^= other
            else:
                if happens:
                    self._silence_left = self._faults.silence_bytes
                if self._silence_left:
                    self._silence_left -= 1
                    lost = True
        return mask, lost, double


def _check(direction: str) -> None:
    if direction not in get_args(Direction):
        raise UsageError(f"there is no direction '{direction}'; those are {', '.join(get_args(Direction))}")


@dataclass
class Line:
    """What the line does to the bytes that pass it. A direction is "to_board" or "from_board".

    What is none of these, or a place or mask that cannot be, raises UsageError.

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

    def _place(self, direction: Direction, after: int) -> int:
        """Number of the byte that comes after `after` more."""
        _check(direction)
        if after < 0:
            raise UsageError(f"after counts the bytes that come before the damage, 0 or more, not {after}")
        return self.passed[direction] + after

    def flip(self, direction: Direction, after: int, mask: int = 1) -> None:
        """Invert the bits of `mask` in the byte that comes after `after` more bytes."""
        if not 0 < mask < 256:
            raise UsageError(f"a mask has a bit for each that is inverted, 1 to 255, not {mask}")
        self._flips[direction, self._place(direction, after)] = mask

    def drop(self, direction: Direction, after: int, count: int = 1) -> None:
        """Lose `count` bytes that come after `after` more bytes."""
        start = self._place(direction, after)
        self._drops |= {(direction, n) for n in range(start, start + count)}

    def double(self, direction: Direction, after: int) -> None:
        """Let the byte that comes after `after` more bytes arrive twice."""
        self._doubles.add((direction, self._place(direction, after)))

    def silence(self, direction: Direction, after: int = 0) -> None:
        """Lose everything that comes after `after` more bytes, until `restore`."""
        self._silent_from[direction] = self._place(direction, after)

    def noise(
        self,
        *directions: Direction,
        flip: float = 0.0,
        drop: float = 0.0,
        double: float = 0.0,
        burst: float = 0.0,
        burst_bytes: int = 8,
        silence: float = 0.0,
        silence_bytes: int = 64,
        seed: int = 0,
    ) -> None:
        """Let chance damage what comes from now on, until `restore`. Takes the place of an earlier noise.

        Parameters
        ----------
        directions : both when none is given; each has random numbers of its own.
        flip, drop, double : for each byte the chance, 0 to 1, that one of its bits is inverted, that it is lost, that
            it arrives twice.
        burst, silence : the chance that `burst_bytes` bytes from this one on are damaged, that `silence_bytes` are
            lost.
        seed : the same seed damages the same bytes.

        Raises
        ------
        UsageError : a chance or a length that is none.
        """
        lengths = {"burst_bytes": burst_bytes, "silence_bytes": silence_bytes}
        chances = {"flip": flip, "drop": drop, "double": double, "burst": burst, "silence": silence}
        self.expose_to(Faults(seed=seed, **lengths, **chances), *directions)  # type: ignore[arg-type]

    def expose_to(self, faults: Faults, *directions: Direction) -> None:
        """The same by a plan: what it says of the line, and nothing else of it."""
        for direction in directions:
            _check(direction)
        for direction in directions or get_args(Direction):
            self._noise[direction] = _Noise(faults, direction)
            if not self._noise[direction].happens:
                del self._noise[direction]

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
        if not (noise or self._flips or self._drops or self._doubles or self._silent_from):
            self.passed[direction] += len(data)
            return data
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
