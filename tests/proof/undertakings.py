"""What the power is cut during: each undertaking with the models before and after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnlite.device import Device
from nnlite.network import Network
from nnlite.profile import Profile
from nnlite.training import train
from tests.proof.nets import labelled

__all__ = ["THIRD", "UNDERTAKINGS", "Undertaking", "of_board"]

#: the network of workload D: all second cuts are tried on it
SIZES = [4, 8, 3]
X = np.random.default_rng(4).normal(size=(6, SIZES[0])).astype(np.float32)
Y = [0, 1, 2, 1, 0, 2]


OLD, NEW, THIRD = labelled(SIZES, 1), labelled(SIZES, 2), labelled([2, 2], 3)


@dataclass(frozen=True)
class Undertaking:
    """One.

    Attributes
    ----------
    prepare : what was done to the empty board before.
    undertake : what the power is cut during.
    before, after : the model that serves before and the one that may serve afterwards; None for none.
    exhaustive : whether every second cut is tried, not one for each first.
    """

    name: str
    prepare: Callable[[Device], None]
    undertake: Callable[[Device], None]
    before: Network | None
    after: Network | None
    exhaustive: bool = True


def _flashes(*nets: Network) -> Callable[[Device], None]:
    def do(device: Device) -> None:
        for net in nets:
            device.flash(net)

    return do


def _flash(profile: Profile) -> Undertaking:
    """NEW over a slot that held another model, while OLD serves."""
    return Undertaking("flash", _flashes(THIRD, OLD), _flashes(NEW), OLD, NEW)


def _first(profile: Profile) -> Undertaking:
    """The first model of a board: until it is whole there is none, and the device says so."""
    return Undertaking("first flash", _flashes(), _flashes(NEW), None, NEW)


def _delta(profile: Profile) -> Undertaking:
    """Over a model that differs from the new one in its last layer only; each layer has a page of its own."""
    inputs = profile.page_bytes // 128
    base = labelled([inputs, 32, 4], 5)
    new = base.copy()
    new.parameters[-4 * 33 :] *= np.float32(0.5)
    other = labelled([inputs, 32, 4], 6)
    return Undertaking("delta flash", _flashes(base, other), _flashes(new), other, new, exhaustive=False)


def _learn(profile: Profile) -> Undertaking:
    """The commit of what OLD has learned."""
    return _learned("learn", _flashes(THIRD, OLD), {})


def _learn_best(profile: Profile) -> Undertaking:
    """The commit of what the last layer has learned by Adam, of the best epoch, over a slot that was on trial."""

    def prepare(device: Device) -> None:
        _flashes(THIRD, OLD)(device)
        with device.trial(NEW):
            pass

    how = {"epochs": 3, "optimizer": "adam", "last_layers": 1, "validation": (X, Y), "patience": 1}
    return _learned("learn the best", prepare, how)


def _learned(name: str, prepare: Callable[[Device], None], how: dict[str, Any]) -> Undertaking:
    learned = OLD.copy()
    train(learned, X, Y, **({"epochs": 1} | how), shuffle=False, standardize=False, progress=False)

    def undertake(device: Device) -> None:
        device.learn(X, Y, **how)

    return Undertaking(name, prepare, undertake, OLD, learned)


def _rollback(profile: Profile) -> Undertaking:
    """From NEW back to OLD: one word decides."""

    def undertake(device: Device) -> None:
        device.rollback()

    return Undertaking("rollback", _flashes(OLD, NEW), undertake, NEW, OLD)


def _trial(profile: Profile) -> Undertaking:
    """NEW on trial while OLD serves: NEW must never be what a restart finds."""

    def undertake(device: Device) -> None:
        with device.trial(NEW) as trial:
            trial.run(X)

    return Undertaking("trial", _flashes(THIRD, OLD), undertake, OLD, OLD)


UNDERTAKINGS: dict[str, Callable[[Profile], Undertaking]] = {
    "flash": _flash,
    "first flash": _first,
    "delta flash": _delta,
    "learn": _learn,
    "learn the best": _learn_best,
    "rollback": _rollback,
    "trial": _trial,
}


def of_board(name: str, profile: Profile) -> Undertaking:
    """The undertaking of a name, with models that suit the board's pages."""
    return UNDERTAKINGS[name](profile)
