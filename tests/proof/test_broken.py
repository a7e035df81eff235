"""Each firmware that is broken on purpose is caught by the harness that firmware which is not passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proof.broken import VARIANTS
from tests.proof.verdicts import CAUGHT_BY, control_row, row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "PROOF.md"


def test_every_variant_has_a_harness() -> None:
    assert CAUGHT_BY.keys() == VARIANTS.keys()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_firmware_is_caught_as_the_page_says(name: str) -> None:
    found = row(name)
    what, behind = found.strip("| \n").split(" | ")[3:]
    assert "nothing" not in what
    assert behind in {"nothing", "the same"}
    assert found in PAGE.read_text(encoding="utf-8")


def test_firmware_that_is_whole_passes_as_the_page_says() -> None:
    """And so does one that only trusts its records: it is the order of writing that the power cuts try."""
    found = control_row()
    assert found.endswith("| power cuts | nothing | all harnesses: nothing |\n")
    assert found in PAGE.read_text(encoding="utf-8")
