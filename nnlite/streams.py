"""Samples to a device and answers back: the RUN and LEARN streams of one conversation, and what they take.

What may be sent at all is checked by the caller; how frames get over the line is `nnlite.link`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnlite import layout
from nnlite.errors import DeviceError
from nnlite.latency import Latency
from nnlite.link.client import Client, Progress
from nnlite.link.transfer import split_rows
from nnlite.link.wire import Region
from nnlite.network import Floats, Label
from nnlite.recipe import Recipe

__all__ = ["Shape", "learn_rows", "run_rows", "training_rows"]

_FLOAT_BYTES = 4
#: a LEARN frame holds rows for about so much computing, so that progress shows and Ctrl-C is heard
_LEARN_FRAME_SECONDS = 2.0
#: what takes about as long as so many multiply-accumulates, at most: an exponential with what is made of it, and each
#: parameter's share of a step beside its gradient; on cores without an FPU, where they are the dearest
_EXPONENTIAL_WORK = 12
_UPDATE_WORK = {"sgd": 0, "momentum": 2, "adam": 10}
_DECAY_WORK = 1


@dataclass(frozen=True)
class Shape:
    """The serving model apart from its parameters; what a plan and the data checks need.

    Attributes
    ----------
    sizes, hidden, output, mean, labels : as of a `Network`.
    """

    sizes: tuple[int, ...]
    hidden: str
    output: str
    mean: Floats | None
    labels: tuple[Label, ...] | None

    @property
    def parameter_count(self) -> int:
        """Weights and biases."""
        return layout.parameter_count(self.sizes)

    @property
    def work(self) -> int:
        """Of one inference, in multiply-accumulates, at most."""
        exponentials = sum(self.sizes[1:-1]) if self.hidden in ("sigmoid", "tanh") else 0
        exponentials += 0 if self.output == "linear" else self.sizes[-1]
        return self.parameter_count + _EXPONENTIAL_WORK * exponentials


def run_rows(
    client: Client, shape: Shape, samples: Floats, probabilities: bool, progress: Progress | None = None
) -> tuple[Floats, Latency]:
    """Outputs of a RUN stream, and what all of it took.

    Parameters
    ----------
    shape : of the model that serves.
    samples : raw, (samples, inputs) float32, all finite.
    probabilities : of a softmax or sigmoid network, instead of logits.
    progress : called with samples done and samples in all.

    Returns
    -------
    outputs : (samples, outputs) float32.
    """
    inputs, outputs = shape.sizes[0], shape.sizes[-1]
    results = np.empty((len(samples), outputs), np.float32)
    latency = Latency()
    done = 0
    frame_rows = client.reply_words // outputs
    for frame in split_rows(samples.astype("<f4").tobytes(), inputs, client.frame_words, frame_rows):
        work_seconds = client.timing.compute_seconds(frame.rows, shape.work)
        start = client.clock()
        reply = client.run(frame, probabilities, outputs, work_seconds)
        data = reply.outputs
        if frame.rows and not data:
            data = client.read(Region.OUTPUT, 0, outputs * _FLOAT_BYTES)
        latency += Latency.of(reply.times, client.timing.tick_hz, client.clock() - start)
        if reply.rows != frame.rows or len(data) != frame.rows * outputs * _FLOAT_BYTES:
            raise DeviceError(
                f"the device answered {reply.rows} rows in {len(data)} bytes to {frame.rows} rows of {outputs} "
                "outputs; put the firmware of this version on it ('nnlite firmware')"
            )
        results[done : done + frame.rows] = np.frombuffer(data, "<f4").reshape(-1, outputs)
        done += frame.rows
        if progress is not None and frame.rows:
            progress(done, len(samples))
    return results, latency


def training_rows(
    shape: Shape, samples: Floats, classes: npt.NDArray[np.int64], targets: Floats, weights: Floats
) -> npt.NDArray[np.uint32]:
    """Rows as LEARN takes them, 32-bit words: the raw sample, the class or the targets, and the weight if there is one.

    Parameters
    ----------
    samples : raw, (samples, inputs).
    classes, targets, weights : of `nnlite.targets.encode_truth` and `sample_weights`.
    """
    truth = classes.astype("<u4")[:, None] if shape.output == "softmax" else targets.astype("<f4").view("<u4")
    parts = [samples.astype("<f4").view("<u4"), truth]
    if weights.size:
        parts.append(weights.astype("<f4").view("<u4")[:, None])
    rows: npt.NDArray[np.uint32] = np.hstack(parts)
    return rows


def learn_rows(
    client: Client,
    shape: Shape,
    rows: npt.NDArray[np.uint32],
    how: Recipe,
    epoch: int,
    progress: Progress | None = None,
) -> tuple[float, Latency]:
    """One epoch of a LEARN stream. Returns the mean loss, and what all of it took.

    Parameters
    ----------
    shape : of the model that is being taught.
    rows : of `training_rows`.
    epoch : how many came before in this stream, all of these rows.
    progress : called with samples done and samples in all, of all epochs.
    """
    count, row_words = rows.shape
    timing = client.timing
    gradient = shape.parameter_count * (2 if how.clip_norm else 1)  # its norm is taken before it is used
    decay = _DECAY_WORK if how.weight_decay else 0
    update = shape.parameter_count * (_UPDATE_WORK[how.optimizer] + decay)
    frame_rows = int(_LEARN_FRAME_SECONDS / timing.compute_seconds(1, 2 * shape.work + gradient + update))
    position = epoch * count * row_words
    done, loss = epoch * count, 0.0
    latency = Latency()
    for frame in split_rows(rows.tobytes(), row_words, client.frame_words, frame_rows, position):
        # Forward and dA for each row; the update for those that earlier frames left in the batch as well.
        updated = frame.rows + how.batch_size - 1
        work_seconds = timing.compute_seconds(frame.rows, 2 * shape.work)
        work_seconds += timing.compute_seconds(updated, gradient)
        work_seconds += timing.compute_seconds(-(-updated // how.batch_size), update)
        start = client.clock()
        reply = client.learn(frame, frame.last, work_seconds)
        latency += Latency.of(reply.times, timing.tick_hz, client.clock() - start)
        done += frame.rows
        loss += reply.loss
        if reply.samples_seen != done:
            raise DeviceError(
                f"the device has seen {reply.samples_seen} samples where {done} were sent; the run is discarded. "
                "Put the firmware of this version on it ('nnlite firmware')"
            )
        if progress is not None and frame.rows:
            progress(done, how.epochs * count)
    return loss / float(count), latency
