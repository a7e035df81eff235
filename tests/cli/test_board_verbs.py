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
from nnlite.data import read_table
from nnlite.network import Network, load
from nnlite.training import train
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
    assert "slot 0     serves: generation 1" in out
    assert ", erase count 1\n" in out
    assert "slot 1     empty" in out
    assert "line       115,200 or 250,000 baud\nruns for   0 s\nlast error none since it started\n" in out
    assert run(["info", "--port", loaded.url, "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about.keys() >= {"board", "firmware", "protocol", "slots", "active_slot", "arena_bytes", "slot_image_bytes"}
    assert [slot["state"] for slot in about["slots"]] == ["valid", "empty"]
    assert [slot["erase_count"] for slot in about["slots"]] == [1, 0]
    assert len(about["slots"][0]["digest"]) == 64
    assert about["last_error"] is None
    assert about["baud_rates"] == [115_200, 250_000]
    assert about["uptime_seconds"] == 0


def test_info_tells_the_last_error_and_how_long_it_runs(loaded: Board, capsys: Capsys) -> None:
    assert run(["rollback", "--port", loaded.url]) == 8
    loaded.run(3_700 * loaded.profile.clock_hz)
    capsys.readouterr()
    assert run(["info", "--port", loaded.url]) == 0
    out = capsys.readouterr().out
    assert "last error NO_OTHER_MODEL: there was no other model to go back to\n" in out
    assert "runs for   1 h 1 min\n" in out
    assert run(["info", "--port", loaded.url, "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    meaning = "there was no other model to go back to"
    assert about["last_error"] == {"status": "NO_OTHER_MODEL", "detail": 0, "meaning": meaning}
    assert about["uptime_seconds"] // 10 == 370


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


def test_run_of_a_sigmoid_network_prints_its_probabilities(board: Board, folder: Path, capsys: Capsys) -> None:
    net = Network([3, 4, 2], hidden="tanh", output="sigmoid", seed=1)
    net.save("sigmoid.safetensors")
    X = np.loadtxt("unlabelled.csv", np.float32, delimiter=",", skiprows=1, encoding="utf-8")
    assert run(["flash", "sigmoid.safetensors", "--port", board.url, "-q"]) == 0
    assert run(["run", "unlabelled.csv", "--port", board.url]) == 0
    rows = [list(map(float, line.split(","))) for line in capsys.readouterr().out.splitlines()]
    assert np.array_equal(np.array(rows, np.float32), net.predict_proba(X))
    assert run(["run", "unlabelled.csv", "--port", board.url, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["labels"], answer["probabilities"]) == (None, rows)


def test_learn_with_every_option(loaded: Board, capsys: Capsys) -> None:
    """What the board then has is what the library makes of the same arguments on the laptop."""
    how = ["--optimizer", "adam", "--last-layers", "1", "--validate", "data.csv", "--patience", "2", "--epochs", "4",
           "--weight-decay", "0.01", "--clip-norm", "1.5", "--schedule", "step", "--class-weight", "balanced",
           "--batch-size", "4", "--learning-rate", "0.3"]  # fmt: skip
    assert run(["learn", "data.csv", "--target", "state", *how, "--port", loaded.url, "--json"]) == 0
    learned = json.loads(capsys.readouterr().out)
    net = load("m.safetensors")
    table = read_table("data.csv", "state", net.features, True)
    history = train(
        net,
        table.X,
        table.truth,
        epochs=4,
        batch_size=4,
        learning_rate=0.3,
        optimizer="adam",
        shuffle=False,
        validation=(table.X, table.truth),
        progress=False,
        weight_decay=0.01,
        clip_norm=1.5,
        schedule="step",
        last_layers=1,
        class_weight="balanced",
        patience=2,
    )
    assert learned.keys() == MODEL_KEYS | {"loss", "validation_loss"}
    assert learned["validation_loss"] == [epoch.validation_loss for epoch in history.epochs]
    net.save("same.safetensors")
    assert run(["verify", "same.safetensors", "--port", loaded.url, "-q"]) == 0


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


# ---- mistakes; tests/matrix has those of files, ports and boards

NARROW = "tilt,speed,state\n1,2,at rest\n"


LEARN = ["learn", "data.csv", "--target", "state"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "data.csv"], 9, "line 2, column 'state': 'at rest' is not a number"),
        (["run", "b.csv", "--target", "state"], 9, "b.csv has 2 columns of features, the model takes 3"),
        (["run", "b.csv", "--target", "state", "--like", "m.safetensors"], 9, "lacks the column 'höhe'"),
        (["learn", "data.csv"], 2, "Name it with --target"),
        (["learn", "unlabelled.csv", "--target", "state"], 9, "no column 'state'"),
        (["learn", "data.csv", "--target", "state", "--epochs", "0"], 2, "epochs must be"),
        (["learn", "data.csv", "--target", "state", "--batch-size", "999"], 8, "RAM"),
        (["learn", "data.csv", "--target", "state", "--optimizer", "rmsprop"], 2, "optimizer must be sgd"),
        ([*LEARN, "--momentum", "0.5"], 2, "momentum goes with the optimizer 'momentum'"),
        ([*LEARN, "--optimizer", "momentum", "--momentum", "nan"], 2, "momentum must be from 0 to below 1"),
        ([*LEARN, "--weight-decay", "-1"], 2, "weight decay must be from 0 to below 1"),
        ([*LEARN, "--clip-norm", "-1"], 2, "norm to clip at must be"),
        ([*LEARN, "--schedule", "linear"], 2, "schedule must be constant, step, cosine"),
        ([*LEARN, "--last-layers", "0"], 2, "last layers to train must be"),
        ([*LEARN, "--last-layers", "3"], 2, "the last 3 layers cannot be trained: the network has 2"),
        ([*LEARN, "--class-weight", "even"], 2, "class_weight must be a dict of labels and weights, or 'balanced'"),
        ([*LEARN, "--patience", "2"], 2, "patience needs validation data"),
        ([*LEARN, "--validate", "b.csv"], 9, "b.csv"),
        ([*LEARN, "--optimizer", "adam", "--batch-size", "999"], 8, "RAM: learning by adam with batches of 999"),
        (["learn", "data.csv", "--target", "state", "--learning-rate", "1e30"], 9, "learning diverged"),
    ],
)
def test_a_mistake_changes_neither_disk_nor_device(
    arguments: list[str], code: int, says: str, loaded: Board, capsys: Capsys
) -> None:
    Path("b.csv").write_text(NARROW, encoding="utf-8")
    before = loaded.flash, sorted(os.listdir())
    got, line = refused(capsys, *arguments, "--port", loaded.url)
    assert (got, says in line) == (code, True), line
    assert sorted(os.listdir()) == before[1]
    if "diverged" not in says:
        assert loaded.flash == before[0]
    assert run(["verify", "m.safetensors", "--port", loaded.url, "-q"]) == 0


# ---- ports


def test_a_port_by_the_environment(folder: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNLITE_PORT", "/dev/there-is-none")
    code, line = refused(capsys, "info")
    assert (code, "there is no port /dev/there-is-none" in line) == (3, True)


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
