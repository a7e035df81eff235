"""An epoch of SGD with one sample a step, for a network that the registers hold: a kernel of its own, for its sizes.

Nothing but the sample, its truth and its loss passes through memory. A layer is there twice, by rows for the way
forward and by columns for the way back; both take the same updates.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import overload

from nnlite.fast.activation import leaky_relu, leaky_relu_back, relu, relu_back, sigmoid_back, tanh_back
from nnlite.fast.elementary import exp_lanes, log_lanes, sigmoid_lanes, tanh_lanes
from nnlite.fast.jit import FORCED, fast_kernel
from nnlite.fast.lanes import LANES, lane, lanes_at, largest_of, numbers_like, pointer, select, store, sum_of
from nnlite.fast.plan import TinyPlan
from nnlite.fast.registers import (
    layers_at,
    less_scaled,
    store_layers,
    sums_back,
    sums_forward,
    zeros_for,
)
from nnlite.fast.single import finish
from nnlite.kernels.activation import LEAKY_RELU, RELU, SIGMOID, TANH
from nnlite.kernels.step import LINEAR, SIGMOID_OUTPUT, SOFTMAX

__all__ = ["TinyBuffers", "tiny_kernel"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
_ZERO, _HALF, _ONE, _MINUS_ZERO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(-0.0)


class TinyBuffers(NamedTuple):
    """parameters : layer by layer, as `registers.layers_at` takes them. The others : 16 each, as in `SingleBuffers`."""

    parameters: Vector
    totals: Vector
    rests: Vector
    weights: Vector
    finished: Vector
    poison: Vector


_HIDDEN = {
    RELU: (relu, relu_back),
    LEAKY_RELU: (leaky_relu, leaky_relu_back),
    SIGMOID: (sigmoid_lanes, sigmoid_back),
    TANH: (tanh_lanes, tanh_back),
}


def _loss(net: Any, a: Any, truth: Any) -> Any:
    """Total, rest and dA of the logits a, as `single._loss`."""
    raise NotImplementedError("only kernels call it")


@overload(_loss, jit_options=FORCED)  # type: ignore[untyped-decorator]
def _loss_of(net: Any, a: Any, truth: Any) -> Any:
    outputs = net.plan.sizes[-1]

    def softmax(net: Any, a: Any, truth: Any) -> Any:
        label, _, weight = truth
        largest = largest_of(a, outputs)
        terms = exp_lanes(a - largest)
        total = sum_of(terms, outputs)
        y = terms / total
        return total, lane(a, label) - largest, select(numbers_like(a) == np.float32(label), y - _ONE, y) * weight

    def sigmoid(net: Any, a: Any, truth: Any) -> Any:
        _, targets, weight = truth
        y_hat, above = lanes_at(targets, outputs, a), a > _ZERO
        power = exp_lanes(select(above, _MINUS_ZERO - a, a))
        terms = (select(above, a, _ZERO) - a * y_hat) + log_lanes(_ONE + power)
        return sum_of(terms, outputs), _ZERO, (sigmoid_lanes(a) - y_hat) * weight

    def linear(net: Any, a: Any, truth: Any) -> Any:
        _, targets, weight = truth
        error = a - lanes_at(targets, outputs, a)
        return _HALF * sum_of(error * error, outputs), _ZERO, error * weight

    return {SOFTMAX: softmax, SIGMOID_OUTPUT: sigmoid, LINEAR: linear}[net.plan.output]


def _step(net: Any, layers: Any, x: Any, truth: Any, rate: Any) -> Any:
    """One step of the last layers of a network, as many as `layers` has, with x what comes into the first of them.

    Numba compiles it for each number of layers, down to the last one.

    Parameters
    ----------
    net : the type `Known` of the whole network.
    x : a pointer to the sample, or lanes.
    truth : label, pointer to the targets, and weight.

    Returns
    -------
    The layers after the step; dx, without the slope; the logits, and total and rest of the loss.
    """
    raise NotImplementedError("only kernels call it")


@overload(_step, jit_options=FORCED)  # type: ignore[untyped-decorator]
def _step_of(net: Any, layers: Any, x: Any, truth: Any, rate: Any) -> Any:
    activate, times_slope = _HIDDEN[net.plan.hidden]

    def of_last(net: Any, layers: Any, x: Any, truth: Any, rate: Any) -> Any:
        layer = layers[0]
        a = sums_forward(layer, x)
        total, rest, dA = _loss(net, a, truth)
        return (less_scaled(layer, dA * rate, x),), sums_back(layer, dA), (a, total, rest)

    def of_hidden(net: Any, layers: Any, x: Any, truth: Any, rate: Any) -> Any:
        layer = layers[0]
        y = activate(sums_forward(layer, x))
        others, dy, found = _step(net, layers[1:], y, truth, rate)
        dA = times_slope(dy, y)
        return (less_scaled(layer, dA * rate, x), *others), sums_back(layer, dA), found

    return of_last if len(layers) == 1 else of_hidden


@cache
def tiny_kernel(plan: TinyPlan) -> Any:
    """The kernel of a network; nothing is compiled before it is called."""
    inputs, is_softmax = plan.sizes[0], plan.output == SOFTMAX

    def train_tiny(
        b: TinyBuffers,
        X: Matrix,
        labels: Indices,
        targets: Matrix,
        weights: Vector,
        order: Indices,
        rate: np.float32,
        losses: Vector,
    ) -> None:
        """As `train_singly`."""
        layers, poison = layers_at(pointer(b.parameters, 0), plan), zeros_for(plan)
        for t in range(order.size):
            row = order[t]
            label, target = (labels[row], 0) if is_softmax else (0, row * targets.shape[1])
            weight = weights[row] if weights.size != 0 else _ONE
            truth = label, pointer(targets, target), weight
            layers, _, (a, total, rest) = _step(plan, layers, pointer(X, row * inputs), truth, rate)
            poison = poison + (a - a)
            k = t % LANES
            b.totals[k], b.rests[k], b.weights[k] = total, rest, weight
            if k == LANES - 1 or t == order.size - 1:
                finish(is_softmax, b, losses, t - k, k + 1)
        store_layers(layers, pointer(b.parameters, 0))
        store(poison, pointer(b.poison, 0), 0)

    return fast_kernel.named(train_tiny, "train_tiny", *plan.sizes, plan.hidden, plan.output)
