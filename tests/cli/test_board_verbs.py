"""The verbs that talk to a board, on simulated ones: what comes out, and what is still there after each mistake."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from firmware_sim import Board
from nnlite.cli import run
from nnlite.device import Device
from nnlite.network import Network, load
from tests.cli.command import nnlite, refused
from tests.cli.conftest import FEATURES, LABELS

Capsys = pytest.CaptureFixture[str]
MODEL_KEYS = {"generation", "length", "digest"}


def test_the_whole_way_as_processes_with_the_board_in_a_file(folder: Path) -> None:
    port = f"sim://microbit?state={folder / 'board.state'}"

    def go(*arguments: str) -> str:
        done = nnlite(*arguments, cwd=folder, NNLITE_PORT=port)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stderr
        return done.stdout

    assert json.loads(go("flash", "m.safetensors", "--json")).keys() == MODEL_KEYS
    assert set(go("run", "data.csv", "--target", "state").splitlines()) == set(LABELS)
    learned = json.loads(go("learn", "data.csv", "--target", "state", "--epochs", "2", "--json"))
    assert learned.keys() == MODEL_KEYS | {"loss"}
    assert (learned["generation"], len(learned["loss"])) == (2, 2)
    go("pull", "-o", "mine.safetensors", "--like", "m.safetensors")
    mine = load(folder / "mine.safetensors")
    assert (mine.sizes, mine.labels, mine.features) == ((3, 5, 3), LABELS, FEATURES)
    assert json.loads(go("verify", "mine.safetensors", "--json"))["digest"] == learned["digest"]


def test_info(loaded: Board, capsys: Capsys) -> None:
    assert run(["info", "--port", loaded.url]) == 0
    out = capsys.readouterr().out
    assert "microbit, 16 MHz" in out
    assert "slot 0    serves: generation 1" in out
    assert "slot 1    empty" in out
    assert run(["info", "--port", loaded.url, "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about.keys() >= {"board", "firmware", "protocol", "slots", "active_slot", "arena_bytes", "slot_image_bytes"}
    assert [slot["state"] for slot in about["slots"]] == ["valid", "empty"]


def test_run_gives_the_laptops_answers(loaded: Board, capsys: Capsys) -> None:
    net, X = (
        load("m.safetensors"),
        np.loadtxt("unlabelled.csv", np.float32, delimiter=",", skiprows=1, encoding="utf-8"),
    )
    assert run(["run", "unlabelled.csv", "--port", loaded.url]) == 0
    assert capsys.readouterr().out.splitlines() == net.predict(X).tolist()
    assert run(["run", "data.csv", "--target", "state", "--port", loaded.url, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer.keys() == {"labels", "probabilities"}
    assert np.array_equal(np.array(answer["probabilities"], np.float32), net.predict_proba(X))


def test_columns_are_taken_as_they_stand_or_by_the_names_in_a_model_file(loaded: Board, capsys: Capsys) -> None:
    answers = []
    for arguments in (["unlabelled.csv"], ["turned.csv", "--like", "m.safetensors"], ["turned.csv"]):
        assert run(["run", *arguments, "--port", loaded.url, "--json"]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1] != answers[2]


def test_run_of_a_regression_prints_its_outputs(board: Board, folder: Path, capsys: Capsys) -> None:
    net = Network([3, 2], output="linear", seed=1)
    net.save("linear.safetensors")
    assert run(["flash", "linear.safetensors", "--port", board.url, "-q"]) == 0
    assert run(["run", "unlabelled.csv", "--port", board.url]) == 0
    assert [len(line.split(",")) for line in capsys.readouterr().out.splitlines()] == [2] * 30
    assert run(["run", "unlabelled.csv", "--port", board.url, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["labels"], np.shape(answer["outputs"])) == (None, (30, 2))


def test_run_does_not_fetch_the_parameters(board: Board, folder: Path) -> None:
    """Those of a real network may be 100 kB, ten seconds of the line; here they are 7 kB."""
    Network([3, 250, 3], seed=1).save("wide.safetensors")
    Path("one.csv").write_text("a,b,c\n1,2,3\n", encoding="utf-8")
    assert run(["flash", "wide.safetensors", "--port", board.url, "-q"]) == 0
    before = board.line.passed["from_board"]
    assert run(["run", "one.csv", "--port", board.url, "-q"]) == 0
    assert board.line.passed["from_board"] - before < 1000


def test_rollback_and_quiet(loaded: Board, capsys: Capsys) -> None:
    for arguments in (["flash", "m.safetensors"], ["verify", "m.safetensors"], ["rollback"]):
        assert run([*arguments, "--port", loaded.url, "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    code, line = refused(capsys, "rollback", "--port", loaded.url)
    assert (code, "no earlier model" in line) == (8, True)


# ---- mistakes

DATA = {
    "a.csv": "tilt,speed,höhe,state\n1,2,nan,at rest\n",
    "b.csv": "tilt,speed,state\n1,2,at rest\n",
    "c.csv": "tilt,speed,höhe,state\n1,2,3,dancing\n",
}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["flash", "gone.safetensors"], 2, "cannot read the model gone.safetensors"),
        (["flash", "data.csv"], 9, "data.csv is not a model file"),
        (["flash", "big.safetensors"], 8, "nothing was sent"),
        (["verify", "other.safetensors"], 6, "the device serves another model"),
        (["run", "gone.csv"], 2, "cannot read the data gone.csv"),
        (["run", "data.csv"], 9, "line 2, column 'state': 'at rest' is not a number"),
        (["run", "a.csv", "--target", "state"], 9, "line 2, column 'höhe': nan"),
        (["run", "b.csv", "--target", "state"], 9, "b.csv has 2 columns of features, the model takes 3"),
        (["run", "b.csv", "--target", "state", "--like", "m.safetensors"], 9, "lacks the column 'höhe'"),
        (["learn", "data.csv"], 2, "Name it with --target"),
        (["learn", "unlabelled.csv", "--target", "state"], 9, "no column 'state'"),
        (["learn", "a.csv", "--target", "state"], 9, "line 2, column 'höhe': nan"),
        (["learn", "c.csv", "--target", "state"], 9, "the model has no label 'dancing'"),
        (["learn", "data.csv", "--target", "state", "--epochs", "0"], 2, "epochs must be"),
        (["learn", "data.csv", "--target", "state", "--batch-size", "999"], 8, "RAM"),
        (["learn", "data.csv", "--target", "state", "--optimizer", "adam"], 2, "optimizer"),
        (["learn", "data.csv", "--target", "state", "--learning-rate", "1e30"], 9, "learning diverged"),
        (["pull", "-o", "gone/x.safetensors"], 2, "cannot write gone/x.safetensors"),
        (["pull", "-o", "x.safetensors", "--like", "big.safetensors"], 9, "4 features"),
    ],
)
def test_a_mistake_changes_neither_disk_nor_device(
    arguments: list[str], code: int, says: str, loaded: Board, capsys: Capsys
) -> None:
    for name, content in DATA.items():
        Path(name).write_text(content, encoding="utf-8")
    big = Network([4, 6000, 3])
    big.features = ("a", "b", "c", "d")
    big.save("big.safetensors")
    Network([3, 5, 3], seed=9).save("other.safetensors")
    before = loaded.flash, sorted(os.listdir())
    got, line = refused(capsys, *arguments, "--port", loaded.url)
    assert (got, says in line) == (code, True), line
    assert sorted(os.listdir()) == before[1]
    if "diverged" not in says:
        assert loaded.flash == before[0]
    assert run(["verify", "m.safetensors", "--port", loaded.url, "-q"]) == 0


@pytest.mark.parametrize("verb", [["verify"], ["run", "unlabelled.csv"], ["learn", "data.csv", "--target", "state"],
                                  ["pull", "-o", "x"], ["rollback"]])  # fmt: skip
def test_a_board_without_a_model(verb: list[str], board: Board, folder: Path, capsys: Capsys) -> None:
    code, line = refused(capsys, *verb, "--port", board.url)
    assert code == 8
    assert "model" in line


# ---- ports


@pytest.mark.parametrize(
    ("port", "code", "says"),
    [
        ("/dev/there-is-none", 3, "there is no port /dev/there-is-none"),
        ("bogus://x", 3, "is not the name of a port"),
        ("/dev/null", 3, "/dev/null is not a serial port"),
        ("sim://board/999999", 3, "there is no port sim://board/999999"),
        ("sim://nano", 2, "no board 'nano'"),
        ("sim://microbit?state=m.safetensors", 9, "is not the flash of a simulated microbit"),
        ("loop://", 5, "the port opens but nothing answers there"),
    ],
)
def test_ports_that_are_none(port: str, code: int, says: str, folder: Path, capsys: Capsys) -> None:
    before = Path("m.safetensors").read_bytes()
    got, line = refused(capsys, "info", "--port", port)
    assert (got, says in line) == (code, True), line
    assert Path("m.safetensors").read_bytes() == before


def test_without_a_port_one_is_looked_for(folder: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", list)  # this machine may have some
    code, line = refused(capsys, "info")
    assert (code, "no board is plugged in" in line) == (3, True)
    monkeypatch.setenv("NNLITE_PORT", "/dev/there-is-none")
    code, line = refused(capsys, "info")
    assert (code, "there is no port /dev/there-is-none" in line) == (3, True)


def test_a_busy_port(loaded: Board, capsys: Capsys) -> None:
    with Device.open(loaded.url):
        code, line = refused(capsys, "info", "--port", loaded.url)
    assert (code, "is in use" in line) == (4, True)


@pytest.mark.parametrize("verb", [["flash", "other.safetensors"], ["learn", "data.csv", "--target", "state"]])
def test_a_device_that_falls_silent_half_way(verb: list[str], loaded: Board, capsys: Capsys) -> None:
    Network([3, 5, 3], seed=9).save("other.safetensors")
    before = loaded.line.passed["from_board"]
    assert run(["info", "--port", loaded.url]) == 0
    hello_bytes = loaded.line.passed["from_board"] - before
    loaded.line.silence("from_board", after=hello_bytes + 8)
    code, line = refused(capsys, *verb, "--port", loaded.url)
    assert (code, "fell silent" in line) == (5, True), line
    loaded.line.restore()
    assert run(["verify", "m.safetensors", "--port", loaded.url, "-q"]) == 0


def test_ctrl_c_in_the_midst_of_the_simulated_core(loaded: Board, capsys: Capsys) -> None:
    """A hook of the engine is where the laptop is most of the time; an exception there would be lost."""
    calls = 0

    def interrupt(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 40:
            signal.raise_signal(signal.SIGINT)

    import unicorn

    at = loaded.symbol("model_train_row")
    hook = loaded.cpu.engine.hook_add(unicorn.UC_HOOK_CODE, interrupt, None, at, at)
    loaded.cpu.engine.ctl_flush_tb()
    code, line = refused(capsys, "learn", "data.csv", "--target", "state", "--epochs", "3", "--port", loaded.url)
    loaded.cpu.engine.hook_del(hook)
    assert (code, line.startswith("nnlite: interrupted")) == (130, True)
    assert run(["verify", "m.safetensors", "--port", loaded.url, "-q"]) == 0
    assert run(["learn", "data.csv", "--target", "state", "--port", loaded.url, "-q"]) == 0
