"""Losses of one sample and their gradients. Mirror of runtime/loss.c."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nnlite.kernels.exp_log import exp_f32, log_f32
from nnlite.kernels.jit import kernel
from nnlite.kernels.sigmoid_tanh import sigmoid_f32

__all__ = ["binary_cross_entropy", "mean_squared_error", "softmax_cross_entropy"]

Vector = npt.NDArray[np.float32]


@kernel
def softmax_cross_entropy(logits: Vector, label: int, dA: Vector) -> np.float32:
    """eq. 2 and 17: fills dA_j = y_j - y_hat_j with y = softmax(a) and returns the loss.

    logits and dA (outputs,), label from 0 to outputs - 1. The loss comes from the logits,
    log(sum e^(a_j - max)) - (a_label - max): log(y) would be lost where y underflows.
    """
    largest = logits[0]
    for j in range(1, dA.size):
        if logits[j] > largest:  # noqa: PLR1730  as in C
            largest = logits[j]
    total = np.float32(0.0)
    for j in range(dA.size):
        dA[j] = exp_f32(logits[j] - largest)
        total = total + dA[j]
    for j in range(dA.size):
        dA[j] = dA[j] / total
    dA[label] = dA[label] - np.float32(1.0)
    loss: np.float32 = log_f32(total) - (logits[label] - largest)
    return loss


@kernel
def binary_cross_entropy(logits: Vector, y_hat: Vector, dA: Vector) -> np.float32:
    """Cross-entropy of independent sigmoid outputs: fills dA_j = y_j - y_hat_j with y = sigmoid(a), returns the loss.

    All (outputs,), y_hat from 0 to 1. The loss comes from the logits, sum_j (max(a_j, 0) - a_j y_hat_j) +
    log(1 + e^-|a_j|) from +0 over ascending j: log(y) would be lost where y underflows or rounds to 1.
    """
    total = np.float32(0.0)
    for j in range(dA.size):
        a = logits[j]
        positive = a if a > np.float32(0.0) else np.float32(0.0)
        power = exp_f32(-a if a > np.float32(0.0) else a)
        total = total + ((positive - a * y_hat[j]) + log_f32(np.float32(1.0) + power))
        dA[j] = sigmoid_f32(a) - y_hat[j]
    return total


@kernel
def mean_squared_error(y: Vector, y_hat: Vector, dA: Vector) -> np.float32:
    """1/2 sum_j (y_j - y_hat_j)^2 from +0 over ascending j, so that dA_j = y_j - y_hat_j here too. All (outputs,)."""
    total = np.float32(0.0)
    for j in range(dA.size):
        dA[j] = y[j] - y_hat[j]
        total = total + dA[j] * dA[j]
    return np.float32(0.5) * total
