"""What the compiler makes of the fast kernels: binary32 only, nothing fused, here and for CPUs of other widths."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from nnlite import Network, fast, train
from nnlite.fast.batches import measure_rows, train_batches
from nnlite.fast.single import train_singly
from tests.kernels.test_machine_code import ABROAD, CONVERSION, DOUBLE, FUSED, SIZES, _abroad, _bodies, _compiled

KERNELS = {"train_singly": train_singly, "train_batches": train_batches, "measure_rows": measure_rows}
#: packed forms of what FUSED and CONVERSION find
PACKED = re.compile(r"\bv?cvtp[sd]2p[sd]\b|\bfcvt[ln]2?\b")


@pytest.fixture(scope="module", autouse=True)
def _called() -> None:
    """So that every kernel has been called with what it is called with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "_PAYS_FROM", dict.fromkeys(fast._PAYS_FROM, 0))
        X = np.ones((2, 2), np.float32)
        for batch_size in (1, 2):
            train(Network([2, 3, 2], output="linear"), X, X, epochs=1, batch_size=batch_size, progress=False)
            train(Network([2, 3, 2]), X, [0, 1], epochs=1, batch_size=batch_size, progress=False)


@pytest.mark.parametrize("name", KERNELS)
def test_fast_kernels_are_strict_binary32(name: str) -> None:
    compiled: Any = KERNELS[name]
    assert len(compiled.signatures) == 1, "one form serves every network"
    assert compiled.targetoptions["fastmath"] is False
    signature = compiled.signatures[0]
    again = _compiled(compiled, signature)
    ir, assembly = _bodies(again, signature)
    for line in ir.splitlines():
        code = line.split(";")[0]
        assert not DOUBLE.search(code), line
        assert not re.search(r"\bdouble\b", code) or SIZES.search(code), line
        assert not re.search(r"\b(fast|contract|reassoc|afn|arcp|nnan|nsz)\b", code), line
    for where, code in [("here", assembly), *((cpu, _abroad(again, signature, cpu)) for cpu in ABROAD)]:
        for never in (FUSED, CONVERSION, PACKED):
            assert not never.search(code), f"{where}: {never.search(code)}"
