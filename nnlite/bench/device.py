"""What inference and a training step cost on a board: its prebuilt firmware's own functions, in the simulator.

Instructions are exact; cycles are the simulator's estimate. Every result is compared with the laptop's, bit for bit.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite.bench import emlearn
from nnlite.bench.boards import Board, Cost, boot, call
from nnlite.bench.workloads import WORKLOADS, Workload
from nnlite.errors import IntegrityError
from nnlite.kernels import step
from nnlite.kernels.activation import RELU
from nnlite.kernels.softmax import softmax
from nnlite.planner import plan
from nnlite.profile import Profile

__all__ = ["Row", "bench_device"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """A workload on a board.

    Attributes
    ----------
    workload, sizes : which network.
    fits, fits_learning : whether the board has room for it, and for learning.
    reasons : what it has no room for.
    inference : of the dense layers, to the logits; measured with more flash where the board has too little.
    softmax : of making probabilities of the logits; None where the output is linear.
    training_step : forward, backward and update with one sample and SGD; None where there is no room to learn.
    emlearn : inference by emlearn's engine, where it is installed.
    flash_bytes, ram_bytes : the plan's; RAM for learning where that fits, else for inference.
    profile : function -> cost of an inference and a training step, the functions that they call not included; the most
        expensive first. Empty unless asked for.
    """

    workload: str
    sizes: tuple[int, ...]
    fits: bool
    fits_learning: bool
    reasons: tuple[str, ...]
    inference: Cost
    softmax: Cost | None
    training_step: Cost | None
    emlearn: Cost | None
    flash_bytes: int
    ram_bytes: int
    clock_hz: int
    profile: dict[str, Cost]

    def to_dict(self) -> dict[str, Any]:
        """As `nnlite bench device --json` prints it."""
        plain: dict[str, Any] = {"workload": self.workload, "sizes": list(self.sizes)}
        plain |= {"fits": self.fits, "fits_learning": self.fits_learning, "reasons": list(self.reasons)}
        for what in ("inference", "softmax", "training_step"):
            cost: Cost | None = getattr(self, what)
            plain[f"instructions_per_{what}"] = cost.instructions if cost else None
            plain[f"cycles_per_{what}"] = cost.cycles if cost else None
            plain[f"seconds_per_{what}"] = cost.cycles / self.clock_hz if cost else None
        plain["emlearn"] = asdict(self.emlearn) if self.emlearn else None
        plain |= {"flash_bytes": self.flash_bytes, "ram_bytes": self.ram_bytes}
        return plain | (
            {"profile": {name: asdict(cost) for name, cost in self.profile.items()}} if self.profile else {}
        )


class _Bench:
    """One workload on a board that has booted: its parameters behind the firmware, everything else in the arena."""

    def __init__(self, board: Board, profile: Profile, workload: Workload) -> None:
        self._board = board
        self._sizes = workload.sizes
        self._rate = np.float32(workload.learning_rate)
        self._shape = workload.shape()
        self._parameters, self._sample = workload.draw()
        self._in_flash = profile.slot_address(0)
        self._arena = board.symbol("arena")
        board.write_memory(self._in_flash, self._parameters.tobytes())
        sizes = struct.pack(f"<{len(self._sizes)}H", *self._sizes)
        self._c_sizes = self._put(sizes)
        self._c_shape = self._put(struct.pack("<HBBI", len(self._sizes) - 1, RELU, self._shape.output, self._c_sizes))

    def _put(self, data: bytes) -> int:
        """Place data in the arena, at a whole number of 8 bytes."""
        at = self._arena
        self._board.write_memory(at, data)
        self._arena += (len(data) + 7) // 8 * 8
        return at

    def _floats(self, address: int, count: int) -> Floats:
        return np.frombuffer(self._board.read_memory(address, 4 * count), np.float32)

    def inference(self) -> tuple[Cost, Cost | None]:
        """To the logits, and from there to probabilities."""
        widest, outputs, free = max(self._sizes), self._sizes[-1], self._arena
        a, b = np.zeros(widest, np.float32), np.zeros(widest, np.float32)
        a[: self._sizes[0]] = self._sample
        in_a, in_b = self._put(a.tobytes()), self._put(b.tobytes())
        cost, logits = call(self._board, "nn_forward", self._c_shape, self._in_flash, in_a, in_b, returns=int)
        expected = (a, b)[step.forward(self._shape, self._parameters, a, b)][:outputs]
        _compare(self._floats(logits, outputs), expected, "logits")
        of_softmax = None
        if self._shape.output == step.SOFTMAX:
            of_softmax, _ = call(self._board, "nn_softmax", logits, logits, outputs)
            probabilities = np.empty(outputs, np.float32)
            softmax(expected, probabilities)
            _compare(self._floats(logits, outputs), probabilities, "probabilities")
        self._arena = free
        return cost, of_softmax

    def training_step(self) -> Cost:
        """With one sample: of class 0, or whose targets are all 0."""
        X = np.zeros(sum(self._sizes), np.float32)
        X[: self._sizes[0]] = self._sample
        dA, targets = np.zeros(sum(self._sizes[1:]), np.float32), np.zeros(self._sizes[-1], np.float32)
        mine, nothing = self._parameters.copy(), np.float32(0.0)
        rule = step.Rule(step.SGD, self._rate, np.zeros(2, np.float32), nothing, nothing, nothing)
        free = self._arena
        learned, record, gradients, wanted = map(self._put, (a.tobytes() for a in (mine, X, dA, targets)))
        c_rule = self._put(struct.pack("<I6f", step.SGD, self._rate, *(0.0,) * 5))
        step.forward_record(self._shape, mine, X)
        step.backward(self._shape, mine, X, 0, targets, np.float32(1.0), dA)
        step.apply(self._shape, mine, X[None, :], dA[None, :], rule, np.zeros(0, np.float32))
        forward, _ = call(self._board, "nn_forward_record", self._c_shape, learned, record)
        backward, _ = call(
            self._board, "nn_backward", self._c_shape, learned, record, 0, wanted, 1.0, gradients, returns=float
        )
        update, good = call(
            self._board, "nn_apply", self._c_shape, learned, record, gradients, c_rule, 0, 1, returns=bool
        )
        if not good:
            raise IntegrityError(
                "the board calls a training step not finite that is; its firmware is not this version's"
            )
        _compare(self._floats(learned, mine.size), mine, "parameters after a training step")
        self._arena = free
        parts = (forward, backward, update)
        return Cost(sum(part.instructions for part in parts), sum(part.cycles for part in parts))


def _compare(got: Floats, expected: Floats, what: str) -> None:
    """Every bit."""
    different = int(np.count_nonzero(got.view(np.uint32) != expected.view(np.uint32)))
    if different:
        raise IntegrityError(
            f"{different} of {expected.size} {what} of the board differ from the laptop's; its firmware is not this "
            "version's: build it again with scripts/build_firmware"
        )


def _measure(profile: Profile, workload: Workload, with_profile: bool) -> Row:
    inference_plan, learning_plan = plan(workload, profile), plan(workload, profile, learn=True)
    fits, fits_learning = bool(inference_plan.fits), bool(learning_plan.fits)
    with boot(profile, "protocol_go_on") as board:  # the start-up code is done then
        bench = _Bench(board, profile, workload)
        inference, of_softmax = bench.inference()
        training_step = bench.training_step() if fits_learning else None
        costs: dict[str, Cost] = {}
        if with_profile:
            with board.profile_functions() as functions:
                bench.inference()
                if fits_learning:
                    bench.training_step()
            costs = {row.function: Cost(row.instructions, row.cycles) for row in functions}
    return Row(
        workload=workload.name,
        sizes=workload.sizes,
        fits=fits,
        fits_learning=fits_learning,
        reasons=tuple(dict.fromkeys((*inference_plan.reasons, *learning_plan.reasons))),
        inference=inference,
        softmax=of_softmax,
        training_step=training_step,
        emlearn=emlearn.inference(profile, workload) if emlearn.missing() is None else None,
        flash_bytes=inference_plan.flash_bytes,
        ram_bytes=(learning_plan if fits_learning else inference_plan).ram_bytes,
        clock_hz=profile.clock_hz,
        profile=costs,
    )


def bench_device(profile: Profile, with_profile: bool = False) -> Iterator[Row]:
    """Measure the workloads on a board, one after the other.

    A workload that the board has no room for is measured for inference on the same firmware with more flash behind it.

    Raises
    ------
    IncompatibleError : there is no firmware for the board.
    PortError : the simulated boards are not installed.
    IntegrityError : the board's bits are not the laptop's.
    """
    profile.require_firmware()
    for workload in WORKLOADS:
        yield _measure(profile, workload, with_profile)
