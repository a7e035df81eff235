"""The runtime's functions in a board's prebuilt firmware, called one by one in the simulator, for what they cost."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from firmware_sim import open_board
from firmware_sim.board import Board
from nnlite.profile import Profile

__all__ = ["ACTIVATIONS", "OPTIMIZERS", "OUTPUTS", "Chip", "Network", "chip"]

Floats = npt.NDArray[np.float32]

ACTIVATIONS = {"relu": 1, "leaky_relu": 2, "sigmoid": 3, "tanh": 4}
OUTPUTS = {"linear": 0, "softmax": 1, "sigmoid": 2}
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2}
#: more memory than any board has, so that no size is in the way
_RAM_BYTES = 1 << 18
_PATIENCE = 600.0


def floats(values: npt.ArrayLike) -> Floats:
    """Contiguous, in 32 bits."""
    return np.ascontiguousarray(values, np.float32)


@dataclass(frozen=True)
class Network:
    """Shape, as `nn_shape_t` has it."""

    sizes: tuple[int, ...]
    hidden: str = "relu"
    output: str = "softmax"


class Chip:
    """A board that has booted; arrays lie behind its arena, and are gone after each call."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._at = self._start = board.symbol("arena")

    def clear(self) -> None:
        """What was put there is not needed any more."""
        self._at = self._start

    def put(self, data: Floats | bytes) -> int:
        """Give the address of a copy."""
        at, content = self._at, data if isinstance(data, bytes) else data.tobytes()
        self._board.write_memory(at, content)
        self._at += (len(content) + 7) // 8 * 8
        return at

    def write(self, address: int, data: Floats) -> None:
        """Let there be something else."""
        self._board.write_memory(address, data.tobytes())

    def get(self, address: int, count: int) -> Floats:
        """Floats there."""
        return np.frombuffer(self._board.read_memory(address, 4 * count), np.float32)

    def shape(self, net: Network) -> int:
        """Give the address of its `nn_shape_t`."""
        sizes = self.put(struct.pack(f"<{len(net.sizes)}H", *net.sizes))
        kinds = ACTIVATIONS[net.hidden], OUTPUTS[net.output]
        return self.put(struct.pack("<HBBI", len(net.sizes) - 1, *kinds, sizes))

    def rule(self, optimizer: str, rate: float) -> int:
        """Give the address of its `nn_rule_t`, with the usual constants, no decay, no clipping."""
        betas = {"sgd": (0.0, 0.0), "momentum": (0.9, 0.0), "adam": (0.9, 0.999)}[optimizer]
        return self.put(struct.pack("<I6f", OPTIMIZERS[optimizer], rate, *betas, 1e-7, 0.0, 0.0))

    def run(self, function: str, *arguments: object, returns: type | None = None, of: str = "") -> tuple[int, Any]:
        """Cycles of a call, or of the calls of another function in it, and what it gave."""
        with self._board.measure(of or function) as seen:
            value = self._board.call(function, *arguments, returns=returns, timeout=_PATIENCE)
        return seen.cycles, value

    def times(self) -> npt.NDArray[np.int64]:
        """How often each halfword of flash was executed so far."""
        return self._board.cpu.executed()[0]


@contextmanager
def chip(profile: Profile) -> Iterator[Chip]:
    """A board of this kind with more memory, from its start to where its functions can be called."""
    with open_board(msgspec.structs.replace(profile, ram_bytes=_RAM_BYTES)) as board:
        board.run_until("protocol_go_on")
        yield Chip(board)
