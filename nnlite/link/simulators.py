"""Finds the simulated boards: whatever package offers itself under the entry-point group `nnlite.simulators`.

nnlite does not import one by name, so that a base install works without, and another simulator can take its place.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from nnlite.errors import PortError

__all__ = ["Measured", "SimulatedBoard", "Simulator", "load_simulator"]


class Measured(Protocol):
    """What the calls of one function cost, its callees included."""

    @property
    def calls(self) -> int: ...
    @property
    def instructions(self) -> int: ...
    @property
    def cycles(self) -> int: ...


class SimulatedBoard(Protocol):
    """What a simulated board tells beyond what a serial port can."""

    @property
    def url(self) -> str:
        """Pyserial URL of its port."""

    @property
    def seconds(self) -> float:
        """Simulated time since power-up."""

    @property
    def flash(self) -> bytes:
        """The whole flash."""

    @property
    def stack_high_water(self) -> int:
        """Bytes of the deepest stack since power-up."""

    def poison(self, name: str) -> None:
        """Fill an object of the firmware with noise."""

    def touched(self, name: str) -> int:
        """Bytes of it up to the last that the firmware has changed since."""

    def measure(self, function: str) -> AbstractContextManager[Measured]:
        """Count what the calls of a function cost inside the `with`."""


class ServeBoard(Protocol):
    """Serves a board to other programs until KeyboardInterrupt; `firmware_sim.serve.serve_board` tells the meanings."""

    def __call__(
        self,
        board: str,
        ready: Callable[[str], None],
        *,
        tcp_port: int | None,
        fast: bool,
        state: str | Path | None,
        unique_id: str | None,
    ) -> None: ...


class Simulator(Protocol):
    """A package of simulated boards. Loading it makes `sim://` known to pyserial."""

    def open_board(self, board: str) -> AbstractContextManager[SimulatedBoard]:
        """Boot a board by its profile's name."""

    @property
    def serve_board(self) -> ServeBoard:
        """Boot a board behind a port that other programs can open."""


@cache  # the search reads what every installed package offers
def load_simulator() -> Simulator:
    """The simulator that is installed.

    Raises
    ------
    PortError : there is none, or what it needs is missing.
    """
    for entry in entry_points(group="nnlite.simulators"):
        try:
            simulator = cast(Simulator, entry.load())
            _ = simulator.open_board  # a package may put off importing what it needs until this is asked for
            return simulator
        except ImportError as error:
            raise _missing() from error
    raise _missing()


def _missing() -> PortError:
    return PortError("the simulated boards are not installed; install them with: pip install 'nnlite-mcu[sim]'")
