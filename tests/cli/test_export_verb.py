"""export: what is written, what it is called, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnlite.cli import run
from nnlite.export.native import load_exported
from nnlite.image import encode_image
from nnlite.network import load
from tests.cli.command import nnlite, refused
from tests.cli.conftest import LABELS

Capsys = pytest.CaptureFixture[str]


def test_c_as_a_process_in_json(folder: Path) -> None:
    done = nnlite("export", "m.safetensors", "--to", "c", "-o", "c code", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "wrote c code/m.h, c code/m.c\n")
    assert json.loads(done.stdout) == {"to": "c", "files": ["c code/m.h", "c code/m.c"]}
    exported = load_exported(folder / "c code" / "m.c")
    assert exported.labels() == LABELS
    header = (folder / "c code" / "m.h").read_text(encoding="ascii")
    assert "   input 2: h<F6>he\n" in header
    assert "   output 2: lifted<2C> slowly\n" in header


def test_the_c_computes_what_the_model_does(folder: Path, capsys: Capsys) -> None:
    how = "--learn --optimizer momentum --momentum 0.5 --batch-size 2 --weight-decay 0.1 --clip-norm 1 -q"
    assert run(["export", "m.safetensors", "--to", "c", "-o", "wearable.c", *how.split()]) == 0
    assert capsys.readouterr() == ("", "")
    exported, net = load_exported("wearable.c"), load("m.safetensors")
    assert exported.constants["BATCH"] == 2
    exported.begin()
    X = [[0.5, 3.0, -1.0], [2.0, 0.0, 0.0]]
    assert [LABELS[k] for k in exported.predict(X)] == net.predict(X).tolist()
    assert (exported.decision_function(X) == net.decision_function(X)).all()


@pytest.mark.parametrize("to", ["arduino", "platformio"])
def test_a_library_is_named_after_the_model_or_as_asked(to: str, folder: Path) -> None:
    assert run(["export", "m.safetensors", "--to", to, "-o", "lib", "-q"]) == 0
    assert run(["export", "m.safetensors", "--to", to, "-o", "lib", "--name", "My gestures", "--learn", "-q"]) == 0
    assert {path.name for path in (folder / "lib" / "src").iterdir()} == {
        f"{n}.{e}" for n in ("m", "My_gestures") for e in "ch"
    }


def test_an_image(folder: Path) -> None:
    assert run(["export", "m.safetensors", "--to", "image", "-o", "m.bin", "-q"]) == 0
    assert (folder / "m.bin").read_bytes() == encode_image(load("m.safetensors"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--to python -o x", "an export goes to c, arduino, platformio, image, not to 'python'"),
        ("--to c -o x --batch-size 2", "--batch-size says how to learn; add --learn"),
        ("--to c -o x --learn --momentum 0.5", "momentum goes with the optimizer 'momentum'"),
        ("--to c -o x --name 模型", "give one of letters and digits with --name"),
        ("--to c -o x --name math", "there is a header math.h already"),
        ("--to image -o x --learn", "leave --name and --learn out"),
        ("--to image -o m.safetensors", "m.safetensors is the model itself"),
        ("--to arduino -o data.csv", "cannot write data.csv: "),
    ],
)
def test_what_is_refused(words: str, said: str, folder: Path, capsys: Capsys) -> None:
    before = sorted(folder.rglob("*"))
    code, message = refused(capsys, "export", "m.safetensors", *words.split())
    assert code == 2
    assert said in message
    assert sorted(folder.rglob("*")) == before
