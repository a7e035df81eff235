"""Fixtures for tests against boards: `board`, `line`, `device`, and the marker `board`; docs/TESTING.md shows them.

pytest loads this wherever the package is installed, so nothing heavy is imported before a test asks for a fixture.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from firmware_sim.faults import Line
from nnlite.errors import NNLiteError, UsageError

if TYPE_CHECKING:
    from firmware_sim.board import Board
    from nnlite.device import Device

__all__ = ["line"]

_DEFAULT = "microbit"
_LINE = pytest.StashKey[Line]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Choose between a simulated board, whose line may be noisy, and a real one."""
    group = parser.getgroup("nnlite", "boards (nnlite)")
    group.addoption(
        "--board-port",
        metavar="PORT",
        help="let `device` be the board at this port (as `nnlite --port` takes it), not a simulated one; "
        "tests that need a simulated one are skipped",
    )
    group.addoption(
        "--board-faults",
        metavar="KIND=CHANCE,...",
        type=_chances,
        help="noise on the line of every simulated board: the chance of each byte that a bit of it flips, that it is "
        "dropped, that it is doubled, such as flip=0.0005,drop=0.0001,double=0.0001",
    )
    group.addoption(
        "--board-seed", metavar="N", type=int, default=0, help="seed of that noise; another one damages other bytes"
    )


def _chances(text: str) -> dict[str, float]:
    chances = {}
    for part in text.split(","):
        kind, _, chance = part.strip().partition("=")
        try:
            if kind not in ("flip", "drop", "double"):
                raise UsageError(f"there is no fault '{kind}'")
            chances[kind] = float(chance)
            Line().noise(flip=chances[kind])
        except ValueError as error:  # a UsageError is one
            raise argparse.ArgumentTypeError(f"'{part}': {error}; write it as flip=0.0005,drop=0.0001") from error
    return chances


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known to `--strict-markers`, and bring in the fixtures of the boards that are meant."""
    config.addinivalue_line("markers", f"board(*names): the boards that a test is for, each in turn; else {_DEFAULT}")
    port, faults = config.getoption("board_port"), config.getoption("board_faults")
    if port is None:
        boards: _Simulated | _Real = _Simulated(faults or {}, config.getoption("board_seed"))
    elif faults:
        raise pytest.UsageError("--board-faults is for simulated boards: leave it out, or leave out --board-port")
    elif config.getoption("dist", "no") != "no":
        raise pytest.UsageError("the one board at --board-port cannot serve several workers: leave out -n, or add -n 0")
    else:
        boards = _Real(port)
    config.pluginmanager.register(boards, "nnlite-boards")


def _run_on_each(metafunc: pytest.Metafunc, fixture: str) -> None:
    """Run a test once for each board that its marker names."""
    marker = metafunc.definition.get_closest_marker("board")
    if marker is not None and marker.args and fixture in metafunc.fixturenames:
        metafunc.parametrize(fixture, marker.args, indirect=True)


@pytest.fixture
def line(board: Board) -> Line:
    """The line between laptop and `board`, a `firmware_sim.faults.Line`: faults are set on it."""
    return board.line


class _Simulated:
    """The fixtures as long as no port is named."""

    def __init__(self, faults: dict[str, float], seed: int) -> None:
        self._faults = faults
        self._seed = seed
        self._options = f"--board-faults {','.join(f'{kind}={faults[kind]:g}' for kind in faults)} --board-seed {seed}"

    def pytest_report_header(self) -> str | None:
        return f"boards: simulated, {self._options}" if self._faults else None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        _run_on_each(metafunc, "board")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Say with a test that failed on a noisy line how to have the same noise again."""
        report = yield
        line = item.stash.get(_LINE, None)
        if line is not None:  # pytest shows it of a test that failed
            to, of = (f"{line.damaged[way]:,} of {line.passed[way]:,}" for way in ("to_board", "from_board"))
            report.sections.append(("noise", f"{self._options} damaged {to} bytes to the board and {of} from it"))
        return report

    @pytest.fixture
    def board(self, request: pytest.FixtureRequest) -> Iterator[Board]:
        """A simulated board that has just booted, a `firmware_sim.Board`."""
        try:
            from firmware_sim import open_board

            opened = open_board(getattr(request, "param", _DEFAULT))
        except NNLiteError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        if self._faults:
            opened.line.noise(**self._faults, seed=self._seed)
            request.node.stash[_LINE] = opened.line
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
