"""The projects in examples/ work as they are, in a folder of their own: built, and their tests passed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages import ROOT, typed

EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir() if path.is_dir())


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_an_example_passes(name: str, workers: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(ROOT / "examples" / name, folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    assert " passed" in typed(folder, "-p", "no:cacheprovider", *workers)
