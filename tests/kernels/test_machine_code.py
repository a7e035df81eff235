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
from llvmlite import binding
from numba import njit

import nnlite.kernels
from nnlite import Network, train
from nnlite.kernels.constants import Specializing
from nnlite.kernels.sqrt import sqrt_f32
from nnlite.kernels.step import forward
from tests.golden.vectors import PATH, compute, parse

ROOT = Path(__file__).resolve().parents[2]
#: data are float32, so only these could take one to a double or do arithmetic there
DOUBLE = re.compile(r"\b(fpext|fptrunc)\b|\bf(add|sub|mul|div|rem|neg)\b.*\bdouble\b|\bcall\b.*\bdouble\b")
#: where Numba's reshape compares an unsigned with a signed size it makes doubles of both
SIZES = re.compile(r"[us]itofp (nneg )?i64 \S+ to double|fcmp une double")
FUSED = re.compile(r"\b(vf[n]?m(add|sub)\d+\w*|fn?m(add|sub)|fml[as]l?2?|vfma|vmla)\b")
#: what a compiler's own library would have to bring, such as a division of int128, and no library here does: LLVM calls
#: address 0 then
MISSING = re.compile(r"\b__\w+[dt]i\d\b")
CONVERSION = re.compile(r"\b(v?cvtss2sd|v?cvtsd2ss|fcvt\s+[ds]\d+, [ds]\d+)\b")
#: CPUs that this computer may not have, each with fused operations, and a triple for them. LLVM takes no Mach-O here,
#: since Numba's modules have COMDATs; the instructions are the CPU's, not the file's
ABROAD = {"cortex-a72": "aarch64-linux-gnu", "apple-m1": "aarch64-linux-gnu", "skylake": "x86_64-linux-gnu"}


def _own_code(assembly: str) -> str:
    """Without Python's wrappers."""
    parts = re.split(r"^(\S+):\s*(?:(?:#|//|;).*)?$", assembly, flags=re.MULTILINE)
    code, keep = [], False
    for name, part in zip(parts[1::2], parts[2::2], strict=True):
        if not name.startswith((".", "L")):
            keep = not re.search(r"cpython|cfunc|NRT_|numba_", name)
        if keep:
            code.append(part)
    return "\n".join(code)


def _compiled(compiled: Any, signature: Any) -> Any:
    """Anew: cached code cannot be looked into."""
    again = njit(
        pipeline_class=Specializing, **{key: compiled.targetoptions[key] for key in ("fastmath", "error_model")}
    )(compiled.py_func)
    again.compile(signature)
    return again


def _bodies(again: Any, signature: Any) -> tuple[str, str]:
    """IR and assembly of a function that was just compiled, without Python's wrappers."""
    functions = re.findall(r"^define .*?^}", again.inspect_llvm(signature), re.MULTILINE | re.DOTALL)
    own = [body for body in functions if not re.search(r"cpython|cfunc|numba_gil|NRT_|nrt_", body.split("{")[0])]
    assert own
    return "\n".join(own), _own_code(again.inspect_asm(signature))


def _abroad(again: Any, signature: Any, cpu: str) -> str:
    """Assembly for another CPU from the same IR, optimised once more for that one."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    triple = ABROAD[cpu]
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    ir = re.sub(r'^target (triple|datalayout) = ".*"$', "", again.inspect_llvm(signature), flags=re.MULTILINE)
    # how an x86 counts references to a buffer; the others have no such instruction
    ir = re.sub(r"(?:tail )?call i8 @llvm\.x86\.atomic\..*", "add i8 0, 0", ir)
    module = binding.parse_assembly(f'target triple = "{triple}"\ntarget datalayout = "{machine.target_data}"\n{ir}')
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    code = _own_code(machine.emit_assembly(module))
    assert code
    return code


def _kernels() -> Iterator[tuple[str, Any]]:
    for record in parse(PATH.read_text(encoding="ascii")):
        compute(record.name, record.inputs)  # so that every kernel has been called with what it is called with
    net = Network([2, 3, 2], output="linear")
    X = np.ones((2, 2), np.float32)
    train(net, X, X, epochs=1, validation=(X, X), last_layers=1, progress=False)
    forward(net.kernel_shape(), net.parameters, *np.zeros((2, 3), np.float32))  # as `nnlite bench device` does
    for module in pkgutil.iter_modules(nnlite.kernels.__path__):
        for name, value in vars(importlib.import_module(f"nnlite.kernels.{module.name}")).items():
            if hasattr(value, "py_func") and value.py_func.__module__.endswith(module.name):
                yield name, value


def _signatures(compiled: Any) -> list[Any]:
    """What Python and what other kernels called it with."""
    return list({*compiled.signatures, *getattr(compiled, "within", compiled).signatures})


def _hold(name: str, compiled: Any) -> None:
    """One kernel, as it was compiled for each of its signatures."""
    assert compiled.targetoptions["fastmath"] is False
    for signature in _signatures(compiled):
        again = _compiled(compiled, signature)
        ir, assembly = _bodies(again, signature)
        for line in ir.splitlines():
            code = line.split(";")[0]
            assert not DOUBLE.search(code), f"{name}: {line}"
            assert not re.search(r"\bdouble\b", code) or SIZES.search(code), f"{name}: {line}"
            assert not re.search(r"\b(fast|contract|reassoc|afn|arcp|nnan|nsz)\b", code), f"{name}: {line}"
        for where, code in [("here", assembly), *((cpu, _abroad(again, signature, cpu)) for cpu in ABROAD)]:
            assert not FUSED.search(code), f"{name}, {where}: {FUSED.search(code)}"
            assert not CONVERSION.search(code), f"{name}, {where}: {CONVERSION.search(code)}"
            assert not MISSING.search(code), f"{name}, {where}: {MISSING.search(code)}"


def test_every_kernel_is_strict_binary32() -> None:
    kernels, held = dict(_kernels()), set[str]()
    # a kernel that only kernels call has signatures once a caller was compiled anew, which the cache may have spared
    while ready := [name for name in kernels.keys() - held if _signatures(kernels[name])]:
        for name in ready:
            _hold(name, kernels[name])
            held.add(name)
    assert held == kernels.keys(), "kernels that nothing above calls"


def test_a_root_is_an_instruction() -> None:
    """The IR has a call of sqrtf, which is some C library's if it is left as one."""
    sqrt_f32(np.float32(2.0))
    again = _compiled(sqrt_f32, sqrt_f32.signatures[0])
    _, here = _bodies(again, sqrt_f32.signatures[0])
    for assembly in (here, *(_abroad(again, sqrt_f32.signatures[0], cpu) for cpu in ABROAD)):
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


@pytest.mark.parametrize("cpu", ABROAD)
def test_the_look_finds_what_is_fused_or_converted_abroad(cpu: str) -> None:
    """Each of these CPUs fuses as soon as it may."""
    for function, fastmath, found in ((_summing, True, FUSED), (_promoting, False, CONVERSION)):
        compiled = njit(fastmath=fastmath, error_model="numpy")(function)
        compiled(np.ones(9, np.float32))
        assert found.search(_abroad(compiled, compiled.signatures[0], cpu))


def test_machine_code_for_other_types_is_not_taken(tmp_path: Path) -> None:
    """Two processes that write at once can leave it under the wrong name; Numba alone would call it."""
    program = """
import numpy as np
from nnlite.kernels.dense import dense_forward
W, x, bias = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(2, np.float32), np.zeros(3, np.float32)
for weights in W, np.asfortranarray(W):
    dense_forward(x, weights, bias, out := np.empty(3, np.float32))
    print(*out)
print(sum(dense_forward.stats.cache_hits.values()))
"""

    def said() -> list[str]:
        command, environment = [sys.executable, "-c", program], os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.splitlines()

    right = ["3.0 5.0 7.0"] * 2
    assert said() == [*right, "0"]
    assert said() == [*right, "2"]
    one, other = tmp_path.rglob("*.dense_forward-*.nbc")
    code = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(code)
    assert said()[:2] == right
    assert said() == [*right, "2"]


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
