"""`Network`: the sizes, one parameter vector with views into it, prediction, and the model file.

Training is in `nnlite.training`, the bytes that lie in flash in `nnlite.image`.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite import layout
from nnlite.errors import DataError, NNLiteError, PathError, UsageError

__all__ = ["Label", "Network", "as_samples", "load"]

Label = str | int
Floats = npt.NDArray[np.float32]

_FILE_FORMAT = "1"
_HIDDEN = ("relu",)
_OUTPUT = ("softmax", "linear")


class Network:
    """A dense network of fixed sizes in float32.

    Parameters
    ----------
    sizes : inputs, hidden..., outputs; 1 to 16 dense layers, each size from 1 to 65,535.
    hidden : activation of the hidden layers, "relu" (eq. 20).
    output : "softmax" for classes (eq. 3), "linear" for regression.
    seed : of the He initialisation: weights normal with variance 2 / inputs, biases 0.

    Attributes
    ----------
    parameters : (P,) float32, layer by layer W row-major [in][out], then b. The same bytes travel and lie in flash.
    weights, biases : views into it, shapes (in, out) and (out,), one a layer.
    mean, scale : the standardiser, (inputs,) float32 each, or None. Samples are always given raw.
    labels : class labels in output order, or None.
    features : names of the inputs, or None.
    training_record : what the last training was, as JSON values, or None.

    Raises
    ------
    UsageError : sizes, `hidden`, `output` or a seed that cannot be.
    """

    def __init__(self, sizes: Sequence[int], hidden: str = "relu", output: str = "softmax", seed: int = 0) -> None:
        self.sizes = check_sizes(sizes)
        if hidden not in _HIDDEN:
            raise UsageError(f"hidden must be one of {', '.join(_HIDDEN)}, not '{hidden}'")
        if output not in _OUTPUT:
            raise UsageError(f"output must be one of {', '.join(_OUTPUT)}, not '{output}'")
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise UsageError(f"the seed must be an integer from 0, not {seed!r}")
        self.hidden = hidden
        self.output = output
        count = sum(i * o + o for i, o in self._layers())
        try:
            self.parameters: Floats = np.zeros(count, np.float32)
        except MemoryError as error:
            raise UsageError(f"{count:,} parameters do not fit this computer's memory; use smaller sizes") from error
        self.mean: Floats | None = None
        self.scale: Floats | None = None
        self.labels: tuple[Label, ...] | None = None
        self.features: tuple[str, ...] | None = None
        self.training_record: dict[str, Any] | None = None
        generator = np.random.Generator(np.random.PCG64(seed))
        for weights in self.weights:
            deviation = np.float32(np.sqrt(2.0 / weights.shape[0]))
            # + 0: the generator can give -0, which no parameter may be (docs/NUMERICS.md, "Zeros")
            weights[:] = generator.standard_normal(weights.shape, np.float32) * deviation + np.float32(0.0)

    def _layers(self) -> list[tuple[int, int]]:
        return list(zip(self.sizes, self.sizes[1:], strict=False))

    @property
    def weights(self) -> list[Floats]:
        """Views of each layer's weights, (in, out)."""
        at, views = 0, []
        for i, o in self._layers():
            views.append(self.parameters[at : at + i * o].reshape(i, o))
            at += i * o + o
        return views

    @property
    def biases(self) -> list[Floats]:
        """Views of each layer's biases, (out,)."""
        at, views = 0, []
        for i, o in self._layers():
            views.append(self.parameters[at + i * o : at + i * o + o])
            at += i * o + o
        return views

    def __repr__(self) -> str:
        return f"Network({list(self.sizes)}, hidden='{self.hidden}', output='{self.output}')"

    def copy(self) -> Network:
        """Copy, with parameters of its own."""
        other = Network.__new__(Network)
        other.__dict__.update(self.__dict__)
        other.parameters = self.parameters.copy()
        return other

    def standardize(self, X: npt.ArrayLike) -> Floats:
        """Raw samples as the kernels take them: (samples, inputs) float32, standardised if the model does that.

        Raises
        ------
        DataError : another width, or a value that is not finite or not finite once standardised; row and column
            are named.
        """
        raw = as_samples(X, self.sizes[0], self.features)
        if self.mean is None or self.scale is None:
            return raw
        from nnlite.kernels.standardize import standardize

        out = np.empty_like(raw)
        for k in range(raw.shape[0]):
            standardize(raw[k], self.mean, self.scale, out[k])
        bad = np.argwhere(~np.isfinite(out))
        if bad.size:
            row, column = map(int, bad[0])
            raise DataError(f"row {row}, column {column}: {raw[row, column]} leaves float32 when it is standardised")
        return out

    def decision_function(self, X: npt.ArrayLike) -> Floats:
        """Logits of raw samples: X (samples, inputs) -> (samples, outputs) float32.

        Raises
        ------
        DataError : as `standardize`, or logits that leave float32.
        """
        from nnlite.kernels.step import Shape, forward_rows

        samples = self.standardize(X)
        out = np.empty((samples.shape[0], self.sizes[-1]), np.float32)
        forward_rows(Shape(np.array(self.sizes, np.int64), self.output == "softmax"), self.parameters, samples, out)
        bad = np.argwhere(~np.isfinite(out))
        if bad.size:
            raise DataError(f"row {bad[0][0]}: the network's output {bad[0][1]} is {out[tuple(bad[0])]}, not finite")
        return out

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Probabilities of a softmax network (eq. 4): X (samples, inputs) -> (samples, outputs) float32.

        Raises
        ------
        UsageError : the network is linear.
        """
        from nnlite.kernels.softmax import softmax

        if self.output != "softmax":
            raise UsageError("a linear network has no probabilities; use predict for its outputs")
        out = self.decision_function(X)
        for row in out:
            softmax(row, row)
        return out

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Labels of a softmax network, (samples,); outputs of a linear one, (samples, outputs) float32."""
        return self.decide(self.decision_function(X))

    def decide(self, outputs: Floats) -> npt.NDArray[Any]:
        """Answer as `predict` for given logits or probabilities: the label of the largest, the first of equals."""
        return decide(outputs, self.output, self.labels)

    def save(self, path: str | Path) -> None:
        """Write a .safetensors file (docs/FORMAT.md), whole or not at all.

        Raises
        ------
        PathError : the target cannot be written; what was there is still there.
        DataError : a parameter is not finite.
        """
        from safetensors.numpy import save

        _check_finite(self.parameters, f"cannot write {path}: a parameter")
        tensors = {"parameters": self.parameters}
        if self.mean is not None and self.scale is not None:
            tensors |= {"mean": self.mean, "scale": self.scale}
        metadata = {
            "nnlite_format": _FILE_FORMAT,
            "sizes": json.dumps(self.sizes),
            "hidden": self.hidden,
            "output": self.output,
        }
        for key, value in (("labels", self.labels), ("features", self.features), ("training", self.training_record)):
            if value is not None:
                metadata[key] = json.dumps(value)
        write_whole(path, save(tensors, metadata))


def load(path: str | Path) -> Network:
    """Read a model file that `Network.save` wrote. Reads numbers and JSON; nothing in the file is executed.

    Raises
    ------
    PathError : missing, a directory, or not readable.
    DataError : truncated, foreign, of another format version, or with values that cannot be.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise PathError(f"cannot read the model {path}: {error.strerror}") from error
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is not a model file, or is cut short ({error}); train one with 'nnlite train ... -o MODEL'"
        ) from error
    try:
        return _from_file(metadata, tensors)
    except (NNLiteError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{path} cannot be used as a model: {reason}") from error


def _from_file(metadata: dict[str, str], tensors: dict[str, npt.NDArray[Any]]) -> Network:
    if metadata.get("nnlite_format") != _FILE_FORMAT:
        found = metadata.get("nnlite_format")
        if found is None:
            raise DataError("it was not written by nnlite")
        raise DataError(f"its format is {found}, this version reads {_FILE_FORMAT}")
    sizes = json.loads(metadata["sizes"])
    if not isinstance(sizes, list):
        raise DataError("its sizes are not a list")
    net = Network.__new__(Network)
    blank = Network([1, 1], metadata["hidden"], metadata["output"])
    net.__dict__.update(blank.__dict__)
    net.sizes = check_sizes(sizes)
    count = sum(i * o + o for i, o in net._layers())
    net.parameters = _tensor(tensors, "parameters", count)
    if "mean" in tensors or "scale" in tensors:
        net.mean = _tensor(tensors, "mean", net.sizes[0])
        net.scale = _tensor(tensors, "scale", net.sizes[0])
    if "labels" in metadata:
        net.labels = check_labels(json.loads(metadata["labels"]), net.sizes[-1])
    if "features" in metadata:
        features = json.loads(metadata["features"])
        if len(features) != net.sizes[0]:
            raise DataError(f"it names {len(features)} features for {net.sizes[0]} inputs")
        net.features = tuple(map(str, features))
    if "training" in metadata:
        net.training_record = dict(json.loads(metadata["training"]))
    return net


def _tensor(tensors: dict[str, npt.NDArray[Any]], name: str, count: int) -> Floats:
    tensor = tensors[name]
    if tensor.dtype != np.float32 or tensor.shape != (count,):
        raise DataError(f"its {name} are {tensor.dtype} of shape {tensor.shape}, not float32 of shape ({count},)")
    _check_finite(tensor, f"a value of its {name}")
    return np.ascontiguousarray(tensor + np.float32(0.0))  # -0 + 0 is +0


def check_labels(labels: Any, outputs: int) -> tuple[Label, ...]:
    """Class labels from outside: as many as outputs, all strings or all integers, no two equal."""
    if not isinstance(labels, list | tuple) or len(labels) != outputs or len(set(labels)) != outputs:
        raise DataError(f"its labels are not {outputs} different names")
    if not (all(type(v) is str for v in labels) or all(type(v) is int for v in labels)):
        raise DataError("its labels are neither all text nor all integers")
    return tuple(labels)


def check_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Sizes from outside: inputs, hidden..., outputs.

    Raises
    ------
    UsageError : too few, too many, or one out of its range.
    """
    wrong = [size for size in sizes if isinstance(size, bool) or not isinstance(size, int | np.integer)]
    if wrong or not 2 <= len(sizes) <= layout.MAX_LAYERS + 1 or not all(1 <= size <= 65_535 for size in sizes):
        raise UsageError(
            f"sizes must be inputs, hidden..., outputs: 2 to {layout.MAX_LAYERS + 1} integers from 1 to 65535, "
            f"not {list(sizes)}"
        )
    return tuple(int(size) for size in sizes)


def _check_finite(values: Floats, what: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise DataError(
            f"{what} (number {bad[0]}) is {values[bad[0]]}; only finite values can be kept. Train the network again"
        )


def decide(outputs: Floats, output: str, labels: tuple[Label, ...] | None) -> npt.NDArray[Any]:
    """Turn outputs of a network into answers; see `Network.decide`."""
    if output != "softmax":
        return outputs
    classes: npt.NDArray[Any] = np.argmax(outputs, axis=1)
    return classes if labels is None else np.array(labels)[classes]


def as_samples(X: npt.ArrayLike, inputs: int, features: Sequence[str] | None = None) -> Floats:
    """Raw samples from outside as (samples, inputs) float32, contiguous.

    Raises
    ------
    DataError : not numbers, another width, or a value that is not finite as float32; row and column are named.
    """
    try:
        given = np.asarray(X)
        if given.dtype.kind not in "biufO":
            raise TypeError(f"they are {given.dtype}")
        with np.errstate(over="ignore"):
            # a copy of our own: always writable and aligned, so that kernels are compiled for one kind of array only
            samples = np.array(given, np.float32, order="C")
    except (TypeError, ValueError) as error:
        raise DataError(f"the samples are not a table of numbers: {error}") from error
    if samples.ndim != 2 or samples.shape[1] != inputs:
        raise DataError(f"the samples have the shape {samples.shape}, the network takes (samples, {inputs})")
    bad = np.argwhere(~np.isfinite(samples))
    if bad.size:
        row, column = map(int, bad[0])
        name = f" ('{features[column]}')" if features else ""
        value = given[row, column]
        raise DataError(f"row {row}, column {column}{name} is {value}; every value must be a finite float32")
    return samples


def check_writable(path: str | Path) -> None:
    """Say before long work, not after it, that its result could not be written. Changes nothing.

    Raises
    ------
    PathError : as `write_whole`, but for the full disk.
    """
    write_whole(path, None)


def write_whole(path: str | Path, content: bytes | None) -> None:
    """Write a file whole or not at all: into a neighbour, then renamed. A link is followed; a device or a pipe,
    such as /dev/stdout, is written as it is. Without content nothing is written, only tried.

    Raises
    ------
    PathError : the folder is missing or not writable, the target is a directory, or the disk is full.
    """
    path = Path(path)
    neighbour = None
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a directory")
        if path.exists() and not path.is_file():
            if content is not None:
                with path.open("wb") as stream:
                    stream.write(content)
            return
        place = Path(os.path.realpath(path))
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(0, "it is write-protected")
        handle, neighbour = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        with os.fdopen(handle, "wb") as file:
            if content is None:
                return
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(neighbour, 0o666 & ~_umask())
        os.replace(neighbour, place)
        neighbour = None
    except OSError as error:
        raise PathError(f"cannot write {path}: {error.strerror}; nothing was changed") from error
    finally:
        if neighbour is not None:
            with contextlib.suppress(OSError):
                os.unlink(neighbour)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
