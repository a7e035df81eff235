"""The golden vectors of the selftest: a small network, its inputs, and the bits that every laptop and chip must give.

`golden.safetensors` and `cycles.json` are written by scripts/make_selftest, which changes them only when the
arithmetic or the firmware is meant to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load

from nnlite.network import Floats, Network
from nnlite.training import train

__all__ = ["EPOCHS", "LEARNING_RATE", "SIZES", "STEPS", "Cycles", "Golden", "estimated_cycles", "learn", "load_golden"]

SIZES = (8, 10, 6, 4)
EPOCHS = 5
LEARNING_RATE = 0.125
#: of batch size 1
STEPS = 100


class Cycles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cycles of a board for one sample, an average over the golden vectors; estimated by the simulator.

    Attributes
    ----------
    inference : standardising and forward, without softmax.
    training_step : standardising, forward, backward and update.
    """

    inference: int
    training_step: int


@dataclass(frozen=True)
class Golden:
    """What goes in, and what must come out.

    Attributes
    ----------
    parameters, mean, scale : of the network, float32.
    samples : raw, (samples, inputs) float32; the last ones are extreme.
    classes : of the first STEPS / EPOCHS samples, which are trained on.
    logits, probabilities : of all samples, (samples, outputs) float32.
    learned : parameters after each epoch, (EPOCHS, parameters) float32.
    """

    parameters: Floats
    mean: Floats
    scale: Floats
    samples: Floats
    classes: npt.NDArray[np.int64]
    logits: Floats
    probabilities: Floats
    learned: Floats

    def network(self) -> Network:
        """The network itself, with its standardiser."""
        net = Network(list(SIZES))
        net.parameters[:] = self.parameters
        net.mean, net.scale = self.mean, self.scale
        return net

    @property
    def training_samples(self) -> Floats:
        """The samples that are trained on, in their order."""
        return self.samples[: len(self.classes)]


def load_golden() -> Golden:
    """The golden vectors that came with the package."""
    return Golden(**load(resources.files("nnlite.selftest").joinpath("golden.safetensors").read_bytes()))


def learn(net: Network, golden: Golden) -> Floats:
    """The golden training on the laptop: parameters after each epoch, (EPOCHS, parameters) float32."""
    learned = np.empty((EPOCHS, net.parameters.size), np.float32)
    for epoch in range(EPOCHS):
        train(
            net,
            golden.training_samples,
            golden.classes,
            epochs=1,
            learning_rate=LEARNING_RATE,
            shuffle=False,
            standardize=False,
            progress=False,
        )
        learned[epoch] = net.parameters
    return learned


def estimated_cycles(board: str) -> Cycles | None:
    """What the simulator estimates for a board; None for one that it was not asked about."""
    text = resources.files("nnlite.selftest").joinpath("cycles.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, Cycles]).get(board)
