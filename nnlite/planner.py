"""Does a network fit a board: flash, RAM and stack, byte by byte, before anything is sent.

The sums are those of the firmware (firmware/image.c); the sizes of the firmware itself come
from its prebuilt image.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nnlite import layout
from nnlite.errors import UsageError
from nnlite.profile import Profile

__all__ = ["Part", "Plan", "inference_bytes", "learning_bytes", "parameter_count", "plan"]

_FLOAT_BYTES = 4


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
    learn : whether learning on the board was asked for.
    parts : what each byte is for; the totals are their sums.
    limits : bytes there are, by memory.
    reasons : what does not fit and by how much; empty when everything does.
    """

    board: str
    learn: bool
    parts: tuple[Part, ...]
    limits: dict[str, int]
    reasons: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether the network can be flashed, and trained when that was asked for."""
        return not self.reasons

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
            "learn": self.learn,
            "fits": self.fits,
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "stack_bytes": self.stack_bytes,
            "limits": self.limits,
            "reasons": list(self.reasons),
            "parts": {m: {p.name: p.bytes for p in self.parts if p.memory == m} for m in ("flash", "ram", "stack")},
        }


def parameter_count(sizes: Sequence[int]) -> int:
    """Weights and biases of a dense network: the sum of `in * out + out`."""
    return sum(i * o + o for i, o in itertools.pairwise(sizes))


def inference_bytes(sizes: Sequence[int]) -> int:
    """Arena bytes of inference: two buffers of the widest layer (image_inference_bytes in C)."""
    return 2 * _FLOAT_BYTES * max(sizes)


def learning_bytes(sizes: Sequence[int], output: str, batch_size: int) -> dict[str, int]:
    """Arena bytes of learning by purpose (image_learning_bytes in C).

    Parameters are copied once; inputs, activations X and dA are kept for each sample of a batch.
    """
    return {
        "parameters": _FLOAT_BYTES * parameter_count(sizes),
        "inputs": _FLOAT_BYTES * batch_size * sizes[0],
        "activations X": _FLOAT_BYTES * batch_size * sum(sizes[1:]),
        "gradients dA": _FLOAT_BYTES * batch_size * sum(sizes[1:]),
        "targets": _FLOAT_BYTES * sizes[-1] if output == "linear" else 0,
    }


def image_parts(net: PlannedNetwork) -> dict[str, int]:
    """Bytes of the image by purpose (docs/FORMAT.md)."""
    inputs = net.sizes[0]
    return {
        "image header": layout.image_header_bytes(len(net.sizes) - 1),
        "standardiser": 0 if net.mean is None else 2 * _FLOAT_BYTES * inputs,
        "parameters": _FLOAT_BYTES * parameter_count(net.sizes),
        "labels": -(-len(layout.encode_metadata(net.labels)) // 4) * 4,
    }


def plan(net: PlannedNetwork, profile: Profile, learn: bool = False, batch_size: int = 1) -> Plan:
    """Plan a network on a board.

    Parameters
    ----------
    net : the network; its standardiser and labels count.
    profile : the board.
    learn : plan for training on the board as well.
    batch_size : samples of a training batch on the board.

    Raises
    ------
    UsageError : a batch size below 1 or above 65,535.
    IncompatibleError : the board has no firmware.
    """
    if not 1 <= batch_size <= 65_535:
        raise UsageError(f"the batch size must be from 1 to 65535, not {batch_size}")
    firmware = profile.firmware
    image = image_parts(net)
    image_bytes = sum(image.values())
    running = inference_bytes(net.sizes)
    learning = learning_bytes(net.sizes, net.output, batch_size)
    arena = max(running, sum(learning.values())) if learn else running

    parts = [Part("flash", "firmware", firmware.flash_bytes), Part("flash", "slot record", layout.RECORD_BYTES)]
    parts += [Part("flash", name, size) for name, size in image.items() if size]
    parts += [Part("ram", "firmware", firmware.static_bytes)]
    if learn and arena > running:
        parts += [Part("ram", name, size) for name, size in learning.items() if size]
    else:
        parts += [Part("ram", "two buffers of the widest layer", running)]
    parts += [Part("stack", "deepest call", firmware.stack_bytes)]

    reasons = []
    if image_bytes > profile.slot_image_bytes:
        over = image_bytes - profile.slot_image_bytes
        reasons.append(
            f"flash: the image takes {image_bytes:,} bytes, a slot of {profile.name} holds "
            f"{profile.slot_image_bytes:,}: {over:,} too many"
        )
    if arena > firmware.arena_bytes:
        over = arena - firmware.arena_bytes
        doing = f"learning with batches of {batch_size}" if learn and arena > running else "running it"
        reasons.append(
            f"RAM: {doing} takes {arena:,} bytes, {profile.name} has {firmware.arena_bytes:,} left beside its "
            f"firmware: {over:,} too many"
        )
    if reasons:
        reasons.append(_advice(net, profile, learn, batch_size))
    return Plan(
        board=profile.name,
        learn=learn,
        parts=tuple(parts),
        limits={
            "flash": firmware.flash_bytes + layout.RECORD_BYTES + profile.slot_image_bytes,
            "ram": firmware.static_bytes + firmware.arena_bytes,
            "stack": profile.stack_reserve_bytes,
        },
        reasons=tuple(reasons),
    )


def _fits(net: PlannedNetwork, sizes: tuple[int, ...], profile: Profile, learn: bool, batch_size: int) -> bool:
    fixed = sum(image_parts(net).values()) - _FLOAT_BYTES * parameter_count(net.sizes)
    image = fixed + _FLOAT_BYTES * parameter_count(sizes)
    arena = inference_bytes(sizes)
    if learn:
        arena = max(arena, sum(learning_bytes(sizes, net.output, batch_size).values()))
    return image <= profile.slot_image_bytes and arena <= profile.firmware.arena_bytes


def _advice(net: PlannedNetwork, profile: Profile, learn: bool, batch_size: int) -> str:
    """What would fit: a smaller batch if that is enough, else the largest hidden layers in the same proportions."""
    if learn and batch_size > 1 and _fits(net, net.sizes, profile, learn, 1):
        low, high = 1, batch_size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _fits(net, net.sizes, profile, learn, middle) else (low, middle)
        return f"what would fit: batches of {low}"
    inputs, *hidden, outputs = net.sizes

    def shrunk(thousandths: int) -> tuple[int, ...]:
        return (inputs, *(max(1, h * thousandths // 1000) for h in hidden), outputs)

    fitting = [t for t in range(1, 1000) if _fits(net, shrunk(t), profile, learn, 1)] if hidden else []
    if fitting:
        with_batch = " with batches of 1" if learn else ""
        return f"what would fit: {'-'.join(map(str, shrunk(fitting[-1])))}{with_batch}"
    return "no network with these inputs and outputs fits this board; fewer inputs or a larger board are needed"
