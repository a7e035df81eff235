"""The fast form of a training's epochs, and of measuring; it answers as `kernels.step` does, bit for bit."""

from __future__ import annotations

from functools import cached_property
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import config

from nnlite.fast.batches import Buffers, measure_rows, train_batches
from nnlite.fast.jit import fast_kernel
from nnlite.fast.lanes import LANES
from nnlite.fast.plan import (
    Plan,
    TinyPlan,
    make_plan,
    make_single_plan,
    make_tiny_plan,
    padded,
    plan_of_thread,
    tiny_views,
    views,
)
from nnlite.fast.single import SingleBuffers, train_singly
from nnlite.fast.team import APART, STOP
from nnlite.fast.tiny import TinyBuffers, tiny_kernel
from nnlite.kernels.activation import SIGMOID
from nnlite.kernels.step import ADAM, LINEAR, MOMENTUM, SGD, Rule, Shape

__all__ = ["Engine", "fits_registers", "where_compiled"]

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
#: samples that are measured side by side
_MEASURED = 64
_CACHE_LINE = 64
#: weights times samples of a batch from which on threads save more time than they wait for each other
_PAYS_FROM = 4e6


def _zeros(**counts: int) -> dict[str, Vector]:
    """Zeros by name, one after the other in one piece of memory, each from the beginning of a cache line on.

    So no vector lies in two lines, and whether a CPU takes a load for one from where it has just stored, which it does
    by the lowest 12 bits of their addresses, is the same in every run.
    """
    starts = np.cumsum([0, *(padded(count) for count in counts.values())]).tolist()
    memory = np.zeros(starts[-1] * 4 + _CACHE_LINE, np.uint8)
    first = -memory.ctypes.data % _CACHE_LINE
    floats = memory[first : first + starts[-1] * 4].view(np.float32)
    return {name: floats[at : at + count] for (name, count), at in zip(counts.items(), starts, strict=False)}


def fits_registers(shape: Shape) -> bool:
    """Whether a network can have a kernel of its own."""
    return make_tiny_plan(shape) is not None


def where_compiled(shape: Shape, one_by_one: bool, measures: bool, tiny: bool) -> str:
    """Where the kernels of a training are: "loaded", "on disk" or "nowhere".

    Parameters
    ----------
    one_by_one, measures : see `fast.choose`.
    tiny : whether it is the network's own kernel that trains; only where `fits_registers` says so.
    """
    plan = make_tiny_plan(shape) if tiny else None
    trains = train_batches if not one_by_one else train_singly if plan is None else tiny_kernel(plan)
    needed = [trains, *([measure_rows] if measures else [])]
    return max((fast_kernel.where(kernel) for kernel in needed), key=["loaded", "on disk", "nowhere"].index)


def _make_buffers(plan: Plan, parameters: int, optimizer: int, needs_gradient: bool, threads: int) -> Buffers:
    samples, outputs = plan.samples, int(plan.width[-1])
    kept = parameters if optimizer in (MOMENTUM, ADAM) else 0
    everything = int(plan.units[-1] + outputs) * samples
    with_inputs = everything + int((threads - 1) * plan.width[0]) * samples
    zeros = _zeros(
        parameters=parameters,
        gradient=parameters if needs_gradient else 0,
        first=kept,
        second=kept if optimizer == ADAM else 0,
        columns=with_inputs,
        rows=with_inputs,
        slopes=everything,
        goals=outputs * samples,
        goal_rows=outputs * samples,
        labels=samples,
        weights=threads * samples,
        losses=samples,
        hits=samples,
        poison=threads * LANES,
        zero=1,
    )
    starts = np.zeros(2 * threads * samples, np.int64)
    buffers = Buffers(**zeros, starts=starts, progress=np.zeros(threads * APART, np.int64))
    for thread in range(threads):
        own = plan_of_thread(plan, thread)
        for size, width, unit in zip(own.sizes[:-1], own.width, own.units, strict=False):
            # what a bias is multiplied by; nobody writes there again
            first = unit * samples
            buffers.columns[first + size * samples : first + (size + 1) * samples] = 1
            buffers.rows[first : first + width * samples].reshape(samples, width)[:, size] = 1
    return buffers


class _Singly:
    """What a training with one sample a step has instead."""

    def __init__(self, shape: Shape) -> None:
        self._plan, parameters, transposed = make_single_plan(shape)
        outputs = int(self._plan.width[-1])
        self.buffers = SingleBuffers(
            **_zeros(
                parameters=parameters,
                transposed=transposed,
                records=2 * self._plan.record,
                slopes=2 * self._plan.gradient,
                terms=outputs,
                goal=outputs,
                numbers=outputs,
                totals=LANES,
                rests=LANES,
                weights=LANES,
                finished=LANES,
                zeros=int(self._plan.width.max()),
                poison=LANES,
            )
        )
        self.buffers.numbers[:] = np.arange(outputs)

    def views(self, plain: Vector) -> list[tuple[Vector, Vector]]:
        """Of the parameters, as `plan.views`."""
        return views(self._plan, plain, self.buffers.parameters)

    def clear(self) -> None:
        """What no parameter fills."""
        self.buffers.parameters[:] = 0

    def train(self, *data_rate_and_losses: Any) -> None:
        """One epoch."""
        train_singly(self._plan, self.buffers, *data_rate_and_losses)


class _Tiny:
    """And what a network with a kernel of its own has."""

    def __init__(self, plan: TinyPlan) -> None:
        self._plan, self._kernel = plan, tiny_kernel(plan)
        sixteen = dict.fromkeys(("totals", "rests", "weights", "finished", "poison"), LANES)
        self.buffers = TinyBuffers(**_zeros(parameters=plan.blocks[-1], **sixteen))

    def views(self, plain: Vector) -> list[tuple[Vector, Vector]]:
        """Of the parameters, as `plan.views`."""
        return tiny_views(self._plan, plain, self.buffers.parameters)

    def clear(self) -> None:
        """What no parameter fills: 0, and biases from which an activation makes 0."""
        plan, parameters = self._plan, self.buffers.parameters
        parameters[:] = 0
        for n, first in enumerate(plan.blocks[:-1], 1):
            is_last = n == len(plan.sizes) - 1
            if plan.output != LINEAR if is_last else plan.hidden == SIGMOID:
                parameters[first : first + plan.lanes] = -np.finfo(np.float32).max

    def train(self, *data_rate_and_losses: Any) -> None:
        """One epoch."""
        self._kernel(self.buffers, *data_rate_and_losses)


class Engine:
    """A network's parameters and what its training keeps, laid out for the fast kernels.

    Parameters
    ----------
    shape : of the layers that are trained.
    batch : samples of a step.
    rule : of any step; only its rate may be another one later.
    parameters, state : in the kernels' form. They are what is taken over, now and by `load`, and given back by `store`.
    threads : that share a batch; None for as many as Numba would take where the batch is large enough.
    tiny : whether the network shall have a kernel of its own where it can: for one sample a step, and plain SGD.
    """

    def __init__(
        self,
        shape: Shape,
        batch: int,
        rule: Rule,
        parameters: Vector,
        state: Vector,
        threads: int | None = 1,
        tiny: bool = False,
    ) -> None:
        self._plan, packed = make_plan(shape, batch)
        if threads is None:
            threads = config.NUMBA_NUM_THREADS if packed * batch >= _PAYS_FROM else 1
        # no more than have 16 units of some layer each
        threads = min(threads, padded(int(shape.sizes[1:].max())) // LANES)
        self._batch, self._threads = batch, threads
        needs_gradient = rule.optimizer != SGD or bool(rule.clip_norm)
        b = self._buffers = _make_buffers(self._plan, packed, rule.optimizer, needs_gradient, threads)
        one_by_one = batch == 1 and not needs_gradient and not rule.weight_decay
        plan = make_tiny_plan(shape) if tiny else None
        self._singly = None if not one_by_one else _Singly(shape) if plan is None else _Tiny(plan)
        self._shape = shape
        self._powers = np.ones(2, np.float32)
        self._measured = views(self._plan, parameters, b.parameters)
        self._kept = self._measured
        count = parameters.size
        if self._singly is not None:
            self._kept = self._singly.views(parameters)
        elif rule.optimizer == MOMENTUM:
            self._kept = self._kept + views(self._plan, state, b.first)
        elif rule.optimizer == ADAM:
            first, second = state[2 : 2 + count], state[2 + count :]
            moments = views(self._plan, first, b.first) + views(self._plan, second, b.second)
            self._kept = [*self._kept, *moments, (state[:2], self._powers)]
        self.load()

    def load(self) -> None:
        """Take over the parameters, and what the optimiser keeps."""
        b = self._buffers
        # what fills up, too: after numbers that were not finite it need not be 0
        for buffer in (b.parameters, b.first, b.second):
            buffer[:] = 0
        if self._singly is not None:
            self._singly.clear()
        for plain, packed in self._kept:
            packed[...] = plain

    def store(self) -> None:
        """Give them back."""
        for plain, packed in self._kept:
            plain[...] = packed

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
        """One epoch as `kernels.step.train_rows`. Returns whether all was finite."""
        b, data = self._buffers, (X, labels, targets, weights, order)
        if self._singly is not None:
            one = self._singly.buffers
            one.poison[:] = 0
            self._singly.train(*data, rule.learning_rate, losses)
            return bool(np.isfinite(one.poison).all() and np.isfinite(one.parameters).all())
        b.poison[:] = 0
        b.progress[:] = 0
        failed: list[BaseException] = []

        def work(thread: int, powers: Vector) -> None:
            plan = plan_of_thread(self._plan, thread)
            train_batches(plan, b, self._batch, *data, rule, powers, losses, thread, self._threads)

        def work_beside(thread: int, powers: Vector) -> None:
            try:
                work(thread, powers)
            except BaseException as error:
                b.progress[STOP] = 1
                failed.append(error)

        others = [
            Thread(target=work_beside, args=(n, self._powers.copy()), daemon=True) for n in range(1, self._threads)
        ]
        try:
            for other in others:
                other.start()
            work(0, self._powers)
        except BaseException:
            # Ctrl-C before all are there, or a thread that the system refuses: nobody shall wait for it
            b.progress[STOP] = 1
            raise
        finally:
            for other in others:
                if other.ident is not None:
                    other.join()
        if failed:
            raise failed[0]
        return bool(np.isfinite(b.poison).all() and np.isfinite(b.parameters).all())

    def measure(self, rows: Matrix, labels: Indices, targets: Matrix, losses: Vector) -> int | None:
        """How many of the rows are classified right; their losses too if `losses` has room for them.

        Only after `load` or `store`. None if something is not finite: the plain kernels must say what that comes to.
        """
        if self._singly is not None:
            for plain, packed in self._measured:
                packed[...] = plain
        plan, b = self._measuring
        b.poison[:] = 0
        order = np.arange(rows.shape[0])
        right = measure_rows(plan, b, _MEASURED, rows, labels, targets, order, losses)
        return int(right) if np.isfinite(b.poison).all() else None

    @cached_property
    def _measuring(self) -> tuple[Plan, Buffers]:
        """What measuring computes in, with the same parameters."""
        plan, _ = make_plan(self._shape, _MEASURED)
        return plan, _make_buffers(plan, 0, SGD, False, 1)._replace(parameters=self._buffers.parameters)
