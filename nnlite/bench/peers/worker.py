"""The process of one trainer: calls come in by a pipe, one at a time, and answers go out by another.

    python -m nnlite.bench.peers.worker MODULE CLASS

Both pipes, standard input and output, carry pickles: (method, arguments) and (whether it went well, value or text).
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import sys
import time
from typing import Any, cast

from nnlite.bench.peers.task import Floats, Task, Trainer

__all__ = ["Size", "Worker", "main"]

#: trials of each way, of which the shortest counts
_TRIALS = 3

#: rows, and epochs over them
Size = tuple[int, int]


class Worker:
    """What the other end may call."""

    def __init__(self, module: str, trainer: str) -> None:
        self._module = importlib.import_module(module)
        self._kind = getattr(self._module, trainer)
        self._trainer: Trainer
        if self._kind.threads == 1 and hasattr(os, "sched_setaffinity"):
            # whoever takes turns does so on one processor: another may be slower for as long as all are measured, where
            # they are halves of a core whose other half somebody else uses
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    def version(self) -> str:
        """Of what the speed depends on."""
        return cast("str", self._module.version())

    def begin(self, task: Task, seconds: float) -> tuple[str, Size]:
        """Take a task: choose the fastest way, and the size of a run that takes about so many seconds.

        A run goes over all rows as often as there is time for, or over as many of the first ones as there is time for.
        """
        found = []
        for way in self._module.ways(task):
            trainer: Trainer = self._kind(task, way)
            rows, taken = _fitting(trainer, task, seconds)
            found.append((taken / rows, way, trainer, rows, taken))
        _, way, self._trainer, rows, taken = min(found, key=lambda one: one[0])
        epochs = max(1, round(seconds / taken))
        while (taken := _timed(self._trainer, epochs)) < seconds / 2:  # with more epochs each may take less
            epochs = max(epochs + 1, round(epochs * seconds / taken))
        return way, (rows, epochs)

    def learn(self, rows: int, epochs: int) -> Floats:
        """Parameters after so many epochs over the first rows."""
        self._trainer.prepare(rows)
        _timed(self._trainer, epochs)
        return self._trainer.parameters()

    def prepare(self, rows: int) -> None:
        """For `run`."""
        self._trainer.prepare(rows)

    def run(self, epochs: int) -> float:
        """Seconds that so many epochs took, from the task's parameters on."""
        return _timed(self._trainer, epochs)


def _fitting(trainer: Trainer, task: Task, seconds: float) -> tuple[int, float]:
    """How many rows one epoch of about half the time or more can have, and the seconds it takes."""
    whole = task.X.shape[0]
    rows = whole if trainer.takes_all_rows else min(4 * task.batch_size, whole)
    while True:
        trainer.prepare(rows)
        taken = min(_timed(trainer, 1) for _ in range(_TRIALS))
        if rows == whole or taken >= seconds / 2:
            return rows, taken
        more = min(int(rows * min(seconds / taken, 64.0)), whole) // task.batch_size * task.batch_size
        rows = max(more, rows + task.batch_size)


def _timed(trainer: Trainer, epochs: int) -> float:
    """Seconds of a run."""
    trainer.reset()
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        trainer.train(epochs)
        return time.perf_counter() - start
    finally:
        gc.enable()


def main() -> None:
    """Serve until the other end closes."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not be taken for an answer
    worker: Any = None
    while True:
        try:
            method, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if worker is None:
                worker = Worker(*sys.argv[1:])
            answer = True, getattr(worker, method)(*arguments)
        except Exception as error:
            answer = False, f"{type(error).__name__}: {error}"
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
