"""The fast form of a training's epochs, and of measuring; it answers as `kernels.step` does, bit for bit."""

from __future__ import annotations

from threading import Thread

import numpy as np
import numpy.typing as npt
from numba import config

from nnlite.fast.batches import LANE_ROWS, POISON, Buffers, measure_rows, train_batches
from nnlite.fast.jit import where_is
from nnlite.fast.lanes import LANES
from nnlite.fast.layers import PANEL
from nnlite.fast.plan import make_plan, pack, padded, unpack
from nnlite.fast.single import train_singly
from nnlite.kernels.step import ADAM, MOMENTUM, SGD, Rule, Shape

__all__ = ["Engine", "where_compiled"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
#: samples that are measured side by side
_MEASURED = 64
_CACHE_LINE = 64
#: weights times samples of a batch from which on threads save more time than they wait for each other
_PAYS_FROM = 4e6


def _zeros(count: int) -> Vector:
    """Zeros that begin at a cache line, so that no vector lies in two of them."""
    memory = np.zeros(count * 4 + _CACHE_LINE, np.uint8)
    first = -memory.ctypes.data % _CACHE_LINE
    return memory[first : first + count * 4].view(np.float32)


def where_compiled(one_by_one: bool, measures: bool) -> str:
    """Where the kernels of a training are: "loaded", "on disk" or "nowhere"."""
    needed = [train_singly if one_by_one else train_batches, *([measure_rows] if measures else [])]
    return max((where_is(kernel) for kernel in needed), key=["loaded", "on disk", "nowhere"].index)


class Engine:
    """A network's parameters and what its training keeps, laid out for the fast kernels.

    Parameters
    ----------
    shape : of the layers that are trained.
    batch : samples of a step.
    rule : of any step; only its rate may be another one later.
    threads : that share a batch; None for as many as Numba would take where the batch is large enough.
    """

    def __init__(self, shape: Shape, batch: int, rule: Rule, threads: int | None = 1) -> None:
        self.plan, parameters, transposed = make_plan(shape)
        if threads is None:
            threads = config.NUMBA_NUM_THREADS if parameters * batch >= _PAYS_FROM else 1
        # no more than have 16 samples each
        threads = min(threads, padded(batch) // LANES)
        self._batch, self._optimizer, self._threads = batch, rule.optimizer, threads
        self._single = batch == 1 and rule.optimizer == SGD and not rule.clip_norm and not rule.weight_decay
        kept = parameters if rule.optimizer in (MOMENTUM, ADAM) else 0
        rows = padded(max(batch, _MEASURED))
        columns = threads * int(self.plan.width[-1]) * LANES
        self._buffers = Buffers(
            parameters=_zeros(parameters),
            transposed=_zeros(transposed if self._single else 0),
            gradient=_zeros(parameters if rule.optimizer != SGD or rule.clip_norm else 0),
            first=_zeros(kept),
            second=_zeros(kept if rule.optimizer == ADAM else 0),
            records=_zeros(rows * self.plan.record),
            gradients=_zeros(rows * self.plan.gradient),
            panels=_zeros(threads * PANEL * self.plan.widest),
            columns=_zeros(columns),
            goals=_zeros(columns),
            goal_rows=_zeros(columns),
            lanes=_zeros(threads * LANE_ROWS * LANES),
            zeros=_zeros(self.plan.widest),
            ones=np.ones(1, np.float32),
            arrived=np.zeros(1, np.int64),
        )
        self._powers = np.ones(2, np.float32)

    def load(self, parameters: Vector, state: Vector) -> None:
        """Take over parameters, and what the optimiser keeps, from the kernels' form."""
        b = self._buffers
        pack(self.plan, parameters, b.parameters)
        count = parameters.size
        if self._optimizer == MOMENTUM:
            pack(self.plan, state, b.first)
        elif self._optimizer == ADAM:
            self._powers[:] = state[:2]
            pack(self.plan, state[2 : 2 + count], b.first)
            pack(self.plan, state[2 + count :], b.second)

    def store(self, parameters: Vector, state: Vector) -> None:
        """Give them back."""
        b = self._buffers
        unpack(self.plan, b.parameters, parameters)
        count = parameters.size
        if self._optimizer == MOMENTUM:
            unpack(self.plan, b.first, state)
        elif self._optimizer == ADAM:
            state[:2] = self._powers
            unpack(self.plan, b.first, state[2 : 2 + count])
            unpack(self.plan, b.second, state[2 + count :])

    def train(
        self,
        X: Matrix,
        labels: Indices,
        targets: Matrix,
        weights: Vector,
        order: Indices,
        rule: Rule,
        losses: Vector,
    ) -> bool:
        """One epoch as `kernels.step.train_rows`. Returns whether every logit and every parameter was finite."""
        self._clear_poison()
        b = self._buffers
        data = X, labels, targets, weights, order
        if self._single:
            train_singly(self.plan, b, *data, rule.learning_rate, losses)
        else:
            b.arrived[0] = 0

            def work(thread: int, powers: Vector) -> None:
                train_batches(self.plan, b, self._batch, *data, rule, powers, losses, thread, self._threads)

            others = [Thread(target=work, args=(n, self._powers.copy())) for n in range(1, self._threads)]
            for other in others:
                other.start()
            work(0, self._powers)
            for other in others:
                other.join()
        return self._is_clean() and bool(np.isfinite(b.parameters).all())

    def measure(self, rows: Matrix, labels: Indices, targets: Matrix, losses: Vector) -> int | None:
        """How many of the rows are classified right; their losses too if `losses` has room for them.

        None if a logit is not finite: the plain kernels must say what that comes to.
        """
        self._clear_poison()
        nothing, order = np.zeros(0, np.float32), np.arange(rows.shape[0])
        right = measure_rows(self.plan, self._buffers, _MEASURED, rows, labels, targets, nothing, order, losses)
        return int(right) if self._is_clean() else None

    def _poison(self) -> Matrix:
        return self._buffers.lanes.reshape(self._threads, LANE_ROWS, LANES)[:, POISON]

    def _clear_poison(self) -> None:
        self._poison()[:] = 0

    def _is_clean(self) -> bool:
        return bool(np.isfinite(self._poison()).all())
