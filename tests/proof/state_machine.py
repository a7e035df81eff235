"""Laptop and device against a model of what must hold, driven by Hypothesis in any order it can think of.

The model knows which network serves and which ones a rollback may lead to. Whatever is cut or disturbed may have been
carried out or not; then the device tells which, and must go on from there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from firmware_sim import PowerCutError, open_board
from firmware_sim.faults import Faults
from firmware_sim.peripherals.nvmc import Outcome
from nnlite.device import Device
from nnlite.errors import IncompatibleError, NNLiteError
from nnlite.network import Network
from nnlite.training import train
from tests.proof.flash_content import OUTCOMES
from tests.proof.judge import Violation, digest, serving
from tests.proof.nets import labelled

__all__ = ["LinkMachine"]

INPUTS = 4
CLASSES = 3
X = np.random.default_rng(8).normal(size=(6, INPUTS)).astype(np.float32)
Y = [0, 1, 2, 2, 1, 0]
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


def _key(net: Network | None) -> bytes | None:
    return None if net is None else digest(net)


class LinkMachine(RuleBasedStateMachine):
    """One board, from its first model on."""

    def __init__(self, board: str) -> None:
        super().__init__()
        self.board = open_board(board)
        self.firmware = self.board.flash[: self.board.profile.firmware_reserve_bytes]
        self.device = Device.open(self.board.url)
        self.serving: Network | None = None
        self.others: list[Network | None] = [None]  # what a rollback may find; None for nothing

    def teardown(self) -> None:
        self.device.close()
        assert self.board.flash[: len(self.firmware)] == self.firmware
        self.board.close()

    # ---- what may fail

    def _carry_out(self, do: Callable[[], object], after: Network, others: list[Network | None]) -> None:
        """Something that makes `after` serve, with `others` behind it, whole or not at all."""
        before, doubtful = self.serving, False
        try:
            do()
        except PowerCutError:
            doubtful = True
            self._power_returns()
        except NNLiteError:
            doubtful = True
        self.board.line.restore()
        slot = self.device.info().serving
        served = None if slot is None else slot.digest
        if served == _key(after) and (not doubtful or _key(after) != _key(before)):
            self.serving, self.others = after, others
        elif doubtful and served == _key(before):
            # It may have been done, not begun, or stopped anywhere.
            self.others = [*self.others, None, *(others if _key(after) == _key(before) else [])]
        else:
            raise Violation(f"torn: neither the old nor the new model serves, but {served!r}")

    def _power_returns(self) -> None:
        self.device.close()
        self.board.boot()
        self.device = Device.open(self.board.url)

    def _flash(self, net: Network) -> None:
        self._carry_out(lambda: self.device.flash(net), net, [self.serving])

    def _learn(self) -> None:
        assert self.serving is not None
        learned = self.serving.copy()
        train(learned, X, Y, epochs=1, shuffle=False, standardize=False, progress=False)
        self._carry_out(lambda: self.device.learn(X, Y), learned, [self.serving])

    def _trial(self, net: Network) -> None:
        def do() -> None:
            with self.device.trial(net) as trial:
                assert trial.run(X)[0].tobytes() == net.decision_function(X).tobytes()

        if self.serving is None:
            do()
            self.others = [None]
        else:
            self._carry_out(do, self.serving, [None])

    def _rollback(self) -> None:
        """To one of those that are known to be there, or to none when none may be there."""
        before, others = self.serving, self.others
        try:
            self.device.rollback()
        except IncompatibleError:
            assert before is None or None in others
            self.others = [None]
            return
        except PowerCutError:
            self._power_returns()
        served = self.device.info().serving
        assert served is not None
        if before is not None and served.digest == digest(before):
            return
        self.serving = next(net for net in others if net is not None and digest(net) == served.digest)
        self.others = [None]

    # ---- the rules

    @initialize(net=NETS)
    def first_model(self, net: Network) -> None:
        self._flash(net)

    @rule(net=NETS)
    def flash(self, net: Network) -> None:
        self._flash(net)

    @rule(seed=st.integers(0, 3))
    @precondition(lambda self: self.serving is not None)
    def flash_another_last_layer(self, seed: int) -> None:
        assert self.serving is not None
        net = self.serving.copy()
        net.parameters[-CLASSES:] += np.float32(0.125 * (seed + 1))
        self._flash(net)

    @rule()
    @precondition(lambda self: self.serving is not None)
    def run_rows(self) -> None:
        assert self.serving is not None
        assert self.device.decision_function(X).tobytes() == self.serving.decision_function(X).tobytes()

    @rule()
    @precondition(lambda self: self.serving is not None)
    def pull(self) -> None:
        assert _key(self.device.pull()) == _key(self.serving)

    @rule()
    @precondition(lambda self: self.serving is not None)
    def learn(self) -> None:
        self._learn()

    @rule(net=NETS)
    def trial(self, net: Network) -> None:
        self._trial(net)

    @rule()
    def rollback(self) -> None:
        self._rollback()

    @rule(how=st.sampled_from(["close", "reset", "boot", "break"]))
    def reconnect(self, how: str) -> None:
        if how == "reset":
            self.board.reset()
        elif how == "boot":
            self.board.boot()
        elif how == "break":
            self.board.break_line(0.25)
        self.device.close()
        self.device = Device.open(self.board.url)

    @rule(what=st.sampled_from(["flash", "learn", "trial", "rollback"]), net=NETS, cut=CUTS)
    @precondition(lambda self: self.serving is not None)
    def cut(self, what: str, net: Network, cut: tuple[int, Outcome, int]) -> None:
        number, outcome, seed = cut
        self.board.cut_power_at_flash_operation(self.board.chip.nvmc.operations + number, outcome, seed)
        self._do(what, net)
        self.board.chip.nvmc.cut_at = None

    @rule(what=st.sampled_from(["flash", "learn", "trial"]), net=NETS, noise=NOISES)
    @precondition(lambda self: self.serving is not None)
    def disturb(self, what: str, net: Network, noise: Faults) -> None:
        self.board.line.expose_to(noise)
        self._do(what, net)

    def _do(self, what: str, net: Network) -> None:
        if what == "flash":
            self._flash(net)
        elif what == "learn":
            self._learn()
        elif what == "trial":
            self._trial(net)
        else:
            self._rollback()

    # ---- what always holds

    @invariant()
    def what_serves_is_what_must(self) -> None:
        assert serving(self.board, self.device.info()) == _key(self.serving)
