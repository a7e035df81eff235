"""Gradients of the oracle against central differences in float64, for tests and for scripts/oracle_errors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests import reference

#: of a difference; with losses near 1 its own error is then near 1e-9
_H = 1e-6
#: where ReLU's corner is so near that a difference would compare two slopes
_CORNER = 1e-4


def one_hot(label: int, outputs: int) -> list[float]:
    """Target of a class."""
    return [1.0 if j == label else 0.0 for j in range(outputs)]


def target(generator: np.random.Generator, output: str, outputs: int) -> list[float]:
    """One sample's, drawn."""
    if output == "softmax":
        return one_hot(int(generator.integers(outputs)), outputs)
    values = generator.uniform(size=outputs) if output == "sigmoid" else generator.normal(size=outputs)
    return values.tolist()


def relative_error(
    generator: np.random.Generator, sizes: list[int], hidden: str, output: str, weighted: bool
) -> float | None:
    """|analytic - numeric| / (|analytic| + |numeric|) over all parameters of a random network, with a batch of two.

    None where a hidden sum lies so near a corner of ReLU that there is no gradient to speak of.
    """
    flat = generator.normal(size=sum(i * o + o for i, o in pairwise(sizes)))
    X = generator.normal(size=(2, sizes[0])).tolist()
    Y_hat = [target(generator, output, sizes[-1]) for _ in X]
    weights = generator.uniform(0.1, 2.0, len(X)).tolist() if weighted else [1.0] * len(X)
    layers = reference.unflatten(sizes, flat)
    if hidden in ("relu", "leaky_relu"):
        before = [value for x in X for a in reference.sums(layers, x, hidden)[0][:-1] for value in a]
        if any(abs(value) < _CORNER for value in before):
            return None
    analytic = np.array(reference.mean_gradient(layers, X, Y_hat, weights, hidden, output))
    numeric = np.empty_like(analytic)
    for n in range(flat.size):
        losses = []
        for sign in (1, -1):
            moved = flat.copy()
            moved[n] += sign * _H
            there = reference.unflatten(sizes, moved)
            each = [
                reference.loss(there, *sample, hidden, output, w) for *sample, w in zip(X, Y_hat, weights, strict=True)
            ]
            losses.append(sum(each) / len(X))
        numeric[n] = (losses[0] - losses[1]) / (2 * _H)
    length = float(np.linalg.norm(analytic) + np.linalg.norm(numeric))
    # a gradient next to 0 is all rounding: there the error is told in units of the loss
    return float(np.linalg.norm(analytic - numeric)) / max(length, 1e-2)
