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

from nnlite import layout
from nnlite.kernels.activation import leaky_relu, relu, sigmoid, slope, tanh
from nnlite.kernels.dense import dense_backward, dense_forward
from nnlite.kernels.exp_log import exp_f32, log_f32
from nnlite.kernels.loss import binary_cross_entropy, mean_squared_error, softmax_cross_entropy
from nnlite.kernels.optimizer import adam_update, decay_weights, gradient_square, momentum_update, sgd_update
from nnlite.kernels.sigmoid_tanh import sigmoid_f32, tanh_f32
from nnlite.kernels.softmax import softmax
from nnlite.kernels.sqrt import sqrt_f32
from nnlite.kernels.standardize import standardize
from nnlite.kernels.step import (
    LINEAR,
    Rule,
    Shape,
    activation_count,
    begin_state,
    features,
    forward_rows,
    gradient_count,
    scratch,
    state_count,
    train_rows,
)
from nnlite.recipe import OPTIMIZERS
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


def _dense_backward(dA: Words, weights: Words, x: Words, activation: Words) -> tuple[Floats, ...]:
    out = np.empty(x.size, np.float32)
    dense_backward(_f(dA), _f(weights).reshape(x.size, dA.size), _f(x), out, int(activation[0]))
    return (out,)


def _in_place(function: Callable[[Floats, Floats], None], a: Words) -> tuple[Floats, ...]:
    out = _f(a)
    function(out, out)
    return (out,)


def _cross_entropy(logits: Words, label: Words) -> tuple[Floats, ...]:
    dA = np.empty(logits.size, np.float32)
    loss = softmax_cross_entropy(_f(logits), int(label[0]), dA)
    return np.array([loss], np.float32), dA


def _slope(x: Words, activation: Words) -> tuple[Floats, ...]:
    return (np.array([slope(value, int(activation[0])) for value in _f(x)], np.float32),)


def _with_targets(loss: Callable[[Floats, Floats, Floats], np.float32], a: Words, y_hat: Words) -> tuple[Floats, ...]:
    dA = np.empty(a.size, np.float32)
    value = loss(_f(a), _f(y_hat), dA)
    return np.array([value], np.float32), dA


def _layer(weights: Words, bias: Words, X: Words, dA: Words) -> tuple[Floats, Floats, Floats, Floats]:
    samples = dA.size // bias.size
    return _f(weights).reshape(-1, bias.size), _f(bias), _f(X).reshape(samples, -1), _f(dA).reshape(samples, -1)


def _sgd_update(weights: Words, bias: Words, X: Words, dA: Words, rate: Words) -> tuple[Floats, ...]:
    layer = _layer(weights, bias, X, dA)
    sgd_update(*layer, _f(rate)[0])
    return layer[0].ravel(), layer[1]


def _momentum_update(
    weights: Words, bias: Words, X: Words, dA: Words, velocity: Words, numbers: Words
) -> tuple[Floats, ...]:
    """`numbers`: scale, rate, momentum."""
    layer, after = _layer(weights, bias, X, dA), _f(velocity)
    momentum_update(*layer, after, *_f(numbers))
    return layer[0].ravel(), layer[1], after


def _adam_update(
    weights: Words, bias: Words, X: Words, dA: Words, mean: Words, square: Words, numbers: Words
) -> tuple[Floats, ...]:
    """`numbers`: scale, rate, beta1, beta2, their powers, epsilon."""
    layer, after_mean, after_square, given = _layer(weights, bias, X, dA), _f(mean), _f(square), _f(numbers)
    adam_update(*layer, after_mean, after_square, given[0], given[1], given[2:4], given[4:6], given[6])
    return layer[0].ravel(), layer[1], after_mean, after_square


def _gradient_square(X: Words, dA: Words, total: Words, samples: Words) -> tuple[Floats, ...]:
    rows = int(samples[0])
    return (np.array([gradient_square(_f(X).reshape(rows, -1), _f(dA).reshape(rows, -1), _f(total)[0])], np.float32),)


def _decay_weights(weights: Words, rate: Words) -> tuple[Floats, ...]:
    after = _f(weights)
    decay_weights(after.reshape(-1, 1), _f(rate)[0])
    return (after,)


def _features(sizes: Words, settings: Words, parameters: Words, x: Words) -> tuple[Floats, ...]:
    """`settings`: hidden activation, how many layers."""
    shape = Shape(sizes.astype(np.int64), int(settings[0]), LINEAR)
    a, b = np.empty(int(sizes.max()), np.float32), np.empty(int(sizes.max()), np.float32)
    a[: x.size] = _f(x)
    layers = int(settings[1])
    return ((a, b)[features(shape, _f(parameters), a, b, layers)][: int(sizes[layers])].copy(),)


@dataclass(frozen=True)
class Training:
    """What a record of the name `train` says; the optimiser's state is as before the first step."""

    shape: Shape
    rule: Rule
    batch: int
    epochs: int
    parameters: Floats
    X: Floats
    labels: npt.NDArray[np.int64]
    targets: Floats
    weights: Floats
    state: Floats


def training_of(
    sizes: Words,
    settings: Words,
    numbers: Words,
    parameters: Words,
    X: Words,
    labels: Words,
    targets: Words,
    weights: Words,
) -> Training:
    """From its arrays. `settings`: hidden activation, output function, optimiser, batch size, epochs; `numbers`:
    learning rate, betas, epsilon, weight decay, norm to clip at.
    """
    hidden, output, optimizer, batch, epochs = map(int, settings)
    given, outputs = _f(numbers), int(sizes[-1])
    shape = Shape(sizes.astype(np.int64), hidden, output)
    state = np.empty(state_count(shape, optimizer), np.float32)
    begin_state(state, optimizer)
    return Training(
        shape,
        Rule(optimizer, given[0], given[1:3].copy(), given[3], given[4], given[5]),
        batch,
        epochs,
        _f(parameters),
        _f(X).reshape(-1, int(sizes[0])),
        labels.astype(np.int64),
        _f(targets).reshape(-1, outputs) if targets.size else np.zeros((1, outputs), np.float32),
        _f(weights),
        state,
    )


def _train(
    sizes: Words,
    settings: Words,
    numbers: Words,
    parameters: Words,
    X: Words,
    labels: Words,
    targets: Words,
    weights: Words,
) -> tuple[Floats, ...]:
    """The losses of every epoch, parameters, the optimiser's state, logits."""
    run = training_of(sizes, settings, numbers, parameters, X, labels, targets, weights)
    rows, after, state = run.X.shape[0], run.parameters, run.state
    records = np.empty((run.batch, activation_count(run.shape)), np.float32)
    buffer = np.empty((run.batch, gradient_count(run.shape)), np.float32)
    losses = np.empty((run.epochs, rows), np.float32)
    order = np.arange(rows)
    given = run.X, run.labels, run.targets, run.weights, order, run.rule
    for epoch in range(run.epochs):
        seen = train_rows(run.shape, after, *given, state, records, buffer, losses[epoch])
        assert seen == -1
    logits = np.empty((rows, int(sizes[-1])), np.float32)
    forward_rows(run.shape, after, run.X, logits, scratch(run.shape))
    return losses.ravel(), after, state, logits.ravel()


#: kernel -> what it makes of a record's inputs
KERNELS: dict[str, Callable[..., tuple[Floats, ...]]] = {
    "exp_f32": lambda x: _each(exp_f32, x),
    "log_f32": lambda x: _each(log_f32, x),
    "standardize": _standardize,
    "dense_forward": _dense_forward,
    "dense_backward": _dense_backward,
    "relu": lambda a: _in_place(relu, a),
    "leaky_relu": lambda a: _in_place(leaky_relu, a),
    "sigmoid": lambda a: _in_place(sigmoid, a),
    "tanh": lambda a: _in_place(tanh, a),
    "slope": _slope,
    "softmax": lambda a: _in_place(softmax, a),
    "softmax_cross_entropy": _cross_entropy,
    "binary_cross_entropy": lambda a, y_hat: _with_targets(binary_cross_entropy, a, y_hat),
    "mean_squared_error": lambda y, y_hat: _with_targets(mean_squared_error, y, y_hat),
    "sgd_update": _sgd_update,
    "momentum_update": _momentum_update,
    "adam_update": _adam_update,
    "gradient_square": _gradient_square,
    "decay_weights": _decay_weights,
    "features": _features,
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


def hidden_name(number: int) -> str:
    """Of an activation, as the oracle has it."""
    return layout.HiddenActivation(number).name.lower()


def _exact_slope(x: float, activation: int) -> float:
    """From the output x, since a is not in the record."""
    if activation == layout.HiddenActivation.SIGMOID:
        return x * (1 - x)
    if activation == layout.HiddenActivation.TANH:
        return 1 - x * x
    below = reference.LEAK if activation == layout.HiddenActivation.LEAKY_RELU else 0.0
    return 1.0 if x > 0 else below


def exact(record: Record) -> list[list[float]]:
    """The same in float64, by the oracle."""
    name = record.name
    given = [array.view(np.float32).astype(np.float64).tolist() for array in record.inputs]
    if name in ELEMENTARY:
        return [[ELEMENTARY[name](x) for x in given[0]]]
    if name in reference.ACTIVATIONS:
        return [[reference.ACTIVATIONS[name](a) for a in given[0]]]
    if name == "slope":
        return [[_exact_slope(x, int(record.inputs[1][0])) for x in given[0]]]
    if name == "standardize":
        return [[(x - mean) * scale for x, mean, scale in zip(*given, strict=True)]]
    if name == "dense_forward":
        return [reference.accumulate(given[0], np.reshape(given[1], (len(given[0]), -1)).tolist(), given[2])]
    if name == "dense_backward":
        W = np.reshape(given[1], (len(given[2]), -1)).tolist()
        dA, activation = given[0], int(record.inputs[3][0])
        sums = [math.fsum(d * w for d, w in zip(dA, row, strict=True)) for row in W]
        return [[total * _exact_slope(x, activation) for total, x in zip(sums, given[2], strict=True)]]
    if name == "softmax":
        return [reference.softmax(given[0])]
    if name == "softmax_cross_entropy":
        y_hat = [1.0 if j == record.inputs[1][0] else 0.0 for j in range(len(given[0]))]
        y = reference.softmax(given[0])
        return [[reference.loss_of_logits(given[0], y_hat, "softmax")], reference.logits_gradient(y, y_hat)]
    if name in ("mean_squared_error", "binary_cross_entropy"):
        output = "linear" if name == "mean_squared_error" else "sigmoid"
        y = reference.output_of(given[0], output)
        return [[reference.loss_of_logits(given[0], given[1], output)], reference.logits_gradient(y, given[1])]
    if name == "gradient_square":
        return [[given[2][0] + math.fsum(g * g for g in _exact_gradient(given[0], given[1], int(record.inputs[3][0])))]]
    if name == "decay_weights":
        return [[w - w * given[1][0] for w in given[0]]]
    if name == "features":
        layers = reference.unflatten(record.inputs[0].tolist(), given[2])
        hidden, count = record.inputs[1].tolist()
        return [reference.forward(layers, given[3], hidden_name(hidden))[count]]
    if name.endswith("_update"):
        return _exact_update(name, given)
    return _exact_training(record, given)


def agree(record: Record) -> bool:
    """Whether the oracle agrees with what a record expects: a training's errors add up over its steps."""
    tolerance = 2e-5 if record.name == "train" else 2e-6
    return all(
        np.allclose(got.view(np.float32), wanted, rtol=tolerance, atol=tolerance, equal_nan=True)
        for got, wanted in zip(record.expected, exact(record), strict=True)
    )


def _exact_gradient(X: list[float], dA: list[float], samples: int) -> list[float]:
    """Eqs 18 and 19 of one layer, summed over the samples: of its weights, then its biases."""
    rows, each = np.reshape(X, (samples, -1)), np.reshape(dA, (samples, -1))
    weights = [math.fsum(each[:, j] * rows[:, i]) for i in range(rows.shape[1]) for j in range(each.shape[1])]
    return weights + [math.fsum(each[:, j]) for j in range(each.shape[1])]


def _exact_update(name: str, given: list[list[float]]) -> list[list[float]]:
    weights, bias, X, dA, *kept, numbers = given
    before = weights + bias
    g = _exact_gradient(X, dA, len(dA) // len(bias))
    if name == "sgd_update":
        after = [w - numbers[0] * value for w, value in zip(before, g, strict=True)]
    elif name == "momentum_update":
        scale, rate, momentum = numbers
        kept = [[momentum * v + value * scale for v, value in zip(kept[0], g, strict=True)]]
        after = [w - rate * v for w, v in zip(before, kept[0], strict=True)]
    else:
        scale, rate, beta1, beta2, power1, power2, epsilon = numbers
        h = [value * scale for value in g]
        mean = [beta1 * m + (1 - beta1) * value for m, value in zip(kept[0], h, strict=True)]
        square = [beta2 * v + (1 - beta2) * value * value for v, value in zip(kept[1], h, strict=True)]
        kept = [mean, square]
        after = [
            w - rate * (m / (1 - power1)) / (math.sqrt(v / (1 - power2)) + epsilon)
            for w, m, v in zip(before, mean, square, strict=True)
        ]
    return [after[: len(weights)], after[len(weights) :], *kept]


def _exact_training(record: Record, given: list[list[float]]) -> list[list[float]]:
    sizes = record.inputs[0].tolist()
    hidden_number, output_number, optimizer, batch, epochs = record.inputs[1].tolist()
    hidden, output = hidden_name(hidden_number), layout.OutputFunction(output_number).name.lower()
    rate, beta1, beta2, epsilon, decay, clip = given[2]
    name = next(name for name, number in OPTIMIZERS.items() if number == optimizer)
    rule = reference.Rule(name, rate, (beta1, beta2), epsilon, decay, clip)
    layers = reference.unflatten(sizes, given[3])
    X = np.reshape(given[4], (-1, sizes[0])).tolist()
    if output == "softmax":
        targets = np.eye(sizes[-1])[record.inputs[5]].tolist()
    else:
        targets = np.reshape(given[6], (-1, sizes[-1])).tolist()
    weights = given[7] or [1.0] * len(X)
    state = reference.State()
    losses: list[float] = []
    for _ in range(epochs):
        for at in range(0, len(X), batch):
            rows = slice(at, at + batch)
            layers, each = reference.step(layers, X[rows], targets[rows], weights[rows], hidden, output, rule, state)
            losses += each
    logits = [value for x in X for value in reference.forward(layers, x, hidden)[-1]]
    return [losses, reference.flatten(layers), _exact_state(state, rule), logits]


def _exact_state(state: reference.State, rule: reference.Rule) -> list[float]:
    """As the kernels keep it."""
    kept = [[values[n] for n in sorted(values)] for values in (state.mean, state.square)]
    powers = [beta**state.steps for beta in rule.betas] if rule.optimizer == "adam" else []
    return [*powers, *kept[0], *kept[1]]


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
