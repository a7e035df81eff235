"""scripts/check_mirror: passes here, and finds each kind of drift."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

DRIFT = {
    "argument order": ("kernels/dense.py", "(x: Vector, weights: Matrix", "(weights: Matrix, x: Vector"),
    "argument name": ("kernels/loss.py", "(y: Vector, y_hat: Vector", "(y: Vector, target: Vector"),
    "function name": ("runtime/nnlite_runtime.h", "void nn_relu(", "void nn_rectify("),
    "missing in C": ("runtime/nnlite_runtime.h", "float nn_log_f32(float x);", ""),
}


def _run(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "check_mirror")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_kernels_and_runtime_mirror_each_other() -> None:
    assert _run(ROOT).returncode == 0


@pytest.mark.parametrize("kind", DRIFT)
def test_drift_is_found(kind: str, tmp_path: Path) -> None:
    for folder in ("nnlite/kernels", "nnlite/runtime", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    name, old, new = DRIFT[kind]
    path = tmp_path / "nnlite" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    done = _run(tmp_path)
    assert done.returncode == 1
    assert done.stderr
