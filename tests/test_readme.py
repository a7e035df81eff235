"""The README keeps its word: its Python example runs, and every command it shows is one that there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nnlite.cli import run

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_example_runs(tmp_path: Path) -> None:
    (example,) = blocks("python")
    assert len([line for line in example.splitlines() if line.strip()]) <= 12
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    fits, labels = result.stdout.splitlines()
    assert fits == "True"
    assert set(re.findall(r"'(\w+)'", labels)) <= {"up", "down"}


@pytest.mark.parametrize(
    "verb", sorted(set(re.findall(r"\bnnlite ([a-z]+) ", "".join(blocks("sh")))) | {"demo", "info"})
)
def test_every_command_shown_is_there(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert "xample" in capsys.readouterr().out


def test_the_commands_shown_work_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a simulated board in place of /dev/ttyACM0."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{n % 7},{n % 3 - 1.5},{'high' if n % 7 > 3 else 'low'}" for n in range(60)]
    for name in ("readings.csv", "test.csv", "mine.csv"):
        Path(name).write_text("\n".join(["a,b,state", *rows]) + "\n", encoding="utf-8")
    Path("new.csv").write_text("a,b\n1,2\n6,0\n", encoding="utf-8")
    commands = [
        line.split("#")[0].split()[1:] for line in "".join(blocks("sh")).splitlines() if line.startswith("nnlite")
    ]
    assert [command[0] for command in commands] == ["train", "evaluate", "plan", "flash", "run", "learn", "pull"]
    for command in commands:
        assert run([word.replace("/dev/ttyACM0", "sim://microbit?state=board.flash") for word in command]) == 0
    assert Path("personal.safetensors").stat().st_size > 0


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
