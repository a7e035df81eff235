"""Samples to a device and answers back: the RUN and LEARN streams of one conversation, and what they take.

What may be sent at all is checked by the caller; how frames get over the line is `nnlite.link`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nnlite import layout
from nnlite.errors import DataError, DeviceError
from nnlite.latency import Latency
from nnlite.link.client import Client, Progress
from nnlite.link.transfer import split_rows
from nnlite.link.wire import Region
from nnlite.network import Floats, Label, as_samples
from nnlite.training import TrainingArguments, encode_labels, encode_targets

__all__ = ["Shape", "learn_rows", "run_rows", "training_rows"]

_FLOAT_BYTES = 4
#: a LEARN frame holds rows for about so much computing, so that progress shows and Ctrl-C is heard
_LEARN_FRAME_SECONDS = 2.0


@dataclass(frozen=True)
class Shape:
    """The serving model apart from its parameters; what a plan and the data checks need.

    Attributes
    ----------
    sizes, output, mean, labels : as of a `Network`.
    """

    sizes: tuple[int, ...]
    output: str
    mean: Floats | None
    labels: tuple[Label, ...] | None

    @property
    def parameter_count(self) -> int:
        """Weights and biases; about so many multiply-accumulates for one sample."""
        return layout.parameter_count(self.sizes)


def run_rows(
    client: Client, shape: Shape, samples: Floats, probabilities: bool, progress: Progress | None = None
) -> tuple[Floats, Latency]:
    """Outputs of a RUN stream, and what all of it took.

    Parameters
    ----------
    shape : of the model that serves.
    samples : raw, (samples, inputs) float32, all finite.
    probabilities : of a softmax network, instead of logits.
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
        work_seconds = client.timing.compute_seconds(frame.rows, shape.parameter_count)
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


def training_rows(shape: Shape, X: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """Rows as LEARN takes them, 32-bit words: the raw sample, then the class or the targets.

    Raises
    ------
    DataError : another width, an unknown label, a value that is not finite, or not as many truths as samples.
    """
    samples = as_samples(X, shape.sizes[0])
    if shape.output == "softmax":
        targets = encode_labels(y, shape.labels, shape.sizes[-1]).astype("<u4")[:, None]
    else:
        targets = encode_targets(y, shape.sizes[-1]).astype("<f4").view("<u4")
    if len(targets) != len(samples):
        raise DataError(f"there are {len(samples)} samples and {len(targets)} targets; they must be as many")
    rows: npt.NDArray[np.uint32] = np.hstack([samples.astype("<f4").view("<u4"), targets])
    return rows


def learn_rows(
    client: Client,
    shape: Shape,
    rows: npt.NDArray[np.uint32],
    how: TrainingArguments,
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
    work, timing = shape.parameter_count, client.timing
    frame_rows = int(_LEARN_FRAME_SECONDS / timing.compute_seconds(1, 3 * work))
    position = epoch * count * row_words
    done, loss = epoch * count, 0.0
    latency = Latency()
    for frame in split_rows(rows.tobytes(), row_words, client.frame_words, frame_rows, position):
        # Forward and dA for each row; the update for those that earlier frames left in the batch as well.
        work_seconds = timing.compute_seconds(frame.rows, 2 * work)
        work_seconds += timing.compute_seconds(frame.rows + how.batch_size - 1, work)
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
