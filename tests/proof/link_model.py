"""Laptop and device, and beside them a model of what must hold, whatever is done in whatever order.

The model knows which network serves and which ones a rollback may lead to. Whatever is cut or disturbed may have been
carried out or not; then the device tells which, and must go on from there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firmware_sim import PowerCutError, open_board
from firmware_sim.faults import Faults
from firmware_sim.peripherals.nvmc import Outcome
from nnlite.device import Device
from nnlite.errors import IncompatibleError, NNLiteError
from nnlite.network import Network
from nnlite.training import train
from tests.proof.judge import Violation, digest, serving

__all__ = ["CLASSES", "INPUTS", "LinkModel"]

INPUTS, CLASSES = 4, 3
X = np.random.default_rng(8).normal(size=(6, INPUTS)).astype(np.float32)
Y = [0, 1, 2, 2, 1, 0]


def _key(net: Network | None) -> bytes | None:
    return None if net is None else digest(net)


class LinkModel:
    """One board, from its first model on.

    Attributes
    ----------
    board, device : to be spoken to; the device is another one after a cut.
    serving : what must serve.
    others : what a rollback may find; None for nothing.
    commits : models that came to serve.

    Raises
    ------
    AssertionError : by every method, when board and model differ.
    """

    def __init__(self, board: str) -> None:
        self.board = open_board(board)
        self.firmware = self.board.flash[: self.board.profile.firmware_reserve_bytes]
        self.device = Device.open(self.board.url)
        self.serving: Network | None = None
        self.others: list[Network | None] = [None]
        self.commits = 0

    def close(self) -> None:
        """Leave the board, whose firmware must be as it was."""
        self.device.close()
        assert self.board.flash[: len(self.firmware)] == self.firmware
        self.board.close()

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
            self.commits += _key(after) != _key(before)
        elif doubtful and served == _key(before):
            # It may have been done, not begun, or stopped anywhere.
            self.others = [*self.others, None, *(others if _key(after) == _key(before) else [])]
        else:
            raise Violation(f"torn: neither the old nor the new model serves, but {served!r}")

    def _power_returns(self) -> None:
        self.device.close()
        self.board.boot()
        self.device = Device.open(self.board.url)

    def flash(self, net: Network) -> None:
        """Send a network and commit it."""
        self._carry_out(lambda: self.device.flash(net), net, [self.serving])

    def learn(self) -> None:
        """Train on the device and commit."""
        assert self.serving is not None
        learned = self.serving.copy()
        train(learned, X, Y, epochs=1, shuffle=False, standardize=False, progress=False)
        self._carry_out(lambda: self.device.learn(X, Y), learned, [self.serving])

    def trial(self, net: Network) -> None:
        """Let a network serve for a while."""

        def do() -> None:
            with self.device.trial(net) as trial:
                assert trial.run(X)[0].tobytes() == net.decision_function(X).tobytes()

        if self.serving is None:
            do()
            self.others = [None]
        else:
            self._carry_out(do, self.serving, [None])

    def rollback(self) -> None:
        """To one of those that are known to be there, or to none when none may be there."""
        before, others, was_cut = self.serving, self.others, False
        try:
            self.device.rollback()
        except IncompatibleError:
            assert before is None or None in others
            self.others = [None]
            return
        except PowerCutError:
            was_cut = True
            self._power_returns()
        served = self.device.info().serving
        assert served is not None
        if was_cut and served.digest == _key(before):
            return
        self.commits += 1
        self.serving = next(net for net in others if net is not None and digest(net) == served.digest)
        self.others = [None]

    def run_rows(self) -> None:
        """Run samples and hold their logits against the laptop's."""
        assert self.serving is not None
        assert self.device.decision_function(X).tobytes() == self.serving.decision_function(X).tobytes()

    def pull(self) -> None:
        """Fetch the model that serves."""
        assert _key(self.device.pull()) == _key(self.serving)

    def reconnect(self, how: str) -> None:
        """Close the port and open it again, after a reset, a power cycle or a break if that is asked for."""
        if how == "reset":
            self.board.reset()
        elif how == "boot":
            self.board.boot()
        elif how == "break":
            self.board.break_line(0.25)
        self.device.close()
        self.device = Device.open(self.board.url)

    def cut(self, what: str, net: Network, number: int, outcome: Outcome, seed: int) -> None:
        """Do something while the power goes at a flash operation, if it comes so far."""
        self.board.cut_power_at_flash_operation(self.board.chip.nvmc.operations + number, outcome, seed)
        self.do(what, net)
        self.board.chip.nvmc.cut_at = None

    def disturb(self, what: str, net: Network, noise: Faults) -> None:
        """Do something while the line is bad."""
        self.board.line.expose_to(noise)
        self.do(what, net)

    def do(self, what: str, net: Network) -> None:
        """One of "flash", "learn", "trial" and "rollback"."""
        if what == "flash":
            self.flash(net)
        elif what == "learn":
            self.learn()
        elif what == "trial":
            self.trial(net)
        else:
            self.rollback()

    def check(self) -> None:
        """What always holds."""
        assert serving(self.board, self.device.info()) == _key(self.serving)
