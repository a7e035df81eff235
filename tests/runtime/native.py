"""The C runtime built for this machine and called through ctypes."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "nnlite" / "runtime"
HERE = Path(__file__).resolve().parent
STRICT = ["-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror"]

#: Clang's options for the two cores, without and with floats in hardware
CHIPS = {
    "cortex_m0": ["-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0"],
    "cortex_m4": ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"],
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


def clang() -> list[str] | None:
    """How to call the clang inside ziglang, or None where it is not installed."""
    if importlib.util.find_spec("ziglang") is None:
        return None
    return [sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all"]


def compile_c(compiler: Sequence[str], flags: Sequence[str], files: Sequence[Path], target: Path) -> Path:
    """Compile and link; the compiler's messages are the assertion's."""
    command = [*compiler, *STRICT, *flags, f"-I{RUNTIME}", *map(str, files), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return target


class Shape(ctypes.Structure):
    """nn_shape_t."""

    _fields_ = (
        ("layers", ctypes.c_uint16),
        ("hidden", ctypes.c_uint8),
        ("output", ctypes.c_uint8),
        ("sizes", ctypes.POINTER(ctypes.c_uint16)),
    )


def _pointer(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


class Runtime:
    """The functions of loops.c, with numpy arrays."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.learn.restype = ctypes.c_bool

    def sweep(self, name: str, x: Floats) -> Floats:
        """A function of one number, by its kernel's name, of many."""
        out = np.empty_like(x)
        getattr(self._library, f"sweep_{name}")(_pointer(x), ctypes.c_uint32(x.size), _pointer(out))
        return out

    def infer(self, sizes: Sequence[int], parameters: Floats, X: Floats) -> Floats:
        """Logits of standardised samples."""
        keep = np.array(sizes, np.uint16)
        shape = self._shape(keep, 0)
        a, b = np.empty(max(sizes), np.float32), np.empty(max(sizes), np.float32)
        logits = np.empty((X.shape[0], sizes[-1]), np.float32)
        count = ctypes.c_uint32(X.shape[0])
        arrays = [_pointer(array) for array in (a, b, logits)]
        self._library.infer(ctypes.byref(shape), _pointer(parameters), _pointer(X), count, *arrays)
        return logits

    def learn(
        self,
        sizes: Sequence[int],
        softmax: bool,
        parameters: Floats,
        X: Floats,
        labels: npt.NDArray[np.int64],
        targets: Floats,
        batch: int,
        learning_rate: float,
    ) -> tuple[bool, Floats]:
        """One epoch in the order given; changes `parameters`. Returns whether all stayed finite, and the losses."""
        keep = np.array(sizes, np.uint16)
        shape = self._shape(keep, int(softmax))
        records = np.empty((batch, sum(sizes)), np.float32)
        gradients = np.empty((batch, sum(sizes[1:])), np.float32)
        losses = np.empty(X.shape[0], np.float32)
        indices = labels.astype(np.uint32) if softmax else np.zeros(X.shape[0], np.uint32)
        wanted = np.zeros((X.shape[0], sizes[-1]), np.float32) if softmax else targets
        finite: bool = self._library.learn(
            ctypes.byref(shape),
            _pointer(parameters),
            _pointer(X),
            _pointer(indices),
            _pointer(wanted),
            ctypes.c_uint32(X.shape[0]),
            ctypes.c_uint32(batch),
            ctypes.c_float(learning_rate),
            _pointer(records),
            _pointer(gradients),
            _pointer(losses),
        )
        return finite, losses

    @staticmethod
    def _shape(sizes: npt.NDArray[np.uint16], output: int) -> Shape:
        return Shape(sizes.size - 1, 1, output, sizes.ctypes.data_as(ctypes.POINTER(ctypes.c_uint16)))


def same_bits(left: Floats, right: Floats) -> bool:
    """Whether two float32 arrays are equal in every bit, zeros' signs and NaNs included."""
    return left.shape == right.shape and bool(np.array_equal(left.view(np.uint32), right.view(np.uint32)))
