"""Trainers that are not what they should be, for tests/test_bench_kernels.py."""

from __future__ import annotations

import os
import sys

from nnlite.bench.peers import ours
from nnlite.bench.peers.task import Floats
from nnlite.network import Network

__all__ = ["Dying", "Last", "Near", "Refusing", "version", "ways"]

version, ways = ours.version, ours.ways


class Near(ours.Ours):
    """One parameter is off by its last bit."""

    def parameters(self) -> Floats:
        """See `Trainer`."""
        parameters = super().parameters().copy()
        parameters.view("u4")[0] ^= 1
        return parameters


class Last(ours.Ours):
    """Stays where it began but for the last layer."""

    def train(self, epochs: int) -> None:
        """See `Trainer`."""
        start: Network = self._net.copy()
        super().train(epochs)
        self._net.weights[0][:] = start.weights[0]


class Refusing(ours.Ours):
    """Cannot."""

    def prepare(self, rows: int) -> None:
        """See `Trainer`."""
        raise ValueError("not today")


class Dying(ours.Ours):
    """Takes its process with it."""

    def prepare(self, rows: int) -> None:
        """See `Trainer`."""
        print("out of memory")
        sys.stdout.flush()
        os._exit(1)
