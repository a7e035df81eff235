"""`sim://` as a serial port: what it keeps, what it refuses, and time that nobody waits for."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import serial

from firmware_sim import Board, PowerCutError
from nnlite.device import Device
from nnlite.errors import DataError, IncompatibleError, NNLiteError, PathError, PortBusyError, PortError, UsageError
from nnlite.network import Network
from tests.sim.conversation import BAUD, let_start, request

NET = Network([2, 3], seed=4)


def port(url: str, timeout: float | None = 0.5) -> serial.SerialBase:
    return serial.serial_for_url(url, baudrate=BAUD, timeout=timeout)


def test_a_state_file_keeps_the_flash_between_openings(tmp_path: Path) -> None:
    url = f"sim://microbit?state={tmp_path / 'board.flash'}"
    with Device.open(url) as device:
        with pytest.raises(IncompatibleError):
            device.verify()
        device.flash(NET)
    with Device.open(url) as device:
        assert device.verify(NET).generation == 1
    assert [path.name for path in tmp_path.iterdir()] == ["board.flash"]


def test_without_a_state_file_each_opening_is_a_fresh_board() -> None:
    with Device.open("sim://microbit") as device:
        device.flash(NET)
    with Device.open("sim://microbit") as device, pytest.raises(IncompatibleError, match="no model"):
        device.verify()


def cut(content: bytes) -> bytes:
    return content[:-20]


def shorter_flash(content: bytes) -> bytes:
    head, _, body = content.rpartition(b"microbit\n")
    return head + b"microbit\n" + zlib.compress(zlib.decompress(body)[:-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, "is cut short"),
        (shorter_flash, "is cut short"),
        (lambda _: b"", "is not the flash of a simulated microbit"),
        (lambda _: b"subject,label\n1,2\n", "is not the flash of a simulated microbit"),
        (lambda content: content.replace(b"microbit\n", b"microbit2\n"), "is not the flash of a simulated microbit"),
    ],
    ids=["cut", "shorter", "empty", "foreign", "another board"],
)
def test_a_state_file_that_is_none_is_refused_and_left_alone(
    tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "board.flash"
    url = f"sim://microbit?state={path}"
    port(url).close()
    content = change(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        Device.open(url)
    assert path.read_bytes() == content


def test_a_state_file_that_cannot_be_kept_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(PathError, match="cannot keep"):
        port(f"sim://microbit?state={tmp_path / 'nowhere' / 'board.flash'}")
    with pytest.raises(PathError, match="cannot read"):
        port(f"sim://microbit?state={tmp_path}")


def test_one_at_a_time(board: Board) -> None:
    first = port(board.url)
    with pytest.raises(serial.SerialException, match="busy"):
        port(board.url)
    with pytest.raises(PortBusyError):
        Device.open(board.url)
    first.close()
    first.close()
    port(board.url).close()
    board.run(1)  # closing leaves it running


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("sim://board/999999", PortError),
        ("sim://board/x", PortError),
        ("sim://nosuch", UsageError),
        ("sim://", NNLiteError),
    ],
)
def test_a_board_that_is_not_there(url: str, error: type[NNLiteError]) -> None:
    with pytest.raises(error):
        Device.open(url)


def test_a_board_that_was_closed_is_gone(board: Board) -> None:
    url = board.url
    board.close()
    with pytest.raises(PortError, match="there is no port"):
        Device.open(url)


def test_a_read_waits_for_simulated_time(board: Board) -> None:
    let_start(board)
    with port(board.url, timeout=3600.0) as line:
        start = line.clock()
        assert line.read(1) == b""
        assert line.clock() - start == pytest.approx(3600, abs=1e-3)
        line.timeout = 0
        start = line.clock()
        assert line.read(1) == b""
        assert line.clock() == start


def test_a_read_ends_with_its_bytes(board: Board) -> None:
    let_start(board)
    with port(board.url, timeout=3600.0) as line:
        line.write(request(1))
        start = line.clock()
        first = line.read(1)
        rest = line.read(10)
        assert (len(first), len(rest)) == (1, 10)
        assert line.clock() - start < 0.1
        line.timeout = 0.1
        assert line.read(1000)[-1] == 0
        line.write(request(2))
        line.timeout = None
        assert len(line.read(11)) == 11
        line.reset_input_buffer()
        assert line.in_waiting == 0


def test_a_closed_port_and_a_halted_board_raise(board: Board) -> None:
    line = port(board.url)
    board.cut_power()
    with pytest.raises(PowerCutError):
        line.read(1)
    with pytest.raises(PowerCutError):
        line.write(b"x")
    line.close()
    with pytest.raises(serial.PortNotOpenError):
        line.read(1)
    with pytest.raises(serial.PortNotOpenError):
        line.write(b"x")


def test_a_board_that_is_running_is_the_same_through_its_url(board: Board, device: Device) -> None:
    device.flash(NET)
    parameters = board.flash.find(np.asarray(NET.parameters, "<f4").tobytes())
    assert parameters >= board.profile.firmware_reserve_bytes


def test_without_the_extra_the_url_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['unicorn'] = None\n"
        "from nnlite.device import Device\n"
        "from nnlite.errors import PortError\n"
        "try: Device.open('sim://microbit')\n"
        "except PortError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'nnlite-mcu[sim]'" in run.stdout
