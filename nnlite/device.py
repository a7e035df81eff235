"""`Device`: a network on a board behind a serial port. Flash, verify, run, learn, pull.

Data is checked here before anything is sent; how bytes get over the line is left to `nnlite.link`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import RLock
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite import image
from nnlite.errors import (
    DoesNotFitError,
    IncompatibleError,
    IntegrityError,
    NNLiteError,
    UsageError,
)
from nnlite.latency import Latency
from nnlite.learning import HeldOut, LearningRun, rows_to_learn
from nnlite.link.client import Client, Progress, Statistics
from nnlite.link.discover import await_board, find_port
from nnlite.link.port import open_port
from nnlite.link.protocol import Hello as DeviceInfo
from nnlite.link.protocol import ModelReply as ServingModel
from nnlite.link.protocol import Slot
from nnlite.link.wire import Region
from nnlite.memory import Learning, need
from nnlite.network import Floats, Label, Network, as_samples, decide
from nnlite.planner import plan
from nnlite.profile import Profile, profile_names
from nnlite.recipe import check_recipe
from nnlite.streams import Shape, run_rows
from nnlite.training import EarlyStopping, check_patience, encode_validation
from nnlite.trial import Trial

__all__ = [
    "Answer",
    "Device",
    "DeviceInfo",
    "Latency",
    "Learned",
    "Progress",
    "ServingModel",
    "Shape",
    "Slot",
    "Statistics",
    "find_port",
]

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Learned:
    """What `Device.learn` came to.

    Attributes
    ----------
    loss : mean loss of each epoch, each sample's before the step it took part in.
    validation_loss : mean loss of the validation samples after each epoch; empty without any.
    best : the epoch whose parameters were committed, counted from 0: the last, or with `patience` the best.
    samples : training steps' samples in all.
    model : the model that now serves.
    """

    loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    best: int
    samples: int
    model: ServingModel


@dataclass(frozen=True)
class Answer:
    """What the device makes of one sample.

    Attributes
    ----------
    outputs : probabilities of a softmax or sigmoid network, else the outputs themselves, (outputs,) float32.
    label : of a softmax network, else None.
    squashed : whether they are probabilities.
    latency : what it took.
    """

    outputs: Floats
    label: Label | None
    squashed: bool
    latency: Latency


class Device:
    """A board that runs nnlite's firmware.

    Whatever fails or is interrupted, the model that was committed last serves on, and the next call starts afresh. Any
    thread may use it: calls are carried out one after the other, whole, and a second thread waits until the first one's
    is over; `trial` holds it for all of its `with`. Several devices know nothing of each other.

    Parameters
    ----------
    client : a client on an open port; `Device.open` makes one.
    port : its name, where `reopen` looks first.
    """

    def __init__(self, client: Client, port: str | None = None) -> None:
        self._client = client
        self._lock = RLock()  # the same thread may come again, and is told so: in the `with` of a trial
        self._port = port
        self._serving: ServingModel | None = None
        self._shapes: dict[bytes, Shape] = {}  # by digest
        self._session_open = False
        self._on_trial = False
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
        name = find_port(port)
        client = Client(open_port(name))
        try:
            return cls(client, name)
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
        with self._lock:
            self._client.close()

    def reopen(self, seconds: float) -> str:
        """After the port vanished, wait for the same board at whatever port it comes back. Returns the port's name.

        Raises
        ------
        PortError : it did not come back within `seconds`.
        """
        with self._lock:
            self.close()
            self._port = await_board(self._info.unique_id, seconds, self._port)
            self._client = Client(open_port(self._port))
            self._info = self._hello()
            return self._port

    @property
    def statistics(self) -> Statistics:
        """What went over the line since the port was opened."""
        return self._client.statistics

    @property
    def known(self) -> DeviceInfo:
        """What the device said about itself last; nothing is sent."""
        return self._info

    def info(self) -> DeviceInfo:
        """What the device says about itself now."""
        with self._lock:
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
        data = self._image(net)
        with self._session():
            self._serving = self._send(data, progress)
            self._shapes[self._serving.digest] = _shape_of(net)
            return self._serving

    @contextmanager
    def trial(self, net: Network) -> Iterator[Trial]:
        """Let a network serve inside the `with` only: it is sent, checked and run as by `flash`, but not committed.

        What served before serves again afterwards, also after a cut. The other slot's model, which `rollback` would
        go back to, is written over.

        Raises
        ------
        As `flash`.
        UsageError : from any other call on this device inside the `with`, which would end the trial.
        """
        data = self._image(net)
        with self._session():
            self._send(data, trial=True)
            self._on_trial = True
            try:
                yield Trial(self._client, _shape_of(net), len(data))
            finally:
                self._on_trial = False
            self._info = self._hello()  # which ends it

    def echo(self, payload: bytes) -> bytes:
        """Send bytes, at most `echo_bytes` of them, that the device gives back."""
        with self._session():
            return self._client.echo(payload)

    @property
    def echo_bytes(self) -> int:
        """Most bytes of an `echo`."""
        return self._client.echo_bytes

    def clock(self) -> float:
        """Seconds by the clock that the link goes by: simulated ones for a board in this process."""
        return self._client.clock()

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
            serving = self._serving = self._client.verify()
        if digest is not None and digest != serving.digest:
            raise IntegrityError(
                f"the device serves another model (digest {serving.digest.hex()[:16]}, generation "
                f"{serving.generation}) than the one given ({digest.hex()[:16]}); flash that one"
            )
        return serving

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
        """Labels of a softmax network, (samples,); 0 or 1 for each output of a sigmoid one, and a linear one's outputs,
        (samples, outputs).

        Raises
        ------
        DataError, IncompatibleError : as `decision_function`.
        """
        outputs, shape = self._run(X, False, progress)
        return decide(outputs, shape.output, shape.labels)

    def answer(self, x: npt.ArrayLike) -> Answer:
        """One sample's outputs, and how long they took: raw x (inputs,) -> probabilities, or linear outputs.

        Raises
        ------
        DataError, IncompatibleError : as `decision_function`.
        """
        with self._session():
            shape = self._shape()
            sample = as_samples(np.asarray(x)[None], shape.sizes[0])
            squashed = shape.output != "linear"
            outputs, latency = run_rows(self._client, shape, sample, squashed)
            label = decide(outputs, shape.output, shape.labels).tolist()[0] if shape.output == "softmax" else None
            return Answer(outputs[0], label, squashed, latency)

    def learn(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        learning_rate: float = 0.05,
        epochs: int = 1,
        batch_size: int = 1,
        optimizer: str = "sgd",
        progress: Progress | None = None,
        *,
        momentum: float | None = None,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        schedule: str = "constant",
        last_layers: int | None = None,
        sample_weight: npt.ArrayLike | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        patience: int | None = None,
    ) -> Learned:
        """Go on training the serving model on the device, in the order given, and commit the result at the end.

        Each step is carried out at most once, whatever the line does. A failure or Ctrl-C discards the run.

        Parameters
        ----------
        X : raw samples, (samples, inputs).
        y : labels of the model, (samples,); targets of a linear or sigmoid network, (samples, outputs).
        progress : called with samples done and samples in all.
        validation : measured on the laptop after each epoch, with the parameters as the device has them then.
        the others : as in `nnlite.train`.

        Raises
        ------
        UsageError, DataError : an argument or the data cannot be used; nothing was sent.
        DoesNotFitError : learning needs more RAM than the board has; nothing was sent.
        DivergedError : a value became not finite; the run is discarded.
        IncompatibleError : there is no model on the device.
        """
        how = check_recipe(
            epochs,
            batch_size,
            learning_rate,
            optimizer,
            momentum=momentum,
            weight_decay=weight_decay,
            clip_norm=clip_norm,
            schedule=schedule,
            last_layers=last_layers,
        )
        patience = check_patience(patience, validation)
        watch = None if patience is None else EarlyStopping(patience)
        with self._session():
            shape = self._shape()
            rows = rows_to_learn(shape, X, y, sample_weight, class_weight)
            run = LearningRun(self._client, shape, how, rows, keep=watch is not None)
            self._check_plan(shape, Learning(how.batch_size, how.optimizer, how.last_layers, watch is not None))
            held_out = None if validation is None else self._held_out(validation)
            try:
                run.begin()
                loss: list[float] = []
                validation_loss: list[float] = []
                for epoch in range(how.epochs):
                    loss.append(run.epoch(epoch, progress)[0])
                    if held_out is not None:
                        validation_loss.append(held_out.loss(run))
                    if watch is not None and watch.is_better(validation_loss[-1]):
                        self._client.learn_keep()
                    elif watch is not None and watch.is_over:
                        break
                self._serving = self._client.learn_commit(self._serving_model().length)
            except BaseException:
                with suppress(NNLiteError):  # what went wrong first is what counts
                    self._client.learn_abort()
                raise
            self._shapes[self._serving.digest] = shape
            best = len(loss) - 1 if watch is None else watch.best
            return Learned(tuple(loss), tuple(validation_loss), best, len(loss) * len(rows), self._serving)

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
            serving = self._serving = self._client.verify()
            data = self._client.read(Region.IMAGE, 0, serving.length, progress)
        if image.image_digest(data) != serving.digest:
            raise IntegrityError("the model that was read does not match the device's digest of it; pull it again")
        return image.decode_image(data)

    # ---- images

    def _image(self, net: Network) -> bytes:
        """The image of a network that fits."""
        data = image.encode_image(net)
        self._check_plan(net)
        if len(data) > self._info.slot_image_bytes:
            raise DoesNotFitError(
                f"the image takes {len(data):,} bytes, a slot of this device holds {self._info.slot_image_bytes:,}; "
                "nothing was sent. Train a smaller network"
            )
        return data

    def _send(self, data: bytes, progress: Progress | None = None, trial: bool = False) -> ServingModel:
        digest = image.image_digest(data)
        reply = self._client.flash(data, digest, progress, trial)
        if reply.digest != digest:
            raise IntegrityError("the device took another model than the one that was sent; flash it again")
        return reply

    # ---- sessions

    def _hello(self) -> DeviceInfo:
        if self._on_trial:
            raise UsageError("a network is on trial on this device; ask the trial, or leave its 'with' first")
        self._session_open = False
        info = self._client.hello()
        slot = info.serving
        self._serving = None if slot is None else ServingModel(slot.generation, slot.length, slot.digest)
        self._session_open = True
        return info

    @contextmanager
    def _session(self) -> Iterator[None]:
        """One undertaking. When one did not end well, the next opens a new session, which clears what it left."""
        with self._lock:
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
        return Shape(header.sizes, header.hidden, header.output, mean, image.decode_labels(metadata, header))

    def _held_out(self, validation: tuple[npt.ArrayLike, npt.ArrayLike]) -> HeldOut:
        net = image.decode_image(self._client.read(Region.IMAGE, 0, self._serving_model().length))
        return HeldOut(net, encode_validation(net, validation))

    def _check_plan(self, net: Network | Shape, learning: Learning | None = None) -> None:
        if self._info.board not in profile_names():
            raise IncompatibleError(
                f"the device is a '{self._info.board}', a board that this version does not know; use a newer nnlite"
            )
        profile = Profile.load(self._info.board)
        how = learning or Learning()
        answer = plan(
            net,
            profile,
            learn=learning is not None,
            batch_size=how.batch_size,
            optimizer=how.optimizer,
            last_layers=how.last_layers,
            keep=how.keep,
        )
        answer.require("nothing was sent")
        needed = need(net, learning)  # of a sketch, or of another version of the firmware, the device knows best
        if needed.arena_bytes > self._info.arena_bytes:
            raise DoesNotFitError(
                f"{needed.doing} takes {needed.arena_bytes:,} bytes of RAM, this device has {self._info.arena_bytes:,} "
                "left beside its firmware; nothing was sent"
            )

    def _run(self, X: npt.ArrayLike, probabilities: bool, progress: Progress | None) -> tuple[Floats, Shape]:
        with self._session():
            shape = self._shape()
            if probabilities and shape.output == "linear":
                raise UsageError("a linear network has no probabilities; use predict for its outputs")
            samples = as_samples(X, shape.sizes[0])
            return run_rows(self._client, shape, samples, probabilities, progress)[0], shape


def _shape_of(net: Network) -> Shape:
    return Shape(net.sizes, net.hidden, net.output, net.mean, net.labels)
