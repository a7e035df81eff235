"""Frames of a real conversation, and what becomes of them by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np

from firmware_sim import open_board
from nnlite.device import Device
from nnlite.link.client import Client
from nnlite.link.frame import Frame, FrameDecoder
from nnlite.link.port import open_port
from tests.proof.nets import labelled

#: small ones: a frame of 250 bytes takes as long as ten of these
FIRST, SECOND = (labelled([2, 3, 2], seed) for seed in (1, 2))
X = np.random.default_rng(5).normal(size=(4, 2)).astype(np.float32)
Y = [0, 1, 1, 0]

__all__ = ["Recorder", "chosen", "conversation", "mutate"]


class Recorder:
    """A port that notes what goes over it, both ways."""

    def __init__(self, url: str) -> None:
        self._port = open_port(url)
        self.sent, self.received = bytearray(), bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def write(self, data: bytes) -> int | None:
        self.sent += data
        return self._port.write(data)

    def read(self, size: int = 1) -> bytes:
        data = self._port.read(size)
        self.received += data
        return data


def conversation(board: str) -> tuple[list[Frame], list[Frame]]:
    """Requests and replies of everything that a device can be asked for."""
    with open_board(board) as opened:
        port = Recorder(opened.url)
        with Device(Client(port)) as device:
            device.flash(FIRST)
            device.flash(SECOND)
            device.decision_function(X)
            device.predict_proba(X[:1])
            device.pull()
            device.learn(X, Y, validation=(X, Y), patience=1, epochs=2, schedule="cosine")
            device.verify()
            device.rollback()
            device.echo(bytes(range(64)))
            with device.trial(FIRST) as trial:
                trial.run(X[:2])
    return _frames(port.sent), _frames(port.received)


def _frames(data: bytearray) -> list[Frame]:
    return [frame for frame in FrameDecoder(4096).feed(bytes(data)) if isinstance(frame, Frame)]


def _flip(data: bytearray, at: int, chance: Random) -> None:
    data[at] ^= 1 << chance.randrange(8)


def _replace(data: bytearray, at: int, chance: Random) -> None:
    data[at] = chance.randrange(256)


def _lose(data: bytearray, at: int, chance: Random) -> None:
    del data[at]


def _double(data: bytearray, at: int, chance: Random) -> None:
    data.insert(at, data[at])


def _burst(data: bytearray, at: int, chance: Random) -> None:
    data[at : at + 4] = chance.randbytes(len(data[at : at + 4]))


def _cut_off(data: bytearray, at: int, chance: Random) -> None:
    del data[at:]


def _zero(data: bytearray, at: int, chance: Random) -> None:
    data[at] = 0


def _extreme(data: bytearray, at: int, chance: Random) -> None:
    """Lengths and offsets that are as large as can be."""
    data[at & ~3 : (at & ~3) + 4] = b"\xff" * len(data[at & ~3 : (at & ~3) + 4])


_WAYS: tuple[Callable[[bytearray, int, Random], None], ...] = (
    *(_flip, _replace, _lose, _double, _burst, _cut_off, _zero, _extreme),
)


def mutate(data: bytes, chance: Random) -> bytes:
    """The same after one to three changes."""
    out = bytearray(data)
    bits = chance.getrandbits(11)
    for _ in range(1 + bits % 3):
        if not out:
            break
        _WAYS[bits & 7](out, int(chance.random() * len(out)), chance)
        bits >>= 3
    return bytes(out)


def chosen(frames: list[Frame], chance: Random) -> Iterator[Frame]:
    """Frames without end, those of every type as often."""
    by_type: dict[int, list[Frame]] = {}
    for frame in frames:
        by_type.setdefault(frame.type, []).append(frame)
    kinds = list(by_type.values())
    while True:
        kind = kinds[int(chance.random() * len(kinds))]
        yield kind[int(chance.random() * len(kind))]
