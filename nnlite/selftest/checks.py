"""The checks, one after the other, each with a name, a verdict and what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nnlite.device import Device
from nnlite.errors import NNLiteError, UsageError
from nnlite.image import encode_image
from nnlite.link.timing import BAUD, line_seconds
from nnlite.link.wire import SlotState
from nnlite.network import Floats
from nnlite.selftest import golden as golden_vectors
from nnlite.selftest.golden import EPOCHS, LEARNING_RATE, STEPS, Golden
from nnlite.trial import Trial

__all__ = ["Check", "check_slot_is_free", "run_checks"]

_ECHO_SEED = 1
_THROUGHPUT_FRAMES = 40
#: of what the line carries: frame by frame, a slow USB adapter or a busy computer takes most of it
_LEAST_THROUGHPUT = 0.1
#: measured by estimated cycles; the estimate knows no wait states, and a wrong clock is off by a factor of two
_CYCLE_RATIOS = (0.67, 1.5)


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes
    ----------
    name : what was checked.
    passed : the verdict; None when it was not come to.
    seen : what was seen, in a line.
    figures : the same as numbers, where there are any.
    error : what ended it, if something did.
    """

    name: str
    passed: bool | None
    seen: str
    figures: dict[str, float] | None = None
    error: NNLiteError | None = None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        return asdict(self) | {"error": None if self.error is None else str(self.error)}


def check_slot_is_free(device: Device, overwrite: bool) -> None:
    """The selftest writes into the slot that does not serve: is there a model that somebody may want back?

    Raises
    ------
    UsageError : there is, and `overwrite` does not say that it may go.
    """
    info = device.info()
    for slot in info.slots:
        if slot.index != info.active_slot and slot.state == SlotState.VALID and not overwrite:
            raise UsageError(
                f"the selftest writes over slot {slot.index}, whose generation {slot.generation} 'nnlite rollback' "
                "would go back to; with --overwrite it does. The model that serves is kept either way"
            )


def run_checks(device: Device, overwrite: bool = False) -> Iterator[Check]:
    """Give each check when it is done. After one that ended in an error, the rest is not run.

    Raises
    ------
    UsageError : see `check_slot_is_free`; nothing was written.
    """
    check_slot_is_free(device, overwrite)
    golden = golden_vectors.load_golden()
    before = device.info().serving
    yield _laptop(golden)
    alone: list[tuple[str, Callable[[], Check]]] = [
        ("link echo", lambda: _echo(device)),
        ("link throughput", lambda: _throughput(device)),
    ]
    on_trial: list[tuple[str, Callable[[Trial], Check]]] = [
        ("flash write and read-back", lambda trial: _read_back(trial, golden)),
        ("golden vectors", lambda trial: _vectors(trial, golden)),
        (f"{STEPS} training steps", lambda trial: _training(trial, golden)),
        ("cycles of an inference", lambda trial: _inference_cycles(trial, device, golden)),
        ("cycles of a training step", lambda trial: _training_cycles(trial, device, golden)),
    ]
    names = [name for name, _ in alone] + [name for name, _ in on_trial] + ["the model that served serves on"]
    try:
        for _, check in alone:
            yield check()
            names.pop(0)
        with device.trial(golden.network()) as trial:
            for _, check_trial in on_trial:
                yield check_trial(trial)
                names.pop(0)
        after = device.info().serving
        same = before == after
        generation = "no model, as before" if after is None else f"generation {after.generation}"
        yield Check(names.pop(0), same, generation if same else f"{generation}, which is another one than before")
    except NNLiteError as error:
        yield Check(names.pop(0), False, "ended by an error, see below", error=error)
        for name in names:
            yield Check(name, None, "not run")


def _differing(got: Floats, expected: Floats) -> int:
    return int(np.count_nonzero(got.view(np.uint32) != expected.view(np.uint32)))


def _laptop(golden: Golden) -> Check:
    net = golden.network()
    pairs = [
        (net.decision_function(golden.samples), golden.logits),
        (net.predict_proba(golden.samples), golden.probabilities),
        (golden_vectors.learn(net, golden), golden.learned),
    ]
    wrong = sum(_differing(got, expected) for got, expected in pairs)
    count = sum(expected.size for _, expected in pairs)
    return Check("this computer's arithmetic", not wrong, _compared(wrong, count, "golden values"))


def _compared(wrong: int, count: int, what: str) -> str:
    return f"{wrong:,} of {count:,} {what} differ" if wrong else f"{count:,} {what}, all the same bits"


def _echo(device: Device) -> Check:
    """Payloads that are hard on frames: zeros, ones, every byte, noise, and none at all."""
    size = device.echo_bytes
    noise = np.random.Generator(np.random.PCG64(_ECHO_SEED)).integers(0, 256, (4, size), np.uint8)
    payloads = [b"", b"\0", bytes(size), b"\xff" * size, bytes(n % 256 for n in range(size))]
    payloads += [row.tobytes() for row in noise]
    before = device.statistics.retransmissions
    wrong = sum(device.echo(payload) != payload for payload in payloads)
    again = device.statistics.retransmissions - before
    seen = f"{len(payloads)} frames of up to {size} bytes, {wrong} of them changed, {again} sent again"
    return Check("link echo", not wrong, seen, {"frames": len(payloads), "sent_again": again})


def _throughput(device: Device) -> Check:
    payload = bytes(n % 255 + 1 for n in range(device.echo_bytes))
    before, start = device.statistics, device.clock()
    for _ in range(_THROUGHPUT_FRAMES):
        device.echo(payload)
    seconds = device.clock() - start
    after = device.statistics
    count = after.bytes_sent - before.bytes_sent + after.bytes_received - before.bytes_received
    share = line_seconds(count) / seconds
    seen = f"{count / seconds:,.0f} bytes/s there and back, {share:.0%} of what {BAUD:,} baud carry"
    return Check("link throughput", share >= _LEAST_THROUGHPUT, seen, {"bytes_per_second": count / seconds})


def _read_back(trial: Trial, golden: Golden) -> Check:
    image = encode_image(golden.network())
    same = trial.read_image() == image
    return Check(
        "flash write and read-back", same, f"{len(image):,} bytes, {'all the same' if same else 'not the same'}"
    )


def _vectors(trial: Trial, golden: Golden) -> Check:
    wrong = _differing(trial.run(golden.samples)[0], golden.logits)
    wrong += _differing(trial.run(golden.samples, probabilities=True)[0], golden.probabilities)
    count = golden.logits.size + golden.probabilities.size
    return Check("golden vectors", not wrong, _compared(wrong, count, "logits and probabilities"))


def _training(trial: Trial, golden: Golden) -> Check:
    name = f"{STEPS} training steps"
    epochs = trial.learn(golden.training_samples, golden.classes, LEARNING_RATE, EPOCHS)
    for n, (epoch, expected) in enumerate(zip(epochs, golden.learned, strict=True)):
        if wrong := _differing(epoch.parameters, expected):
            steps = f"steps {n * STEPS // EPOCHS + 1} to {(n + 1) * STEPS // EPOCHS}"
            trial.stop_learning()
            return Check(name, False, f"{_compared(wrong, expected.size, 'parameters')} after {steps}")
    return Check(name, True, _compared(0, golden.learned.size, f"parameters in {EPOCHS} looks"))


def _inference_cycles(trial: Trial, device: Device, golden: Golden) -> Check:
    _, latency = trial.run(golden.samples)
    measured = latency.computing / len(golden.samples)
    return _cycles("cycles of an inference", device, measured, "inference")


def _training_cycles(trial: Trial, device: Device, golden: Golden) -> Check:
    epochs = list(trial.learn(golden.training_samples, golden.classes, LEARNING_RATE, EPOCHS))
    measured = sum(epoch.latency.computing for epoch in epochs) / STEPS
    return _cycles("cycles of a training step", device, measured, "training_step")


def _cycles(name: str, device: Device, seconds: float, which: str) -> Check:
    info = device.known
    measured = round(seconds * info.clock_hz)
    estimate = golden_vectors.estimated_cycles(info.board)
    figures = {"measured": float(measured)}
    if estimate is None:
        return Check(name, None, f"{measured:,} measured; there is no estimate for '{info.board}'", figures)
    estimated = getattr(estimate, which)
    ratio = measured / estimated
    least, most = _CYCLE_RATIOS
    seen = f"{measured:,} measured, {estimated:,} estimated: {ratio:.2f} of it"
    return Check(name, least <= ratio <= most, seen, figures | {"estimated": float(estimated)})
