"""train and evaluate: what comes out, and every kind of data and model file that cannot be used."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from nnlite.cli import run
from nnlite.data import read_table
from nnlite.network import Network, load
from nnlite.training import train
from tests.cli.command import nnlite, refused
from tests.cli.conftest import FEATURES, LABELS

Capsys = pytest.CaptureFixture[str]
HEAD = "a,b,kind\n1,2,x\n"


def test_train_and_evaluate_as_processes(folder: Path) -> None:
    done = nnlite(
        "train", "data.csv", "--target", "state", "--epochs", "3", "-o", "new.safetensors", "--json", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer.keys() == {"sizes", "loss", "accuracy", "model"}
    assert (answer["sizes"], len(answer["loss"]), len(answer["accuracy"])) == ([3, 16, 3], 3, 3)
    assert "epoch 3/3" in done.stderr
    assert done.stderr.splitlines()[-1] == "saved new.safetensors"
    net = load(folder / "new.safetensors")
    assert (net.features, net.labels) == (FEATURES, LABELS)
    done = nnlite("evaluate", "m.safetensors", "data.csv", "--target", "state", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer.keys() == {"samples", "accuracy"}
    assert answer["samples"] == 30
    assert answer["accuracy"] > 0.8


def test_a_loss_beyond_float32_is_null_in_json(folder: Path, capsys: Capsys) -> None:
    """Squared errors of such targets overflow, their gradients do not."""
    Path("far.csv").write_text("a,height\n0,3e19\n1,-3e19\n", encoding="utf-8")
    how = ["--target", "height", "--regression", "--learning-rate", "1e-25", "--epochs", "2", "--validate", "far.csv"]
    assert run(["train", "far.csv", *how, "-o", "far.safetensors", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert answer["loss"] == answer["validation_loss"] == [None, None]


def test_train_with_every_option(folder: Path, capsys: Capsys) -> None:
    """The file holds what the library gives for the same arguments."""
    how = ["--activation", "tanh", "--optimizer", "adam", "--weight-decay", "0.01", "--clip-norm", "1.5", "--schedule",
           "cosine", "--class-weight", "balanced", "--validate", "data.csv", "--patience", "2", "--epochs", "6",
           "--batch-size", "4", "--learning-rate", "0.2", "--seed", "3", "--hidden", "5"]  # fmt: skip
    assert run(["train", "data.csv", "--target", "state", "-o", "new.safetensors", *how, "--json"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    table = read_table("data.csv", "state", None, True)
    net = Network([3, 5, 3], hidden="tanh", seed=3)
    history = train(
        net,
        table.X,
        table.truth,
        epochs=6,
        batch_size=4,
        learning_rate=0.2,
        optimizer="adam",
        seed=3,
        validation=(table.X, table.truth),
        progress=False,
        weight_decay=0.01,
        clip_norm=1.5,
        schedule="cosine",
        class_weight="balanced",
        patience=2,
    )
    trained = load("new.safetensors")
    assert (trained.hidden, trained.parameters.tobytes()) == ("tanh", net.parameters.tobytes())
    assert answer.keys() == {"sizes", "loss", "accuracy", "validation_loss", "model"}
    assert answer["validation_loss"] == [epoch.validation_loss for epoch in history.epochs]
    assert f"the parameters of epoch {history.best + 1} are kept" in err
    how = ["--optimizer", "momentum", "--momentum", "0.5", "--epochs", "2", "--hidden", "5", "-q"]
    assert run(["train", "data.csv", "--target", "state", "-o", "new.safetensors", *how]) == 0
    net = Network([3, 5, 3])
    train(net, table.X, table.truth, epochs=2, optimizer="momentum", momentum=0.5, progress=False)
    assert load("new.safetensors").parameters.tobytes() == net.parameters.tobytes()


def test_evaluate_counts_the_answers_of_a_sigmoid_network(folder: Path, capsys: Capsys) -> None:
    X = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    y = (X > 0).astype(np.int64)
    net = Network([2, 2], output="sigmoid", seed=1)
    net.save("s.safetensors")
    np.savez("s.npz", X=X, y=y)
    assert run(["evaluate", "s.safetensors", "s.npz", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"samples": 20, "accuracy": float(np.mean(net.predict(X) == y))}


def test_quiet_training_says_nothing(folder: Path, capsys: Capsys) -> None:
    assert run(["train", "data.csv", "--target", "state", "--epochs", "1", "-o", "q.safetensors", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_regression(folder: Path, capsys: Capsys) -> None:
    Path("r.csv").write_text("x,y\n" + "".join(f"{n},{2 * n + 0.5}\n" for n in range(8)), encoding="utf-8")
    how = ["--target", "y", "--regression", "--learning-rate", "0.01", "-q"]
    assert run(["train", "r.csv", "-o", "r.safetensors", *how]) == 0
    assert run(["evaluate", "r.safetensors", "r.csv", "--target", "y", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"samples", "root_mean_squared_error"}


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_what_spreadsheets_write_is_read(prefix: bytes, newline: bytes, folder: Path, capsys: Capsys) -> None:
    Path("s.csv").write_bytes(prefix + newline.join([b"kind,a", b'"x, y",1', "ü,2".encode(), b""]))
    assert run(["train", "s.csv", "--target", "kind", "--epochs", "1", "-o", "s.safetensors", "-q"]) == 0
    assert load("s.safetensors").labels == ("x, y", "ü")


#: what is not in tests/matrix
CSV = {
    "nan among numbers": ("a,kind\n1,0\n2,1\n3,nan\n", 9, "line 4, column 'kind': the target is nan among numbers"),
    "fractions": ("a,kind\n1,0.5\n2,0.7\n", 9, "--regression"),
    "no features": ("kind\nx\ny\n", 9, "no column beside 'kind'"),
}


@pytest.mark.parametrize(("content", "code", "says"), CSV.values(), ids=CSV.keys())
def test_train_refuses_csv(content: str, code: int, says: str, folder: Path, capsys: Capsys) -> None:
    before = Path("m.safetensors").read_bytes()
    Path("bad.csv").write_text(content, encoding="utf-8")
    got, line = refused(capsys, "train", "bad.csv", "--target", "kind", "-o", "m.safetensors")
    assert (got, says in line) == (code, True), line
    assert Path("m.safetensors").read_bytes() == before


def test_text_where_a_regression_needs_numbers(folder: Path, capsys: Capsys) -> None:
    Path("bad.csv").write_text("a,kind\n1,2\n2,many\n", encoding="utf-8")
    code, line = refused(capsys, "train", "bad.csv", "--target", "kind", "--regression", "-o", "r.safetensors")
    assert code == 9
    assert "bad.csv, line 3: the target is 'many', not a number" in line


TWO = np.ones((2, 2))
NPZ = {
    "pickle": ({"X": np.array([[1, object()]], dtype=object)}, "Object arrays cannot be loaded"),
    "no X": ({"A": TWO}, "no array X"),
    "no y": ({"X": TWO}, "no array y"),
    "nan": ({"X": np.array([[1, 2], [3, np.nan]]), "y": [0, 1]}, "X row 1, column 1 is nan"),
    "nan in y": ({"X": TWO, "y": [0, np.nan]}, "y row 1 is nan"),
    "lengths": ({"X": TWO, "y": [0, 1, 0]}, "X has 2 rows"),
    "text": ({"X": np.array([["a", "b"]]), "y": [0]}, "not numbers of shape"),
    "no rows": ({"X": np.ones((0, 2)), "y": np.ones(0)}, "shape (0, 2), not numbers"),
    "no columns": ({"X": np.ones((2, 0)), "y": [0, 1]}, "shape (2, 0), not numbers"),
}


@pytest.mark.parametrize(("arrays", "says"), NPZ.values(), ids=NPZ.keys())
def test_train_refuses_npz(arrays: dict[str, object], says: str, folder: Path, capsys: Capsys) -> None:
    np.savez("bad.npz", **arrays)  # type: ignore[arg-type]
    code, line = refused(capsys, "train", "bad.npz", "-o", "new.safetensors")
    assert (code, says in line) == (9, True), line
    assert not Path("new.safetensors").exists()


def test_npz_with_whole_floats_as_classes(folder: Path, capsys: Capsys) -> None:
    np.savez("f.npz", X=np.eye(4), y=np.array([0.0, 1.0, 0.0, 1.0]))
    assert run(["train", "f.npz", "--epochs", "1", "-o", "f.safetensors", "-q"]) == 0
    code, line = refused(capsys, "train", "f.npz", "--target", "state", "-o", "g.safetensors")
    assert (code, "no column 'state'" in line) == (9, True)
    Path("cut.npz").write_bytes(Path("f.npz").read_bytes()[:300])
    code, line = refused(capsys, "train", "cut.npz", "-o", "g.safetensors")
    assert (code, "cut short" in line) == (9, True)


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--hidden", "a,b"], 2, "--hidden takes sizes such as 32,16, not 'a,b'"),
        (["--hidden", "0"], 2, "integers from 1 to 65535"),
        (["--hidden", "99999"], 2, "integers from 1 to 65535"),
        (["--hidden", ",".join(["1"] * 16)], 2, "2 to 17 integers"),
        (["--epochs", "0"], 2, "epochs must be an integer from 1, not 0"),
        (["--batch-size", "0"], 2, "batch size must be"),
        (["--learning-rate", "nan"], 2, "learning rate must be"),
        (["--learning-rate", "1e30"], 9, "epoch 1, sample"),
        (["--optimizer", "rmsprop"], 2, "optimizer must be sgd, momentum, adam, not 'rmsprop'"),
        (["--activation", "swish"], 2, "hidden must be one of relu, leaky_relu, sigmoid, tanh, not 'swish'"),
        (["--momentum", "0.5"], 2, "momentum goes with the optimizer 'momentum', not with 'sgd'"),
        (["--optimizer", "momentum", "--momentum", "1"], 2, "momentum must be from 0 to below 1"),
        (["--weight-decay", "1"], 2, "weight decay must be from 0 to below 1"),
        (["--clip-norm", "0"], 2, "norm to clip at must be a positive finite float32"),
        (["--schedule", "linear"], 2, "schedule must be constant, step, cosine, not 'linear'"),
        (["--class-weight", "even"], 2, "class_weight must be a dict of labels and weights, or 'balanced', not 'even'"),
        (["--patience", "2"], 2, "patience needs validation data"),
        (["--patience", "0", "--validate", "data.csv"], 2, "patience must be an integer from 1"),
        (["--validate", "gone.csv"], 2, "gone.csv: No such file"),
        (["--validate", "unlabelled.csv"], 9, "unlabelled.csv has no column 'state'"),
        (["--regression", "--class-weight", "balanced"], 9, "not a number"),
        (["--seed", "-1"], 2, "seed must be"),
        (["--board", "nano"], 2, "no board 'nano'"),
        (["--hidden", "65535,65535"], 2, "a network may have 67,108,864; use smaller sizes"),
        (["--board", "microbit", "--hidden", "6000"], 8, "does not fit microbit"),
        (["--board", "microbit", "--hidden", "65535,65535,65535"], 8, "does not fit microbit"),
        (["--target", "colour"], 9, "has no column 'colour'; it has tilt, speed, höhe, state"),
        (["-o", "gone/new.safetensors"], 2, "cannot write gone/new.safetensors"),
        (["-o", "."], 2, "it is a directory"),
    ],
)
def test_train_refuses_options(options: list[str], code: int, says: str, folder: Path, capsys: Capsys) -> None:
    before = sorted(os.listdir())
    arguments = ["data.csv", "--target", "state", "-o", "new.safetensors", *options]
    got, line = refused(capsys, "train", *arguments)
    assert (got, says in line) == (code, True), line
    assert sorted(os.listdir()) == before


def test_the_plan_before_training_counts_what_the_trained_model_will_have(folder: Path, capsys: Capsys) -> None:
    """The largest network that --board takes is one that fits once it is trained, standardiser and labels included."""
    room = 113_664 - 16 - 8 - 24 - len('{"labels":["at rest","lifted, slowly","größer"]}'.encode())
    most = (room // 4 - 3) // 7
    for hidden in range(most - 3, most + 4):
        code = run(["train", "data.csv", "--target", "state", "-o", "b.safetensors", "--epochs", "1", "--hidden",
                    f"{hidden}", "--board", "microbit2", "-q"])  # fmt: skip
        assert code in (0, 8)
        if code == 0:
            assert run(["plan", "b.safetensors", "--board", "microbit2", "-q"]) == 0


def test_train_and_evaluate_ask_for_the_target(folder: Path, capsys: Capsys) -> None:
    for verb in (["train", "-o", "new.safetensors"], ["evaluate", "m.safetensors"]):
        code, line = refused(capsys, *verb, "data.csv")
        assert (code, "which column of data.csv holds the truth? Name it with --target" in line) == (2, True), line


def test_evaluate_picks_columns_by_name_and_counts_them(folder: Path, capsys: Capsys) -> None:
    lines = Path("data.csv").read_text(encoding="utf-8").splitlines()
    Path("turned.csv").write_text(
        "".join(",".join(line.split(",", 3)[k] for k in (2, 0, 1, 3)) + "\n" for line in lines), encoding="utf-8"
    )
    answers = []
    for data in ("data.csv", "turned.csv"):
        assert run(["evaluate", "m.safetensors", data, "--target", "state"]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    np.savez("narrow.npz", X=np.eye(2), y=[0, 1])
    code, line = refused(capsys, "evaluate", "m.safetensors", "narrow.npz")
    assert (code, "narrow.npz has 2 columns of features, the model takes 3" in line) == (9, True)
    Path("lacks.csv").write_text("tilt,speed,state\n1,2,at rest\n", encoding="utf-8")
    code, line = refused(capsys, "evaluate", "m.safetensors", "lacks.csv", "--target", "state")
    assert (code, "lacks the column 'höhe'" in line) == (9, True)
    Path("new.csv").write_text("tilt,speed,höhe,state\n1,2,3,dancing\n", encoding="utf-8")
    code, line = refused(capsys, "evaluate", "m.safetensors", "new.csv", "--target", "state")
    assert (code, "the model has no label 'dancing'" in line) == (9, True)
