"""Fixtures for tests against simulated boards: `board`, `device`, and the marker `board` that names other boards.

pytest loads this wherever the package is installed, so nothing heavy is imported before a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from firmware_sim.errors import MissingExtraError

if TYPE_CHECKING:
    from firmware_sim.board import Board
    from nnlite.device import Device

__all__ = ["board", "device"]

_DEFAULT = "microbit"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known to `--strict-markers`."""
    config.addinivalue_line("markers", f"board(*names): the simulated boards to run a test on; else {_DEFAULT}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each board that its marker names."""
    marker = metafunc.definition.get_closest_marker("board")
    if marker is not None and marker.args and "board" in metafunc.fixturenames:
        metafunc.parametrize("board", marker.args, indirect=True)


@pytest.fixture
def board(request: pytest.FixtureRequest) -> Iterator[Board]:
    """A simulated board that has just booted. `board.line` is where faults of the line are set."""
    try:
        from firmware_sim import open_board
    except MissingExtraError as error:
        pytest.fail(str(error), pytrace=False)
    with open_board(getattr(request, "param", _DEFAULT)) as opened:
        yield opened


@pytest.fixture
def device(board: Board) -> Iterator[Device]:
    """An open `nnlite.Device` on `board`."""
    from nnlite.device import Device

    with Device.open(board.url) as opened:
        yield opened
