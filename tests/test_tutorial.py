"""The tutorial prints what stands in it, in ten commands or fewer; a transcript that is wrong is found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nnlite import __version__

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "TUTORIAL.md").read_text(encoding="utf-8")


def run_tutorial(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "run_tutorial"), *options]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with the script and a page of one quick command."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "run_tutorial", tmp_path / "scripts")
    page(tmp_path).write_text(f"```console\n$ nnlite --version\nnnlite {__version__}\n```\n", encoding="utf-8")
    return tmp_path


def page(root: Path) -> Path:
    return root / "docs" / "TUTORIAL.md"


def test_every_command_prints_what_the_page_says() -> None:
    done = run_tutorial(ROOT, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_takes_ten_commands_or_fewer_installing_included() -> None:
    typed = re.findall(r"(?m)^\$ (nnlite \w+|export)", PAGE) + re.findall(r"(?m)^pip ", PAGE)
    assert len(typed) <= 10
    verbs = [line.removeprefix("nnlite ") for line in typed]
    steps = iter(verbs)
    assert all(verb in steps for verb in ("train", "flash", "run", "learn", "run", "pull")), verbs


def test_learning_on_the_board_changed_its_answers() -> None:
    before, after = re.findall(r"\$ nnlite run new\.csv\n((?:\w+\n)+)", PAGE)
    assert before.split() == ["walking", "walking", "lying", "walking"]
    assert after.split() == ["running", "walking", "lying", "running"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (__version__ + "\n", "9.9\n", "-nnlite 9.9"),
        ("\n```\n", "\nand more\n```\n", "-and more"),
        ("--version", "no-such-verb", "exit code 2"),
        ("$ nnlite", "$ rm", "only nnlite and export are replayed"),
    ],
)
def test_a_transcript_that_is_wrong_is_found(small: Path, old: str, new: str, says: str) -> None:
    assert run_tutorial(small, "--check").returncode == 0
    text = page(small).read_text(encoding="utf-8")
    assert old in text
    page(small).write_text(text.replace(old, new), encoding="utf-8")
    done = run_tutorial(small, "--check")
    assert done.returncode == 1
    assert says in done.stderr
    assert page(small).read_text(encoding="utf-8") == text.replace(old, new)


def test_typing_it_anew_writes_what_comes_out(small: Path) -> None:
    right = page(small).read_text(encoding="utf-8")
    page(small).write_text(right.replace(__version__ + "\n", "9.9\n"), encoding="utf-8")
    assert run_tutorial(small).returncode == 0
    assert page(small).read_text(encoding="utf-8") == right
