"""Fixtures for tests against boards: `board`, `line`, `device`, the marker `board`, and what a failure tells of them.

docs/TESTING.md shows their use.

pytest loads this wherever the package is installed, so nothing heavy is imported before a test asks for a fixture.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from firmware_sim.faults import Faults, Line
from firmware_sim.witness import watch_closing
from nnlite.errors import NNLiteError, UsageError

if TYPE_CHECKING:
    from firmware_sim.board import Board
    from nnlite.device import Device

__all__ = ["board_image", "line"]

_DEFAULT = "microbit"
_BOARDS = "firmware_sim.board"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Choose between simulated boards, with the faults that they are to bear, and a real one."""
    group = parser.getgroup("nnlite", "boards (nnlite)")
    group.addoption(
        "--board",
        metavar="NAME,...",
        help="simulated boards that tests run on, each in turn: names, or paths of profiles (.toml); a test that is "
        "marked for others only is skipped",
    )
    group.addoption(
        "--board-port",
        metavar="PORT",
        help="let `device` be the board at this port (as `nnlite --port` takes it), not a simulated one; "
        "tests that need a simulated one are skipped",
    )
    group.addoption(
        "--board-faults",
        metavar="FAULT,...",
        type=_faults,
        help="what every simulated board has to bear, as `firmware_sim.faults.Faults` says it: on the line the chance "
        "of each byte that it is damaged, seconds of latency, and more, such as "
        "flip=0.0005,drop=0.0001,latency=0.005,interface_chip",
    )
    group.addoption(
        "--fault-seed", metavar="N", type=int, default=0, help="seed of these faults; another one damages other bytes"
    )


def _faults(text: str) -> str:
    try:
        return str(Faults.parse(text))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class _Wanted(NamedTuple):
    """A board that --board names: as it is written there, and the name in its profile."""

    given: str
    name: str


def _wanted(text: str) -> tuple[_Wanted, ...]:
    from nnlite.profile import Profile

    try:
        return tuple(_Wanted(given, Profile.load(given).name) for given in map(str.strip, text.split(",")))
    except NNLiteError as error:
        raise pytest.UsageError(f"--board {text}: {error}") from None


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known to `--strict-markers`, and bring in the fixtures of the boards that are meant."""
    config.addinivalue_line("markers", f"board(*names): the boards that a test is for, each in turn; else {_DEFAULT}")
    port, faults, names = (config.getoption(name) for name in ("board_port", "board_faults", "--board"))
    if port is None:
        seed = config.getoption("fault_seed")
        chosen = Faults.parse(faults, seed) if faults else Faults(seed=seed)
        boards: _Simulated | _Real = _Simulated(chosen, _wanted(names) if names else ())
    elif faults or names:
        option = "--board-faults" if faults else "--board"
        raise pytest.UsageError(f"{option} is for simulated boards: leave it out, or leave out --board-port")
    elif config.getoption("dist", "no") != "no":
        raise pytest.UsageError("the one board at --board-port cannot serve several workers: leave out -n, or add -n 0")
    else:
        boards = _Real(port)
    config.pluginmanager.register(boards, "nnlite-boards")
    config.pluginmanager.register(_Reports(), "nnlite-board-reports")


def _run_on_each(metafunc: pytest.Metafunc, fixture: str) -> None:
    """Run a test once for each board that its marker names."""
    names = _marked(metafunc)
    if names and fixture in metafunc.fixturenames:
        metafunc.parametrize(fixture, names, indirect=True)


def _marked(metafunc: pytest.Metafunc) -> tuple[str, ...]:
    marker = metafunc.definition.get_closest_marker("board")
    return marker.args if marker is not None else ()


@pytest.fixture
def line(board: Board) -> Line:
    """The line between laptop and `board`, a `firmware_sim.faults.Line`: faults are set on it."""
    return board.line


@pytest.fixture
def board_image() -> str | Path | None:
    """What `board` boots: None for the firmware that ships. One's own `conftest.py` gives the path of another image."""
    return None


class _Reports:
    """What a test that failed has to tell of its simulated boards."""

    def __init__(self) -> None:
        self._closed: deque[Board] = deque()
        self._before: dict[int, int] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self._closed = watch_closing()
        self._before = {board.number: board.instructions for board in _running()}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed:
            # A board that did nothing meanwhile is some other test's.
            ran = [board for board in _running() if self._before.get(board.number) != board.instructions]
            for board in sorted([*self._closed, *ran], key=lambda board: board.number):
                report.sections.append((f"board {board.profile.name} ({board.url})", _told(board)))
        return report


def _running() -> tuple[Board, ...]:
    """Boards that are open; without loading anything when nobody has opened one yet."""
    module = sys.modules.get(_BOARDS)
    return module.running_boards() if module is not None else ()


def _told(board: Board) -> str:
    from firmware_sim.failure_report import tell

    try:
        return tell(board)
    except Exception as error:  # whatever state the board is in: the test's own failure must be seen
        return f"cannot be told of: {error!r}"


class _Simulated:
    """The fixtures as long as no port is named."""

    def __init__(self, faults: Faults, boards: tuple[_Wanted, ...]) -> None:
        self._faults = faults
        self._boards = boards

    def pytest_report_header(self) -> str | None:
        named = f" --board {','.join(board.given for board in self._boards)}" if self._boards else ""
        faults = f" --board-faults {self._faults} --fault-seed {self._faults.seed}" if str(self._faults) else ""
        return f"boards: simulated,{named}{faults}" if named or faults else None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if not self._boards:
            _run_on_each(metafunc, "board")
        elif "board" in metafunc.fixturenames:
            marked = _marked(metafunc)
            chosen = [board for board in self._boards if not marked or board.name in marked]
            if chosen:
                params = [pytest.param(board.given, id=board.name) for board in chosen]
            else:
                why = f"is for {', '.join(marked)}, and --board is {', '.join(board.name for board in self._boards)}"
                params = [pytest.param(None, id="-".join(marked), marks=pytest.mark.skip(why))]
            if marked or len(params) > 1:
                metafunc.parametrize("board", params, indirect=True)

    @pytest.fixture
    def board(self, request: pytest.FixtureRequest, board_image: str | Path | None) -> Iterator[Board]:
        """A simulated board that has just booted, a `firmware_sim.Board`."""
        name = getattr(request, "param", self._boards[0].given if self._boards else _DEFAULT)
        try:
            from firmware_sim import open_board

            opened = open_board(name, board_image, faults=self._faults)
        except NNLiteError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        with opened:
            yield opened

    @pytest.fixture
    def device(self, board: Board) -> Iterator[Device]:
        """An open `nnlite.Device` on `board`; with --board-port, on the real board there."""
        from nnlite.device import Device

        with Device.open(board.url) as opened:
            yield opened


class _Real:
    """The fixtures when --board-port names a port."""

    def __init__(self, port: str) -> None:
        self._named = port

    def pytest_report_header(self) -> str:
        return f"boards: the one at {self._named}"

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        _run_on_each(metafunc, "device" if "device" in metafunc.fixturenames else "board")

    @cached_property
    def _found(self) -> tuple[str, str]:
        """The port's own name, and the name of the board there; asked for once."""
        from nnlite.device import Device, find_port

        port = find_port(self._named)
        with Device.open(port) as device:
            return port, device.info().board

    @pytest.fixture
    def board(self) -> None:
        """Simulated boards only: with --board-port, tests that ask for it are skipped."""
        pytest.skip(f"needs a simulated board, and --board-port is {self._named}")

    @pytest.fixture
    def device(self, request: pytest.FixtureRequest) -> Iterator[Device]:
        """An open `nnlite.Device` on the board at --board-port, which holds what earlier tests left there."""
        from nnlite.device import Device

        try:
            port, name = self._found
            wanted = getattr(request, "param", name)
            if wanted != name:
                pytest.skip(f"is for {wanted}, and the board at {self._named} is a {name}")
            opened = Device.open(port)
        except NNLiteError as error:
            # No other test would get further. Each would take its time to say the same.
            pytest.exit(f"--board-port {self._named}: {error}", pytest.ExitCode.USAGE_ERROR)
        with opened:
            yield opened
