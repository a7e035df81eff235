"""The notebook prints what is stored in it and in the page about it; a cell or a figure that is wrong is found."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "docs" / "notebooks" / "equations.ipynb"
PAGE = ROOT / "docs" / "TEACHING.md"


def cells(kind: str) -> dict[str, dict[str, Any]]:
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return {cell["id"]: cell for cell in content["cells"] if cell["cell_type"] == kind}


def printed(cell: dict[str, Any]) -> str:
    return "".join(line for output in cell["outputs"] for line in output["text"])


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with the script, the notebook and the page, to be spoilt."""
    for name in ("scripts/run_notebook", "scripts/marked.py", "docs/TEACHING.md", "docs/notebooks/equations.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run_notebook(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "run_notebook"), *options]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def test_the_notebook_prints_what_is_stored_in_it() -> None:
    done = run_notebook(ROOT, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def in_notebook(old: str, new: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        path = root / "docs" / "notebooks" / "equations.ipynb"
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1, old
        path.write_text(text.replace(old, new), encoding="utf-8")

    return spoil


def in_page(root: Path) -> None:
    path = root / "docs" / "TEACHING.md"
    path.write_text(path.read_text(encoding="utf-8").replace("0.98016", "0.98017"), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(
            in_notebook("same bits: True", "same bits: yes"), "the cell 'step-on-the-chip' holds", id="output"
        ),
        pytest.param(in_notebook('\\"learning_rate\\": 1.0', '\\"learning_rate\\": 0.9'), "bits: False", id="step"),
        pytest.param(in_notebook("dA2[k] * W2", "dA2[k] + W2"), "differ from their finite difference: ", id="gradient"),
        pytest.param(in_notebook('index(\\"middle', 'index(\\"up'), "the cell 'setup' failed", id="fails"),
        pytest.param(in_notebook("= relu(a1)", "= rectify(a1)"), "NameError", id="name"),
        pytest.param(in_page, "TEACHING.md holds other figures", id="page"),
    ],
)
def test_what_is_wrong_is_found(copied: Path, spoil: Callable[[Path], None], says: str) -> None:
    spoil(copied)
    done = run_notebook(copied, "--check")
    assert done.returncode == 1
    assert says in done.stderr


def test_running_it_writes_what_is_stored(copied: Path) -> None:
    in_page(copied)
    in_notebook("same bits: True", "same bits: yes")(copied)
    assert run_notebook(copied).returncode == 0
    for name in ("docs/TEACHING.md", "docs/notebooks/equations.ipynb"):
        assert (copied / name).read_bytes() == (ROOT / name).read_bytes()


def test_it_is_a_notebook_of_format_4_5() -> None:
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert set(content) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    names = [cell["id"] for cell in content["cells"]]
    assert len(set(names)) == len(names)
    for cell in content["cells"]:
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", cell["id"])
        own = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | own
        assert all(isinstance(line, str) for line in cell["source"])
        assert all(line.endswith("\n") for line in cell["source"][:-1])
        for output in cell.get("outputs", []):
            assert set(output) == {"name", "output_type", "text"}


def test_the_checks_in_it_pass_and_the_broken_ones_fail() -> None:
    out = {name: printed(cell) for name, cell in cells("code").items()}
    assert "False" not in "".join(out.values())
    assert "WRONG" not in out["finite-difference"]
    assert "differ from their finite difference: 0 of 31" in out["all-gradients"]
    assert out["step-on-the-chip"].count("same bits: True") == 2
    assert re.search(r"e\^88\.72 = 3\..*\ne\^88\.73 = inf", out["overflow"])
    assert re.search(r"\[1, 2, 3\] .*with subtraction: passed +without: passed", out["break-the-softmax"])
    assert re.search(r"\[100, 2, 3\] .*with subtraction: passed +without: FAILED", out["break-the-softmax"])
    assert re.search(r"class 0 +0\.99995 +0\.98016\n.*class 1 +0\.00005 +0\.01984", out["scaled-softmax"])


def test_every_equation_that_is_computed_is_named() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    for number in (2, 4, 8, 17, 18, 19, 20, 21):
        assert re.search(rf"eq\. {number}\b|\({number}\)", text), number


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / target).exists(), target
