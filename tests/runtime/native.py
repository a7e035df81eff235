"""The C runtime built for this machine and called through ctypes."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlite.bench.c_runtime import CRule, CShape
from nnlite.kernels.step import Rule, Shape

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "nnlite" / "runtime"
HERE = Path(__file__).resolve().parent
BENCH = ROOT / "nnlite" / "bench"
#: what calls the runtime
LOOPS = [HERE / "loops.c", BENCH / "train_rows.c"]
STRICT = ["-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror"]

#: Clang's options for the two cores, without and with floats in hardware
CHIPS = {
    "cortex_m0": ["-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0"],
    "cortex_m4": ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"],
}

#: those of GCC
GCC_CHIPS = {
    "cortex_m0": ["-mcpu=cortex-m0", "-mthumb"],
    "cortex_m4": ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
}

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]


def sources() -> list[Path]:
    """Every C file of the runtime."""
    return sorted(RUNTIME.glob("*.c"))


def gcc() -> list[str] | None:
    """How to call gcc, or None where there is none."""
    path = shutil.which("gcc")
    return None if path is None else [path]


def arm_gcc() -> list[str] | None:
    """How to call GCC for the chips, or None where there is none."""
    path = shutil.which("arm-none-eabi-gcc")
    return None if path is None else [path]


def clang() -> list[str] | None:
    """How to call the clang inside ziglang, or None where it is not installed."""
    if importlib.util.find_spec("ziglang") is None:
        return None
    return [sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all"]


def compile_c(
    compiler: Sequence[str], flags: Sequence[str], files: Sequence[Path], target: Path, libraries: Sequence[str] = ()
) -> Path:
    """Compile and link; the compiler's messages are the assertion's."""
    command = [
        *compiler,
        *STRICT,
        *flags,
        f"-I{RUNTIME}",
        f"-I{BENCH}",
        *map(str, files),
        *libraries,
        "-o",
        str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return target


@dataclass
class Layer:
    """What `one_layer` of loops.c takes.

    weights (inputs, outputs), bias (outputs,), X (samples, inputs), da (samples, outputs).
    """

    weights: Floats
    bias: Floats
    X: Floats
    da: Floats
    rate: np.float32
    activation: int

    @property
    def inputs(self) -> int:
        """How many."""
        return self.weights.shape[0]

    @property
    def outputs(self) -> int:
        """How many."""
        return self.weights.shape[1]

    @property
    def samples(self) -> int:
        """Of the update's batch."""
        return self.X.shape[0]

    def arrays(self) -> list[Floats]:
        """Copies, in the order of the arguments."""
        return [self.weights.copy(), self.bias.copy(), self.X.copy(), self.da.copy(), np.array([self.rate])]


class LayerResult(NamedTuple):
    """What `one_layer` gives: whether the update was finite, out, dx, and the parameters after it."""

    finite: bool
    out: Floats
    dx: Floats
    weights: Floats
    bias: Floats


def _pointer(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data if array.size else None)


class Runtime:
    """The functions of `LOOPS`, with numpy arrays."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))

    def sweep(self, name: str, x: Floats) -> Floats:
        """A function of one number, by its kernel's name, of many."""
        out = np.empty_like(x)
        getattr(self._library, f"sweep_{name}")(_pointer(x), ctypes.c_uint32(x.size), _pointer(out))
        return out

    def infer_rows(self, shape: Shape, parameters: Floats, X: Floats) -> Floats:
        """Logits of standardised samples."""
        widest = int(shape.sizes.max())
        a, b = np.empty(widest, np.float32), np.empty(widest, np.float32)
        logits = np.empty((X.shape[0], int(shape.sizes[-1])), np.float32)
        count = ctypes.c_uint32(X.shape[0])
        arrays = [_pointer(array) for array in (a, b, logits)]
        self._library.infer_rows(_shape(shape), _pointer(parameters), _pointer(X), count, *arrays)
        return logits

    def train_rows(
        self,
        shape: Shape,
        parameters: Floats,
        X: Floats,
        labels: npt.NDArray[np.int64],
        targets: Floats,
        weights: Floats,
        rule: Rule,
        state: Floats,
        batch: int,
    ) -> tuple[int, Floats]:
        """One epoch in the order given; changes `parameters` and `state`. What the kernel gives, and the losses."""
        rows = X.shape[0]
        records = np.empty((batch, int(shape.sizes.sum())), np.float32)
        gradients = np.empty((batch, int(shape.sizes[1:].sum())), np.float32)
        losses = np.empty(rows, np.float32)
        indices = labels.astype(np.uint32)
        betas = (ctypes.c_float * 2)(*map(float, rule.betas))
        numbers = map(float, (rule.epsilon, rule.weight_decay, rule.clip_norm))
        plain = CRule(rule.optimizer, float(rule.learning_rate), betas, *numbers)
        seen: int = self._library.train_rows(
            _shape(shape),
            *(_pointer(array) for array in (parameters, X, indices, targets, weights)),
            ctypes.c_uint32(rows),
            ctypes.c_uint32(batch),
            ctypes.byref(plain),
            *(_pointer(array) for array in (state, records, gradients, losses)),
        )
        return seen, losses

    def layer(self, layer: Layer) -> LayerResult:
        """What `one_layer` makes of it."""
        arrays = layer.arrays()
        out, dX = np.empty(layer.outputs, np.float32), np.empty(layer.inputs, np.float32)
        counts = (layer.samples, layer.inputs, layer.outputs, layer.activation)
        good = self._library.one_layer(*map(_pointer, arrays), *map(ctypes.c_uint32, counts), *map(_pointer, (out, dX)))
        return LayerResult(bool(good), out, dX, arrays[0].ravel(), arrays[1])


def _shape(shape: Shape) -> ctypes._Pointer[CShape]:
    return ctypes.pointer(CShape.of(shape.sizes.tolist(), shape.hidden, shape.output))


def same_bits(left: Floats, right: Floats) -> bool:
    """Whether two float32 arrays are equal in every bit, zeros' signs and NaNs included."""
    return left.shape == right.shape and bool(np.array_equal(left.view(np.uint32), right.view(np.uint32)))
