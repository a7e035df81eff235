"""JAX: a whole epoch compiled, one scan over its batches."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nnlite.bench.peers.task import Floats, Task

__all__ = ["Jax", "version", "ways"]

_GRAD, _BY_HAND = "jax.grad", "gradients by hand"
_UNROLLED = ", four batches unrolled"

#: weights and bias of each layer
Layers = list[tuple[Any, Any]]


def version() -> str:
    """Of what the speed depends on."""
    return f"jax {jax.__version__}"


def ways(task: Task) -> list[str]:
    """Which is the fastest differs from network to network."""
    return [way + unrolled for way in (_GRAD, _BY_HAND) for unrolled in ("", _UNROLLED)]


class Jax:
    """See `Trainer`."""

    takes_all_rows = True
    threads = 1

    def __init__(self, task: Task, way: str) -> None:
        self._task = task
        self._start = [(jax.device_put(weights), jax.device_put(bias)) for weights, bias in task.layers()]
        self._one_hot = task.one_hot()
        gradients = jax.grad(self._loss) if way.startswith(_GRAD) else self._by_hand
        rate, unroll = task.learning_rate, 4 if way.endswith(_UNROLLED) else 1

        def step(layers: Layers, batch: tuple[Any, Any]) -> tuple[Layers, None]:
            found = gradients(layers, *batch)
            return jax.tree.map(lambda parameter, gradient: parameter - rate * gradient, layers, found), None

        def epoch(layers: Layers, X: Any, truth: Any) -> Layers:
            layers, _ = jax.lax.scan(step, layers, (X, truth), unroll=unroll)
            return layers

        self._epoch = jax.jit(epoch)
        self.reset()

    @staticmethod
    def _outputs(layers: Layers, X: Any) -> Any:
        *hidden, (weights, bias) = layers
        for hidden_weights, hidden_bias in hidden:
            X = jnp.maximum(X @ hidden_weights + hidden_bias, 0)
        return X @ weights + bias

    def _loss(self, layers: Layers, X: Any, truth: Any) -> Any:
        outputs = self._outputs(layers, X)
        if self._task.output == "linear":
            return 0.5 * jnp.sum((outputs - truth) ** 2) / X.shape[0]
        return -jnp.sum(truth * jax.nn.log_softmax(outputs)) / X.shape[0]

    def _by_hand(self, layers: Layers, X: Any, truth: Any) -> Layers:
        record = [X]
        for weights, bias in layers[:-1]:
            record.append(jnp.maximum(record[-1] @ weights + bias, 0))
        weights, bias = layers[-1]
        outputs = record[-1] @ weights + bias
        squashed = outputs if self._task.output == "linear" else jax.nn.softmax(outputs)
        dA = (squashed - truth) / X.shape[0]
        found = []
        for (weights, _), x in zip(layers[::-1], record[::-1], strict=True):
            found.append((x.T @ dA, dA.sum(0)))
            dA = (dA @ weights.T) * (x > 0)  # that of the inputs is of no use, and XLA leaves it out
        return found[::-1]

    def prepare(self, rows: int) -> None:
        """See `Trainer`."""
        batch = self._task.batch_size
        self._X = jax.device_put(self._task.X[:rows].reshape(rows // batch, batch, -1))
        self._truth = jax.device_put(self._one_hot[:rows].reshape(rows // batch, batch, -1))
        self.reset()
        self.train(1)

    def reset(self) -> None:
        """See `Trainer`."""
        self._layers = self._start

    def train(self, epochs: int) -> None:
        """See `Trainer`."""
        for _ in range(epochs):
            self._layers = self._epoch(self._layers, self._X, self._truth)
        jax.block_until_ready(self._layers)

    def parameters(self) -> Floats:
        """See `Trainer`."""
        return np.concatenate([np.asarray(part).ravel() for layer in self._layers for part in layer])
