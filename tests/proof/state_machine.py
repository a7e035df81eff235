"""Drives laptop and device by Hypothesis, in any order that it can think of, against `link_model`."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from firmware_sim.faults import Faults
from firmware_sim.peripherals.nvmc import Outcome
from nnlite.network import Network
from tests.proof.flash_content import OUTCOMES
from tests.proof.link_model import CLASSES, INPUTS, LinkModel
from tests.proof.nets import labelled

__all__ = ["LinkMachine"]

#: inside one page, inside one page, over a page of the micro:bit v1
HIDDEN = ([], [8], [40])
NETS = st.builds(
    lambda hidden, seed: labelled([INPUTS, *hidden, CLASSES], seed), st.sampled_from(HIDDEN), st.integers(1, 4)
)
CUTS = st.tuples(st.integers(1, 120), st.sampled_from(OUTCOMES), st.integers(0, 9))
NOISES = st.builds(
    Faults,
    seed=st.integers(0, 99),
    flip=st.sampled_from([0, 1e-4, 1e-3, 1e-2]),
    drop=st.sampled_from([0, 1e-4, 1e-3]),
    double=st.sampled_from([0, 1e-4]),
    burst=st.sampled_from([0, 1e-4]),
    silence=st.sampled_from([0, 1e-4]),
)
_HAS_MODEL = precondition(lambda self: self.link.serving is not None)


class LinkMachine(RuleBasedStateMachine):
    """The rules."""

    def __init__(self, board: str) -> None:
        super().__init__()
        self.link = LinkModel(board)

    def teardown(self) -> None:
        self.link.close()

    @initialize(net=NETS)
    def first_model(self, net: Network) -> None:
        self.link.flash(net)

    @rule(net=NETS)
    def flash(self, net: Network) -> None:
        self.link.flash(net)

    @rule(seed=st.integers(0, 3))
    @_HAS_MODEL
    def flash_another_last_layer(self, seed: int) -> None:
        assert self.link.serving is not None
        net = self.link.serving.copy()
        net.parameters[-CLASSES:] += np.float32(0.125 * (seed + 1))
        self.link.flash(net)

    @rule()
    @_HAS_MODEL
    def run_rows(self) -> None:
        self.link.run_rows()

    @rule()
    @_HAS_MODEL
    def pull(self) -> None:
        self.link.pull()

    @rule()
    @_HAS_MODEL
    def learn(self) -> None:
        self.link.learn()

    @rule(net=NETS)
    def trial(self, net: Network) -> None:
        self.link.trial(net)

    @rule()
    def rollback(self) -> None:
        self.link.rollback()

    @rule(how=st.sampled_from(["close", "reset", "boot", "break"]))
    def reconnect(self, how: str) -> None:
        self.link.reconnect(how)

    @rule(what=st.sampled_from(["flash", "learn", "trial", "rollback"]), net=NETS, cut=CUTS)
    @_HAS_MODEL
    def cut(self, what: str, net: Network, cut: tuple[int, Outcome, int]) -> None:
        self.link.cut(what, net, *cut)

    @rule(what=st.sampled_from(["flash", "learn", "trial"]), net=NETS, noise=NOISES)
    @_HAS_MODEL
    def disturb(self, what: str, net: Network, noise: Faults) -> None:
        self.link.disturb(what, net, noise)

    @invariant()
    def what_serves_is_what_must(self) -> None:
        self.link.check()
