"""`Network`: the sizes, one parameter vector with views into it, prediction, and the model file.

Training is in `nnlite.training`, the bytes that lie in flash in `nnlite.image`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnlite import layout
from nnlite.checks import check_integer, is_text
from nnlite.errors import DataError, IncompatibleError, NNLiteError, PathError, UsageError
from nnlite.files import check_path, write_whole

if TYPE_CHECKING:
    from nnlite.kernels.step import Shape

__all__ = ["MAX_PARAMETERS", "Label", "Network", "as_array", "as_samples", "check_network", "load"]

Label = str | int
Floats = npt.NDArray[np.float32]

_FILE_FORMAT = "1"
_TRAIN = "train one with 'nnlite train ... -o MODEL'"
_TENSORS = ("parameters", "mean", "scale")
_HIDDEN = tuple(member.name.lower() for member in layout.HiddenActivation)
_OUTPUT = ("softmax", "sigmoid", "linear")
#: variance of a first weight times the inputs: activations that let half through, or all (He; LeCun)
_SPREAD = {"relu": 2.0, "leaky_relu": 2.0, "sigmoid": 1.0, "tanh": 1.0}
#: 256 MB as float32: sixteen times what the largest boards with external flash hold, and the copies that
#: training and saving make still fit a small laptop. Beyond, the system would end the process without a word.
MAX_PARAMETERS = 2**26


class Network:
    """A dense network of fixed sizes in float32.

    Parameters
    ----------
    sizes : inputs, hidden..., outputs; 1 to 16 dense layers, each size from 1 to 65,535, and together
        `MAX_PARAMETERS` parameters at most.
    hidden : activation of the hidden layers: "relu" (eq. 20), "leaky_relu", "sigmoid" or "tanh".
    output : "softmax" for classes of which one is right (eq. 3), "sigmoid" for several that may be right or not each by
        itself, "linear" for regression.
    seed : of the initialisation: weights normal with variance 2 / inputs (He) for the ReLUs, 1 / inputs for the
        others, biases 0.

    Attributes
    ----------
    parameters : (P,) float32, layer by layer W row-major [in][out], then b. The same bytes travel and lie in flash.
    weights, biases : views into it, shapes (in, out) and (out,), one a layer.
    mean, scale : the standardiser, (inputs,) float32 each, or None. Samples are always given raw.
    labels : class labels in output order, or None.
    features : names of the inputs, or None.
    training_record : what the last training was, as JSON values, or None.

    What is assigned to one of these is converted to this form, or refused.

    Raises
    ------
    UsageError : sizes, `hidden`, `output` or a seed that cannot be.
    DataError : a value that cannot be is assigned to an attribute.
    """

    parameters: Floats
    mean: Floats | None
    scale: Floats | None
    labels: tuple[Label, ...] | None
    features: tuple[str, ...] | None
    training_record: dict[str, Any] | None

    def __init__(self, sizes: Sequence[int], hidden: str = "relu", output: str = "softmax", seed: int = 0) -> None:
        seed = check_integer("the seed", seed, 0)
        self._set_up(sizes, hidden, output)
        count = layout.parameter_count(self.sizes)
        try:
            self.parameters = np.zeros(count, np.float32)
        except MemoryError as error:
            raise UsageError(f"{count:,} parameters do not fit this computer's memory; use smaller sizes") from error
        generator = np.random.Generator(np.random.PCG64(seed))
        for weights in self.weights:
            deviation = np.float32(np.sqrt(_SPREAD[self.hidden] / weights.shape[0]))
            # + 0: the generator can give -0, which no parameter may be (docs/NUMERICS.md, "Zeros")
            weights[:] = generator.standard_normal(weights.shape, np.float32) * deviation + np.float32(0.0)

    @classmethod
    def with_parameters(cls, sizes: Sequence[int], hidden: str, output: str, parameters: Floats) -> Network:
        """A network whose parameters are given instead of drawn.

        Raises
        ------
        UsageError : as for the class.
        DataError : there are more or fewer parameters than the sizes make.
        """
        net = cls.__new__(cls)
        net._set_up(sizes, hidden, output)
        net.parameters = parameters
        return net

    def _set_up(self, sizes: Sequence[int], hidden: str, output: str) -> None:
        """All but the parameters."""
        self.sizes = check_sizes(sizes)
        if hidden not in _HIDDEN:
            raise UsageError(f"hidden must be one of {', '.join(_HIDDEN)}, not '{hidden}'")
        if output not in _OUTPUT:
            raise UsageError(f"output must be one of {', '.join(_OUTPUT)}, not '{output}'")
        count = layout.parameter_count(self.sizes)
        if count > MAX_PARAMETERS:
            raise UsageError(
                f"sizes {'-'.join(map(str, self.sizes))} make {count:,} parameters, a network may have "
                f"{MAX_PARAMETERS:,}; use smaller sizes"
            )
        self.hidden = hidden
        self.output = output
        self.mean = self.scale = self.labels = self.features = self.training_record = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Check a value where it is given: the kernels get one kind of array, and what is saved can be loaded."""
        if name == "parameters":
            value = _vector(name, value, layout.parameter_count(self.sizes))
        elif value is not None and name in _RULES:
            value = _RULES[name](value, self.sizes)
        super().__setattr__(name, value)

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

    def checked(self) -> Network:
        """Copy as files, images and training take it: every float finite, minus zero made plus zero.

        Raises
        ------
        DataError : a float that is not finite, a mean without a scale, a training record that is not JSON.
        """
        if (self.mean is None) != (self.scale is None):
            raise DataError("the model has one of mean and scale; it needs both, or neither")
        other = self.copy()
        for name in _TENSORS:
            values = getattr(self, name)
            if values is not None:
                bad = np.flatnonzero(~np.isfinite(values))
                if bad.size:
                    raise DataError(
                        f"the model's {name} number {bad[0]} is {values[bad[0]]}; only finite values can be used. "
                        "Train it again"
                    )
                setattr(other, name, values + np.float32(0.0))
        other.training_record = self.training_record  # the dict may have changed since it was assigned
        return other

    def kernel_shape(self, frozen: int = 0) -> Shape:
        """What the kernels take for it, without its first `frozen` layers.

        Raises
        ------
        IncompatibleError : another library has changed how this thread computes, so that the bits would differ.
        """
        from nnlite.kernels.step import Shape

        _check_arithmetic()
        hidden, output = layout.HiddenActivation[self.hidden.upper()], layout.OutputFunction[self.output.upper()]
        return Shape(np.array(self.sizes[frozen:], np.int64), int(hidden), int(output))

    def standardize(self, X: npt.ArrayLike, first_row: int = 0) -> Floats:
        """Raw samples as the kernels take them: (samples, inputs) float32, standardised if the model does that.

        Without a standardiser that is X itself if it is of this kind already.

        Parameters
        ----------
        first_row : number of the first one, for messages.

        Raises
        ------
        DataError : another width, or a value that is not finite or not finite once standardised; row and column
            are named.
        IncompatibleError : another library has changed how this thread computes, so that the bits would differ.
        """
        return self.standardize_checked(as_samples(X, self.sizes[0], self.features, first_row=first_row), first_row)

    def standardize_checked(self, raw: Floats, first_row: int = 0) -> Floats:
        """`standardize` of what `as_samples` has given."""
        if self.mean is None or self.scale is None:
            return raw
        from nnlite.kernels.standardize import standardize_rows

        _check_arithmetic()
        out = np.empty_like(raw)
        standardize_rows(raw, self.mean, self.scale, out)
        bad = _not_finite(out)
        if bad.size:
            row, column = map(int, bad[0])
            value = raw[row, column]
            raise DataError(f"row {first_row + row}, column {column}: {value} leaves float32 when it is standardised")
        return out

    def decision_function(self, X: npt.ArrayLike) -> Floats:
        """Logits of raw samples: X (samples, inputs) -> (samples, outputs) float32.

        Raises
        ------
        DataError : as `standardize`, or logits that leave float32.
        """
        from nnlite.kernels.step import forward_rows_for, scratch

        samples, shape = self.standardize(X), self.kernel_shape()
        out = np.empty((samples.shape[0], self.sizes[-1]), np.float32)
        forward_rows_for(shape)(shape, self.parameters, samples, out, scratch(shape))
        bad = _not_finite(out)
        if bad.size:
            raise DataError(f"row {bad[0][0]}: the network's output {bad[0][1]} is {out[tuple(bad[0])]}, not finite")
        return out

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Probabilities of a softmax (eq. 4) or sigmoid network: X (samples, inputs) -> (samples, outputs) float32.

        Raises
        ------
        UsageError : the network is linear.
        """
        from nnlite.kernels.activation import sigmoid
        from nnlite.kernels.softmax import softmax

        if self.output == "linear":
            raise UsageError("a linear network has no probabilities; use predict for its outputs")
        out = self.decision_function(X)
        squash = softmax if self.output == "softmax" else sigmoid
        for row in out:
            squash(row, row)
        return out

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Labels of a softmax network, (samples,); of a sigmoid one, (samples, outputs), whether each is more likely
        than not, as 0 and 1; outputs of a linear one, (samples, outputs) float32."""
        return self.decide(self.decision_function(X))

    def decide(self, outputs: Floats) -> npt.NDArray[Any]:
        """Answer as `predict` for given logits: the label of the largest, the first of equals."""
        return decide(outputs, self.output, self.labels)

    def save(self, path: str | Path) -> None:
        """Write a .safetensors file (docs/FORMAT.md), whole or not at all.

        Raises
        ------
        PathError : the target cannot be written; what was there is still there.
        DataError : as `checked`; nothing is written.
        """
        from safetensors.numpy import save

        try:
            net = self.checked()
        except DataError as error:
            raise DataError(f"cannot write {path}: {error}") from error
        tensors = {"parameters": net.parameters}
        if net.mean is not None and net.scale is not None:
            tensors |= {"mean": net.mean, "scale": net.scale}
        metadata = {
            "nnlite_format": _FILE_FORMAT,
            "sizes": json.dumps(net.sizes),
            "hidden": net.hidden,
            "output": net.output,
        }
        for key, value in (("labels", net.labels), ("features", net.features), ("training", net.training_record)):
            if value is not None:
                metadata[key] = json.dumps(value)
        write_whole(path, save(tensors, metadata))


def _check_arithmetic() -> None:
    """Each thread has a mode of its own; libraries built with -ffast-math change that of whoever loads them."""
    from nnlite.kernels.mode import keeps_subnormals, rounds_to_nearest

    what = None
    if not keeps_subnormals():
        what = "subnormal numbers become 0 in this thread (flush-to-zero)"
    elif not rounds_to_nearest():
        what = "this thread does not round to nearest"
    if what is not None:
        raise IncompatibleError(
            f"{what}, so the bits would not be a device's: another library in this process, often one built with "
            "-ffast-math, has changed the processor's mode. Import it later, switch it off there, or use a process "
            "without it"
        )


def load(path: str | Path) -> Network:
    """Read a model file that `Network.save` wrote. Reads numbers and JSON; nothing in the file is executed.

    Raises
    ------
    PathError : missing, a directory, or not readable.
    DataError : truncated, foreign, of another format version, or with values that cannot be.
    """
    from safetensors import SafetensorError, safe_open

    path = check_path(path)
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise PathError(f"cannot read the model {path}: {error.strerror}; name a file that can be read") from error
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in _TENSORS if name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, AttributeError, TypeError, ValueError) as error:  # NumPy lacks some types
        raise DataError(f"{path} is not a model file, or is cut short; {_TRAIN}") from error
    try:
        return _from_file(metadata, tensors)
    except (NNLiteError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise DataError(f"{path} cannot be used as a model: {reason}") from error


def _from_file(metadata: dict[str, str], tensors: dict[str, npt.NDArray[Any]]) -> Network:
    if metadata.get("nnlite_format") != _FILE_FORMAT:
        found = metadata.get("nnlite_format")
        if found is None:
            raise DataError(f"it was not written by nnlite; {_TRAIN}")
        raise DataError(f"its format is {found}, this version reads {_FILE_FORMAT}; use a newer nnlite")
    sizes = json.loads(metadata["sizes"])
    if not isinstance(sizes, list):
        raise DataError("its sizes are not a list")
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise DataError(f"its {name} are {tensor.dtype}, not float32")
    net = Network.with_parameters(sizes, metadata["hidden"], metadata["output"], tensors["parameters"])
    net.mean, net.scale = tensors.get("mean"), tensors.get("scale")
    for key, name in (("labels", "labels"), ("features", "features"), ("training", "training_record")):
        if key in metadata:
            setattr(net, name, json.loads(metadata[key]))
    return net.checked()


def _vector(name: str, values: Any, count: int) -> Floats:
    """Floats from outside as the kernels are compiled for: one contiguous, writable float32 vector."""
    given = as_array(values, f"the model's {name} are not a vector of numbers")
    if given.dtype.kind not in "biuf" or given.shape != (count,):
        raise DataError(f"the model's {name} are {given.dtype} of shape {given.shape}, not float32 of shape ({count},)")
    with np.errstate(over="ignore"):
        return np.require(given, np.float32, ["C", "A", "W"])


def _listed(values: Any) -> tuple[Any, ...] | None:
    """The items of a list, a tuple or an array as plain values; None for anything else."""
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if not isinstance(values, list | tuple):
        return None
    return tuple(value.item() if isinstance(value, np.generic) else value for value in values)


def check_labels(labels: Any, outputs: int) -> tuple[Label, ...]:
    """Class labels from outside: as many as outputs, all text or all integers of 64 bits, no two equal.

    Raises
    ------
    DataError : anything else.
    """
    names = _listed(labels)
    if names is None or len(names) != outputs:
        raise DataError(f"the model's labels are not {outputs} different names, one an output")
    if not all(type(name) is int for name in names) and not all(type(name) is str for name in names):
        raise DataError("the model's labels are neither all text nor all integers")
    if len(set(names)) != outputs:
        raise DataError(f"the model's labels are not {outputs} different names, one an output")
    for name in names:
        if not (is_text(name) if isinstance(name, str) else -(2**63) <= name < 2**63):
            raise DataError(f"the model's label {name!a} is neither text in UTF-8 nor an integer of 64 bits")
    return names


def _check_features(features: Any, inputs: int) -> tuple[str, ...]:
    """Names of inputs from outside: as many as inputs, no two equal."""
    names = _listed(features)
    if names is None or not all(map(is_text, names)):
        raise DataError("the model's features are not a list of names")
    if len(names) != inputs:
        raise DataError(f"the model names {len(names)} features for {inputs} inputs")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"the model names two features '{twice}'; give each its own name")
    return names


def _check_record(record: Any) -> dict[str, Any]:
    try:
        if not isinstance(record, dict):
            raise TypeError(f"it is {type(record).__name__}")
        json.dumps(record, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"the model's training record is not a JSON object of finite values: {error}") from error
    return record


#: what a network's attributes must be, from the value and the network's sizes
_RULES: dict[str, Callable[[Any, tuple[int, ...]], Any]] = {
    "mean": lambda value, sizes: _vector("mean", value, sizes[0]),
    "scale": lambda value, sizes: _vector("scale", value, sizes[0]),
    "labels": lambda value, sizes: check_labels(value, sizes[-1]),
    "features": lambda value, sizes: _check_features(value, sizes[0]),
    "training_record": lambda value, sizes: _check_record(value),
}


def check_network(net: Any) -> None:
    """Refuse what is no network.

    Raises
    ------
    UsageError : it is something else.
    """
    if not isinstance(net, Network):
        raise UsageError(f"a Network is needed, as nnlite.load or nnlite.Network give it, not {type(net).__name__}")


def check_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Sizes from outside: inputs, hidden..., outputs.

    Raises
    ------
    UsageError : too few, too many, or one out of its range.
    """
    try:
        given = tuple(sizes)
        if not 2 <= len(given) <= layout.MAX_LAYERS + 1:
            raise UsageError(f"there are {len(given)}")
        return tuple(check_integer("each", size, 1, 65_535) for size in given)
    except (TypeError, UsageError) as error:
        raise UsageError(
            f"sizes must be inputs, hidden..., outputs: 2 to {layout.MAX_LAYERS + 1} integers from 1 to 65535, "
            f"not {sizes!r}"
        ) from error


def decide(outputs: Floats, output: str, labels: tuple[Label, ...] | None) -> npt.NDArray[Any]:
    """Turn logits of a network into answers; see `Network.decide`."""
    if output == "linear":
        return outputs
    if output == "sigmoid":
        return (outputs > 0).astype(np.int64)
    classes: npt.NDArray[Any] = np.argmax(outputs, axis=1)
    return classes if labels is None else np.array(labels)[classes]


def as_array(given: npt.ArrayLike, fault: str) -> npt.NDArray[Any]:
    """Values from outside as an array of whatever type they have.

    Parameters
    ----------
    fault : what the message begins with when they cannot be one.

    Raises
    ------
    DataError : rows of different lengths, or values that are masked, which NumPy would take as they are.
    """
    if np.ma.is_masked(given):
        raise DataError(f"{fault}: some are masked; fill them in or leave their rows out")
    try:
        return np.asarray(given)
    except (TypeError, ValueError) as error:
        raise DataError(f"{fault}: {error}") from error


def _not_finite(values: Floats) -> npt.NDArray[np.int64]:
    """(number of them, 2): row and column of each value that is not finite."""
    finite = np.isfinite(values)
    return np.zeros((0, 2), np.int64) if finite.all() else np.argwhere(~finite)


def as_samples(
    X: npt.ArrayLike,
    inputs: int,
    features: Sequence[str] | None = None,
    what: str = "samples",
    *,
    first_row: int = 0,
) -> Floats:
    """Raw samples from outside as (samples, inputs) float32, contiguous; X itself if it is that.

    Parameters
    ----------
    features, what, first_row : what a message calls columns, X and its first row.

    Raises
    ------
    DataError : not numbers, another width, or a value that is not finite as float32; row and column are named.
    """
    fault = f"the {what} are not a table of numbers"
    given = as_array(X, fault)
    try:
        if given.dtype.kind not in "biufO":
            raise TypeError(f"they are {given.dtype}")
        with np.errstate(over="ignore"):
            # a copy where it must be: writable and aligned, so that kernels are compiled for one kind of array only
            samples = np.require(given, np.float32, ["C", "A", "W", "E"])
    except (TypeError, ValueError) as error:
        raise DataError(f"{fault}: {error}") from error
    if samples.ndim != 2 or samples.shape[1] != inputs:
        raise DataError(f"the {what} have the shape {samples.shape}, the network takes (samples, {inputs})")
    bad = _not_finite(samples)
    if bad.size:
        row, column = map(int, bad[0])
        name = f" ('{features[column]}')" if features else ""
        value = given[row, column]
        raise DataError(
            f"row {first_row + row}, column {column}{name} is {value}; every value must be a finite float32"
        )
    return samples
