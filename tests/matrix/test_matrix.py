"""Every cell of the table: exit code, one message, no traceback, nothing changed, the board usable at once after."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim.outlets import TcpOutlet
from nnlite.cli import run
from nnlite.cli.verbs import VERBS
from tests.cli.command import environment
from tests.matrix.bench import Bench
from tests.matrix.parties import OverheardBoard
from tests.matrix.plugged import plugged_in
from tests.matrix.protocol_staged import STAGE
from tests.matrix.situations import circumstances, port_of
from tests.matrix.snapshot import FILE, Answers, parse, stable
from tests.matrix.table import CELLS, KILLED, Cell
from tests.matrix.verbs import ROWS, Row

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals, users, limits and signals of POSIX")
Capsys = pytest.CaptureFixture[str]

_GOOD = {
    "MODEL": "old.safetensors",
    "DATA": "good.csv",
    "BOARD": "microbit2",
    "OUTPUT": "out",
    "FOLDER": "demo",
    "STATE": "board.state",
}
#: files that a verb writes when nothing is wrong
_RESULTS = {"out"}


def give_input(row: Row, patch: pytest.MonkeyPatch) -> None:
    """What a verb reads from standard input."""
    if row.stdin:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(row.stdin).read_bytes())))


def typed(row: Row, words: dict[str, str]) -> list[str]:
    """A command line, with other words than the good ones for some placeholders."""
    model = "new.safetensors" if row.verb == "flash" else "old.safetensors"
    known = _GOOD | {"MODEL": model} | words
    return [row.verb, *(known.get(word, word) for word in row.words.split())]


def _id(cell: Cell) -> str:
    return f"{cell.failure.name}, {cell.name}"


def test_each_verb_has_a_row() -> None:
    assert {row.verb for row in ROWS} == set(VERBS)


@pytest.mark.parametrize("row", [row for row in ROWS if row.messages], ids=lambda row: row.name)
def test_the_messages_of_a_row_are_those_of_a_good_run(row: Row, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.enter("loaded")
    give_input(row, monkeypatch)
    STAGE["it"] = overheard = OverheardBoard(bench.board)
    assert run([*typed(row, {}), "--port", "staged://it", "-q"]) == 0
    bench.changed_files()
    assert tuple(overheard.requests) == row.messages
    assert len(overheard.answers) == len(row.messages) + row.more_answers


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.failure is not KILLED], ids=_id)
def test_cell(cell: Cell, bench: Bench, answers: Answers, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.enter(cell.failure.state)
    flash, cycles = bench.board.flash, bench.board.cycles
    give_input(cell.row, monkeypatch)
    capsys.readouterr()
    with port_of(cell, bench, monkeypatch) as options, circumstances(cell):
        code = run([*typed(cell.row, cell.failure.words), *options])
    out, err = capsys.readouterr()
    assert code == cell.code, err
    answers.take(cell, (code, _message(cell, code, out, err)))
    assert bench.changed_files() <= (_RESULTS if code == 0 else set())
    if bench.board.cycles != cycles:  # else nobody spoke to it: it is as it was
        assert bench.serving() in _may_serve(cell, bench)
        assert bench.board.flash == flash or cell.side or code == 0 or cell.failure.code == 6


def _may_serve(cell: Cell, bench: Bench) -> set[bytes | None]:
    """Digests of the models of which one has to answer after the verb."""
    here = {bench.digests[_SERVES[cell.failure.state]]}
    if cell.row.verb not in _CHANGES:
        return here
    name = _CHANGES[cell.row.verb]
    if cell.row.verb == "learn" and "DATA" in cell.failure.words:
        name = "learned from plain.csv"
    then = {bench.digests[name]}
    if cell.side:
        return here | then
    return then if cell.code == 0 else here


_SERVES = {
    "loaded": "old",
    "one model": "before",
    "the next one not committed": "old",
    "another shape": "wide",
    "a bit of the model changed": "before",  # the one that the board goes back to when it finds out
    "empty": "none",
    "not committed": "none",
}
_CHANGES = {"flash": "new", "learn": "learned", "rollback": "before"}


#: the first line of monitor, which it prints before it learns what is wrong
_MONITORED = " > HELLO "


def _message(cell: Cell, code: int, out: str, err: str) -> str:
    assert "Traceback" not in err
    if code == 0:
        return "(done)"
    lines = err.splitlines()
    assert not out or cell.row.stdin or _MONITORED in out.splitlines()[0]
    assert [line for line in lines if line.startswith("nnlite: ")] == lines[-1:], err
    return stable(lines[-1].removeprefix("nnlite: "))


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.failure is KILLED], ids=_id)
def test_killed(cell: Cell, bench: Bench, answers: Answers) -> None:
    """The laptop's program ends as it would without power; the board, and a program that comes after, go on."""
    bench.enter("loaded")
    allowed = _may_serve(cell, bench)
    process: list[subprocess.Popen[str]] = []

    def kill() -> None:
        process[0].send_signal(signal.SIGKILL)
        process[0].wait()

    with plugged_in(bench.board, TcpOutlet(), cell.side, cell.number, kill) as url:
        command = [sys.executable, "-m", "nnlite", *typed(cell.row, {}), "--port", url]
        # PYTHONPATH: the same package as this process has, wherever it comes from
        surroundings = environment(PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
        with subprocess.Popen(command, env=surroundings, stderr=subprocess.PIPE, encoding="utf-8") as client:
            process.append(client)
            err = client.communicate(timeout=60)[1]
        assert (client.returncode, err) == (-signal.SIGKILL, "")
        answers.take(cell, (client.returncode, "(killed)"))
        assert not bench.changed_files()
        assert run(["verify", "--port", url, "-q"]) == 0
    assert bench.serving() in allowed


def test_the_file_has_the_cells_of_the_table_and_no_others(answers: Answers) -> None:
    if answers.rewrite:
        pytest.skip("the file is being written")
    text = FILE.read_text(encoding="utf-8")
    answers = parse(text)
    codes = {name: code for name, (code, _) in answers.items()}
    assert codes == {(cell.failure.name, cell.name): cell.code for cell in CELLS}
    assert text.startswith(f"{len(CELLS)} cells of the table, {len(set(answers.values()))} answers: ")
