"""PyTorch, eager: each batch forward, backward by autograd, and a step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch

from nnlite.bench.peers.task import Floats, Task

__all__ = ["Torch", "version", "ways"]

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
_MODULES, _TENSORS = "torch.nn and torch.optim", "torch.autograd.grad"


def version() -> str:
    """Of what the speed depends on."""
    return f"torch {torch.__version__}"


def ways(task: Task) -> list[str]:
    """As most programs have it, and with less around it."""
    return [_MODULES, _TENSORS]


class Torch:
    """See `Trainer`."""

    takes_all_rows = False
    threads = 1

    def __init__(self, task: Task, way: str) -> None:
        self._task = task
        self._linear = task.output == "linear"
        self._X, self._truth = torch.from_numpy(task.X), torch.from_numpy(task.truth)
        self._layers = [torch.nn.Linear(*shape) for shape in pairwise(task.sizes)]
        self._step = self._with_modules() if way == _MODULES else self._with_tensors()
        self.reset()

    def _loss(self, outputs: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        if self._linear:
            return torch.nn.functional.mse_loss(outputs, truth, reduction="sum") * (0.5 / self._task.batch_size)
        return torch.nn.functional.cross_entropy(outputs, truth)

    def _with_modules(self) -> Callable[[torch.Tensor, torch.Tensor], None]:
        parts: list[torch.nn.Module] = []
        for layer in self._layers:
            parts += [layer, torch.nn.ReLU()]
        model = torch.nn.Sequential(*parts[:-1])
        optimizer = torch.optim.SGD(model.parameters(), lr=self._task.learning_rate, fused=True)

        def step(X: torch.Tensor, truth: torch.Tensor) -> None:
            optimizer.zero_grad(set_to_none=True)
            self._loss(model(X), truth).backward()
            optimizer.step()

        return step

    def _with_tensors(self) -> Callable[[torch.Tensor, torch.Tensor], None]:
        *hidden, last = self._layers
        parameters = [tensor for layer in self._layers for tensor in (layer.weight, layer.bias)]
        linear, rate = torch.nn.functional.linear, -self._task.learning_rate

        def step(X: torch.Tensor, truth: torch.Tensor) -> None:
            for layer in hidden:
                X = linear(X, layer.weight, layer.bias).relu()
            outputs = linear(X, last.weight, last.bias)
            gradients = torch.autograd.grad(self._loss(outputs, truth), parameters)
            with torch.no_grad():
                torch._foreach_add_(parameters, gradients, alpha=rate)

        return step

    def prepare(self, rows: int) -> None:
        """See `Trainer`."""
        batch = self._task.batch_size
        self._batches = list(zip(self._X[:rows].split(batch), self._truth[:rows].split(batch), strict=True))
        for X, truth in self._batches[:8]:
            self._step(X, truth)

    def reset(self) -> None:
        """See `Trainer`."""
        with torch.no_grad():
            for layer, (weights, bias) in zip(self._layers, self._task.layers(), strict=True):
                layer.weight.copy_(torch.from_numpy(weights.T.copy()))
                layer.bias.copy_(torch.from_numpy(bias.copy()))

    def train(self, epochs: int) -> None:
        """See `Trainer`."""
        for _ in range(epochs):
            for X, truth in self._batches:
                self._step(X, truth)

    def parameters(self) -> Floats:
        """See `Trainer`."""
        parts = [
            part for layer in self._layers for part in (layer.weight.detach().numpy().T, layer.bias.detach().numpy())
        ]
        return np.concatenate([part.ravel() for part in parts])
