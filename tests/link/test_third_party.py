"""docs/PROTOCOL.md is enough: a client made from it alone tells what a board is and runs its network."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest
import serial

from firmware_sim import Board, open_board
from nnlite import Device, Network
from tests.link import third_party_client
from tests.serving import served

NET = Network([4, 8, 3], seed=3)
ROW = np.array([5.1, 3.5, 1.4, 0.2], np.float32)


def test_it_is_short_and_knows_nothing_of_nnlite() -> None:
    source = inspect.getsource(third_party_client)
    names = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert names <= {"__future__", "itertools", "random", "struct", "typing", "zlib"}
    assert len(source.splitlines()) < 130


def check(client: third_party_client.Board, name: str) -> None:
    assert client.info["board"] == name
    assert client.info["slots"][client.info["active_slot"]]["generation"] == 1
    expected = NET.predict_proba(ROW[None])[0]
    np.testing.assert_array_equal(np.array(client.run(ROW.tolist()), np.float32), expected)
    expected = NET.decision_function(ROW[None])[0]
    np.testing.assert_array_equal(np.array(client.run(ROW.tolist(), probabilities=False), np.float32), expected)


@pytest.mark.parametrize("name", ["microbit", "microbit2"])
def test_it_runs_a_network_on_a_board_in_this_process(name: str) -> None:
    with open_board(name) as board:
        with Device.open(board.url) as device:
            device.flash(NET)
        with serial.serial_for_url(board.url, baudrate=115_200) as port:
            check(third_party_client.Board(port), name)


def test_it_runs_a_network_over_tcp(tmp_path: Path) -> None:
    state = tmp_path / "flash"
    with Device.open(f"sim://microbit?state={state}") as device:
        device.flash(NET)
    with (
        served("--board", "microbit", "--tcp", "0", "--state", str(state)) as url,
        serial.serial_for_url(url, baudrate=115_200) as port,
    ):
        check(third_party_client.Board(port), "microbit")


def test_rows_and_outputs_that_fill_more_than_a_frame(board: Board) -> None:
    wide = Network([130, 2, 130], hidden="relu", output="linear", seed=1)
    row = np.linspace(-1, 1, 130, dtype=np.float32)
    with Device.open(board.url) as device:
        device.flash(wide)
    with serial.serial_for_url(board.url, baudrate=115_200) as port:
        outputs = third_party_client.Board(port).run(row.tolist(), probabilities=False)
    np.testing.assert_array_equal(np.array(outputs, np.float32), wide.predict(row[None])[0])


def test_it_gets_through_a_bad_line(board: Board) -> None:
    with Device.open(board.url) as device:
        device.flash(NET)
    board.line.noise("to_board", flip=0.003, seed=1)
    board.line.noise("from_board", flip=0.003, seed=2)
    with serial.serial_for_url(board.url, baudrate=115_200) as port:
        check(third_party_client.Board(port), "microbit")


def test_what_is_refused_has_its_status(board: Board) -> None:
    with serial.serial_for_url(board.url, baudrate=115_200) as port:
        client = third_party_client.Board(port)
        with pytest.raises(third_party_client.Refused) as refusal:
            client.read(0, 4)
    assert refusal.value.args == (4, 0, 0, 0)


def test_a_board_left_at_another_rate_answers_the_second_hello(board: Board) -> None:
    with serial.serial_for_url(board.url, baudrate=115_200) as port:
        first = third_party_client.Board(port)
        first.ask(0x05, (250_000).to_bytes(4, "little"))
        assert third_party_client.Board(port).info["board"] == "microbit"
