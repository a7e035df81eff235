"""The float64 oracle: loops written straight from the equations of math-for-dnn, for tests only.

Slow and plain on purpose. The derivation steps that no kernel needs (eqs 1, 2, 5, 6, 9 to 16) are here too.
Lists of floats throughout: x[i], W[i][j], b[j]; a network is a list of (W, b), one a layer. Activations and outputs
go by their names in `Network`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Vector = Sequence[float]
Matrix = Sequence[Vector]
Layer = tuple[Matrix, Vector]

LEAK = 0.01


def accumulate(x: Vector, W: Matrix, b: Vector) -> list[float]:
    """Eq. 8: a_j = sum_i w_ij x_i + b_j."""
    return [sum(W[i][j] * x[i] for i in range(len(x))) + b[j] for j in range(len(b))]


def logistic(a: float) -> float:
    """1 / (1 + e^-a), of a large negative a too."""
    return 1 / (1 + math.exp(-a)) if a > -700 else math.exp(max(a, -745.0))


#: hidden activation -> x of a; relu is eq. 20, x_j = max(0, a_j), with NaN as it is
ACTIVATIONS: dict[str, Callable[[float], float]] = {
    "relu": lambda a: 0.0 if a <= 0 else a,
    "leaky_relu": lambda a: a if a > 0 else LEAK * a,
    "sigmoid": logistic,
    "tanh": math.tanh,
}
#: hidden activation -> dx / da of a, eq. 21 and its like
SLOPES: dict[str, Callable[[float], float]] = {
    "relu": lambda a: 1.0 if a > 0 else 0.0,
    "leaky_relu": lambda a: 1.0 if a > 0 else LEAK,
    "sigmoid": lambda a: math.exp(-abs(a)) / (1 + math.exp(-abs(a))) ** 2,
    "tanh": lambda a: 1 / math.cosh(max(-350.0, min(350.0, a))) ** 2,
}


def softmax(a: Vector) -> list[float]:
    """Eq. 4: y_j = e^a_j / sum e^a_j, with the maximum subtracted."""
    largest = max(a)
    powers = [math.exp(value - largest) for value in a]
    return [power / math.fsum(powers) for power in powers]


def softmax_derivative(y: Vector, j1: int, j2: int) -> float:
    """Eqs 5 and 6: dy_j1 / da_j2 = y_j2 (delta - y_j1)."""
    return y[j2] * ((1.0 if j1 == j2 else 0.0) - y[j1])


def cross_entropy(y: Vector, y_hat: Vector) -> float:
    """Eq. 2: L = - sum_j y_hat_j log y_j."""
    return -math.fsum(y_hat[j] * math.log(y[j]) for j in range(len(y)) if y_hat[j] != 0.0)


def batch_cross_entropy(Y: Matrix, Y_hat: Matrix) -> float:
    """Eq. 1 without its constant 1 / M: the mean of eq. 2 over the S samples of a batch."""
    return math.fsum(cross_entropy(y, y_hat) for y, y_hat in zip(Y, Y_hat, strict=True)) / len(Y)


def logits_gradient_by_chain(y: Vector, y_hat: Vector, j1: int) -> float:
    """Eqs 11 and 12: dL / da_j1 = - sum_j y_hat_j / y_j * (y_j1 (delta_j1,j - y_j))."""
    return -math.fsum(y_hat[j] / y[j] * softmax_derivative(y, j, j1) for j in range(len(y)))


def logits_gradient_split(y: Vector, y_hat: Vector, j1: int) -> float:
    """Eqs 13 and 14, the term j = j1 apart: - y_hat_j1 + y_hat_j1 y_j1 + sum_{j != j1} y_hat_j y_j1."""
    rest = math.fsum(y_hat[j] * y[j1] for j in range(len(y)) if j != j1)
    return -y_hat[j1] + y_hat[j1] * y[j1] + rest


def logits_gradient(y: Vector, y_hat: Vector) -> list[float]:
    """Eqs 15 to 17: dA_j = y_j sum y_hat - y_hat_j = y_j - y_hat_j, for targets that sum to 1."""
    return [y[j] - y_hat[j] for j in range(len(y))]


def squared_error(y: Vector, y_hat: Vector) -> float:
    """1/2 sum_j (y_j - y_hat_j)^2, the loss of a linear network."""
    return 0.5 * math.fsum((p - q) ** 2 for p, q in zip(y, y_hat, strict=True))


def binary_cross_entropy(y: Vector, y_hat: Vector) -> float:
    """- sum_j (y_hat_j log y_j + (1 - y_hat_j) log(1 - y_j)), as it is written everywhere."""
    return -math.fsum(q * math.log(p) + (1 - q) * math.log1p(-p) for p, q in zip(y, y_hat, strict=True))


def binary_cross_entropy_of_logits(a: Vector, y_hat: Vector) -> float:
    """The same from the logits of sigmoids, where y would be 0 or 1."""
    return math.fsum(max(v, 0.0) - v * q + math.log1p(math.exp(-abs(v))) for v, q in zip(a, y_hat, strict=True))


def sums(layers: Sequence[Layer], x: Vector, hidden: str = "relu") -> tuple[list[list[float]], list[list[float]]]:
    """Every a^1 .. a^N, and every x^0 .. x^N; the last a are the logits, which have no activation."""
    outputs, before = [list(x)], []
    for n, (W, b) in enumerate(layers, start=1):
        a = accumulate(outputs[-1], W, b)
        before.append(a)
        outputs.append(a if n == len(layers) else [ACTIVATIONS[hidden](value) for value in a])
    return before, outputs


def forward(layers: Sequence[Layer], x: Vector, hidden: str = "relu") -> list[list[float]]:
    """Every x^0 .. x^N; the last one holds the logits."""
    return sums(layers, x, hidden)[1]


def loss_of_logits(a: Vector, y_hat: Vector, output: str) -> float:
    """Loss of one sample whose weight is 1."""
    if output == "linear":
        return squared_error(a, y_hat)
    if output == "sigmoid":
        return binary_cross_entropy_of_logits(a, y_hat)
    largest = max(a)
    total = math.log(math.fsum(math.exp(value - largest) for value in a))
    return math.fsum(q * (total - (value - largest)) for value, q in zip(a, y_hat, strict=True))


def loss(layers: Sequence[Layer], x: Vector, y_hat: Vector, hidden: str, output: str, weight: float = 1.0) -> float:
    """Loss of one sample."""
    return weight * loss_of_logits(forward(layers, x, hidden)[-1], y_hat, output)


def output_of(a: Vector, output: str) -> list[float]:
    """What a network says: y of its logits."""
    if output == "softmax":
        return softmax(a)
    return [logistic(value) for value in a] if output == "sigmoid" else list(a)


def backward(
    layers: Sequence[Layer], x: Vector, y_hat: Vector, hidden: str, output: str, weight: float = 1.0
) -> list[list[float]]:
    """Every dA^1 .. dA^N of one sample: eq. 17, then the general gradients with eq. 21."""
    before, outputs = sums(layers, x, hidden)
    dA = [[weight * value for value in logits_gradient(output_of(outputs[-1], output), y_hat)]]
    for n in range(len(layers) - 1, 0, -1):
        W, a = layers[n][0], before[n - 1]
        back = [sum(dA[0][j] * W[i][j] for j in range(len(dA[0]))) * SLOPES[hidden](a[i]) for i in range(len(a))]
        dA.insert(0, back)
    return dA


def gradients(
    layers: Sequence[Layer], x: Vector, y_hat: Vector, hidden: str, output: str, weight: float = 1.0
) -> list[Layer]:
    """Eqs 18 and 19 with 9 and 10: dW_ij = dA_j x_i, db_j = dA_j * 1, of one sample."""
    outputs = forward(layers, x, hidden)
    dA = backward(layers, x, y_hat, hidden, output, weight)
    return [([[da * value for da in dA[n]] for value in outputs[n]], list(dA[n])) for n in range(len(layers))]


@dataclass(frozen=True)
class Rule:
    """How a step changes the parameters; the names are those of `nnlite.kernels.step.Rule`."""

    optimizer: str = "sgd"
    learning_rate: float = 0.1
    betas: tuple[float, float] = (0.0, 0.0)
    epsilon: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 0.0


@dataclass
class State:
    """What an optimiser keeps, flat as the parameters."""

    steps: int = 0
    mean: dict[int, float] = field(default_factory=dict)
    square: dict[int, float] = field(default_factory=dict)


def mean_gradient(
    layers: Sequence[Layer], X: Matrix, Y_hat: Matrix, weights: Vector, hidden: str, output: str
) -> list[float]:
    """Of the loss of a batch, divided by its number of samples whatever their weights: flat."""
    each = [
        flatten(gradients(layers, x, y_hat, hidden, output, weight))
        for x, y_hat, weight in zip(X, Y_hat, weights, strict=True)
    ]
    return [math.fsum(column) / len(each) for column in zip(*each, strict=True)]


def is_weight(layers: Sequence[Layer]) -> list[bool]:
    """Whether a flat parameter is a weight and not a bias."""
    return [kind for W, b in layers for kind in [True] * (len(W) * len(b)) + [False] * len(b)]


def step(
    layers: Sequence[Layer],
    X: Matrix,
    Y_hat: Matrix,
    weights: Vector,
    hidden: str,
    output: str,
    rule: Rule,
    state: State,
    frozen: int = 0,
) -> tuple[list[Layer], list[float]]:
    """One step over a batch: the layers after it, and each loss. The first `frozen` layers stay; changes `state`.

    SGD w - lr g; momentum (Polyak) v = momentum v + g, w - lr v; Adam (Kingma and Ba, algorithm 1). Weight decay
    takes lr * decay of each weight away apart from that (Loshchilov and Hutter). A gradient whose norm over all
    parameters that are trained is above clip_norm is made that long.
    """
    losses = [
        loss(layers, x, y_hat, hidden, output, weight) for x, y_hat, weight in zip(X, Y_hat, weights, strict=True)
    ]
    g = mean_gradient(layers, X, Y_hat, weights, hidden, output)
    first = len(flatten(layers[:frozen]))
    norm = math.sqrt(math.fsum(value * value for value in g[first:]))
    if rule.clip_norm and norm > rule.clip_norm:
        g = [value * rule.clip_norm / norm for value in g]
    w, decays = flatten(layers), is_weight(layers)
    state.steps += 1
    for n in range(first, len(w)):
        if decays[n]:
            w[n] -= rule.learning_rate * rule.weight_decay * w[n]
        w[n] -= rule.learning_rate * _direction(g[n], n, rule, state)
    sizes = [len(layers[0][0]), *(len(b) for _, b in layers)]
    return unflatten(sizes, w), losses


def _direction(g: float, n: int, rule: Rule, state: State) -> float:
    if rule.optimizer == "momentum":
        state.mean[n] = rule.betas[0] * state.mean.get(n, 0.0) + g
        return state.mean[n]
    if rule.optimizer == "adam":
        state.mean[n] = rule.betas[0] * state.mean.get(n, 0.0) + (1 - rule.betas[0]) * g
        state.square[n] = rule.betas[1] * state.square.get(n, 0.0) + (1 - rule.betas[1]) * g * g
        mean = state.mean[n] / (1 - rule.betas[0] ** state.steps)
        square = state.square[n] / (1 - rule.betas[1] ** state.steps)
        return mean / (math.sqrt(square) + rule.epsilon)
    return g


def unflatten(sizes: Sequence[int], parameters: Sequence[float]) -> list[Layer]:
    """Layers from one flat vector: layer by layer W row-major [in][out], then b."""
    layers, at = [], 0
    values = [float(value) for value in parameters]
    for inputs, outputs in pairwise(sizes):
        W = [values[at + i * outputs : at + (i + 1) * outputs] for i in range(inputs)]
        at += inputs * outputs
        layers.append((W, values[at : at + outputs]))
        at += outputs
    return layers


def flatten(layers: Sequence[Layer]) -> list[float]:
    """Inverse of `unflatten`."""
    return [value for W, b in layers for row in [*W, b] for value in row]
