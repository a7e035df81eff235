"""Tables from outside: CSV with a header, .npz, or the bundled data by name.

Gives raw numbers and labels as they stand; standardising belongs to the model, encoding labels to training.
"""

from __future__ import annotations

import csv
import io
import math
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.errors import DataError, PathError

__all__ = ["Table", "read_table"]

#: what numpy and zipfile raise for a file that is not, or no longer, an archive of arrays
_BROKEN_ARCHIVE = (
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    OSError,
    EOFError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    tokenize.TokenError,
)


@dataclass(frozen=True, eq=False)
class Table:
    """Samples and, where asked for, their target.

    Attributes
    ----------
    X : (samples, inputs) float32, every value finite.
    features : column names.
    y : (samples,) labels (text or integers) or floats, or None.
    """

    X: npt.NDArray[np.float32]
    features: tuple[str, ...]
    y: npt.NDArray[Any] | None


def read_table(source: str | Path, target: str | None = None, features: tuple[str, ...] | None = None) -> Table:
    """Read data.

    Parameters
    ----------
    source : path of a CSV file with a header, of an .npz file with X and y, or the name "shoulder".
    target : the column (CSV) to predict; "exercise" for shoulder; not needed for .npz. None reads samples only.
    features : the columns a model was trained on: they are picked by name where the file has names.

    Raises
    ------
    PathError : missing, a directory, unreadable.
    DataError : content that cannot be used: file, row and column are named.
    """
    if source == "shoulder":
        return _shoulder(target, features)
    path = Path(source)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PathError(f"cannot read the data {path}: {error.strerror}") from error
    if not content.strip():
        raise DataError(f"{path} is empty")
    if path.suffix == ".npz" or content.startswith(b"PK"):
        return _npz(path, content, features)
    return _csv(path, content, target, features)


def _shoulder(target: str | None, features: tuple[str, ...] | None) -> Table:
    from nnlite.datasets import load_shoulder

    data = load_shoulder()
    if target not in (None, "exercise"):
        raise DataError(f"the data set shoulder has no column '{target}'; its target is exercise")
    picked = _pick("shoulder", data.feature_names, features)
    names = tuple(data.feature_names[n] for n in picked)
    return Table(np.ascontiguousarray(data.features[:, picked]), names, None if target is None else data.labels)


def _pick(source: str, names: tuple[str, ...], features: tuple[str, ...] | None) -> list[int]:
    """Columns of a file that a model's features name; all of them for a model without names or of others' names."""
    if features is None or set(features).isdisjoint(names):
        return list(range(len(names)))
    missing = [feature for feature in features if feature not in names]
    if missing:
        raise DataError(f"{source} lacks the column '{missing[0]}' that the model takes; it has {_list(names)}")
    return [names.index(feature) for feature in features]


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")


def _npz(path: Path, content: bytes, features: tuple[str, ...] | None) -> Table:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("X", "y") if name in file.files}
    except _BROKEN_ARCHIVE as error:
        raise DataError(f"{path} is not an .npz file, or is cut short ({error})") from error
    if "X" not in arrays:
        raise DataError(f"{path} has no array X; save it with numpy.savez(path, X=..., y=...)")
    X = arrays["X"]
    if X.ndim != 2 or X.dtype.kind not in "fiu":
        raise DataError(f"{path}: X is {X.dtype} of shape {X.shape}, not numbers of shape (samples, inputs)")
    with np.errstate(over="ignore"):
        samples = np.ascontiguousarray(X, np.float32)
    bad = np.argwhere(~np.isfinite(samples))
    if bad.size:
        row, column = map(int, bad[0])
        value = X[row, column]
        raise DataError(f"{path}: X row {row}, column {column} is {value}; every value must be a finite float32")
    y = arrays.get("y")
    if y is not None and (y.dtype.kind not in "fiuU" or y.shape[:1] != samples.shape[:1]):
        raise DataError(f"{path}: y is {y.dtype} of shape {y.shape}; X has {len(X)} rows, each needs a label or number")
    fits = features is not None and len(features) == X.shape[1]
    names = features if features is not None and fits else tuple(f"x{n}" for n in range(X.shape[1]))
    return Table(samples, names, y)


def _csv(path: Path, content: bytes, target: str | None, features: tuple[str, ...] | None) -> Table:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); export it as CSV in UTF-8") from error
    if "\0" in text:
        raise DataError(f"{path} is not a text file; data is a CSV file with a header, or an .npz file")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; data is a CSV file with a header") from error
    header = tuple(name.strip() for name in lines[0][1])
    if all(_number(name) is not None for name in header):
        raise DataError(f"{path} has no header: its first line must name the columns")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path} has two columns '{twice}'; give each its own name")
    if target is not None and target not in header:
        raise DataError(f"{path} has no column '{target}'; it has {_list(header)}")
    columns = tuple(name for name in header if name != target)
    if features is not None and target is None and not set(features).isdisjoint(header):
        columns = tuple(name for name in header if name in features)
    picked = [header.index(columns[n]) for n in _pick(str(path), columns, features)]
    rows, labels = [], []
    for number, line in lines[1:]:
        if len(line) != len(header):
            raise DataError(f"{path}, line {number}: {len(line)} values where the header names {len(header)} columns")
        rows.append([_cell(path, number, header[n], line[n]) for n in picked])
        if target is not None:
            labels.append(line[header.index(target)].strip())
            if not labels[-1]:
                raise DataError(f"{path}, line {number}, column '{target}': the target is missing")
    if not rows:
        raise DataError(f"{path} has a header and no rows")
    y = None if target is None else _target(labels)
    return Table(np.array(rows, np.float32), tuple(header[n] for n in picked), y)


def _number(text: str) -> float | None:
    if "_" in text:  # Python's float() takes 1_000
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _cell(path: Path, number: int, column: str, text: str) -> float:
    value = _number(text)
    if value is None:
        what = f"'{text.strip()}' is not a number" if text.strip() else "the value is missing"
        raise DataError(f"{path}, line {number}, column '{column}': {what}")
    if not math.isfinite(value) or abs(value) > float(np.finfo(np.float32).max):
        raise DataError(f"{path}, line {number}, column '{column}': {text.strip()} is not a finite float32")
    return value


def _target(labels: list[str]) -> npt.NDArray[Any]:
    """Integers if all are, else finite numbers if all are, else text."""
    numbers = [_number(label) for label in labels]
    if any(n is None or not math.isfinite(n) for n in numbers):
        return np.array(labels)
    values = np.array(numbers, np.float64)
    whole = np.all(values == np.rint(values)) and np.all(np.abs(values) < 2**53)
    return values.astype(np.int64) if whole else values
