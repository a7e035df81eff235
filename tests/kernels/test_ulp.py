"""The worst error of the functions of one number over a dense sample, against what docs/NUMERICS.md publishes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: what the published figure may be
PROMISED = {"exp": 1.0, "log": 1.0, "sigmoid": 2.5, "tanh": 2.5}


@pytest.fixture(scope="module")
def report() -> str:
    command = [sys.executable, str(ROOT / "scripts" / "ulp_report"), "--step", "4099"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", PROMISED)
def test_a_dense_sample_stays_within_the_published_worst_error(report: str, name: str) -> None:
    published = (ROOT / "docs" / "NUMERICS.md").read_text(encoding="utf-8")
    limit = re.search(rf"^{name}: worst error (\S+) ulp", published, re.MULTILINE)
    worst = re.search(rf"^{name}: worst error (\S+) ulp", report, re.MULTILINE)
    assert limit is not None
    assert worst is not None
    assert 0.5 < float(worst[1]) <= float(limit[1]) < PROMISED[name]


def test_no_root_of_the_sample_is_rounded_wrong(report: str) -> None:
    published = (ROOT / "docs" / "NUMERICS.md").read_text(encoding="utf-8")
    for text in (published, report):
        assert re.search(r"^sqrt: 0 inputs not correctly rounded$", text, re.MULTILINE)
