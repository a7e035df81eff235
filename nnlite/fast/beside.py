"""The fast kernels compiled by a process of its own, while the plain ones train already.

Both give the same bits, so a training can go over from one to the other after any of its steps. What the process
leaves behind is the machine code on disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from nnlite.kernels.step import SGD, SOFTMAX, Rule, Shape, parameter_count

__all__ = ["Beside", "compile_for"]


def compile_for(shape: Shape, one_by_one: bool, tiny: bool, measures: bool) -> None:
    """Compile what `Engine` needs for a training, by a training of one sample.

    Parameters
    ----------
    shape, one_by_one, measures : see `fast.choose`.
    tiny : see `Engine`.
    """
    from nnlite.fast.engine import Engine

    zero, nothing = np.float32(0), np.zeros(0, np.float32)
    rule = Rule(SGD, zero, np.zeros(2, np.float32), zero, zero, zero)
    engine = Engine(shape, 1 if one_by_one else 2, rule, np.zeros(parameter_count(shape), np.float32), nothing, 1, tiny)
    rows, targets = np.zeros((1, shape.sizes[0]), np.float32), np.zeros((1, shape.sizes[-1]), np.float32)
    labels, losses = np.zeros(1 if shape.output == SOFTMAX else 0, np.int64), np.empty(1, np.float32)
    engine.train(rows, labels, targets, nothing, np.zeros(1, np.int64), rule, losses)
    if measures:
        engine.measure(rows, labels, targets, losses)


class Beside:
    """The other process. It begins with the first look at it, so that it takes nothing from what comes before."""

    def __init__(self, shape: Shape, one_by_one: bool, tiny: bool, measures: bool) -> None:
        """As of `compile_for`."""
        self._spec = [shape.sizes.tolist(), int(shape.hidden), int(shape.output)], one_by_one, tiny, measures
        self._process: subprocess.Popen[bytes] | None = None

    def poll(self) -> int | None:
        """The exit code, 0 when all is compiled, or None as long as there is none."""
        if self._process is not None:
            return self._process.poll()
        # this nnlite, wherever it was imported from: where the machine code lies goes by its place
        path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, json.dumps(self._spec)],
                env=os.environ | {"PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return 1
        return None

    def stop(self) -> None:
        """What it has not finished is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _main(spec: str) -> None:
    (sizes, hidden, output), one_by_one, tiny, measures = json.loads(spec)
    with suppress(KeyboardInterrupt):
        compile_for(Shape(np.array(sizes), hidden, output), one_by_one, tiny, measures)


if __name__ == "__main__":
    _main(sys.argv[1])
