"""ports and monitor, and ports chosen by id, as processes with boards of other processes behind real ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from nnlite.cli import run
from tests.cli.command import environment, nnlite, refused
from tests.serving import served, serving

ONE, OTHER = "00000000000000a7", "00000000000000b8"


@pytest.fixture(scope="module")
def boards() -> Iterator[tuple[str, str]]:
    with served("--id", ONE) as one, served("--id", OTHER, "--board", "microbit2") as other:
        yield one, other


def test_ports_in_words_and_in_json(boards: tuple[str, str]) -> None:
    ports = " ".join([*boards, "loop://"])
    done = nnlite("ports", NNLITE_PORTS=ports)
    assert (done.returncode, done.stderr) == (0, "")
    width = len(boards[0])
    assert done.stdout.splitlines() == [
        f"{boards[0]}  simulated microbit, firmware 0.1.0, no model, id:{ONE}",
        f"{boards[1]}  simulated microbit2, firmware 0.1.0, no model, id:{OTHER}",
        f"{'loop://':<{width}}  does not answer",
    ]
    listed = json.loads(nnlite("ports", "--json", NNLITE_PORTS=ports).stdout)
    assert [(port["port"], port["answers"], port["unique_id"]) for port in listed] == [
        (boards[0], True, ONE),
        (boards[1], True, OTHER),
        ("loop://", False, None),
    ]


def test_no_ports_are_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("NNLITE_PORTS", raising=False)
    monkeypatch.setattr("serial.tools.list_ports.comports", list)  # this machine may have some
    assert run(["ports"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "no board is plugged in that shows a USB serial port; NNLITE_PORTS names others to look at\n"
    assert run(["ports", "--json"]) == 0
    assert capsys.readouterr() == ("[]\n", "")


@pytest.mark.parametrize("by_option", [True, False])
def test_a_board_by_its_id(by_option: bool, boards: tuple[str, str]) -> None:
    ports = {"NNLITE_PORTS": " ".join(boards)}
    choice = f"id:{OTHER[:-1].upper()}"
    done = nnlite(
        "info", *(["--port", choice] if by_option else []), **ports, **({} if by_option else {"NNLITE_PORT": choice})
    )
    assert (done.returncode, done.stdout.startswith("board      microbit2,")) == (0, True), done.stderr


def test_an_id_of_none_or_of_two(
    boards: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NNLITE_PORTS", " ".join(boards))
    for choice, says in (
        ("id:f", "no board answers to id:f; there are"),
        ("id:", "more than one board answers to id:"),
    ):
        code, line = refused(capsys, "info", "--port", choice)
        assert (code, says in line, ONE in line, OTHER in line) == (3, True, True, True), line


def monitored(url: str, *options: str) -> Iterator[str]:
    """Lines of `nnlite monitor`; when no more are asked for, it is ended by Ctrl-C, which has to be in order."""
    with subprocess.Popen(
        [sys.executable, "-m", "nnlite", "monitor", "-q", "--port", url, *options],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield from process.stdout
        finally:
            process.send_signal(signal.SIGINT)
            assert (process.wait(60), process.communicate()[1]) == (0, "")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_monitor_shows_what_goes_over_the_line(boards: tuple[str, str]) -> None:
    lines = monitored(boards[0])
    sent, received = next(lines), next(lines)
    lines.close()
    assert "> HELLO" in sent
    assert "< HELLO" in received
    assert f"OK  microbit, firmware 0.1.0, id {ONE}, no model" in received


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_monitor_shows_boot_text_and_broken_frames() -> None:
    with serving("-m", "tests.noisy_board", "inside", b"<DAPLink:Overflow>".hex()) as board:
        lines = monitored(board.url, "--json")
        shown = [json.loads(next(lines))]
        while (shown[-1]["direction"], shown[-1]["kind"]) != ("received", "frame"):
            shown.append(json.loads(next(lines)))
        lines.close()
    assert [(piece["kind"], piece["message"]) for piece in shown if piece["direction"] == "sent"] == [
        ("frame", "HELLO")
    ] * 2
    assert {piece["kind"] for piece in shown[:-1] if piece["direction"] == "received"} == {"broken"}
    with serving("-m", "tests.noisy_board", "answer", b"*** booting ***\r\n".hex()) as board:
        lines = monitored(board.url, "--json")
        next(lines)
        text = json.loads(next(lines))
        lines.close()
    assert (text["kind"], text["meaning"]) == ("text", "*** booting ***")


def test_monitor_of_a_port_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    code, line = refused(capsys, "monitor", "--port", "/dev/there-is-none")
    assert (code, "there is no port" in line) == (3, True)
