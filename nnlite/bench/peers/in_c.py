"""The same arithmetic in C: the runtime as it is, and plain loops for one network. A way is a compiler."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from nnlite.bench.c_runtime import CRuntime, CShape, build
from nnlite.bench.peers.task import Floats, Task
from nnlite.export.native import compilers
from nnlite.layout import HiddenActivation, OutputFunction

__all__ = ["Plain", "Runtime", "version", "ways"]

_OUTPUTS = {"softmax": OutputFunction.SOFTMAX, "linear": OutputFunction.LINEAR}
#: of the runtime's sources, those that plain.c stands in for
_REPLACED = ("dense.c", "optimizer.c", "standardize.c", "step.c")


def _commands() -> dict[str, list[str]]:
    return {" ".join(command): command for command in compilers()}


def version() -> str:
    """The first line that each compiler says of itself."""
    said = []
    for command in compilers():
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
        said.append(done.stdout.partition("\n")[0])
    return ", ".join(said)


def ways(task: Task) -> list[str]:
    """Every compiler there is."""
    return list(_commands())


class Runtime:
    """The runtime that boards have, see `Trainer`."""

    takes_all_rows = False
    threads = 1

    def __init__(self, task: Task, way: str) -> None:
        self._task = task
        self._library = self._build(way)
        self._shape = CShape.of(task.sizes, HiddenActivation.RELU, _OUTPUTS[task.output])
        truth = task.truth if task.output == "linear" else task.truth.astype(np.uint32)
        self._truth = np.ascontiguousarray(truth)
        self._rows = 0
        self._mine = task.parameters.copy()

    def _build(self, way: str) -> CRuntime:
        return _runtime(way)

    def prepare(self, rows: int) -> None:
        """See `Trainer`."""
        self._rows = rows
        self.reset()
        self.train(1)

    def reset(self) -> None:
        """See `Trainer`."""
        self._mine[:] = self._task.parameters

    def train(self, epochs: int) -> None:
        """See `Trainer`."""
        rows = self._task.X[: self._rows], self._truth[: self._rows]
        self._library.epochs(self._shape, self._mine, *rows, self._task.learning_rate, self._task.batch_size, epochs)

    def parameters(self) -> Floats:
        """See `Trainer`."""
        return self._mine


class Plain(Runtime):
    """plain.c for the task's network, see `Trainer`."""

    def _build(self, way: str) -> CRuntime:
        return _plain(way, self._task.sizes, self._task.output)


@cache
def _runtime(way: str) -> CRuntime:
    return build(_commands()[way], [])


@cache
def _plain(way: str, sizes: Sequence[int], output: str) -> CRuntime:
    with tempfile.TemporaryDirectory() as folder:
        header = Path(folder) / "network.h"
        header.write_text(network_header(sizes, output), encoding="ascii")
        plain = Path(__file__).resolve().parent.parent / "plain.c"
        return build([*_commands()[way], f"-I{folder}"], [plain], _REPLACED)


def network_header(sizes: Sequence[int], output: str) -> str:
    """What plain.c includes as network.h: of each layer where it begins in a record, in the parameters and in the
    gradients, its inputs and outputs, and whether it is hidden.
    """
    rows: list[str] = []
    x = w = da = 0
    for inputs, outputs in pairwise(sizes):
        rows.append(f"DO({x}u, {w}u, {da}u, {inputs}u, {outputs}u, {int(len(rows) < len(sizes) - 2)})")
        x, w, da = x + inputs, w + inputs * outputs + outputs, da + outputs
    lines = {
        "ACTIVATIONS": f"{sum(sizes)}u",
        "GRADIENTS": f"{sum(sizes[1:])}u",
        "OUTPUTS": f"{sizes[-1]}u",
        "WIDEST": f"{max(sizes)}u",
        "LARGEST": f"{max(inputs * outputs + outputs for inputs, outputs in pairwise(sizes))}u",
        "SOFTMAX": f"{int(output == 'softmax')}",
        "EACH_LAYER(DO)": " ".join(rows),
        "EACH_LAYER_BACK(DO)": " ".join(rows[:0:-1]),
    }
    return "".join(f"#define {name} {value}\n" for name, value in lines.items())
