"""What a network takes of any board's memory: bytes of its image and of the arena, by purpose.

The sums are those of the firmware (firmware/image.c). What a board has is `nnlite.planner`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nnlite import layout

__all__ = ["Learning", "Need", "PlannedNetwork", "image_parts", "inference_bytes", "learning_bytes", "need"]

_FLOAT_BYTES = 4
#: floats of Adam's state in front of its two moments (kernels/step.py)
_ADAM_POWERS = 2


class PlannedNetwork(Protocol):
    """What a plan needs to know of a network; `nnlite.Network` has it."""

    @property
    def sizes(self) -> tuple[int, ...]: ...
    @property
    def hidden(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def mean(self) -> npt.NDArray[np.float32] | None: ...
    @property
    def labels(self) -> tuple[str | int, ...] | None: ...


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


def inference_bytes(sizes: Sequence[int]) -> int:
    """Arena bytes of inference (image_inference_bytes in C): two buffers that the layers take turns in, so that
    x0, x2, ... lie in the one and x1, x3, ... in the other.
    """
    return _FLOAT_BYTES * (max(sizes[::2]) + max(sizes[1::2]))


def learning_bytes(sizes: Sequence[int], output: str, learning: Learning) -> dict[str, int]:
    """Arena bytes of learning by purpose (image_learning_bytes in C).

    The trained layers' parameters are copied; inputs, activations X and dA are kept for each sample of a batch. dW is
    never stored: a step makes each of its numbers out of X and dA when it changes that parameter.
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
        "gradients dW": 0,
        "targets": 0 if output == "softmax" else sizes[-1],
    }
    needed = {name: _FLOAT_BYTES * number for name, number in floats.items()}
    return needed | {"frozen layers": inference_bytes(sizes[: frozen + 1]) if frozen else 0}


def image_parts(net: PlannedNetwork) -> dict[str, int]:
    """Bytes of the image by purpose (docs/FORMAT.md). The table of layers is in its header, and read in place."""
    inputs = net.sizes[0]
    return {
        "image header": layout.image_header_bytes(len(net.sizes) - 1),
        "standardiser": 0 if net.mean is None else 2 * _FLOAT_BYTES * inputs,
        "parameters": _FLOAT_BYTES * layout.parameter_count(net.sizes),
        "labels": -(-len(layout.encode_metadata(net.labels)) // 4) * 4,
    }


@dataclass(frozen=True)
class Need:
    """What a network takes on any board.

    Attributes
    ----------
    image, arena : bytes by purpose.
    doing : what the arena is for, in a message.
    """

    image: dict[str, int]
    arena: dict[str, int]
    doing: str

    @property
    def image_bytes(self) -> int:
        """Of the whole image."""
        return sum(self.image.values())

    @property
    def arena_bytes(self) -> int:
        """Of the arena's part in use."""
        return sum(self.arena.values())


def need(net: PlannedNetwork, learning: Learning | None) -> Need:
    """What running takes, or learning as well, which a board does in the same arena."""
    running = inference_bytes(net.sizes)
    if learning is not None:
        arena = learning_bytes(net.sizes, net.output, learning)
        if sum(arena.values()) > running:
            return Need(image_parts(net), arena, learning.description)
    return Need(image_parts(net), {"two buffers of layers": running}, "running it")
