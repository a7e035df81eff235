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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.checks import is_text
from nnlite.errors import DataError, PathError, UsageError
from nnlite.files import check_path

__all__ = ["Table", "read_stream", "read_table"]

_STREAM = "standard input"
_MEND = "correct that row or leave it out"
_WHAT = "data is a CSV file with a header, or an .npz file"

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
    source : where it comes from, for messages.
    lines : of a file with lines, that of each sample, counted from 1.
    """

    X: npt.NDArray[np.float32]
    features: tuple[str, ...]
    y: npt.NDArray[Any] | None
    source: str
    lines: tuple[int, ...] | None = None

    @property
    def truth(self) -> npt.NDArray[Any]:
        """`y` of a table that was read as `labelled`."""
        assert self.y is not None
        return self.y

    def where(self, row: int) -> str:
        """A sample as its file's reader finds it."""
        return f"{self.source}, row {row}" if self.lines is None else f"{self.source}, line {self.lines[row]}"

    def check_numbers(self) -> None:
        """Refuse a target that is no number.

        Raises
        ------
        DataError : the first one is named.
        """
        if self.truth.dtype.kind not in "fiu":
            row, text = next((n, text) for n, text in enumerate(self.truth.tolist()) if _number(text) is None)
            raise DataError(f"{self.where(row)}: the target is '{text}', not a number; {_MEND}")

    def check_inputs(self, inputs: int) -> None:
        """Refuse a table that is not as wide as a model.

        Raises
        ------
        DataError : both widths are named.
        """
        if self.X.shape[1] != inputs:
            raise _other_width(self.source, self.X.shape[1], inputs)


def read_table(
    source: str | Path,
    target: str | None = None,
    features: tuple[str, ...] | None = None,
    labelled: bool = False,
) -> Table:
    """Read data.

    Parameters
    ----------
    source : path of a CSV file with a header, of an .npz file with X and y, or the name "shoulder".
    target : the column (CSV) to predict; "exercise" for shoulder; not needed for .npz. None reads samples only.
    features : the columns a model was trained on: they are picked by name where the file has names.
    labelled : the target is needed; that of shoulder need not be named.

    Raises
    ------
    UsageError : a target is needed, and none was named.
    PathError : missing, a directory, unreadable.
    DataError : content that cannot be used: file, row and column are named.
    """
    if source == "shoulder":
        return _shoulder("exercise" if labelled and target is None else target, features)
    path = check_path(source)
    if path.is_char_device() or path.is_block_device():  # /dev/zero has no end
        raise PathError(f"cannot read the data {path}: it is a device; name a file that can be read")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PathError(f"cannot read the data {path}: {error.strerror}; name a file that can be read") from error
    if not content.strip():
        raise DataError(f"{path} is empty; {_WHAT}")
    if path.suffix == ".npz" or content.startswith(b"PK"):
        if target not in (None, "y"):
            raise DataError(f"{path} has no column '{target}'; the target of an .npz file is its array y")
        table = _npz(path, content, features)
        if labelled and table.y is None:
            raise DataError(f"{path} has no array y with the truth; save it with numpy.savez(path, X=..., y=...)")
        return table
    if labelled and target is None:
        raise UsageError(f"which column of {path} holds the truth? Name it with --target")
    return _csv(path, content, target, features)


def _shoulder(target: str | None, features: tuple[str, ...] | None) -> Table:
    from nnlite.datasets import load_shoulder

    data = load_shoulder()
    if target not in (None, "exercise"):
        raise DataError(f"the data set shoulder has no column '{target}'; its target is exercise")
    picked = _pick("shoulder", data.feature_names, features)
    names = tuple(data.feature_names[n] for n in picked)
    y = None if target is None else data.labels
    return Table(np.ascontiguousarray(data.features[:, picked]), names, y, "shoulder")


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
    if X.ndim != 2 or X.dtype.kind not in "fiu" or not X.size:
        raise DataError(f"{path}: X is {X.dtype} of shape {X.shape}, not numbers of shape (samples, inputs)")
    with np.errstate(over="ignore"):
        samples = np.ascontiguousarray(X, np.float32)
    bad = np.argwhere(~np.isfinite(samples))
    if bad.size:
        row, column = map(int, bad[0])
        value = X[row, column]
        raise DataError(f"{path}: X row {row}, column {column} is {value}, not a finite float32; {_MEND}")
    y = arrays.get("y")
    if y is not None and (y.dtype.kind not in "fiuU" or y.shape[:1] != samples.shape[:1]):
        raise DataError(f"{path}: y is {y.dtype} of shape {y.shape}; X has {len(X)} rows, each needs a label or number")
    if y is not None and y.dtype.kind == "f" and not np.all(np.isfinite(y)):
        where = np.argwhere(~np.isfinite(y))[0]
        raise DataError(f"{path}: y row {where[0]} is {y[tuple(where)]}, not a finite number; {_MEND}")
    if y is not None and y.dtype.kind == "U":
        odd = next((text for text in y.ravel().tolist() if not is_text(text)), None)
        if odd is not None:
            raise DataError(f"{path}: y holds {odd!a}, which is not text in UTF-8; {_MEND}")
    fits = features is not None and len(features) == X.shape[1]
    names = features if features is not None and fits else tuple(f"x{n}" for n in range(X.shape[1]))
    return Table(samples, names, y, str(path))


def _csv(path: Path, content: bytes, target: str | None, features: tuple[str, ...] | None) -> Table:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); export it as CSV in UTF-8") from error
    if "\0" in text:
        raise DataError(f"{path} is not a text file; {_WHAT}")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; data is a CSV file with a header") from error
    if not lines:
        raise DataError(f"{path} is empty; {_WHAT}")
    header = tuple(name.strip() for name in lines[0][1])
    if all(_number(name) is not None for name in header):
        raise DataError(f"{path} has no header: its first line must name the columns")
    picked = _columns(str(path), header, target, features)
    rows, labels = [], []
    for number, line in lines[1:]:
        rows.append(_row(str(path), number, line, header, picked, target))
        if target is not None:
            labels.append(line[header.index(target)].strip())
            if not labels[-1]:
                raise DataError(f"{path}, line {number}, column '{target}': the target is missing; {_MEND}")
    if not rows:
        raise DataError(f"{path} has a header and no rows; add samples, one a line")
    numbers = tuple(number for number, _ in lines[1:])
    y = None if target is None else _target(path, target, numbers, labels)
    return Table(np.array(rows, np.float32), tuple(header[n] for n in picked), y, str(path), numbers)


def read_stream(
    lines: Iterable[str], inputs: int, target: str | None = None, features: tuple[str, ...] | None = None
) -> Iterator[npt.NDArray[np.float32]]:
    """Samples as they come, one a line of CSV: each (inputs,) float32.

    Parameters
    ----------
    lines : text. The first one may name the columns; if it is all numbers it is a sample.
    inputs : of the model.
    target, features : as of `read_table`; they need a header.

    Raises
    ------
    DataError : a line that cannot be used, by its number; those before it were given.
    """
    reader = csv.reader(lines)
    header: tuple[str, ...] | None = None
    picked: list[int] = []
    try:
        for cells in reader:
            if not cells:
                continue
            if header is None:
                header = tuple(name.strip() for name in cells)
                named = any(_number(name) is None for name in header)
                if not named and (target is not None or features is not None):
                    raise DataError(f"{_STREAM} has no header; --target and --like need one to find their columns")
                picked = _columns(_STREAM, header, target, features) if named else list(range(len(header)))
                if len(picked) != inputs:
                    raise _other_width(_STREAM, len(picked), inputs)
                if named:
                    continue
                header = tuple(str(n + 1) for n in picked)
            if len(cells) != len(header):
                counts = f"{len(cells)} values where the first line has {len(header)}"
                raise DataError(f"{_STREAM}, line {reader.line_num}: {counts}; {_MEND}")
            yield np.array(_row(_STREAM, reader.line_num, cells, header, picked, target), np.float32)
    except csv.Error as error:
        raise DataError(f"{_STREAM}, line {reader.line_num}: {error}; samples are lines of CSV") from error


def _other_width(source: str, columns: int, inputs: int) -> DataError:
    return DataError(
        f"{source} has {columns} columns of features, the model takes {inputs}; leave the target out with --target, "
        "or give the data that the model was made for"
    )


def _columns(source: str, header: tuple[str, ...], target: str | None, features: tuple[str, ...] | None) -> list[int]:
    """Which columns are the features."""
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{source} has two columns '{twice}'; give each its own name")
    separator = next((s for s in (";", "\t") if len(header) == 1 and s in header[0]), None)
    if separator is not None:
        name = "tabs" if separator == "\t" else "semicolons"
        raise DataError(f"{source} has one column only; its values seem to be parted by {name}, use commas")
    if target is not None and target not in header:
        doubt = "is its first line a header? It" if any(_number(name) is not None for name in header) else "it"
        raise DataError(f"{source} has no column '{target}'; {doubt} has {_list(header)}")
    columns = tuple(name for name in header if name != target)
    if not columns:
        raise DataError(f"{source} has no column beside '{target}'; samples need features")
    if features is not None and target is None and not set(features).isdisjoint(header):
        columns = tuple(name for name in header if name in features)
    return [header.index(columns[n]) for n in _pick(source, columns, features)]


def _row(
    source: str, number: int, line: list[str], header: tuple[str, ...], picked: list[int], target: str | None
) -> list[float]:
    """The features of one line."""
    if len(line) != len(header):
        counts = f"{len(line)} values where the header names {len(header)} columns"
        raise DataError(f"{source}, line {number}: {counts}; {_MEND}")
    return [_cell(source, number, header[n], line[n], target) for n in picked]


def _number(text: str) -> float | None:
    if "_" in text:  # Python's float() takes 1_000
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _cell(source: str, number: int, column: str, text: str, target: str | None) -> float:
    value = _number(text)
    where = f"{source}, line {number}, column '{column}'"
    if value is None and text.strip() and target is None:
        raise DataError(f"{where}: '{text.strip()}' is not a number; {_MEND}, or name the target with --target")
    if value is None:
        what = f"'{text.strip()}' is not a number" if text.strip() else "the value is missing"
        comma = text.count(",") == 1 and _number(text.replace(",", ".")) is not None
        raise DataError(f"{where}: {what}; {'write decimals with a point' if comma else _MEND}")
    if not math.isfinite(value) or abs(value) > float(np.finfo(np.float32).max):
        raise DataError(f"{where}: {text.strip()} is not a finite float32; {_MEND}")
    return value


def _target(path: Path, target: str, lines: tuple[int, ...], labels: list[str]) -> npt.NDArray[Any]:
    """Text unless all are numbers; then integers if all are, else floats. Not-a-number is no number's label."""
    numbers = [number for label in labels if (number := _number(label)) is not None]
    if len(numbers) < len(labels):
        return np.array(labels)
    values = np.array(numbers, np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size and bad.size < values.size:
        line, label = lines[bad[0]], labels[bad[0]]
        raise DataError(f"{path}, line {line}, column '{target}': the target is {label} among numbers; {_MEND}")
    if bad.size:
        return np.array(labels)
    whole = np.all(values == np.rint(values)) and np.all(np.abs(values) < 2**53)
    return values.astype(np.int64) if whole else values
