"""The golden vectors: how the file is read and written, what the kernels make of its inputs, and what is exact.

`vectors.txt` is words separated by blanks, so that the C program beside it reads it with scanf: a line
`nnlite-golden 1`, then records: a kernel's name, the number of its arrays, and for each array its length and its
32-bit words in hexadecimal (floats by their bits). Inputs come first in the order of the kernel's arguments, then
what it must give.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.kernels.activation import relu
from nnlite.kernels.dense import dense_backward, dense_forward
from nnlite.kernels.exp_log import exp_f32, log_f32
from nnlite.kernels.loss import mean_squared_error, softmax_cross_entropy
from nnlite.kernels.optimizer import sgd_update
from nnlite.kernels.sigmoid_tanh import sigmoid_f32, tanh_f32
from nnlite.kernels.softmax import softmax
from nnlite.kernels.sqrt import sqrt_f32
from nnlite.kernels.standardize import standardize
from nnlite.kernels.step import Shape, activation_count, forward_rows, gradient_count, train_rows
from tests import reference

PATH = Path(__file__).parent / "vectors.txt"
HEADER = "nnlite-golden 1"

Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Record:
    """One call: the kernel's name, its input arrays, and the arrays it must give, all as words."""

    name: str
    inputs: tuple[Words, ...]
    expected: tuple[Words, ...]


def words(array: npt.NDArray[Any]) -> Words:
    """Floats by their bits, integers as they are."""
    return array.astype(np.float32).ravel().view(np.uint32) if array.dtype.kind == "f" else array.astype(np.uint32)


def _f(array: Words) -> Floats:
    return array.view(np.float32).copy()


def _each(function: Callable[[np.float32], np.float32], x: Words) -> tuple[Floats, ...]:
    return (np.array([function(value) for value in _f(x)], np.float32),)


def _standardize(x: Words, mean: Words, scale: Words) -> tuple[Floats, ...]:
    out = np.empty(x.size, np.float32)
    standardize(_f(x), _f(mean), _f(scale), out)
    return (out,)


def _dense_forward(x: Words, weights: Words, bias: Words) -> tuple[Floats, ...]:
    out = np.empty(bias.size, np.float32)
    dense_forward(_f(x), _f(weights).reshape(x.size, bias.size), _f(bias), out)
    return (out,)


def _dense_backward(dA: Words, weights: Words, x: Words) -> tuple[Floats, ...]:
    out = np.empty(x.size, np.float32)
    dense_backward(_f(dA), _f(weights).reshape(x.size, dA.size), _f(x), out)
    return (out,)


def _in_place(function: Callable[[Floats, Floats], None], a: Words) -> tuple[Floats, ...]:
    out = _f(a)
    function(out, out)
    return (out,)


def _cross_entropy(logits: Words, label: Words) -> tuple[Floats, ...]:
    dA = np.empty(logits.size, np.float32)
    loss = softmax_cross_entropy(_f(logits), int(label[0]), dA)
    return np.array([loss], np.float32), dA


def _squared_error(y: Words, y_hat: Words) -> tuple[Floats, ...]:
    dA = np.empty(y.size, np.float32)
    loss = mean_squared_error(_f(y), _f(y_hat), dA)
    return np.array([loss], np.float32), dA


def _sgd_update(weights: Words, bias: Words, X: Words, dA: Words, rate: Words) -> tuple[Floats, ...]:
    samples = dA.size // bias.size
    new, new_bias = _f(weights).reshape(-1, bias.size), _f(bias)
    sgd_update(new, new_bias, _f(X).reshape(samples, -1), _f(dA).reshape(samples, -1), _f(rate)[0])
    return new.ravel(), new_bias


def _train(
    sizes: Words, settings: Words, parameters: Words, X: Words, labels: Words, targets: Words, rate: Words
) -> tuple[Floats, ...]:
    """`settings`: output function, batch size, epochs. Gives the losses of every epoch, parameters and logits."""
    softmax_output, batch, epochs = settings[0] == 1, int(settings[1]), int(settings[2])
    shape = Shape(sizes.astype(np.int64), bool(softmax_output))
    after, rows = _f(parameters), _f(X).reshape(-1, int(sizes[0]))
    records = np.empty((batch, activation_count(shape)), np.float32)
    buffer = np.empty((batch, gradient_count(shape)), np.float32)
    losses = np.empty((epochs, rows.shape[0]), np.float32)
    wanted = _f(targets).reshape(-1, int(sizes[-1])) if targets.size else np.zeros((1, int(sizes[-1])), np.float32)
    order = np.arange(rows.shape[0])
    for epoch in range(epochs):
        seen = train_rows(
            shape, after, rows, labels.astype(np.int64), wanted, order, _f(rate)[0], records, buffer, losses[epoch]
        )
        assert seen == -1
    logits = np.empty((rows.shape[0], int(sizes[-1])), np.float32)
    forward_rows(shape, after, rows, logits)
    return losses.ravel(), after, logits.ravel()


#: kernel -> what it makes of a record's inputs
KERNELS: dict[str, Callable[..., tuple[Floats, ...]]] = {
    "exp_f32": lambda x: _each(exp_f32, x),
    "log_f32": lambda x: _each(log_f32, x),
    "standardize": _standardize,
    "dense_forward": _dense_forward,
    "dense_backward": _dense_backward,
    "relu": lambda a: _in_place(relu, a),
    "softmax": lambda a: _in_place(softmax, a),
    "softmax_cross_entropy": _cross_entropy,
    "mean_squared_error": _squared_error,
    "sgd_update": _sgd_update,
    "train": _train,
    "sigmoid_f32": lambda x: _each(sigmoid_f32, x),
    "tanh_f32": lambda x: _each(tanh_f32, x),
    "sqrt_f32": lambda x: _each(sqrt_f32, x),
}


def compute(name: str, inputs: tuple[Words, ...]) -> tuple[Words, ...]:
    """Run a record's kernel."""
    return tuple(words(array) for array in KERNELS[name](*inputs))


def _exact_log(x: float) -> float:
    return -math.inf if x == 0 else math.nan if x < 0 else math.log(x)


def _exact_exp(x: float) -> float:
    return math.inf if x > 88.7228391 else math.exp(x)


def _exact_sigmoid(x: float) -> float:
    return 0.0 if x < -700 else 1 / (1 + math.exp(-x))


#: function of one number -> the same in float64
ELEMENTARY: dict[str, Callable[[float], float]] = {
    "exp_f32": _exact_exp,
    "log_f32": _exact_log,
    "sigmoid_f32": _exact_sigmoid,
    "tanh_f32": math.tanh,
    "sqrt_f32": lambda x: math.nan if x < 0 else math.sqrt(x),
}


def exact(record: Record) -> list[list[float]]:
    """The same in float64, by the oracle."""
    name = record.name
    given = [array.view(np.float32).astype(np.float64).tolist() for array in record.inputs]
    if name in ELEMENTARY:
        return [[ELEMENTARY[name](x) for x in given[0]]]
    if name == "standardize":
        return [[(x - mean) * scale for x, mean, scale in zip(*given, strict=True)]]
    if name == "dense_forward":
        return [reference.accumulate(given[0], np.reshape(given[1], (len(given[0]), -1)).tolist(), given[2])]
    if name == "dense_backward":
        W = np.reshape(given[1], (len(given[2]), -1)).tolist()
        dA = given[0]
        return [
            [math.fsum(d * w for d, w in zip(dA, W[i], strict=True)) if x > 0 else 0.0 for i, x in enumerate(given[2])]
        ]
    if name == "relu":
        return [reference.relu(given[0])]
    if name == "softmax":
        return [reference.softmax(given[0])]
    if name == "softmax_cross_entropy":
        y_hat = [1.0 if j == record.inputs[1][0] else 0.0 for j in range(len(given[0]))]
        y = reference.softmax(given[0])
        return [[reference.cross_entropy(y, y_hat)], reference.logits_gradient(y, y_hat)]
    if name == "mean_squared_error":
        return [[reference.squared_error(*given)], reference.logits_gradient(*given)]
    if name == "sgd_update":
        return _exact_update(given)
    return _exact_training(record, given)


def _exact_update(given: list[list[float]]) -> list[list[float]]:
    weights, bias, X, dA, rate = given
    samples, outputs = len(dA) // len(bias), len(bias)
    inputs = len(weights) // outputs
    new = [
        weights[i * outputs + j] - rate[0] * math.fsum(dA[k * outputs + j] * X[k * inputs + i] for k in range(samples))
        for i in range(inputs)
        for j in range(outputs)
    ]
    return [new, [bias[j] - rate[0] * math.fsum(dA[j::outputs]) for j in range(outputs)]]


def _exact_training(record: Record, given: list[list[float]]) -> list[list[float]]:
    sizes = record.inputs[0].tolist()
    softmax_output, batch, epochs = record.inputs[1].tolist()
    layers = reference.unflatten(sizes, given[2])
    X = np.reshape(given[3], (-1, sizes[0])).tolist()
    if softmax_output:
        targets = np.eye(sizes[-1])[record.inputs[4]].tolist()
    else:
        targets = np.reshape(given[5], (-1, sizes[-1])).tolist()
    losses: list[float] = []
    for _ in range(epochs):
        for at in range(0, len(X), batch):
            picked = slice(at, at + batch)
            layers, each = reference.step(layers, X[picked], targets[picked], not softmax_output, given[6][0])
            losses += each
    logits = [value for x in X for value in reference.forward(layers, x)[-1]]
    return [losses, reference.flatten(layers), logits]


def parse(text: str) -> list[Record]:
    """Records of a file."""
    head, _, body = text.partition("\n")
    assert head == HEADER, f"not golden vectors of this version: {head}"
    tokens = iter(body.split())
    records = []
    for name in tokens:
        arrays = []
        for _ in range(int(next(tokens))):
            length = int(next(tokens))
            arrays.append(np.array([int(next(tokens), 16) for _ in range(length)], np.uint32))
        inputs = KERNELS[name].__code__.co_argcount
        records.append(Record(name, tuple(arrays[:inputs]), tuple(arrays[inputs:])))
    return records


def render(records: list[Record]) -> str:
    """The file of some records."""
    lines = [HEADER]
    for record in records:
        arrays = [*record.inputs, *record.expected]
        lines.append(f"{record.name} {len(arrays)}")
        lines += [f"{array.size} " + " ".join(f"{word:08x}" for word in array.tolist()) for array in arrays]
    return "\n".join(line.rstrip() for line in lines) + "\n"
