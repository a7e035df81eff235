"""docs/SKLEARN.md keeps its word: its program runs, and its table and its exceptions are those of the code."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import environment

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.neural_network import MLPClassifier

from nnlite import load
from nnlite.sklearn import NNLiteClassifier
from tests.test_sklearn import EXCEPTIONS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "SKLEARN.md").read_text(encoding="utf-8")


def test_its_program_runs(tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-W", "error", "page.py"], cwd=tmp_path, env=environment(PYTHONPATH=str(ROOT)), check=True
    )
    assert load(tmp_path / "exercises.safetensors").sizes[0] == 15


def test_its_table_has_every_parameter_and_scikit_learns_name_for_it() -> None:
    rows = re.findall(r"(?m)^\| (`[^|]*`) \|([^|]*)\|", PAGE)
    here = {name: other for names, other in rows for name in re.findall(r"`(\w+)`", names)}
    ours = inspect.signature(NNLiteClassifier).parameters
    theirs = inspect.signature(MLPClassifier).parameters
    assert set(here) == set(ours)
    for name, other in here.items():
        assert (name in theirs) == (other.strip() == "the same"), name
        assert set(re.findall(r"`(\w+)`", other)) <= set(theirs)


def test_defaults_are_scikit_learns_but_for_those_it_names() -> None:
    ours = inspect.signature(NNLiteClassifier).parameters
    theirs = inspect.signature(MLPClassifier).parameters
    others = {name for name in set(ours) & set(theirs) if ours[name].default != theirs[name].default}
    assert others == {"hidden_layer_sizes", "batch_size"}
    assert (theirs["solver"].default, theirs["learning_rate"].default) == ("adam", "constant")
    assert (ours["optimizer"].default, ours["schedule"].default, ours["weight_decay"].default) == (
        "adam",
        "constant",
        0,
    )


def test_it_names_every_exception_from_scikit_learns_checks() -> None:
    assert set(re.findall(r"(?m)^- `(check_\w+)`", PAGE)) == set(EXCEPTIONS)
