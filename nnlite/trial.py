"""A network that serves on a device for a while and leaves no trace: what `Device.trial` gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy.typing as npt

from nnlite.errors import UsageError
from nnlite.latency import Latency
from nnlite.learning import LearningRun, rows_to_learn
from nnlite.link.client import Client
from nnlite.link.wire import Region
from nnlite.network import Floats, as_samples
from nnlite.recipe import check_recipe
from nnlite.streams import Shape, run_rows

__all__ = ["Rehearsal", "Trial"]


@dataclass(frozen=True)
class Rehearsal:
    """One epoch of training that is not kept.

    Attributes
    ----------
    loss : mean loss, each sample's before the step it took part in.
    parameters : after it, flat as of a `Network`, float32.
    latency : of all its requests.
    """

    loss: float
    parameters: Floats
    latency: Latency


class Trial:
    """The network on trial. Usable inside the `with` of `Device.trial` only.

    Parameters
    ----------
    client : of the device, on which the network serves on trial.
    shape, image_bytes : of the network.
    """

    def __init__(self, client: Client, shape: Shape, image_bytes: int) -> None:
        self._client = client
        self._shape = shape
        self._image_bytes = image_bytes

    def read_image(self) -> bytes:
        """The network's image as it lies in the device's flash."""
        return self._client.read(Region.IMAGE, 0, self._image_bytes)

    def run(self, X: npt.ArrayLike, probabilities: bool = False) -> tuple[Floats, Latency]:
        """Logits or probabilities: raw X (samples, inputs) -> (samples, outputs) float32, and what they took.

        Raises
        ------
        UsageError : probabilities of a linear network.
        DataError : another width, or a value that is not finite.
        """
        if probabilities and self._shape.output == "linear":
            raise UsageError("a linear network has no probabilities")
        return run_rows(self._client, self._shape, as_samples(X, self._shape.sizes[0]), probabilities)

    def learn(
        self, X: npt.ArrayLike, y: npt.ArrayLike, learning_rate: float = 0.05, epochs: int = 1, batch_size: int = 1
    ) -> Iterator[Rehearsal]:
        """Train on the device as `Device.learn` does; gives each epoch as it ends, commits nothing.

        The network on trial is the same before and after. Nothing is checked or sent before the first epoch is asked
        for; a run that is not looked at to its end is dropped by the device when the trial ends.

        Raises
        ------
        UsageError, DataError, DivergedError : as `Device.learn`.
        """
        how = check_recipe(epochs, batch_size, learning_rate, "sgd")
        run = LearningRun(self._client, self._shape, how, rows_to_learn(self._shape, X, y))
        run.begin()
        for epoch in range(how.epochs):
            loss, latency = run.epoch(epoch)
            yield Rehearsal(loss, run.parameters(), latency)
        self._client.learn_abort()
