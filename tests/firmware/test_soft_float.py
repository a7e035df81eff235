"""The Cortex-M0's own operations and its inner loops; scripts/prove_soft_float does more of the same."""

from __future__ import annotations

import pytest

from tests.firmware.soft_float import OPERATIONS, Here, There
from tests.runtime import native


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Here:
    compiler = native.gcc() or native.clang()
    if compiler is None:
        pytest.skip("neither gcc nor ziglang is installed")
    return Here(compiler, tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> There:
    compiler = native.clang()
    if compiler is None:
        pytest.skip("ziglang is not installed")
    return There(compiler, tmp_path_factory.mktemp("there"))


@pytest.mark.parametrize("operation", range(len(OPERATIONS)), ids=OPERATIONS)
def test_operations_in_c_are_this_computer_s(here: Here, operation: int) -> None:
    assert here.differing_special(operation) == 0
    assert here.differing(operation, 1986, 1_000_000) == 0


@pytest.mark.parametrize("operation", range(len(OPERATIONS)), ids=OPERATIONS)
def test_operations_of_the_core_are_this_computer_s(there: There, operation: int) -> None:
    assert there.differing_special(operation) == 0
    assert there.differing(operation, 1986, 100_000) == 0


def test_terms_of_the_inner_loops_are_this_computer_s(there: There) -> None:
    assert [seed for seed in range(32) if there.differing_terms(seed, 6, 2_000)] == []
