"""What the compiler makes of the fast kernels: binary32 only, nothing fused, here and for CPUs of other widths."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from nnlite.fast.batches import measure_rows, train_batches
from nnlite.fast.engine import Engine
from nnlite.fast.plan import TinyPlan
from nnlite.fast.single import train_singly
from nnlite.fast.tiny import tiny_kernel
from nnlite.kernels.activation import LEAKY_RELU, RELU, SIGMOID, TANH
from nnlite.kernels.step import LINEAR, SIGMOID_OUTPUT, SOFTMAX, Shape, parameter_count
from nnlite.recipe import check_recipe
from tests.kernels.test_machine_code import (
    ABROAD,
    CONVERSION,
    DOUBLE,
    FUSED,
    MISSING,
    SIZES,
    _abroad,
    _bodies,
    _compiled,
)

#: between them every activation, every output, and vectors of 8 and of 16
TINY = [
    TinyPlan((2, 3, 2), RELU, SOFTMAX),
    TinyPlan((2, 9, 2, 2), SIGMOID, SIGMOID_OUTPUT),
    TinyPlan((2, 3, 2), LEAKY_RELU, LINEAR),
    TinyPlan((2, 3, 2), TANH, LINEAR),
]
KERNELS = {"train_singly": train_singly, "train_batches": train_batches, "measure_rows": measure_rows} | {
    tiny_kernel(plan).py_func.__name__: tiny_kernel(plan) for plan in TINY
}
#: packed forms of what FUSED and CONVERSION find
PACKED = re.compile(r"\bv?cvtp[sd]2p[sd]\b|\bfcvt[ln]2?\b")


@pytest.fixture(scope="module", autouse=True)
def _called(fast_kernels: None) -> None:
    """So that every kernel has been called with what it is called with."""
    X = np.ones((2, 2), np.float32)
    rule, nothing = check_recipe(1, 1, 0.1, "sgd").rule(0), np.empty(0, np.float32)
    for plan in TINY:
        shape = Shape(np.array(plan.sizes), plan.hidden, plan.output)
        engine = Engine(shape, 1, rule, np.zeros(parameter_count(shape), np.float32), nothing, tiny=True)
        engine.train(X, np.array([0, 1]), X, nothing, np.arange(2), rule, np.empty(2, np.float32))


@pytest.mark.parametrize("name", KERNELS)
def test_fast_kernels_are_strict_binary32(name: str) -> None:
    compiled: Any = KERNELS[name]
    assert len(compiled.signatures) == 1, "one form serves every training"
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
        for never in (FUSED, CONVERSION, PACKED, MISSING):
            assert not never.search(code), f"{where}: {never.search(code)}"
