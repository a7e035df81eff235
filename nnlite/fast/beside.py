"""The fast kernels compiled by a process of its own, while the plain ones train already.

Both give the same bits, so a training can go over from one to the other after any of its steps. What the process
leaves behind is the machine code on disk.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np

from nnlite.kernels.step import SGD, SOFTMAX, Rule, Shape, parameter_count

__all__ = ["Beside", "compile_for"]


def compile_for(shape: Shape, one_by_one: bool, measures: bool, tiny: bool) -> None:
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


#: finds this nnlite where this process did: the place of the machine code goes by it
_PROGRAM = """
import json, sys
sys.path[:], (sizes, hidden, output), *how = json.loads(sys.argv[1])
import numpy as np
from nnlite.fast.beside import compile_for
from nnlite.kernels.step import Shape
compile_for(Shape(np.array(sizes), hidden, output), *how)
"""


#: by what they compile. What a training leaves unfinished goes on for the next one, in this process or a later one
_running: dict[str, subprocess.Popen[bytes]] = {}


class Beside:
    """The other process. It begins with the first look at it, so that what is compiled before has the computer."""

    def __init__(self, shape: Shape, one_by_one: bool, measures: bool, tiny: bool) -> None:
        """As of `compile_for`."""
        self._needed = shape, one_by_one, measures, tiny
        network = shape.sizes.tolist(), int(shape.hidden), int(shape.output)
        self._spec = json.dumps([sys.path, network, *self._needed[1:]])

    def poll(self) -> bool | None:
        """None as long as it compiles, then whether the kernels are on disk."""
        from nnlite.fast.engine import where_compiled

        process = _running.get(self._spec)
        if process is not None:
            code = process.poll()
            if code is None:
                return None
            del _running[self._spec]
            return code == 0 and where_compiled(*self._needed) != "nowhere"
        if not sys.executable or getattr(sys, "frozen", False):
            return False  # no Python of its own, but a program with this one inside
        try:
            _running[self._spec] = subprocess.Popen(
                # -P: nothing in the folder that happens to be the current one is imported
                [sys.executable, "-P", "-c", _PROGRAM, self._spec],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return False
        return None

    def stop(self) -> None:
        """What it has not finished is lost."""
        process = _running.pop(self._spec, None)
        if process is not None:
            process.kill()
            process.wait()
