"""docs/TESTING.md keeps its word: its tests pass on simulated boards, quiet and noisy, and behind a port."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.pages import typed
from tests.serving import served

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "TESTING.md").read_text(encoding="utf-8")
PORT = "/dev/ttyACM0"
#: the arguments of each command shown, and the lines of its output that are
SHOWN = re.findall(r"```console\n\$ pytest (.*)\n((?:.*\n)*?)```", PAGE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the file that the page's blocks are."""
    blocks = re.findall(r"```python test_wearable\.py\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```python")
    (tmp_path / "test_wearable.py").write_text("\n\n".join(blocks), encoding="utf-8")
    return tmp_path


def test_the_example_passes(folder: Path) -> None:
    assert "10 passed" in typed(folder)


def test_the_example_passes_on_a_noisy_line(folder: Path) -> None:
    arguments, lines = SHOWN[0]
    output = typed(folder, *shlex.split(arguments))
    assert "10 passed" in output
    assert set(lines.splitlines()) <= set(output.splitlines())


def test_the_example_passes_behind_a_port_as_far_as_it_can(folder: Path) -> None:
    arguments, lines = SHOWN[1]
    assert lines.count("SKIPPED") == 6
    with served("--board", "microbit", "--fast") as port:
        output = typed(folder, *shlex.split(arguments.replace(PORT, port)))
    assert "2 passed, 8 skipped" in output
    assert set(lines.replace(PORT, port).splitlines()) <= set(output.splitlines())
