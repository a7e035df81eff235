"""The main job from end to end on a simulated board: train, plan, flash, run, learn, pull, and compare every bit.

Nothing here computes or talks by itself; each step is the call that a user would make. Any difference ends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nnlite.datasets import Shoulder, load_shoulder
from nnlite.device import Device
from nnlite.errors import IntegrityError, PathError, UsageError
from nnlite.files import check_path, write_whole
from nnlite.link.simulators import Measured, SimulatedBoard, load_simulator
from nnlite.network import Network
from nnlite.planner import Plan, plan
from nnlite.profile import Profile
from nnlite.training import Epoch, train

__all__ = ["LEFT_OUT", "Screen", "Silent", "run_demo"]

#: people whose recordings the general model never sees
LEFT_OUT = (3, 7, 9)
_HIDDEN, _EPOCHS, _LEARNING_RATE = 16, 30, 0.02
_LEARNING_EPOCHS = 5
#: what the firmware calls once a sample, standardising included
_RUN, _TRAIN = "model_run_row", "model_train_row"

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class Screen(Protocol):
    """Where the demo tells what it does."""

    def step(self, text: str) -> None:
        """A new step begins."""

    def remark(self, text: str) -> None:
        """What came out of it."""

    def epoch(self, number: int, total: int, epoch: Epoch) -> None:
        """An epoch of the training ended."""

    def plan(self, answer: Plan) -> None:
        """The plan, to be shown as a table."""

    def bar(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Progress of long work: done, total."""


class Silent(Screen):
    """A screen that nobody looks at."""

    def bar(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """No bar."""
        return nullcontext(lambda done, total: None)


@dataclass(frozen=True, eq=False)
class _OnTheBoard:
    """What came back from the board."""

    before: Floats  # logits of all of the person's windows
    after: Floats  # logits of the windows to test on, once it has learned
    personal: Network
    inference: Measured
    training: Measured
    measured: dict[str, int]
    link_bytes: dict[str, int]
    seconds: float


def run_demo(board: str, sensors: str, person: int, out: Path, screen: Screen, seed: int = 0) -> dict[str, Any]:
    """Do the main job and leave model.safetensors, personal.safetensors and report.json in a folder.

    Parameters
    ----------
    board : name of a bundled profile with firmware.
    sensors : "accelerometer" (15-16-7) or "imu" (30-16-7).
    person : one of `LEFT_OUT`; whose windows the board runs and learns from.
    out : the folder; it is made if it is not there.
    screen : is told of each step.
    seed : of first weights and orders.

    Returns
    -------
    The report, as it stands in report.json.

    Raises
    ------
    UsageError : another board, sensor or person.
    PathError : the folder cannot be written.
    IncompatibleError : there is no firmware for the board.
    DoesNotFitError : the network needs more than the board has.
    IntegrityError : a logit, a parameter or a planned byte is not what it should be.
    """
    if person not in LEFT_OUT:
        raise UsageError(f"person must be one of those left out, {', '.join(map(str, LEFT_OUT))}, not {person}")
    profile = Profile.load(board)
    profile.require_firmware()
    data = load_shoulder().sensors(sensors)
    simulator = load_simulator()
    _make_folder(out)

    screen.step(f"train {data.features.shape[1]}-{_HIDDEN}-7 on the laptop, people {_names(LEFT_OUT)} left out")
    net, accuracy = _train(data, seed, screen)
    net.save(out / "model.safetensors")
    screen.remark(f"people left out: {accuracy:.1%} of their windows recognised")

    screen.step(f"plan it on the board: {profile.title}")
    answer = plan(net, profile, learn=True)
    screen.plan(answer)
    answer.require("nothing was flashed")

    learn, test = data.personal_split(person)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(np.flatnonzero(learn))
    mine = data.subject == person
    with simulator.open_board(profile.name) as simulated:
        result = _on_the_board(simulated, profile, net, data, mine, order, test, screen)
    result.personal.save(out / "personal.safetensors")

    replay = net.copy()
    X, y = data.features[order], data.labels[order]
    train(replay, X, y, _LEARNING_EPOCHS, learning_rate=_LEARNING_RATE, shuffle=False, progress=False)
    _compare("parameter", result.personal.parameters, replay.parameters)
    _compare("logit after learning", result.after, replay.decision_function(data.features[test]))
    screen.remark(f"{replay.parameters.size} of {replay.parameters.size} parameters have the same bits")
    _check_plan(answer, result.measured)

    truth = data.labels[test]
    report = {
        "board": profile.name,
        "sensors": sensors,
        "person": person,
        "simulated": True,
        "inference_bit_identical": True,  # each comparison above would have raised
        "learning_bit_identical": True,
        "logits_compared": int(result.before.size + result.after.size),
        "parameters_compared": int(replay.parameters.size),
        "accuracy_laptop": accuracy,
        "accuracy_device_before": {str(person): float(np.mean(net.decide(result.before)[test[mine]] == truth))},
        "accuracy_device_after": {str(person): float(np.mean(net.decide(result.after) == truth))},
        "windows_learned": int(order.size),
        "windows_tested": int(truth.size),
        "flash_bytes": {"planned": answer.flash_bytes, "measured": result.measured["flash"]},
        "ram_bytes": {"planned": answer.ram_bytes, "measured": result.measured["ram"]},
        "stack_bytes": {"planned": answer.stack_bytes, "measured": result.measured["stack"]},
        "cycles_per_inference": round(result.inference.cycles / result.inference.calls),
        "cycles_per_training_step": round(result.training.cycles / result.training.calls),
        "instructions_per_inference": round(result.inference.instructions / result.inference.calls),
        "instructions_per_training_step": round(result.training.instructions / result.training.calls),
        "clock_hz": profile.clock_hz,
        "link_bytes": result.link_bytes,
        "seconds": result.seconds,
    }
    write_whole(out / "report.json", (json.dumps(report, indent=2) + "\n").encode())
    return report


def _train(data: Shoulder, seed: int, screen: Screen) -> tuple[Network, float]:
    out = data.people(LEFT_OUT)
    net = Network([data.features.shape[1], _HIDDEN, len(data.exercise_names)], seed=seed)
    net.features = data.feature_names
    train(
        net,
        data.features[~out],
        data.labels[~out],
        epochs=_EPOCHS,
        learning_rate=_LEARNING_RATE,
        seed=seed,
        validation=(data.features[out], data.labels[out]),
        progress=screen.epoch,
    )
    return net, float(np.mean(net.predict(data.features[out]) == data.labels[out]))


def _on_the_board(
    board: SimulatedBoard,
    profile: Profile,
    net: Network,
    data: Shoulder,
    mine: Mask,
    order: npt.NDArray[np.intp],
    test: Mask,
    screen: Screen,
) -> _OnTheBoard:
    screen.step(f"boot a simulated {profile.title} and flash the model")
    with Device.open(board.url) as device:
        board.poison("arena")
        with screen.bar("flashing") as progress:
            served = device.flash(net, progress)
        device.verify(net)
        screen.remark(f"{served.length:,} bytes serve as generation {served.generation}; digest verified on the device")

        screen.step("run the person's raw windows on the device, compare every logit")
        X = data.features[mine]
        with screen.bar("running") as progress, board.measure(_RUN) as inference:
            before = device.decision_function(X, progress)
        _compare("logit", before, net.decision_function(X))
        screen.remark(f"{before.size:,} of {before.size:,} logits have the same bits")

        screen.step("learn on the device from a third of each recording, run the rest")
        with screen.bar("learning") as progress, board.measure(_TRAIN) as training:
            device.learn(data.features[order], data.labels[order], _LEARNING_RATE, _LEARNING_EPOCHS, progress=progress)
        with screen.bar("running") as progress:
            after = device.decision_function(data.features[test], progress)
        truth = data.labels[test]
        shares = [float(np.mean(net.decide(logits) == truth)) for logits in (before[test[mine]], after)]
        screen.remark(f"on {truth.size} windows it never learned from: {shares[0]:.1%} before, {shares[1]:.1%} after")

        screen.step("pull the model, replay its learning on the laptop, compare every parameter")
        with screen.bar("pulling") as progress:
            personal = device.pull(progress)
        personal.features = net.features
        slot = device.info().active_slot
        statistics = device.statistics
        measured = {
            "flash": _flash_in_use(board.flash, profile, 0 if slot is None else slot),
            "ram": profile.firmware.static_bytes + board.touched("arena"),
            "stack": board.stack_high_water,
        }
        link_bytes = {"sent": statistics.bytes_sent, "received": statistics.bytes_received}
        return _OnTheBoard(before, after, personal, inference, training, measured, link_bytes, board.seconds)


def _flash_in_use(flash: bytes, profile: Profile, slot: int) -> int:
    """Bytes up to the last one programmed, of the firmware, of the slot's record and journal, and of its image."""

    def extent(start: int, size: int) -> int:
        at = start - profile.flash_start
        return len(flash[at : at + size].rstrip(b"\xff"))

    record = profile.slot_address(slot)
    return (
        extent(profile.flash_start, profile.firmware_reserve_bytes)
        + extent(record, profile.page_bytes)
        + extent(record + profile.page_bytes, profile.slot_image_bytes)
    )


def _compare(what: str, device: Floats, laptop: Floats) -> None:
    """Every bit, or an error that names the first that differs."""
    if device.shape != laptop.shape:
        raise IntegrityError(f"the device gave {device.shape} {what}s where the laptop has {laptop.shape}")
    different = np.argwhere(device.view(np.uint32) != laptop.view(np.uint32))
    if different.size:
        at = tuple(different[0])
        raise IntegrityError(
            f"{what} {', '.join(map(str, at))} is {device[at]!r} on the device and {laptop[at]!r} on the laptop, "
            f"{len(different)} of {device.size} differ; nothing here may differ in a single bit: please report this"
        )


def _check_plan(answer: Plan, measured: dict[str, int]) -> None:
    exact = {"flash": answer.flash_bytes, "ram": answer.ram_bytes}
    wrong = [
        f"{name}: {size:,} planned, {measured[name]:,} measured"
        for name, size in exact.items()
        if size != measured[name]
    ]
    if measured["stack"] > answer.stack_bytes:
        wrong.append(f"stack: {answer.stack_bytes:,} planned at most, {measured['stack']:,} measured")
    if wrong:
        raise IntegrityError(f"the plan was not exact ({'; '.join(wrong)}); please report this")


def _make_folder(out: Path) -> None:
    try:
        check_path(out).mkdir(parents=True, exist_ok=True)
        write_whole(out / "report.json", b"{}\n")  # a report of an earlier run must not outlive a failure
    except OSError as error:
        raise PathError(f"cannot write into {out}: {error.strerror}; name another folder with --out") from error


def _names(people: tuple[int, ...]) -> str:
    return ", ".join(map(str, people[:-1])) + f" and {people[-1]}"
