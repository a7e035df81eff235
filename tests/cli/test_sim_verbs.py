"""sim: what it prints, whom it lets in, how it ends, and what it keeps."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from nnlite.device import Device
from nnlite.errors import PortBusyError
from nnlite.network import Network
from tests.cli.command import nnlite, refused
from tests.serving import served, serving

NET = Network([2, 3], seed=4)
posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals and signals of POSIX")


@pytest.mark.parametrize(
    "options", [("--tcp", "0"), ("--fast",), pytest.param(("--pty",), marks=posix)], ids=["tcp", "fast", "pty"]
)
def test_a_board_for_other_programs(options: tuple[str, ...]) -> None:
    with served("--board", "microbit2", "--id", "00000000000000A7", *options) as url:
        done = nnlite("info", "--json", NNLITE_PORT=url)
        assert done.returncode == 0, done.stderr
        about = json.loads(done.stdout)
        assert (about["board"], about["unique_id"]) == ("microbit2", "00000000000000a7")
        with Device.open(url) as device:  # a client that went may come back
            device.flash(NET)
            with pytest.raises(PortBusyError):
                Device.open(url)
        with Device.open(url) as device:
            assert device.verify(NET).generation == 1


@posix
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_and_keeps_the_flash(sign: signal.Signals, tmp_path: Path) -> None:
    command = ("-m", "nnlite", "sim", "--state", str(tmp_path / "board.flash"))
    with serving(*command) as board:
        with Device.open(board.url) as device:
            device.flash(NET)
        board.process.send_signal(sign)
        out, err = board.process.communicate(timeout=60)
        assert (board.process.returncode, out) == (0, "")
        assert err == f"in another terminal: nnlite info --port {board.url}; Ctrl-C here ends it\n"
    with serving(*command) as board, Device.open(board.url) as device:
        assert device.verify(NET).generation == 1


def test_the_line_says_simulated() -> None:
    with serving("-m", "nnlite", "sim", "--board", "microbit2", "--fast") as board:
        assert board.url.startswith("socket://127.0.0.1:")
        assert board.line == f"{board.url}  simulated microbit2, as fast as it goes\n"
    with serving("-m", "nnlite", "sim", "--json") as board:
        answer = json.loads(board.line)
        assert answer.pop("url").startswith("socket://127.0.0.1:")
        assert answer == {"board": "microbit", "simulated": True, "fast": False}


def test_what_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "foreign").write_text("x", encoding="utf-8")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for options, code, says in (
            (["--board", "nano"], 2, "there is no board 'nano'"),
            (["--tcp", "1", "--pty"], 2, "exclude each other"),
            (["--tcp", "70000"], 2, "Invalid value for '--tcp'"),
            (["--tcp", str(taken.getsockname()[1])], 4, "is in use; choose another one, or 0"),
            (["--id", "xyz"], 2, "16 hexadecimal digits"),
            (["--state", str(tmp_path / "foreign")], 9, "is not the flash of a simulated microbit"),
            (["--state", str(tmp_path / "gone" / "x")], 2, "cannot keep the simulated board's flash"),
        ):
            got, line = refused(capsys, "sim", *options)
            assert (got, says in line) == (code, True), line
