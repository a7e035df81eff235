"""The golden vectors read by Python: every kernel gives their bits, and the oracle agrees with them.

tests/runtime/test_builds.py has the C program that reads the same file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.golden.vectors import PATH, Record, agree, compute, parse

RECORDS = parse(PATH.read_text(encoding="ascii"))
ROOT = Path(__file__).resolve().parents[2]


def _name(value: object) -> str:
    return value.name if isinstance(value, Record) else str(value)


@pytest.mark.parametrize("record", RECORDS, ids=_name)
def test_kernels_give_the_golden_bits(record: Record) -> None:
    for got, expected in zip(compute(record.name, record.inputs), record.expected, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("record", RECORDS, ids=_name)
def test_the_oracle_agrees_with_the_golden_vectors(record: Record) -> None:
    assert agree(record)


def test_the_file_is_what_the_script_makes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "make_golden"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_simd_width_gives_the_same_bits(tmp_path: Path) -> None:
    """Without a CPU's own extensions LLVM may use SSE2 only; the sums are side by side, so nothing may change."""
    command = [sys.executable, str(ROOT / "scripts" / "make_golden"), "--check"]
    environment = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
