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
_THROUGHPUT_FRAMES = 20
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
    on_trial = _OnTrial(device, golden)
    alone: list[tuple[str, Callable[[], Check]]] = [
        ("link echo", lambda: _echo(device)),
        ("link throughput", lambda: _throughput(device)),
    ]
    names = [name for name, _ in alone] + list(on_trial.checks) + ["model kept"]
    try:
        for _, check in alone:
            yield check()
            names.pop(0)
        with device.trial(golden.network()) as trial:
            for check_trial in on_trial.checks.values():
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
    return Check("arithmetic here", not wrong, _compared(wrong, count, "golden values"))


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
    seen = f"{len(payloads)} frames of up to {size} bytes, {wrong} changed, {again} sent again"
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
    seen = f"{count / seconds:,.0f} bytes/s both ways, {share:.0%} of {BAUD:,} baud"
    return Check("link throughput", share >= _LEAST_THROUGHPUT, seen, {"bytes_per_second": count / seconds})


class _OnTrial:
    """The checks of the network on trial. What computing took is noted on the way."""

    def __init__(self, device: Device, golden: Golden) -> None:
        self._device = device
        self._golden = golden
        self._inference_seconds = 0.0
        self._step_seconds = 0.0
        self.checks: dict[str, Callable[[Trial], Check]] = {
            "flash read-back": self._read_back,
            "golden vectors": self._vectors,
            f"{STEPS} training steps": self._training,
            "inference cycles": lambda _: self._cycles("inference cycles", "inference", self._inference_seconds),
            "training cycles": lambda _: self._cycles("training cycles", "training_step", self._step_seconds),
        }

    def _read_back(self, trial: Trial) -> Check:
        image = encode_image(self._golden.network())
        same = trial.read_image() == image
        return Check("flash read-back", same, f"{len(image):,} bytes, {'all the same' if same else 'not the same'}")

    def _vectors(self, trial: Trial) -> Check:
        golden = self._golden
        logits, latency = trial.run(golden.samples)
        self._inference_seconds = latency.computing / len(golden.samples)
        wrong = _differing(logits, golden.logits)
        wrong += _differing(trial.run(golden.samples, probabilities=True)[0], golden.probabilities)
        count = golden.logits.size + golden.probabilities.size
        return Check("golden vectors", not wrong, _compared(wrong, count, "logits and probabilities"))

    def _training(self, trial: Trial) -> Check:
        name, golden = f"{STEPS} training steps", self._golden
        verdict = Check(name, True, _compared(0, golden.learned.size, f"parameters in {EPOCHS} looks"))
        seconds = 0.0
        epochs = trial.learn(golden.training_samples, golden.classes, LEARNING_RATE, EPOCHS)
        for n, (epoch, expected) in enumerate(zip(epochs, golden.learned, strict=True)):
            seconds += epoch.latency.computing
            wrong = _differing(epoch.parameters, expected)
            if wrong and verdict.passed:
                steps = f"steps {n * STEPS // EPOCHS + 1} to {(n + 1) * STEPS // EPOCHS}"
                verdict = Check(name, False, f"{_compared(wrong, expected.size, 'parameters')} after {steps}")
        self._step_seconds = seconds / STEPS
        return verdict

    def _cycles(self, name: str, which: str, seconds: float) -> Check:
        info = self._device.known
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
