"""The command as a user runs it: in a process of its own, with a clean environment; and as a function, for the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnlite.cli import run

#: of the surroundings, what a process needs to start and to find the kernels that are compiled already
_KEPT = ("PATH", "PYTHONPATH", "HOME", "SYSTEMROOT", "TEMP", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME")


def environment(**more: str) -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"PYTHONUTF8": "1"} | more


def nnlite(*arguments: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m nnlite`."""
    command = [sys.executable, "-m", "nnlite", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(**more), capture_output=True, encoding="utf-8", timeout=240, check=False
    )


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the function, which has to refuse with one line on stderr; its exit code and that line."""
    capsys.readouterr()
    code = run(list(arguments))
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("nnlite: ")]
    assert len(lines) == 1, err
    assert err.splitlines()[-1] == lines[0]
    assert not out
    return code, lines[0]
