"""Calls of the parts that `nnlite.cycles` counts: data for them, and what they cost on a chip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.cycles import Call, gradient_sums
from tests.proof.runtime_calls import ACTIVATIONS, OUTPUTS, Chip, Floats, Network, floats

__all__ = [
    "KINDS",
    "PARTS",
    "UPDATES",
    "WHOLE",
    "Size",
    "biases",
    "is_active",
    "measure",
    "measure_whole",
    "usual_inputs",
    "weights",
]

Generator = np.random.Generator
#: how data are drawn: as networks have them; so that least is to be done; so that most of it is, with usual numbers; so
#: that every term has a subnormal number
KINDS = ("usual", "none", "all", "rare")
_RATE = 0.05
_TANH_OF_0_7 = np.tanh(0.7)
LOSSES = {
    "softmax": "nn_softmax_cross_entropy",
    "sigmoid": "nn_binary_cross_entropy",
    "linear": "nn_mean_squared_error",
}
#: which function updates a layer
UPDATES = {"sgd of one": "nn_sgd_update", "sgd": "nn_sgd_update"}
UPDATES |= {"momentum": "nn_momentum_update", "adam": "nn_adam_update"}


@dataclass(frozen=True)
class Size:
    """Of a layer and a batch."""

    inputs: int
    outputs: int
    samples: int


def usual_inputs(rng: Generator, *shape: int) -> Floats:
    """Samples of features or pixels; of some a part is 0."""
    drawn = (
        rng.uniform(0, 1, shape),
        rng.normal(size=shape),
        rng.uniform(-2, 2, shape),
        np.abs(rng.normal(size=shape)),
    )
    values = drawn[rng.integers(4)]
    if rng.random() < 0.4:
        return floats(np.where(rng.random(shape) < rng.choice([0.3, 0.5, 0.7]), values, 0.0))
    return floats(values)


def activated(a: npt.NDArray[Any], activation: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """What an activation gives, and its slope."""
    if activation == "relu":
        return np.maximum(a, 0), (a > 0).astype(a.dtype)
    if activation == "leaky_relu":
        return np.where(a > 0, a, 0.01 * a), np.where(a > 0, 1.0, 0.01)
    if activation == "tanh":
        return np.tanh(a), 1 - np.tanh(a) ** 2
    y = 1 / (1 + np.exp(-a))
    return y, y * (1 - y)


@dataclass(frozen=True)
class _Layer:
    """A layer's numbers: X (samples, inputs), weights (inputs, outputs), bias (outputs,), dA (samples, outputs)."""

    X: Floats
    weights: Floats
    bias: Floats
    gradient: Floats
    activation: str


def _layer(rng: Generator, kind: str, i: int, o: int, samples: int, behind: str = "") -> _Layer:
    """One of a network, `behind` a layer with that activation if it is given."""
    activation = behind or str(rng.choice(["relu", "relu", "relu", "leaky_relu", "sigmoid", "tanh"]))
    first = not behind and rng.random() < 0.5
    m = i if first else int(2 ** rng.uniform(1, 6))
    X, slope = usual_inputs(rng, samples, m), np.ones((samples, i))
    if not first:
        X, _ = activated(X @ weights(rng, m, i) + biases(rng, i), activation)
    W, b = weights(rng, i, o), biases(rng, o)
    a = (X @ W + b).astype(np.float64) * rng.choice([1.0, 1.0, 3.0])
    if rng.random() < 0.5:  # the last
        dA = _error(rng, a)
    else:
        outputs = int(rng.integers(2, 17))
        after, slope = activated(a, activation)
        onwards = weights(rng, o, outputs)
        dA = (_error(rng, after @ onwards + biases(rng, outputs)) @ onwards.T) * slope
    if kind == "none":
        X, dA = np.zeros_like(X), np.zeros_like(dA)
    if kind in ("all", "rare"):
        X, dA = rng.uniform(0.1, 1.0, X.shape), rng.normal(size=dA.shape)
    return _Layer(floats(X), W, b, floats(dA), "" if first else activation)


def _error(rng: Generator, a: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Of outputs (samples, outputs)."""
    classes = np.eye(a.shape[1])[rng.integers(a.shape[1], size=a.shape[0])]
    output = rng.integers(4)
    if output == 0:
        return a - rng.normal(size=a.shape)
    if output == 1:
        return 1 / (1 + np.exp(-a)) - classes
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) - classes


def _subnormal(rng: Generator, like: Floats) -> Floats:
    return floats(rng.uniform(1e-40, 1e-39, like.shape))


def _sums(rng: Generator, kind: str, count: int) -> Floats:
    """What a layer gives, before its activation."""
    a = rng.normal(size=count) * rng.choice([0.5, 1.0, 2.0, 4.0])
    if kind == "rare":  # where exp, sigmoid and tanh go other ways
        a = rng.choice([0.0, -0.0, 1e-40, -1e-5, 0.5, -0.69, 0.71, -20.0, 87.5, -88.5, 100.0, -120.0, -1e30], count)
    return floats({"none": -np.abs(a), "all": np.abs(a)}.get(kind, a))


def _errors(rng: Generator, kind: str, *shape: int) -> Floats:
    """What a dA is."""
    if kind == "none":
        return floats(np.zeros(shape))
    if kind == "rare":
        return floats(rng.uniform(1e-40, 1e-39, shape))
    values = rng.normal(size=shape) * 10 ** rng.uniform(-3, 0)
    used = rng.random(shape) < (1.0 if kind == "all" else rng.choice([1.0, 1.0, 0.5, 0.7]))
    return floats(np.where(used, values, 0.0))


def weights(rng: Generator, inputs: int, outputs: int) -> Floats:
    """As networks have them when they begin, or later."""
    drawn = (
        rng.normal(size=(inputs, outputs)) * np.sqrt(2 / inputs),
        rng.uniform(-1, 1, (inputs, outputs)) * np.sqrt(6 / (inputs + outputs)),
        rng.laplace(size=(inputs, outputs)) * np.sqrt(1 / inputs),
    )
    return floats(drawn[rng.integers(len(drawn))])


def biases(rng: Generator, outputs: int) -> Floats:
    """As weights."""
    return floats(rng.normal(size=outputs) * rng.choice([0.02, 0.1, 0.3]))


def is_active(activation: str, after: Floats) -> npt.NDArray[np.bool_]:
    """Which units of a layer are, as `nnlite.cycles.Sample` has it."""
    active: npt.NDArray[np.bool_] = np.abs(after) >= _TANH_OF_0_7 if activation == "tanh" else after > 0
    return active


def _nonzero(values: npt.NDArray[np.float32]) -> int:
    return int(np.count_nonzero(values))


Measured = tuple[int, Call]


def _dense(chip: Chip, rng: Generator, kind: str, size: Size) -> Measured:
    layer = _layer(rng, kind, size.inputs, size.outputs, 1)
    x = _subnormal(rng, layer.X[0]) if kind == "rare" else layer.X[0].copy()
    given = x, layer.weights, layer.bias, floats(np.zeros(size.outputs))
    cycles, _ = chip.run("nn_dense_forward", *map(chip.put, given), size.inputs, size.outputs)
    faint = int((x < 0).sum()) if layer.activation == "leaky_relu" else 0
    numbers = {"inputs": size.inputs, "outputs": size.outputs, "used": _nonzero(x), "faint": faint}
    return cycles, Call("dense", numbers)


def _activation(activation: str) -> Callable[[Chip, Generator, str, Size], Measured]:
    def run(chip: Chip, rng: Generator, kind: str, size: Size) -> Measured:
        at = chip.put(_sums(rng, kind, size.outputs))
        cycles, _ = chip.run("nn_activate", at, at, ACTIVATIONS[activation], size.outputs)
        active = int(is_active(activation, chip.get(at, size.outputs)).sum())
        return cycles, Call(activation, {"units": size.outputs, "active": active})

    return run


def _standardise(chip: Chip, rng: Generator, kind: str, size: Size) -> Measured:
    x = usual_inputs(rng, size.inputs)
    mean, scale = floats(rng.normal(size=size.inputs)), floats(rng.uniform(0.1, 3.0, size.inputs))
    at = chip.put(x)
    cycles, _ = chip.run("nn_standardize", at, chip.put(mean), chip.put(scale), at, size.inputs)
    return cycles, Call("standardise", {"inputs": size.inputs, "used": _nonzero(x)})


def _probabilities(output: str) -> Callable[[Chip, Generator, str, Size], Measured]:
    def run(chip: Chip, rng: Generator, kind: str, size: Size) -> Measured:
        at, to = chip.put(_sums(rng, kind, size.outputs)), chip.put(floats(np.zeros(size.outputs)))
        function = "nn_softmax" if output == "softmax" else "nn_sigmoid"
        cycles, _ = chip.run(function, at, to, size.outputs)
        return cycles, Call(f"probabilities {output}", {"outputs": size.outputs})

    return run


def _targets(rng: Generator, output: str, logits: Floats) -> Floats:
    if output == "linear":
        return floats(logits + rng.normal(size=logits.size) * 0.3)
    return floats(rng.random(logits.size) < 0.5)


def _loss(output: str) -> Callable[[Chip, Generator, str, Size], Measured]:
    def run(chip: Chip, rng: Generator, kind: str, size: Size) -> Measured:
        logits = _sums(rng, kind, size.outputs)
        truth = chip.put(_targets(rng, output, logits))
        truth = int(rng.integers(size.outputs)) if output == "softmax" else truth
        dA = chip.put(floats(np.zeros(size.outputs)))
        cycles, _ = chip.run(LOSSES[output], chip.put(logits), truth, dA, size.outputs, returns=float)
        return cycles, Call(f"loss {output}", {"outputs": size.outputs})

    return run


def _backward(activation: str) -> Callable[[Chip, Generator, str, Size], Measured]:
    def run(chip: Chip, rng: Generator, kind: str, size: Size) -> Measured:
        layer = _layer(rng, "usual", size.inputs, size.outputs, 1, activation)
        x, dA, w = layer.X[0].copy(), layer.gradient[0].copy(), layer.weights
        if kind == "none" and activation != "leaky_relu":  # whose slope is never 0
            x = floats(np.full(size.inputs, 1.0 if activation == "tanh" else 0.0))
        elif kind in ("all", "rare"):
            x = floats(rng.uniform(0.1, 0.9, size.inputs))
            dA = _subnormal(rng, dA) if kind == "rare" else floats(rng.uniform(0.1, 1.0, size.outputs))
            dA[0] = 0.5  # so that the sum is usual, and asks the quick loop for each term again
        to = chip.put(floats(np.zeros(size.inputs)))
        given = (*map(chip.put, (dA, w, x)), to, ACTIVATIONS[activation], size.inputs, size.outputs)
        cycles, _ = chip.run("nn_dense_backward", *given)
        slopes = {"sigmoid": x * (1 - x), "tanh": 1 - x * x}.get(activation, x)
        active = size.inputs if activation == "leaky_relu" else _nonzero(slopes)
        numbers = {"inputs": size.inputs, "outputs": size.outputs, "active": active, "steering": _nonzero(dA)}
        return cycles, Call(f"backward {activation}", numbers)

    return run


def _update(name: str) -> Callable[[Chip, Generator, str, Size], Measured]:
    def run(chip: Chip, rng: Generator, kind: str, size: Size) -> Measured:
        samples = 1 if name == "sgd of one" else size.samples + (name == "sgd")
        i, o = size.inputs, size.outputs
        layer = _layer(rng, kind, i, o, samples)
        X, dA = _subnormal(rng, layer.X) if kind == "rare" else layer.X, layer.gradient
        w, b = chip.put(layer.weights), chip.put(layer.bias)
        records = chip.put(X), chip.put(dA)
        strides = samples, i, o, i, o
        if name in ("sgd of one", "sgd"):
            arguments: tuple[object, ...] = (w, b, *records, _RATE / samples, *strides)
        elif name == "momentum":
            velocity = chip.put(floats(rng.normal(size=i * o + o) * (0.0 if kind == "none" else 0.1)))
            arguments = (w, b, *records, velocity, 1 / samples, _RATE, 0.9, *strides)
        else:
            scale = 0.0 if kind == "none" else 0.1
            mean = chip.put(floats(rng.normal(size=i * o + o) * scale))
            square = chip.put(floats((rng.normal(size=i * o + o) * scale) ** 2))
            constants = chip.put(floats([0.9, 0.999])), chip.put(floats([0.9**7, 0.999**7]))
            arguments = (w, b, *records, mean, square, 1 / samples, 0.001, *constants, 1e-7, *strides)
        cycles, good = chip.run(UPDATES[name], *arguments, returns=bool)
        assert good
        numbers = {"inputs": i, "outputs": o, "samples": samples, "used": _nonzero(X[0]), "steering": _nonzero(dA[0])}
        learned = [(*((row != 0).astype(float) for row in rows), 1) for rows in zip(X, dA, strict=True)]
        return cycles, Call(name, numbers | gradient_sums(name, learned))

    return run


#: name -> the function that is called, what calls it
PARTS: dict[str, tuple[str, Callable[[Chip, Generator, str, Size], Measured]]] = {
    "dense": ("nn_dense_forward", _dense),
    "standardise": ("nn_standardize", _standardise),
    **{name: ("nn_activate", _activation(name)) for name in ACTIVATIONS},
    "probabilities softmax": ("nn_softmax", _probabilities("softmax")),
    "probabilities sigmoid": ("nn_sigmoid", _probabilities("sigmoid")),
    **{f"loss {name}": (LOSSES[name], _loss(name)) for name in OUTPUTS},
    **{f"backward {name}": ("nn_dense_backward", _backward(name)) for name in ACTIVATIONS},
    **{name: (function, _update(name)) for name, function in UPDATES.items()},
}


def measure(chip: Chip, part: str, rng: Generator, kind: str, size: Size) -> Measured:
    """Cycles of a call with data of a kind, and the call as `nnlite.cycles` sees it."""
    chip.clear()
    return PARTS[part][1](chip, rng, kind, size)


#: parts that only call others: the function, and those that are counted apart
WHOLE = {
    "whole inference": ("nn_forward", ("nn_dense_forward", "nn_activate")),
    "whole features": ("nn_features", ("nn_dense_forward", "nn_activate")),
    "whole record": ("nn_forward_record", ("nn_dense_forward", "nn_activate")),
    **{f"whole way back {o}": ("nn_backward", (LOSSES[o], "nn_dense_backward")) for o in OUTPUTS},
    **{f"whole step {name}": ("nn_apply", (function,)) for name, function in UPDATES.items()},
}


def measure_whole(chip: Chip, part: str, rng: Generator, layers: int, samples: int) -> Measured:
    """The same of a part that only calls others: what those take is taken off."""
    sizes = tuple(int(size) for size in rng.integers(1, 7, layers + 1))
    function, apart = WHOLE[part]
    output = part.removeprefix("whole way back ") if "way back" in part else "linear"
    cycles = []
    state = rng.bit_generator.state
    for of in (function, *apart):  # the same data each time, since one function is measured at a time
        rng.bit_generator.state = state
        chip.clear()
        shape = chip.shape(Network(sizes, "relu", output))
        layer = [(weights(rng, i, o).ravel(), biases(rng, o)) for i, o in pairwise(sizes)]
        parameters = chip.put(np.concatenate([part for pair in layer for part in pair]))
        samples = 1 if part == "whole step sgd of one" else samples + (part == "whole step sgd" and samples == 1)
        X = usual_inputs(rng, samples, sum(sizes))
        dA = floats(rng.normal(size=(samples, sum(sizes[1:]))) * 0.3)
        records = chip.put(X), chip.put(dA)
        if function in ("nn_forward", "nn_features"):
            buffers = [chip.put(floats(np.resize(X[0], max(sizes)))) for _ in range(2)]
            more = (layers,) if function == "nn_features" else ()
            arguments: tuple[object, ...] = (shape, parameters, *buffers, *more)
        elif function == "nn_forward_record":
            arguments = (shape, parameters, records[0])
        elif function == "nn_backward":
            truth = chip.put(_targets(rng, output, X[0, -sizes[-1] :]))
            arguments = (shape, parameters, records[0], int(rng.integers(sizes[-1])), truth, 1.0, records[1])
        else:
            optimizer = part.split()[2]
            count = sum(i * o + o for i, o in pairwise(sizes))
            kept = {"sgd": 0, "momentum": count, "adam": 2 + 2 * count}[optimizer]
            state_floats = chip.put(floats(np.full(kept, 0.5)))
            rule = chip.rule(optimizer, _RATE)
            arguments = (shape, parameters, *records, rule, state_floats, samples)
        returns = {"nn_backward": float, "nn_apply": bool}.get(function, int)
        cycles.append(chip.run(function, *arguments, returns=returns, of=of)[0])
    return cycles[0] - sum(cycles[1:]), Call(part, {"layers": layers})
