"""The C runtime and its kin as a shared library for this computer: how it is built, and how Python calls it."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnlite.errors import DivergedError, IncompatibleError

__all__ = ["CRule", "CRuntime", "CShape", "build"]

Floats = npt.NDArray[np.float32]
#: as fast as a compiler makes it with the same bits
_FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=off", "-w")


class CShape(ctypes.Structure):
    """nn_shape_t."""

    _fields_ = (
        ("layers", ctypes.c_uint16),
        ("hidden", ctypes.c_uint8),
        ("output", ctypes.c_uint8),
        ("sizes", ctypes.POINTER(ctypes.c_uint16)),
    )

    @classmethod
    def of(cls, sizes: Sequence[int], hidden: int, output: int) -> CShape:
        """The struct keeps its sizes alive."""
        return cls(len(sizes) - 1, hidden, output, (ctypes.c_uint16 * len(sizes))(*sizes))


class CRule(ctypes.Structure):
    """nn_rule_t."""

    _fields_ = (
        ("optimizer", ctypes.c_uint32),
        ("learning_rate", ctypes.c_float),
        ("betas", ctypes.c_float * 2),
        ("epsilon", ctypes.c_float),
        ("weight_decay", ctypes.c_float),
        ("clip_norm", ctypes.c_float),
    )


def build(compiler: Sequence[str], own: Sequence[Path], instead_of: Sequence[str] = ()) -> CRuntime:
    """Compile the runtime and `train_rows` as one source, so that nothing is hidden from the compiler's optimiser.

    Parameters
    ----------
    compiler : the command of one that takes GCC's options.
    own : more sources, which may include the runtime's headers.
    instead_of : names of the runtime's sources that these stand in for.

    Raises
    ------
    IncompatibleError : it does not build.
    """
    with resources.as_file(resources.files("nnlite")) as package, tempfile.TemporaryDirectory() as folder:
        runtime, bench = package / "runtime", package / "bench"
        files = [path for path in sorted(runtime.glob("*.c")) if path.name not in instead_of]
        whole = Path(folder) / "whole.c"
        includes = [f'#include "{path.as_posix()}"\n' for path in (*files, *own, bench / "train_rows.c")]
        whole.write_text("".join(includes), encoding="utf-8")
        library = Path(folder) / ("whole.dll" if sys.platform == "win32" else "whole.so")
        command = [*compiler, *_FLAGS, "-shared", "-fPIC", f"-I{runtime}", f"-I{bench}", str(whole), "-o", str(library)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise IncompatibleError(f"{compiler[0]} does not build the C runtime:\n{done.stderr.strip()}")
        return CRuntime(library)


class CRuntime:
    """`train_rows` with SGD, for samples whose weights are all 1."""

    def __init__(self, library: Path) -> None:
        self._train_rows = ctypes.CDLL(str(library)).train_rows

    def epochs(
        self,
        shape: CShape,
        parameters: Floats,
        X: Floats,
        truth: npt.NDArray[np.uint32] | Floats,
        learning_rate: float,
        batch_size: int,
        epochs: int,
    ) -> None:
        """Go over the rows in their order so many times; `parameters` change in place.

        Parameters
        ----------
        truth : classes (samples,) uint32, or targets (samples, outputs) float32.

        Raises
        ------
        DivergedError : a value is not finite.
        """
        sizes = shape.sizes[: shape.layers + 1]
        records = np.empty((batch_size, sum(sizes)), np.float32)
        gradients = np.empty((batch_size, sum(sizes[1:])), np.float32)
        losses = np.empty(X.shape[0], np.float32)
        rule = CRule(0, learning_rate)
        labels, targets = (truth, None) if truth.dtype == np.uint32 else (None, truth)
        given = [_address(array) for array in (parameters, X, labels, targets, None)]
        buffers = [_address(array) for array in (None, records, gradients, losses)]
        counts = ctypes.c_uint32(X.shape[0]), ctypes.c_uint32(batch_size)
        for _ in range(epochs):
            row = self._train_rows(ctypes.byref(shape), *given, *counts, ctypes.byref(rule), *buffers)
            if row >= 0:
                raise DivergedError(f"row {row}: a value is no longer finite")


def _address(array: npt.NDArray[np.generic] | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if array is None else array.ctypes.data)
