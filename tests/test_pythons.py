"""Which Pythons nnlite runs on: said alike everywhere, and the pinned packages cover each of them."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKE_ENVIRONMENT = ROOT / "scripts" / "make_environment"
PYTHONS = ["3.11", "3.12", "3.13"]


def test_said_alike_everywhere() -> None:
    classifiers = PYPROJECT["project"]["classifiers"]
    assert re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers)) == PYTHONS
    accepted = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert [python for python in ["3.10", *PYTHONS] if python in accepted] == PYTHONS
    assert PYPROJECT["tool"]["ruff"]["target-version"] == "py" + PYTHONS[0].replace(".", "")
    script = MAKE_ENVIRONMENT.read_text(encoding="utf-8")
    assert sorted(re.findall(r"\bpython(3\.\d+)\b(?=.* name$)", script, re.MULTILINE)) == PYTHONS
    assert f"sys.version_info < ({PYTHONS[0].replace('.', ', ')})" in script


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("python", PYTHONS)
def test_each_package_is_pinned_once_for_each_python(python: str, platform: str) -> None:
    """numpy and scipy have a release for 3.11 and a newer one: neither both of them nor none may be asked for."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "platform_python_implementation": "CPython",
    }
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"\w", line)]
    wanted = Counter(pin.name for pin in pins if pin.marker is None or pin.marker.evaluate(environment))
    named = {pin.name for pin in pins} - ({"colorama"} if platform != "win32" else set())
    assert wanted == Counter(named)


@pytest.mark.parametrize("python", ["no-such-python", "false"])
def test_a_python_that_is_none_is_named(python: str) -> None:
    result = subprocess.run(
        ["bash", MAKE_ENVIRONMENT, "run"],
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"nnlite needs Python 3.11 or newer, but PYTHON={python} is not one; give its name or full path\n"
    )
