"""A folder with data, a model trained on it, and boards that hold it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from firmware_sim import Board
from nnlite.cli import run

FEATURES = ("tilt", "speed", "höhe")
LABELS = ("at rest", "größer", "lifted, slowly")  # as a model sorts them


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data.csv, unlabelled.csv, turned.csv (columns in another order) and m.safetensors."""
    folder = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(5)
    classes = np.arange(30) % 3
    X = (rng.normal(size=(30, 3)) + 3 * np.eye(3)[classes]).astype(np.float32)
    for name, columns, labelled in (
        ("data", [0, 1, 2], True),
        ("unlabelled", [0, 1, 2], False),
        ("turned", [2, 0, 1], False),
    ):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*(FEATURES[n] for n in columns), *(["state"] if labelled else [])])
            for row, k in zip(X[:, columns].tolist(), classes, strict=True):
                writer.writerow([*row, *([LABELS[k]] if labelled else [])])
    how = ["--hidden", "5", "--epochs", "8", "-q"]
    assert run(["train", str(folder / "data.csv"), "--target", "state", "-o", str(folder / "m.safetensors"), *how]) == 0
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `trained`, and the place where the command runs."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NNLITE_PORT", raising=False)
    return tmp_path


@pytest.fixture
def loaded(board: Board, folder: Path) -> Board:
    """A board with m.safetensors on it."""
    assert run(["flash", "m.safetensors", "--port", board.url, "-q"]) == 0
    return board
