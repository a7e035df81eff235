"""Pages of the documents whose tests are typed in and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.command import environment

ROOT = Path(__file__).resolve().parent.parent


def typed(folder: Path, *arguments: str, code: int = 0) -> str:
    """What pytest prints in a folder where every test passes, or where it ends with another exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", *arguments],
        cwd=folder,
        env=environment(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout
