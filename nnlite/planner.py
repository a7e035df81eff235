"""Does a network fit a board: flash, RAM and stack, byte by byte, before anything is sent.

The sums are those of the firmware (firmware/image.c); the sizes of the firmware itself come
from its prebuilt image. For a board that has none, image and arena are held against the datasheet's totals,
and the plan says that it is not exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nnlite import layout
from nnlite.checks import check_batch_size, check_integer
from nnlite.profile import Profile
from nnlite.recipe import check_optimizer

__all__ = ["Learning", "Part", "Plan", "inference_bytes", "learning_bytes", "plan"]

_FLOAT_BYTES = 4
#: optimisers that keep less
_LIGHTER = {"adam": ("momentum", "sgd"), "momentum": ("sgd",), "sgd": ()}
#: floats of Adam's state in front of its two moments (kernels/step.py)
_ADAM_POWERS = 2


class PlannedNetwork(Protocol):
    """What a plan needs to know of a network; `nnlite.Network` has it."""

    @property
    def sizes(self) -> tuple[int, ...]: ...
    @property
    def output(self) -> str: ...
    @property
    def mean(self) -> npt.NDArray[np.float32] | None: ...
    @property
    def labels(self) -> tuple[str | int, ...] | None: ...


@dataclass(frozen=True)
class Part:
    """One named share of a memory.

    Attributes
    ----------
    memory : "flash", "ram" or "stack".
    name : what the bytes are for.
    bytes : how many.
    """

    memory: str
    name: str
    bytes: int


@dataclass(frozen=True)
class Plan:
    """The answer to "does it fit".

    Attributes
    ----------
    board : the profile's name.
    status : the profile's, "proven" or "datasheet only".
    exact : whether every byte is counted. False for a board without firmware: the firmware's own share of flash, RAM
        and stack is not known, so the totals are the least that is needed.
    learn : whether learning on the board was asked for.
    parts : what each byte is for; the totals are their sums.
    limits : bytes there are, by memory; a board without firmware has no limit of the stack.
    reasons : what does not fit and by how much, or why that is not known; empty when everything fits.
    fits : whether the network can be flashed, and trained when that was asked for. None where a board without firmware
        has more bytes than image and arena take: whether the rest is enough is not known.
    """

    board: str
    status: str
    exact: bool
    learn: bool
    parts: tuple[Part, ...]
    limits: dict[str, int]
    reasons: tuple[str, ...]
    fits: bool | None

    @property
    def flash_bytes(self) -> int:
        """Bytes of flash: firmware, slot record, image."""
        return self._sum("flash")

    @property
    def ram_bytes(self) -> int:
        """Bytes of RAM without the stack: the firmware's own and the arena's part in use."""
        return self._sum("ram")

    @property
    def stack_bytes(self) -> int:
        """Bytes of the deepest stack."""
        return self._sum("stack")

    def _sum(self, memory: str) -> int:
        return sum(part.bytes for part in self.parts if part.memory == memory)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, as `nnlite plan --json` prints it."""
        return {
            "board": self.board,
            "status": self.status,
            "exact": self.exact,
            "learn": self.learn,
            "fits": self.fits,
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "stack_bytes": self.stack_bytes,
            "limits": self.limits,
            "reasons": list(self.reasons),
            "parts": {m: {p.name: p.bytes for p in self.parts if p.memory == m} for m in ("flash", "ram", "stack")},
        }


def inference_bytes(sizes: Sequence[int]) -> int:
    """Arena bytes of inference: two buffers of the widest layer (image_inference_bytes in C)."""
    return 2 * _FLOAT_BYTES * max(sizes)


@dataclass(frozen=True)
class Learning:
    """What of a learning run its memory depends on.

    Attributes
    ----------
    batch_size : samples of a step.
    optimizer : "sgd", "momentum" or "adam".
    last_layers : how many layers are trained, counted from the output; None for all.
    keep : whether the best parameters so far are set aside, as early stopping does.
    """

    batch_size: int = 1
    optimizer: str = "sgd"
    last_layers: int | None = None
    keep: bool = False

    @property
    def description(self) -> str:
        """For a message."""
        what = {None: "learning", 1: "learning in the last layer"}.get(
            self.last_layers, f"learning in the last {self.last_layers} layers"
        )
        best = ", the best parameters set aside," if self.keep else ""
        return f"{what} by {self.optimizer}{best} with batches of {self.batch_size}"


def learning_bytes(sizes: Sequence[int], output: str, learning: Learning) -> dict[str, int]:
    """Arena bytes of learning by purpose (image_learning_bytes in C).

    The trained layers' parameters are copied; inputs, activations X and dA are kept for each sample of a batch.
    """
    layers = len(sizes) - 1
    frozen = 0 if learning.last_layers is None else layers - learning.last_layers
    trained = sizes[frozen:]
    count = layout.parameter_count(trained)
    state = {"sgd": 0, "momentum": count, "adam": _ADAM_POWERS + 2 * count}[learning.optimizer]
    batch = learning.batch_size
    floats = {
        "parameters": count,
        "parameters set aside": count if learning.keep else 0,
        f"state of {learning.optimizer}": state,
        "inputs": batch * trained[0],
        "activations X": batch * sum(trained[1:]),
        "gradients dA": batch * sum(trained[1:]),
        "targets": 0 if output == "softmax" else sizes[-1],
        "frozen layers": 2 * max(sizes[: frozen + 1]) if frozen else 0,
    }
    return {name: _FLOAT_BYTES * number for name, number in floats.items()}


def image_parts(net: PlannedNetwork) -> dict[str, int]:
    """Bytes of the image by purpose (docs/FORMAT.md)."""
    inputs = net.sizes[0]
    return {
        "image header": layout.image_header_bytes(len(net.sizes) - 1),
        "standardiser": 0 if net.mean is None else 2 * _FLOAT_BYTES * inputs,
        "parameters": _FLOAT_BYTES * layout.parameter_count(net.sizes),
        "labels": -(-len(layout.encode_metadata(net.labels)) // 4) * 4,
    }


def plan(
    net: PlannedNetwork,
    profile: Profile,
    learn: bool = False,
    batch_size: int = 1,
    optimizer: str = "sgd",
    last_layers: int | None = None,
    keep: bool = False,
) -> Plan:
    """Plan a network on a board.

    Parameters
    ----------
    net : the network; its standardiser and labels count.
    profile : the board.
    learn : plan for training on the board as well.
    batch_size : samples of a training batch on the board.
    optimizer : of that training: "sgd", "momentum" or "adam".
    last_layers : train only so many layers, counted from the output.
    keep : early stopping, which sets the best parameters aside.

    Raises
    ------
    UsageError : a batch size below 1 or above 65,535, an unknown optimiser, more layers than there are.
    """
    layers = len(net.sizes) - 1
    if last_layers is not None:
        last_layers = check_integer("the last layers to train", last_layers, 1, layers)
    learning = Learning(check_batch_size(batch_size), check_optimizer(optimizer), last_layers, keep)
    need = _need(net, learn, learning)
    return _exact_plan(net, profile, need) if profile.has_firmware else _least_plan(profile, need)


@dataclass(frozen=True)
class _Need:
    """What a network takes on any board: bytes of the image and of the arena, by purpose."""

    learn: bool
    learning: Learning
    image: dict[str, int]
    arena: dict[str, int]
    doing: str

    @property
    def image_bytes(self) -> int:
        return sum(self.image.values())

    @property
    def arena_bytes(self) -> int:
        return sum(self.arena.values())


def _parts(memory: str, shares: dict[str, int]) -> list[Part]:
    return [Part(memory, name, size) for name, size in shares.items() if size]


def _need(net: PlannedNetwork, learn: bool, learning: Learning) -> _Need:
    running = inference_bytes(net.sizes)
    arena = learning_bytes(net.sizes, net.output, learning)
    if learn and sum(arena.values()) > running:
        return _Need(learn, learning, image_parts(net), arena, learning.description)
    return _Need(learn, learning, image_parts(net), {"two buffers of the widest layer": running}, "running it")


def _exact_plan(net: PlannedNetwork, profile: Profile, need: _Need) -> Plan:
    """Every byte, beside the firmware that there is."""
    firmware = profile.firmware
    slot_pages = profile.slot_image_bytes // profile.page_bytes
    journal = layout.journal_bytes(slot_pages, -(-need.image_bytes // profile.page_bytes))
    parts = [
        Part("flash", "firmware", firmware.flash_bytes),
        Part("flash", "slot record", layout.RECORD_BYTES),
        Part("flash", "slot journal", journal),
    ]
    parts += _parts("flash", need.image)
    parts += [Part("ram", "firmware", firmware.static_bytes), *_parts("ram", need.arena)]
    parts += [Part("stack", "deepest call", firmware.stack_bytes)]

    reasons = []
    if need.image_bytes > profile.slot_image_bytes:
        over = need.image_bytes - profile.slot_image_bytes
        reasons.append(
            f"flash: the image takes {need.image_bytes:,} bytes, a slot of {profile.name} holds "
            f"{profile.slot_image_bytes:,}: {over:,} too many"
        )
    if need.arena_bytes > firmware.arena_bytes:
        over = need.arena_bytes - firmware.arena_bytes
        reasons.append(
            f"RAM: {need.doing} takes {need.arena_bytes:,} bytes, {profile.name} has {firmware.arena_bytes:,} left "
            f"beside its firmware: {over:,} too many"
        )
    if reasons:
        reasons.append(_advice(net, profile, need.learn, need.learning))
    return Plan(
        board=profile.name,
        status=profile.status,
        exact=True,
        learn=need.learn,
        parts=tuple(parts),
        limits={
            "flash": firmware.flash_bytes
            + layout.RECORD_BYTES
            + layout.journal_bytes(slot_pages, slot_pages)
            + profile.slot_image_bytes,
            "ram": firmware.static_bytes + firmware.arena_bytes,
            "stack": profile.stack_reserve_bytes,
        },
        reasons=tuple(reasons),
        fits=not reasons,
    )


def _least_plan(profile: Profile, need: _Need) -> Plan:
    """The least that is needed, against all that the board has: there is no firmware whose share could be counted."""
    reasons = []
    for memory, doing, taken, there in (
        ("flash", "the image", need.image_bytes, profile.flash_bytes),
        ("RAM", need.doing, need.arena_bytes, profile.ram_bytes),
    ):
        if taken > there:
            over = taken - there
            reasons.append(
                f"{memory}: {doing} takes {taken:,} bytes, {profile.name} has {there:,} in all: {over:,} too many"
            )
    fits = False if reasons else None
    if not reasons:
        reasons.append(
            f"there is no firmware for {profile.name} yet: how much of its memory that would take, and so whether the "
            "rest is enough, is not known"
        )
    return Plan(
        board=profile.name,
        status=profile.status,
        exact=False,
        learn=need.learn,
        parts=(*_parts("flash", need.image), *_parts("ram", need.arena)),
        limits={"flash": profile.flash_bytes, "ram": profile.ram_bytes},
        reasons=tuple(reasons),
        fits=fits,
    )


def _fits(net: PlannedNetwork, sizes: tuple[int, ...], profile: Profile, learn: bool, learning: Learning) -> bool:
    fixed = sum(image_parts(net).values()) - _FLOAT_BYTES * layout.parameter_count(net.sizes)
    image = fixed + _FLOAT_BYTES * layout.parameter_count(sizes)
    arena = inference_bytes(sizes)
    if learn:
        arena = max(arena, sum(learning_bytes(sizes, net.output, learning).values()))
    return image <= profile.slot_image_bytes and arena <= profile.firmware.arena_bytes


def _lighter(learning: Learning, layers: int) -> Iterator[Learning]:
    """The same with one thing less: first what is easiest to do without."""
    if learning.keep:
        yield replace(learning, keep=False)
    for optimizer in _LIGHTER[learning.optimizer]:
        yield replace(learning, optimizer=optimizer)
    for last in range((learning.last_layers or layers) - 1, 0, -1):
        yield replace(learning, last_layers=last)


def _advice(net: PlannedNetwork, profile: Profile, learn: bool, learning: Learning) -> str:
    """What would fit: a smaller batch, no early stopping, another optimiser or fewer layers if one is enough, else the
    largest hidden layers in the same proportions.
    """
    single = replace(learning, batch_size=1)
    if learn:
        if learning.batch_size > 1 and _fits(net, net.sizes, profile, learn, single):
            low, high = 1, learning.batch_size
            while high - low > 1:
                middle = (low + high) // 2
                fits = _fits(net, net.sizes, profile, learn, replace(learning, batch_size=middle))
                low, high = (middle, high) if fits else (low, middle)
            return f"what would fit: batches of {low}"
        for lighter in _lighter(single, len(net.sizes) - 1):
            if _fits(net, net.sizes, profile, learn, lighter):
                return f"what would fit: {lighter.description}"
    inputs, *hidden, outputs = net.sizes

    def shrunk(thousandths: int) -> tuple[int, ...]:
        return (inputs, *(max(1, h * thousandths // 1000) for h in hidden), outputs)

    fitting = [t for t in range(1, 1000) if _fits(net, shrunk(t), profile, learn, single)] if hidden else []
    if fitting:
        with_batch = " with batches of 1" if learn else ""
        return f"what would fit: {'-'.join(map(str, shrunk(fitting[-1])))}{with_batch}"
    return "no network with these inputs and outputs fits this board; fewer inputs or a larger board are needed"
