"""`Device`: a network on a board behind a serial port. Flash, verify, run, learn, pull.

Data is checked here before anything is sent; how bytes get over the line is left to `nnlite.link`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite import image, layout
from nnlite.errors import (
    DataError,
    DeviceError,
    DoesNotFitError,
    IncompatibleError,
    IntegrityError,
    NNLiteError,
    UsageError,
)
from nnlite.link.client import Client, Progress, Statistics
from nnlite.link.discover import find_port
from nnlite.link.port import open_port
from nnlite.link.protocol import Hello as DeviceInfo
from nnlite.link.protocol import ModelReply as ServingModel
from nnlite.link.protocol import Slot
from nnlite.link.transfer import split_rows
from nnlite.link.wire import Optimizer, Region
from nnlite.network import Floats, Label, Network, as_samples, decide
from nnlite.planner import plan
from nnlite.profile import Profile
from nnlite.training import TrainingArguments, check_training_arguments, encode_labels, encode_targets

__all__ = ["Device", "DeviceInfo", "Learned", "Progress", "ServingModel", "Shape", "Slot", "Statistics", "find_port"]

_FLOAT_BYTES = 4
#: a LEARN frame holds rows for about so much computing, so that progress shows and Ctrl-C is heard
_LEARN_FRAME_SECONDS = 2.0


@dataclass(frozen=True)
class Learned:
    """What `Device.learn` came to.

    Attributes
    ----------
    loss : mean loss of each epoch, each sample's before the step it took part in.
    samples : training steps' samples in all.
    model : the model that now serves.
    """

    loss: tuple[float, ...]
    samples: int
    model: ServingModel


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
    def multiply_accumulates(self) -> int:
        """About so many of them for one sample."""
        return layout.parameter_count(self.sizes)


class Device:
    """A board that runs nnlite's firmware. Not thread-safe: one thread at a time may use it.

    Whatever fails or is interrupted, the model that was committed last serves on, and the next call starts afresh.

    Parameters
    ----------
    client : a client on an open port; `Device.open` makes one.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._serving: ServingModel | None = None
        self._shapes: dict[bytes, Shape] = {}  # by digest
        self._session_open = False
        self._info = self._hello()

    @classmethod
    def open(cls, port: str) -> Device:
        """Open a port and greet the device behind it.

        Parameters
        ----------
        port : a device name such as /dev/ttyACM0 or COM3, any pyserial URL, or `id:` and the first digits of a board's
            unique id.

        Raises
        ------
        PortError : no such port, or no one board of such an id.
        PortBusyError : another program holds it, or this user may not open it.
        DeviceTimeoutError : nothing answers there.
        IncompatibleError : another version of the protocol.
        """
        client = Client(open_port(find_port(port)))
        try:
            return cls(client)
        except BaseException:
            client.close()
            raise

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back. The device keeps what it has."""
        self._client.close()

    @property
    def statistics(self) -> Statistics:
        """What went over the line since the port was opened."""
        return self._client.statistics

    def info(self) -> DeviceInfo:
        """What the device says about itself now."""
        self._info = self._hello()
        return self._info

    def shape(self) -> Shape:
        """Sizes, output function and labels of the serving model. Its parameters are not read; `pull` does that.

        Raises
        ------
        IncompatibleError : there is no model on the device.
        """
        with self._session():
            return self._shape()

    def flash(self, net: Network, progress: Progress | None = None) -> ServingModel:
        """Send a network; from then on it serves. The one that served before is kept for `rollback`.

        Parameters
        ----------
        net : the network, standardiser and labels included.
        progress : called with bytes done and bytes in all.

        Raises
        ------
        DoesNotFitError : it needs more than the board has; nothing was sent.
        UsageError, DataError : no network, or a value is not finite; nothing was sent.
        IncompatibleError : this version has no profile of the board.
        IntegrityError : what the device read back is not what was sent.
        """
        data = image.encode_image(net)
        digest = image.image_digest(data)
        self._check_plan(net, learn=False, batch_size=1)
        if len(data) > self._info.slot_image_bytes:
            raise DoesNotFitError(
                f"the image takes {len(data):,} bytes, a slot of this device holds {self._info.slot_image_bytes:,}; "
                "nothing was sent. Train a smaller network"
            )
        with self._session():
            self._serving = self._client.flash(data, digest, progress)
            if self._serving.digest != digest:
                raise IntegrityError("the device committed another model than the one that was sent; flash it again")
            self._shapes[digest] = Shape(net.sizes, net.output, net.mean, net.labels)
            return self._serving

    def verify(self, net: Network | None = None) -> ServingModel:
        """Have the device digest its serving model anew, and compare it with a network if one is given.

        Raises
        ------
        UsageError : what is given is no network.
        IncompatibleError : there is no model on the device.
        IntegrityError : it is not the given network, or its flash has changed.
        """
        digest = None if net is None else image.image_digest(image.encode_image(net))
        with self._session():
            self._serving = self._client.verify()
        if digest is not None and digest != self._serving.digest:
            raise IntegrityError(
                f"the device serves another model (digest {self._serving.digest.hex()[:16]}, generation "
                f"{self._serving.generation}) than the one given ({digest.hex()[:16]}); flash that one"
            )
        return self._serving

    def rollback(self) -> ServingModel:
        """Go back to the model that served before. The present one cannot be brought back but by flashing it.

        Raises
        ------
        IncompatibleError : there is no other model.
        """
        with self._session():
            self._serving = self._client.rollback()
            return self._serving

    def decision_function(self, X: npt.ArrayLike, progress: Progress | None = None) -> Floats:
        """Logits that the device computes: raw X (samples, inputs) -> (samples, outputs) float32.

        Raises
        ------
        DataError : another width, or a value that is not finite (row and column named); nothing was sent.
        IncompatibleError : there is no model on the device.
        """
        return self._run(X, False, progress)[0]

    def predict_proba(self, X: npt.ArrayLike, progress: Progress | None = None) -> Floats:
        """Probabilities that the device computes (eq. 4): raw X (samples, inputs) -> (samples, outputs) float32.

        Raises
        ------
        UsageError : the network is linear.
        DataError, IncompatibleError : as `decision_function`.
        """
        return self._run(X, True, progress)[0]

    def predict(self, X: npt.ArrayLike, progress: Progress | None = None) -> npt.NDArray[Any]:
        """Labels of a softmax network, (samples,); outputs of a linear one, (samples, outputs) float32.

        Raises
        ------
        DataError, IncompatibleError : as `decision_function`.
        """
        outputs, shape = self._run(X, False, progress)
        return decide(outputs, shape.output, shape.labels)

    def learn(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        learning_rate: float = 0.05,
        epochs: int = 1,
        batch_size: int = 1,
        optimizer: str = "sgd",
        progress: Progress | None = None,
    ) -> Learned:
        """Go on training the serving model on the device, in the order given, and commit the result at the end.

        Each step is carried out at most once, whatever the line does. A failure or Ctrl-C discards the run.

        Parameters
        ----------
        X : raw samples, (samples, inputs).
        y : labels of the model, (samples,); targets of a linear network, (samples, outputs).
        learning_rate, epochs, batch_size, optimizer : as in `nnlite.train`.
        progress : called with samples done and samples in all.

        Raises
        ------
        UsageError, DataError : an argument or the data cannot be used; nothing was sent.
        DoesNotFitError : learning needs more RAM than the board has; nothing was sent.
        DivergedError : a value became not finite; the run is discarded.
        IncompatibleError : there is no model on the device.
        """
        how = check_training_arguments(epochs, batch_size, learning_rate, optimizer)
        with self._session():
            shape = self._shape()
            rows = _training_rows(shape, X, y)
            self._check_plan(shape, learn=True, batch_size=how.batch_size)
            if not rows.size:
                raise DataError("there are no samples to learn from")
            try:
                optimizer_code = Optimizer[how.optimizer.upper()]
                self._client.learn_begin(float(how.learning_rate), how.batch_size, optimizer_code)
                loss = [self._learn_epoch(shape, rows, how, n, progress) for n in range(how.epochs)]
                self._serving = self._client.learn_commit(self._serving_model().length)
            except BaseException:
                with suppress(NNLiteError):  # what went wrong first is what counts
                    self._client.learn_abort()
                raise
            self._shapes[self._serving.digest] = shape
            return Learned(tuple(loss), how.epochs * len(rows), self._serving)

    def pull(self, progress: Progress | None = None) -> Network:
        """Fetch the serving model, standardiser and labels included. Names of features do not travel.

        Parameters
        ----------
        progress : called with bytes done and bytes in all.

        Raises
        ------
        IncompatibleError : there is no model on the device, or one of another format.
        IntegrityError : what came is not what the device digested.
        """
        with self._session():
            self._serving = self._client.verify()
            data = self._client.read(Region.IMAGE, 0, self._serving.length, progress)
        if image.image_digest(data) != self._serving.digest:
            raise IntegrityError("the model that was read does not match the device's digest of it; pull it again")
        return image.decode_image(data)

    # ---- sessions

    def _hello(self) -> DeviceInfo:
        self._session_open = False
        info = self._client.hello()
        slot = info.serving
        self._serving = None if slot is None else ServingModel(slot.generation, slot.length, slot.digest)
        self._session_open = True
        return info

    @contextmanager
    def _session(self) -> Iterator[None]:
        """One undertaking. When one did not end well, the next opens a new session, which clears what it left."""
        if not self._session_open:
            self._info = self._hello()
        self._session_open = False
        yield
        self._session_open = True

    # ---- the serving model

    def _serving_model(self) -> ServingModel:
        if self._serving is None:
            raise IncompatibleError("there is no model on the device; flash one first: 'nnlite flash MODEL'")
        return self._serving

    def _shape(self) -> Shape:
        """The serving model's shape and labels: known by its digest, or read from the device."""
        serving = self._serving_model()
        if serving.digest not in self._shapes:
            self._shapes[serving.digest] = self._read_shape(serving.length)
        return self._shapes[serving.digest]

    def _read_shape(self, length: int) -> Shape:
        head = self._client.read(Region.IMAGE, 0, min(length, image.MAX_HEADER_BYTES))
        header = image.decode_header(head, length)
        mean = None
        if header.standardised:
            mean = np.frombuffer(
                self._client.read(Region.IMAGE, header.floats_offset, header.sizes[0] * _FLOAT_BYTES), "<f4"
            )
        metadata = self._client.read(Region.IMAGE, header.metadata_offset, header.metadata_bytes)
        return Shape(header.sizes, header.output, mean, image.decode_labels(metadata, header))

    def _check_plan(self, net: Network | Shape, learn: bool, batch_size: int) -> None:
        try:
            profile = Profile.load(self._info.board)
        except UsageError as error:
            raise IncompatibleError(
                f"the device is a '{self._info.board}', a board that this version does not know; use a newer nnlite"
            ) from error
        answer = plan(net, profile, learn=learn, batch_size=batch_size)
        if not answer.fits:
            raise DoesNotFitError("; ".join(answer.reasons) + "; nothing was sent")

    # ---- streams

    def _run(self, X: npt.ArrayLike, probabilities: bool, progress: Progress | None) -> tuple[Floats, Shape]:
        with self._session():
            shape = self._shape()
            if probabilities and shape.output != "softmax":
                raise UsageError("a linear network has no probabilities; use predict for its outputs")
            inputs, outputs = shape.sizes[0], shape.sizes[-1]
            samples = as_samples(X, inputs)
            results = np.empty((len(samples), outputs), np.float32)
            done = 0
            frame_rows = self._client.reply_words // outputs
            for frame in split_rows(samples.astype("<f4").tobytes(), inputs, self._client.frame_words, frame_rows):
                work_seconds = self._client.timing.compute_seconds(frame.rows, shape.multiply_accumulates)
                reply = self._client.run(frame, probabilities, outputs, work_seconds)
                data = reply.outputs
                if frame.rows and not data:
                    data = self._client.read(Region.OUTPUT, 0, outputs * _FLOAT_BYTES)
                if reply.rows != frame.rows or len(data) != frame.rows * outputs * _FLOAT_BYTES:
                    raise DeviceError(
                        f"the device answered {reply.rows} rows in {len(data)} bytes to {frame.rows} rows of {outputs} "
                        "outputs; put the firmware of this version on it ('nnlite firmware')"
                    )
                results[done : done + frame.rows] = np.frombuffer(data, "<f4").reshape(-1, outputs)
                done += frame.rows
                if progress is not None and frame.rows:
                    progress(done, len(samples))
            return results, shape

    def _learn_epoch(
        self,
        shape: Shape,
        rows: npt.NDArray[np.uint32],
        how: TrainingArguments,
        epoch: int,
        progress: Progress | None,
    ) -> float:
        """One pass over the rows. Returns the mean loss."""
        count, row_words = rows.shape
        work, timing = shape.multiply_accumulates, self._client.timing
        frame_rows = int(_LEARN_FRAME_SECONDS / timing.compute_seconds(1, 3 * work))
        position = epoch * count * row_words
        done, loss = epoch * count, 0.0
        for frame in split_rows(rows.tobytes(), row_words, self._client.frame_words, frame_rows, position):
            # Forward and dA for each row; the update for those that earlier frames left in the batch as well.
            work_seconds = timing.compute_seconds(frame.rows, 2 * work)
            work_seconds += timing.compute_seconds(frame.rows + how.batch_size - 1, work)
            reply = self._client.learn(frame, frame.last, work_seconds)
            done += frame.rows
            loss += reply.loss
            if reply.samples_seen != done:
                raise DeviceError(
                    f"the device has seen {reply.samples_seen} samples where {done} were sent; the run is discarded. "
                    "Put the firmware of this version on it ('nnlite firmware')"
                )
            if progress is not None and frame.rows:
                progress(done, how.epochs * count)
        return loss / float(count)


def _training_rows(shape: Shape, X: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """Rows as LEARN takes them, 32-bit words: the raw sample, then the class or the targets."""
    samples = as_samples(X, shape.sizes[0])
    if shape.output == "softmax":
        targets = encode_labels(y, shape.labels, shape.sizes[-1]).astype("<u4")[:, None]
    else:
        targets = encode_targets(y, shape.sizes[-1]).astype("<f4").view("<u4")
    if len(targets) != len(samples):
        raise DataError(f"there are {len(samples)} samples and {len(targets)} targets; they must be as many")
    rows: npt.NDArray[np.uint32] = np.hstack([samples.astype("<f4").view("<u4"), targets])
    return rows
