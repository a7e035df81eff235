"""Exported C built for this computer, and its functions called with arrays: what a program around it would get.

Other than loading a model this executes what it is given: only load C that you exported yourself.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.errors import DataError, IncompatibleError, PathError, UsageError
from nnlite.files import check_path
from nnlite.network import as_samples

__all__ = ["Exported", "compilers", "load_exported"]

Floats = npt.NDArray[np.float32]

_CONSTANT = re.compile(
    r"^#define (\w+?)_(INPUTS|OUTPUTS|PARAMETERS|RAM_BYTES|LABEL_BYTES|BATCH) (\d+)u\b", re.MULTILINE
)


class Exported:
    """An export as a program has it: one struct, and the functions on it. Samples are raw.

    Attributes
    ----------
    name : what its names begin with.
    constants : those of the header, by their names without the model's.
    """

    def __init__(self, library: Path, name: str, constants: dict[str, int]) -> None:
        self.name = name
        self.constants = constants
        self._library = ctypes.CDLL(str(library))
        self._struct = ctypes.create_string_buffer(constants["RAM_BYTES"])

    def decision_function(self, X: npt.ArrayLike) -> Floats:
        """Logits: X (samples, inputs) -> (samples, outputs) float32.

        Raises
        ------
        DataError : a value that is not finite, before or after; the row is named.
        """
        return self._rows("logits", X)

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Probabilities; see `decision_function`."""
        return self._rows("probabilities", X)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Numbers of the classes, (samples,) int64; see `decision_function`."""
        function = self._function("predict", ctypes.c_int32)
        found = [function(self._struct, _pointer(row)) for row in self._samples(X)]
        if -1 in found:
            raise DataError(f"row {found.index(-1)}: a value is not finite")
        return np.array(found, np.int64)

    def labels(self) -> tuple[str, ...]:
        """The labels as the C has them."""
        function, text = self._function("label", None), ctypes.create_string_buffer(self.constants["LABEL_BYTES"])
        found = []
        for output in range(self.constants["OUTPUTS"]):
            function(ctypes.c_uint32(output), text)
            found.append(text.value.decode())
        return tuple(found)

    def begin(self) -> None:
        """Take the exported parameters, as before the first of all calls where it can learn."""
        self._function("begin", None)(self._struct)

    def learn(self, X: npt.ArrayLike, y: npt.ArrayLike, learning_rate: float) -> Floats:
        """One epoch in the order given; a batch that is not full at the end makes a step too.

        Parameters
        ----------
        y : numbers of classes, (samples,), where the output is softmax; targets, (samples, outputs), elsewhere.

        Returns
        -------
        The losses, (samples,) float32.

        Raises
        ------
        DataError : the C refused a sample or a step; the row is named.
        """
        learn, rate = self._function("learn", ctypes.c_bool), ctypes.c_float(learning_rate)
        samples, losses = self._samples(X), []
        classes = hasattr(self._library, f"{self.name}_predict")
        truths = np.ascontiguousarray(y, np.uint32 if classes else np.float32)
        for row, (x, truth) in enumerate(zip(samples, truths, strict=True)):
            given = ctypes.c_uint32(int(truth)) if classes else _pointer(truth)
            loss = ctypes.c_float()
            if not learn(self._struct, _pointer(x), given, rate, ctypes.byref(loss)):
                raise DataError(f"row {row}: the step was refused; a value is not finite, or there is no such class")
            losses.append(loss.value)
        batches = self.constants["BATCH"] > 1
        if batches and not self._function("flush", ctypes.c_bool)(self._struct, rate):
            raise DataError("the last step was refused: a value is not finite")
        return np.array(losses, np.float32)

    @property
    def parameters(self) -> Floats:
        """A copy of the parameters of one that learns, as `Network.parameters`."""
        self._function("begin", None)
        return np.frombuffer(self._struct.raw, np.float32, self.constants["PARAMETERS"])

    def _function(self, name: str, answer: Any) -> Any:
        """A function by its name without the model's."""
        try:
            function = getattr(self._library, f"{self.name}_{name}")
        except AttributeError:
            raise UsageError(f"{self.name} was exported without {self.name}_{name}") from None
        function.restype = answer
        return function

    def _samples(self, X: npt.ArrayLike) -> Floats:
        return as_samples(X, self.constants["INPUTS"])

    def _rows(self, name: str, X: npt.ArrayLike) -> Floats:
        outputs = self.constants["OUTPUTS"]
        function = self._function(name, ctypes.POINTER(ctypes.c_float * outputs))
        samples = self._samples(X)
        out = np.empty((samples.shape[0], outputs), np.float32)
        for row, x in enumerate(samples):
            answer = function(self._struct, _pointer(x))
            if not answer:
                raise DataError(f"row {row}: a value is not finite")
            out[row] = answer.contents
        return out


def _pointer(array: Floats) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def load_exported(
    source: str | Path, compiler: Sequence[str] | None = None, flags: Sequence[str] = ("-std=c99", "-O2")
) -> Exported:
    """Build `NAME.c`, with `NAME.h` beside it, into a shared library and load it. Executes what is in it.

    Parameters
    ----------
    compiler : the command of one that takes GCC's options. None: gcc, cc or clang, or else that of ziglang.
    flags : the language and how to optimise.

    Raises
    ------
    PathError : the source or its header cannot be read.
    DataError : the header is not that of an export.
    IncompatibleError : there is no compiler, or it refuses the source.
    """
    source = check_path(source)
    try:
        header = source.with_suffix(".h").read_text(encoding="ascii")
    except OSError as error:
        raise PathError(f"cannot read {source.with_suffix('.h')}: {error.strerror}; export the model anew") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{source.with_suffix('.h')} is not the header of an export; export the model anew") from error
    found = _CONSTANT.findall(header)
    constants = {constant: int(value) for _, constant, value in found}
    struct = re.search(r"^\} (\w+)_t;$", header, re.MULTILINE)
    if struct is None or not constants.keys() >= {"INPUTS", "OUTPUTS", "PARAMETERS", "RAM_BYTES"}:
        raise DataError(f"{source.with_suffix('.h')} is not the header of an export; export the model anew")
    folder = Path(tempfile.mkdtemp(prefix="nnlite-export-"))
    try:
        library = folder / ("export.dll" if sys.platform == "win32" else "export.so")
        command = [*(compiler or compilers()[0]), *flags, "-shared", "-fPIC", str(source), "-o", str(library)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise IncompatibleError(f"cannot run the compiler {command[0]}: {error.strerror}") from error
        if done.returncode != 0:
            raise IncompatibleError(f"{source} does not build:\n{done.stderr.strip()}")
        return Exported(library, struct.group(1), constants)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a library that is loaded stays; Windows keeps its file, too


def compilers() -> list[list[str]]:
    """The commands of those that there are: gcc, cc and clang where they are different ones, or else ziglang's clang.

    Raises
    ------
    IncompatibleError : there is none.
    """
    found: dict[Path, list[str]] = {}
    for path in map(shutil.which, ("gcc", "cc", "clang")):
        if path is not None:
            found.setdefault(Path(path).resolve(), [path])
    if found:
        return list(found.values())
    if importlib.util.find_spec("ziglang") is not None:
        return [[sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all"]]
    raise IncompatibleError("there is no C compiler; install gcc or clang, or the package ziglang")
