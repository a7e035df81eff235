"""Looking for boards: real ports with boards of their own processes behind them, with nothing, with somebody else."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nnlite.device import Device
from nnlite.errors import PortBusyError, PortError
from nnlite.link.discover import candidate_ports, find_port, look
from nnlite.link.port import open_port
from tests.serving import served

ONE, OTHER = "00000000000000a7", "00000000000000b8"


@pytest.fixture(scope="module")
def boards() -> Iterator[tuple[str, str]]:
    """Ports of two boards that differ in their ids only; the second behind a pseudo-terminal where there are such."""
    kind = "--pty" if os.name == "posix" else "--fast"
    with served("--id", ONE) as one, served("--id", OTHER, kind) as other:
        yield one, other


def test_each_port_is_listed_with_what_stands_behind_it(boards: tuple[str, str]) -> None:
    first, second, silent, missing = look([*boards, "loop://", "/dev/there-is-none"])
    assert (first.hello and first.hello.unique_id, second.hello and second.hello.unique_id) == (ONE, OTHER)
    assert (silent.trouble, missing.trouble) == ("does not answer", "there is no port /dev/there-is-none")
    assert first.to_dict() == {
        "port": boards[0],
        "answers": True,
        "board": "microbit",
        "firmware": "0.1.0",
        "unique_id": ONE,
        "generation": None,
        "problem": None,
    }
    assert silent.to_dict()["problem"].startswith("something talks at that port, but not as")
    held = open_port(boards[1])
    try:
        assert "in use" in look([boards[1]])[0].trouble
        with pytest.raises(PortBusyError, match="in use"):
            find_port(None, ["loop://", boards[1]])
    finally:
        held.close()


def test_a_board_is_chosen_by_its_id(boards: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    ports = ["loop://", *boards]
    assert find_port(f"id:{ONE}", ports) == boards[0]
    assert find_port("id:00000000000000B", ports) == boards[1]
    monkeypatch.setenv("NNLITE_PORTS", " ".join(ports))
    assert candidate_ports() == ports
    with Device.open(f"id:{OTHER}") as device:
        assert device.info().unique_id == OTHER


def test_none_and_two_are_errors_that_list_what_there_is(boards: tuple[str, str]) -> None:
    ports = ["loop://", *boards]
    listed = [f"{boards[0]} (microbit, id:{ONE})", f"{boards[1]} (microbit, id:{OTHER})"]
    for name, says in (("id:c", "no board answers to id:c"), ("id:00", "more than one board answers to id:00")):
        with pytest.raises(PortError, match=says) as caught:
            find_port(name, ports)
        assert all(port in str(caught.value) for port in listed)
    with pytest.raises(PortError, match=r"more than one board answers: .*; choose one with --port"):
        find_port(None, ports)
    with pytest.raises(PortError, match=r"no board answers at loop:// \(does not answer\)"):
        find_port(None, ["loop://"])
    with pytest.raises(PortError, match="no board is plugged in"):
        find_port(f"id:{ONE}", [])


def test_the_one_that_answers_is_taken_and_a_name_is_not_looked_at(boards: tuple[str, str]) -> None:
    assert find_port(None, ["loop://", boards[0]]) == boards[0]
    assert find_port("COM10", ["loop://"]) == "COM10"


def test_ports_are_sorted_as_people_count(monkeypatch: pytest.MonkeyPatch) -> None:
    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    monkeypatch.delenv("NNLITE_PORTS", raising=False)
    ports = [ListPortInfo(name, skip_link_detection=True) for name in ("COM10", "COM9", "COM2", "COM1")]
    for port in ports[:3]:
        port.vid = 0x0D28
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    assert candidate_ports() == ["COM2", "COM9", "COM10"]  # COM1 is no USB port
