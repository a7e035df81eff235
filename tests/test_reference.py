"""docs/REFERENCE.md holds what the code says now, and every public name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import firmware_sim
import nnlite
import nnlite.device
import nnlite.errors
import nnlite.trial
from nnlite.cli.verbs import VERBS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "REFERENCE.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_script_writes() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_reference"), "--check"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_public_name_has_its_place() -> None:
    headings = set(re.findall(r"(?m)^### `(.+)`$", PAGE))
    public = {
        *(f"nnlite.{name}" for name in nnlite.__all__ if name != "__version__"),
        *(f"firmware_sim.{name}" for name in firmware_sim.__all__),
        *(f"nnlite.device.{name}" for name in set(nnlite.device.__all__) - {"Device", "Progress"}),  # these stand apart
        *(f"nnlite.trial.{name}" for name in nnlite.trial.__all__),
        *(f"nnlite {verb}" for verb in VERBS),
    }
    assert public <= headings
    assert set(re.findall(r"(?m)^\| `(\w+Error)` \|", PAGE)) == set(nnlite.errors.__all__)
    assert set(re.findall(r"(?m)^\| `(device|board|line)` \|", PAGE)) == {"device", "board", "line"}
    assert {"--board", "--board-port", "--board-faults", "--fault-seed"} <= set(re.findall(r"--[a-z-]+", PAGE))


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
