"""Cuts the power at every flash operation of an undertaking, reboots the real firmware, and judges what serves.

`flash_content` makes what each cut leaves in flash. The firmware boots from it, says what serves, and is given another
model; that recovery is recorded, too, so that it can be cut in its turn. Contents that are the same are booted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from firmware_sim import Board, FirmwareFault
from firmware_sim.peripherals.nvmc import FlashOperation
from nnlite.device import Device
from nnlite.errors import NNLiteError
from nnlite.image import encode_image
from nnlite.network import Network
from tests.proof.flash_content import OUTCOMES, Content, Cut, Region, cuts
from tests.proof.judge import Violation, digest, serving
from tests.proof.undertakings import THIRD, Undertaking

__all__ = ["Bench", "Recovery", "Sweep"]

#: of a slice: operations at either end that are all cut, and how many cuts between them
_FIRST, _LAST, _BETWEEN = 2, 3, 4


@dataclass(frozen=True)
class Recovery:
    """What became of a board after a cut.

    Attributes
    ----------
    served : digest of the model that served after the boot.
    given : of the model that was flashed then, and served.
    record : that flash's operations.
    """

    served: bytes | None
    given: bytes
    record: list[FlashOperation]


@dataclass
class Sweep:
    """What was found.

    Attributes
    ----------
    first, second : cuts by what served after them, "old" or "new"; of a second cut, the model before or the one that
        the recovery was flashing.
    """

    first: Counter[str] = field(default_factory=Counter)
    second: Counter[str] = field(default_factory=Counter)


class Bench:
    """A board whose undertaking is cut.

    Attributes
    ----------
    region, start : the part of flash that matters, and what it holds in front of the undertaking.
    operations : flash operations of the undertaking.
    booted : different contents of flash that the firmware was booted from.

    Raises
    ------
    Violation : by every method, when a board is bricked or serves what it must not.
    """

    def __init__(self, board: Board, undertaking: Undertaking) -> None:
        self._board, self._what = board, undertaking
        with Device.open(board.url) as device:
            undertaking.prepare(device)
        board.boot()
        models = [net for net in (undertaking.before, undertaking.after, THIRD) if net is not None]
        longest = max(len(encode_image(net)) for net in models)
        self.region = Region(board, 1 + -(-longest // board.profile.page_bytes))
        self.start = self.region.read(board)
        with Device.open(board.url) as device:
            self._record = self._recorded(lambda: undertaking.undertake(device))
        self._known: dict[bytes, Recovery] = {}

    @property
    def operations(self) -> int:
        return len(self._record)

    @property
    def booted(self) -> int:
        return len(self._known)

    def cuts(self) -> Iterator[Cut]:
        """Every first cut."""
        return cuts(self.region, self.start, self._record)

    def some_cuts(self, chance: Random) -> list[Cut]:
        """All of the first and last operations, where pages are erased and the record is written, a few between."""
        every = list(self.cuts())
        first, last = len(OUTCOMES) * _FIRST, len(every) - len(OUTCOMES) * _LAST
        if first >= last:
            return every
        return [*every[:first], *chance.sample(every[first:last], _BETWEEN), *every[last:]]

    def sweep(self, first: Iterable[Cut], chance: Random | None) -> Sweep:
        """Try first cuts, and after each one second cut that `chance` chooses, or all without."""
        found = Sweep()
        allowed = self._names(self._what.before, self._what.after)
        for cut in first:
            recovery = self.recover(cut.content)
            found.first[self._name(recovery.served, allowed, cut)] += 1
            again = {recovery.served: "old", recovery.given: "new"}
            for second in self._second(cut, recovery, chance):
                found.second[self._name(self.recover(second.content).served, again, cut, second)] += 1
        return found

    def _second(self, cut: Cut, recovery: Recovery, chance: Random | None) -> Iterable[Cut]:
        every = cuts(self.region, cut.content, recovery.record)
        if chance is None:
            return every
        wanted = chance.randrange(len(OUTCOMES) * len(recovery.record))
        return [second for n, second in enumerate(every) if n == wanted]

    def recover(self, content: Content) -> Recovery:
        """Boot from a content of flash, ask what serves, flash another model, and see it serve after the next boot.

        The model that was being flashed is flashed again, unless it serves: then a third one is.
        """
        key = content.key
        if key not in self._known:
            self.region.write(self._board, content)
            try:
                self._known[key] = self._recover()
            except (FirmwareFault, NNLiteError) as error:
                raise Violation(f"bricked: {error}") from error
        return self._known[key]

    def _recover(self) -> Recovery:
        board = self._board
        with Device.open(board.url) as device:
            served = serving(board, device.known)
            wanted = self._what.after
            given = THIRD if wanted is None or digest(wanted) == served else wanted
            record = self._recorded(lambda: device.flash(given))
        board.boot()
        with Device.open(board.url) as device:
            if serving(board, device.known) != digest(given):
                raise Violation("bricked: a model that was flashed after the cut does not serve after a boot")
        return Recovery(served, digest(given), record)

    def _recorded(self, do: Callable[[], object]) -> list[FlashOperation]:
        nvmc = self._board.chip.nvmc
        nvmc.record = record = []
        try:
            do()
        finally:
            nvmc.record = None
        return record

    @staticmethod
    def _names(before: Network | None, after: Network | None) -> dict[bytes | None, str]:
        names: dict[bytes | None, str] = {None if after is None else digest(after): "new"}
        return names | {None if before is None else digest(before): "old"}

    def _name(self, served: bytes | None, allowed: dict[bytes | None, str], *at: Cut) -> str:
        if served not in allowed:
            where = ", then ".join(f"{cut.outcome} of operation {cut.number}" for cut in at)
            which = "no model" if served is None else f"the model {served.hex()[:16]}"
            raise Violation(f"torn: {which} serves after {where} of {self._what.name}, neither the old nor the new one")
        return allowed[served]
