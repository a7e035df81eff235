"""Networks of the proofs."""

from __future__ import annotations

from collections.abc import Sequence

from nnlite.network import Network

__all__ = ["labelled"]


def labelled(sizes: Sequence[int], seed: int) -> Network:
    """A softmax network with the labels 0, 1, ..."""
    net = Network(sizes, seed=seed)
    net.labels = tuple(range(sizes[-1]))
    return net
