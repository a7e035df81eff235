"""How to train: optimiser, rates, which layers. What `train`, `Device.learn` and the plan share, checked once.

The laptop computes every number here, so that a device gets them as they are: the bits are the same for both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnlite.checks import check_batch_size, check_integer
from nnlite.errors import UsageError

if TYPE_CHECKING:
    from nnlite.kernels.step import Rule

__all__ = ["OPTIMIZERS", "SCHEDULES", "Recipe", "check_float32", "check_optimizer", "check_recipe"]

#: name -> its number on the link and in the kernels
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2}
SCHEDULES = ("constant", "step", "cosine")

_DEFAULT_MOMENTUM = 0.9
_ADAM_BETAS = (0.9, 0.999)
_EPSILON = 1e-7
#: of the schedule "step": from these shares of the epochs on, the rate is a tenth of what it was before
_STEPS = (0.5, 0.75)
_TENTH = 0.1


@dataclass(frozen=True)
class Recipe:
    """How a laptop or a device is to train, as `check_recipe` found it good. Every number is a float32 already.

    Attributes
    ----------
    epochs, batch_size, learning_rate, optimizer, weight_decay, clip_norm, schedule : as in `train`.
    betas : momentum and 0, or Adam's beta1 and beta2; zeros for SGD.
    epsilon : Adam's.
    last_layers : how many are trained; None for all.
    """

    epochs: int
    batch_size: int
    learning_rate: np.float32
    optimizer: str
    betas: tuple[np.float32, np.float32]
    epsilon: np.float32
    weight_decay: np.float32
    clip_norm: np.float32
    schedule: str
    last_layers: int | None

    def record(self) -> dict[str, Any]:
        """The arguments as JSON values, for a model file."""
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": float(self.learning_rate),
            "optimizer": self.optimizer,
            "betas": [float(beta) for beta in self.betas],
            "weight_decay": float(self.weight_decay),
            "clip_norm": float(self.clip_norm),
            "schedule": self.schedule,
            "last_layers": self.last_layers,
        }

    @property
    def optimizer_number(self) -> int:
        """Of the optimiser, on the link and in the kernels."""
        return OPTIMIZERS[self.optimizer]

    @property
    def is_plain_sgd(self) -> bool:
        """Whether a step is w = w - g and nothing else."""
        return self.optimizer == "sgd" and not self.weight_decay and not self.clip_norm

    def frozen_layers(self, layers: int) -> int:
        """How many layers of a network stay as they are.

        Raises
        ------
        UsageError : it has fewer than are to be trained.
        """
        if self.last_layers is None:
            return 0
        if self.last_layers > layers:
            raise UsageError(f"the last {self.last_layers} layers cannot be trained: the network has {layers}")
        return layers - self.last_layers

    def rate(self, epoch: int) -> np.float32:
        """Learning rate of an epoch, counted from 0."""
        done = epoch / self.epochs
        if self.schedule == "step":
            return np.float32(float(self.learning_rate) * _TENTH ** sum(done >= share for share in _STEPS))
        if self.schedule == "cosine":
            return np.float32(float(self.learning_rate) * (1.0 + math.cos(math.pi * done)) / 2.0)
        return self.learning_rate

    def rule(self, epoch: int) -> Rule:
        """What the kernels take for the steps of an epoch, counted from 0."""
        rule = self._first_rule
        return rule if self.schedule == "constant" else rule._replace(learning_rate=self.rate(epoch))

    @cached_property
    def _first_rule(self) -> Rule:
        from nnlite.kernels.step import Rule

        betas: npt.NDArray[np.float32] = np.array(self.betas, np.float32)
        return Rule(self.optimizer_number, self.rate(0), betas, self.epsilon, self.weight_decay, self.clip_norm)


def check_recipe(
    epochs: Any,
    batch_size: Any,
    learning_rate: Any,
    optimizer: Any,
    *,
    momentum: Any = None,
    weight_decay: Any = 0.0,
    clip_norm: Any = None,
    schedule: Any = "constant",
    last_layers: Any = None,
) -> Recipe:
    """The arguments that `train` and `Device.learn` share, from outside. NumPy's numbers count as numbers.

    Raises
    ------
    UsageError : one of another type or out of its range.
    """
    epochs = check_integer("epochs", epochs, 1)
    batch_size = check_batch_size(batch_size)
    rate = check_float32("the learning rate", learning_rate)
    if not 0 < rate < np.inf:
        raise UsageError(f"the learning rate must be a positive finite float32, not {learning_rate!r}")
    optimizer = check_optimizer(optimizer)
    if momentum is not None and optimizer != "momentum":
        raise UsageError(f"momentum goes with the optimizer 'momentum', not with '{optimizer}'")
    betas: tuple[Any, Any] = (0.0, 0.0)
    if optimizer == "momentum":
        betas = (_share("the momentum", _DEFAULT_MOMENTUM if momentum is None else momentum), 0.0)
    elif optimizer == "adam":
        betas = _ADAM_BETAS
    decay = _share("the weight decay", weight_decay)
    if not rate * decay < 1:
        raise UsageError(
            f"weight decay {decay:g} at a learning rate of {rate:g} would turn the weights over in one step; "
            "their product must be below 1"
        )
    clip = np.float32(0.0) if clip_norm is None else check_float32("the norm to clip at", clip_norm)
    if clip_norm is not None and not 0 < clip < np.inf:
        raise UsageError(f"the norm to clip at must be a positive finite float32, not {clip_norm!r}")
    if not isinstance(schedule, str) or schedule not in SCHEDULES:
        raise UsageError(f"the schedule must be {', '.join(SCHEDULES)}, not {schedule!r}")
    if last_layers is not None:
        last_layers = check_integer("the last layers to train", last_layers, 1)
    recipe = Recipe(
        epochs,
        batch_size,
        rate,
        optimizer,
        (np.float32(betas[0]), np.float32(betas[1])),
        np.float32(_EPSILON),
        decay,
        clip,
        schedule,
        last_layers,
    )
    if not recipe.rate(epochs - 1) > 0:
        raise UsageError(
            f"by the schedule '{schedule}' a learning rate of {rate:g} becomes 0 in float32; begin with a larger one"
        )
    return recipe


def check_optimizer(optimizer: Any) -> str:
    """The name of an optimiser, from outside.

    Raises
    ------
    UsageError : there is none of this name.
    """
    if not isinstance(optimizer, str) or optimizer not in OPTIMIZERS:
        raise UsageError(f"the optimizer must be {', '.join(OPTIMIZERS)}, not {optimizer!r}")
    return optimizer


def check_float32(what: str, value: Any) -> np.float32:
    """A number from outside as a float32, infinite where that is too small for it.

    Raises
    ------
    UsageError : it is no number; `what` says of what.
    """
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        raise UsageError(f"{what} must be a number, not {value!r}")
    try:
        with np.errstate(over="ignore", under="ignore"):
            return np.float32(value)
    except OverflowError:  # an int of more digits than any float
        return np.float32(np.inf)


def _share(what: str, value: Any) -> np.float32:
    share = check_float32(what, value)
    if not 0 <= share < 1:
        raise UsageError(f"{what} must be from 0 to below 1, not {value!r}")
    return share
