"""Simulated boards as the measuring needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from nnlite.link.simulators import SimulatedBoard, load_simulator
from nnlite.profile import Profile

__all__ = ["Board", "Cost", "boot", "call"]

#: flash of a board that is measured: any workload has room behind the firmware
_FLASH_BYTES = 2 << 20
#: simulated seconds that a call may take
_PATIENCE = 600.0


@dataclass(frozen=True)
class Cost:
    """Of one inference, say.

    Attributes
    ----------
    instructions : exact; a condition-failed one inside an IT block is counted.
    cycles : estimated.
    """

    instructions: int
    cycles: int


class FunctionCost(Protocol):
    """What one function cost without those that it calls."""

    function: str
    calls: int
    instructions: int
    cycles: int


class Board(SimulatedBoard, Protocol):
    """What a simulated board must be able to do beyond what a device asks of one."""

    def symbol(self, name: str) -> int: ...
    def call(self, function: str, *arguments: object, returns: type | None, timeout: float) -> Any: ...
    def run_until(self, what: str) -> bytes: ...
    def read_memory(self, address: int, size: int) -> bytes: ...
    def write_memory(self, address: int, data: bytes) -> None: ...
    def profile_functions(self) -> AbstractContextManager[list[FunctionCost]]: ...


@contextmanager
def boot(profile: Profile, until: str, image: Path | None = None) -> Iterator[Board]:
    """A board with more flash than it has, from its start to where it is about to call a function.

    Parameters
    ----------
    image : path of an ELF file; the prebuilt firmware without one.

    Raises
    ------
    PortError : the simulated boards are not installed.
    """
    roomy = msgspec.structs.replace(profile, flash_bytes=_FLASH_BYTES)
    open_board = cast("Callable[[Profile, Path | None], AbstractContextManager[Board]]", load_simulator().open_board)
    with open_board(roomy, image) as board:
        board.run_until(until)
        yield board


def call(board: Board, function: str, *arguments: object, returns: type | None = None) -> tuple[Cost, Any]:
    """What one call costs, from entry to return, and what it gives."""
    with board.measure(function) as seen:
        value = board.call(function, *arguments, returns=returns, timeout=_PATIENCE)
    return Cost(seen.instructions, seen.cycles), value
