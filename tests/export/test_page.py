"""docs/EXPORT.md keeps its word: its commands work, its C compiles, its Python runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nnlite import Network
from nnlite.cli import run
from tests.export.toolchains import STRICT, TOOLCHAINS, build
from tests.pages import ROOT

PAGE = (ROOT / "docs" / "EXPORT.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the model that the page exports."""
    net = Network([3, 5, 2])
    net.labels = ("up", "down")
    net.save(tmp_path / "gestures.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_commands_work(folder: Path) -> None:
    for line in blocks("sh")[0].splitlines():
        assert run([*line.partition("#")[0].replace("~", str(folder)).split()[1:], "-q"]) == 0
    for written in ("gestures.c", "gestures.h", "Arduino/libraries/gestures/keywords.txt", "gestures.bin"):
        assert (folder / written).is_file()
    assert "_learn(" in (folder / "lib" / "gestures" / "src" / "gestures.h").read_text()


def test_its_c_compiles(folder: Path) -> None:
    inference, learning = blocks("c")
    include, rest = inference.split("\n", 1)
    head, end = "void page(uint32_t label)", "(void)p; (void)a; (void)good;"
    text = f"{include}\n{head};\n{head}\n{{\n{rest}{learning}{end}\n}}\n"
    (folder / "page.c").write_text(re.sub(r"//.*", "", text), encoding="utf-8")
    words = "export gestures.safetensors --to c -o gestures.c --learn --batch-size 2 -q"
    assert run(words.split()) == 0
    build([*TOOLCHAINS["gcc x86-64"].command(), "-std=c99", *STRICT, "-c", "page.c"], folder / "page.o")


def test_its_python_runs(folder: Path) -> None:
    (example,) = blocks("python")
    subprocess.run([sys.executable, "-W", "error", "-c", example], check=True, cwd=folder)
