"""nnlite: the public `train`."""

from __future__ import annotations

from functools import cache
from importlib import metadata

from nnlite import __version__
from nnlite.bench.peers.task import Floats, Task
from nnlite.fast.beside import compile_for
from nnlite.network import Network
from nnlite.training import train

__all__ = ["Ours", "TwoThreads", "version", "ways"]


def version() -> str:
    """Of what the speed depends on."""
    return f"nnlite {__version__}, numba {metadata.version('numba')}"


def ways(task: Task) -> list[str]:
    """There is one."""
    return ["train"]


@cache
def _load_kernels(sizes: tuple[int, ...], output: str, one_by_one: bool) -> None:
    """What is compiled only for long work, and would be meanwhile."""
    compile_for(Network(sizes, "relu", output).kernel_shape(), one_by_one, measures=False, tiny=True)


class Ours:
    """With one thread, see `Trainer`."""

    takes_all_rows = False
    threads = 1

    def __init__(self, task: Task, way: str) -> None:
        self._task = task
        self._rows = 0
        self._net: Network

    def prepare(self, rows: int) -> None:
        """See `Trainer`."""
        _load_kernels(self._task.sizes, self._task.output, self._task.batch_size == 1)
        self._rows = rows
        self.reset()
        self.train(1)

    def reset(self) -> None:
        """See `Trainer`."""
        self._net = Network.with_parameters(self._task.sizes, "relu", self._task.output, self._task.parameters.copy())
        if self._task.output == "softmax":
            self._net.labels = tuple(range(self._task.sizes[-1]))  # few rows need not have every class

    def train(self, epochs: int) -> None:
        """See `Trainer`."""
        train(
            self._net,
            self._task.X[: self._rows],
            self._task.truth[: self._rows],
            epochs=epochs,
            batch_size=self._task.batch_size,
            learning_rate=self._task.learning_rate,
            shuffle=False,
            progress=False,
            standardize=False,
            accuracy=False,
            threads=self.threads,
        )

    def parameters(self) -> Floats:
        """See `Trainer`."""
        return self._net.parameters


class TwoThreads(Ours):
    """With two."""

    threads = 2
