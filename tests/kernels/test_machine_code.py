"""What the compiler makes of the kernels: binary32 only, nothing fused; and the cache follows the source."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

import nnlite.kernels
from nnlite.kernels.sqrt import sqrt_f32
from tests.golden.vectors import PATH, compute, parse

ROOT = Path(__file__).resolve().parents[2]
#: data are float32, so only these could take one to a double or do arithmetic there
DOUBLE = re.compile(r"\b(fpext|fptrunc)\b|\bf(add|sub|mul|div|rem|neg)\b.*\bdouble\b|\bcall\b.*\bdouble\b")
#: where Numba's reshape compares an unsigned with a signed size it makes doubles of both
SIZES = re.compile(r"[us]itofp (nneg )?i64 \S+ to double|fcmp une double")
FUSED = re.compile(r"\b(vf[n]?m(add|sub)\d+\w*|fmadd|fmsub|fmla|vfma|vmla)\b")
CONVERSION = re.compile(r"\b(v?cvtss2sd|v?cvtsd2ss|fcvt\s+[ds]\d+, [ds]\d+)\b")


def _bodies(compiled: Any, signature: Any) -> tuple[str, str]:
    """IR and assembly of a function compiled anew (cached code cannot be looked into), without Python's wrappers."""
    again = njit(**{key: compiled.targetoptions[key] for key in ("fastmath", "error_model")})(compiled.py_func)
    again.compile(signature)
    ir = again.inspect_llvm(signature)
    functions = re.findall(r"^define .*?^}", ir, re.MULTILINE | re.DOTALL)
    own = [body for body in functions if not re.search(r"cpython|cfunc|numba_gil|NRT_|nrt_", body.split("{")[0])]
    assert own
    assembly = again.inspect_asm(signature)
    parts = re.split(r"^(\S+):\s*(?:#.*)?$", assembly, flags=re.MULTILINE)
    code, keep = [], False
    for name, part in zip(parts[1::2], parts[2::2], strict=True):
        if not name.startswith("."):
            keep = not re.search(r"cpython|cfunc|NRT_|numba_", name)
        if keep:
            code.append(part)
    return "\n".join(own), "\n".join(code)


def _kernels() -> Iterator[tuple[str, Any]]:
    for record in parse(PATH.read_text(encoding="ascii")):
        compute(record.name, record.inputs)  # so that every kernel has been called with what it is called with
    for module in pkgutil.iter_modules(nnlite.kernels.__path__):
        for name, value in vars(importlib.import_module(f"nnlite.kernels.{module.name}")).items():
            if hasattr(value, "py_func") and value.py_func.__module__.endswith(module.name):
                yield name, value


def test_every_kernel_is_strict_binary32() -> None:
    seen = []
    for name, compiled in _kernels():
        assert compiled.targetoptions["fastmath"] is False
        for signature in compiled.signatures:
            ir, assembly = _bodies(compiled, signature)
            for line in ir.splitlines():
                code = line.split(";")[0]
                assert not DOUBLE.search(code), f"{name}: {line}"
                assert not re.search(r"\bdouble\b", code) or SIZES.search(code), f"{name}: {line}"
                assert not re.search(r"\b(fast|contract|reassoc|afn|arcp|nnan|nsz)\b", code), f"{name}: {line}"
            assert not FUSED.search(assembly), f"{name}: {FUSED.search(assembly)}"
            assert not CONVERSION.search(assembly), f"{name}: {CONVERSION.search(assembly)}"
            seen.append(name)
    wanted = {
        "exp_f32",
        "log_f32",
        "sigmoid_f32",
        "tanh_f32",
        "sqrt_f32",
        "dense_forward",
        "dense_backward",
        "sgd_update",
        "softmax",
        "train_rows",
        "forward_rows",
    }
    assert wanted <= set(seen)


def test_a_root_is_an_instruction() -> None:
    """The IR has a call of sqrtf, which is some C library's if it is left as one."""
    sqrt_f32(np.float32(2.0))
    _, assembly = _bodies(sqrt_f32, sqrt_f32.signatures[0])
    assert re.search(r"\bv?sqrtss\b|\bfsqrt\s+s", assembly)
    assert "sqrtf" not in assembly


def _promoting(x: Any) -> Any:
    total = 0.0
    for value in x:
        total = total + value
    return np.float32(total)


def _summing(x: Any) -> Any:
    total = np.float32(0.0)
    for value in x:
        total = total + value * value
    return total


@pytest.mark.parametrize(("function", "fastmath"), [(_promoting, False), (_summing, True)])
def test_the_look_finds_a_double_and_a_fast_sum(function: Any, fastmath: bool) -> None:
    compiled = njit(fastmath=fastmath, error_model="numpy")(function)
    compiled(np.ones(9, np.float32))
    ir, _ = _bodies(compiled, compiled.signatures[0])
    assert DOUBLE.search(ir) if not fastmath else re.search(r"\b(fast|contract)\b", ir)


def test_cached_code_follows_a_change_in_a_called_kernel(tmp_path: Path) -> None:
    """Numba alone would go on using the caller's cached code, with the called kernel of yesterday inside."""
    package = tmp_path / "nnlite"
    shutil.copytree(ROOT / "nnlite" / "kernels", package / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    program = (
        "import numpy as np; from nnlite.kernels.loss import softmax_cross_entropy as loss; import sys;"
        "dA = np.empty(2, np.float32); value = loss(np.array([0, 1], np.float32), 0, dA);"
        "print(value, sum(loss.stats.cache_hits.values()))"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def run() -> tuple[float, int]:
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
        value, hits = done.stdout.split()
        return float(value), int(hits)

    first, hits = run()
    assert hits == 0
    assert run() == (first, 1)
    called = package / "kernels" / "exp_log.py"
    called.write_text(called.read_text(encoding="utf-8").replace("return (y *", "return (_TWO * y *"), encoding="utf-8")
    changed, hits = run()
    assert hits == 0
    assert changed != first
