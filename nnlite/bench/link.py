"""What a board's serial line is used for: how much of it a flash and a pull fill, and what a delta flash sends.

The whole stack at work in simulated time: client, line with its latency, the board's own firmware.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol, cast

import numpy as np

from nnlite.bench.workloads import WORKLOADS
from nnlite.errors import IntegrityError, UsageError
from nnlite.image import encode_image, image_digest
from nnlite.layout import parameter_count
from nnlite.link.client import Client
from nnlite.link.estimate import LATENCY_SECONDS
from nnlite.link.monitor import Piece, Tap
from nnlite.link.port import open_port
from nnlite.link.simulators import SimulatedBoard, load_simulator
from nnlite.link.wire import Region
from nnlite.network import Network
from nnlite.profile import Profile

__all__ = ["LATENCY_SECONDS", "Delta", "Use", "measure_delta", "measure_use", "rates"]

_BITS_PER_BYTE = 10
_BITS_PER_WORD = 4 * _BITS_PER_BYTE
#: of the largest network that fits: inputs and outputs
_INPUTS, _OUTPUTS = 64, 10


@dataclass(frozen=True)
class Use:
    """How much of the line the largest model that fits fills: 10 x its bytes / (baud x seconds).

    Attributes
    ----------
    board, baud, latency_seconds : where; latency each way.
    image_bytes : of the model.
    flash_seconds : from FLASH_BEGIN to the answer to FLASH_COMMIT, less `erase_seconds`.
    erase_seconds : the record page and the image's, by the datasheet.
    pull_seconds : from READ to the last byte.
    flash_use, pull_use : 0 to 1.
    ceiling : use at which programming words one after the other would take all the time.
    retransmissions, lost_bytes : none on a line without faults.
    """

    board: str
    baud: int
    latency_seconds: float
    image_bytes: int
    flash_seconds: float
    erase_seconds: float
    pull_seconds: float
    flash_use: float
    pull_use: float
    ceiling: float
    retransmissions: int
    lost_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """As `nnlite bench link --json` prints it."""
        return asdict(self)


@dataclass(frozen=True)
class Delta:
    """Bytes from the laptop, framing included, for workload B on an empty slot, and then for its last layer's change
    where the model from before lies in the slot that does not serve.

    Attributes
    ----------
    pages, pages_changed : of the image, and of them those that differ from what lies there.
    """

    board: str
    pages: int
    pages_changed: int
    whole_bytes: int
    delta_bytes: int

    @property
    def share(self) -> float:
        """Of the bytes, 0 to 1."""
        return self.delta_bytes / self.whole_bytes

    def to_dict(self) -> dict[str, Any]:
        """As `nnlite bench link --json` prints it."""
        return asdict(self) | {"share": self.share}


class _Board(SimulatedBoard, Protocol):
    uart: Any


@contextmanager
def _conversation(
    profile: Profile, baud: int, latency: float, show: Callable[[Piece], None]
) -> Iterator[tuple[Client, _Board]]:
    """A client on a fresh board that has greeted it."""
    open_board = cast("Callable[..., AbstractContextManager[_Board]]", load_simulator().open_board)
    with open_board(profile, checks=False, faults=f"latency={latency}") as board:
        client = Client(Tap(open_port(board.url), show), fastest=baud)
        try:
            client.hello()
            yield client, board
        finally:
            client.close()


def rates(profile: Profile) -> tuple[int, ...]:
    """What the board can be spoken to at, HELLO's first."""
    profile.require_firmware()
    return tuple(dict.fromkeys((profile.uart_baud, profile.uart_fast_baud)))


def _largest(profile: Profile, limit: int | None) -> bytes:
    """Image of the largest network of one hidden layer that a slot holds, or of one that takes `limit` bytes of it."""
    room = profile.slot_image_bytes if limit is None else min(limit, profile.slot_image_bytes)
    spare = room - len(encode_image(Network([_INPUTS, 1, _OUTPUTS], seed=0)))
    return encode_image(Network([_INPUTS, 1 + spare // (4 * (_INPUTS + 1 + _OUTPUTS)), _OUTPUTS], seed=0))


def measure_use(profile: Profile, baud: int, latency: float = LATENCY_SECONDS, image_bytes: int | None = None) -> Use:
    """Flash the largest model that fits onto a fresh board, and pull it again.

    Parameters
    ----------
    baud : one of `rates`.
    latency : seconds each way.
    image_bytes : most that the model may take; by default a slot.

    Raises
    ------
    IncompatibleError : there is no firmware for the board.
    PortError : the simulated boards are not installed.
    UsageError : the board has no such rate.
    IntegrityError : what was pulled is not what was flashed.
    """
    if baud not in rates(profile):
        known = ", ".join(f"{rate:,}" for rate in rates(profile))
        raise UsageError(f"{profile.name} cannot be spoken to at {baud:,} baud; its rates are {known}")
    image = _largest(profile, image_bytes)
    seen: dict[tuple[str, str | None], list[float]] = {}

    def note(piece: Piece) -> None:
        seen.setdefault((piece.direction, piece.message), []).append(piece.seconds)

    with _conversation(profile, baud, latency, note) as (client, board):
        client.flash(image, image_digest(image))
        pulled = client.read(Region.IMAGE, 0, len(image))
        retransmissions, lost = client.statistics.retransmissions, int(board.uart.overruns)
    if pulled != image:
        raise IntegrityError(f"what {profile.name} gives back is not what was flashed; report this")
    erase = (1 + -(-len(image) // profile.page_bytes)) * profile.erase_page_us * 1e-6
    flash = seen["received", "FLASH_COMMIT"][-1] - seen["sent", "FLASH_BEGIN"][0] - erase
    pull = seen["received", "READ"][-1] - seen["sent", "READ"][0]
    line = _BITS_PER_BYTE * len(image) / baud
    return Use(
        board=profile.name,
        baud=baud,
        latency_seconds=latency,
        image_bytes=len(image),
        flash_seconds=flash,
        erase_seconds=erase,
        pull_seconds=pull,
        flash_use=line / flash,
        pull_use=line / pull,
        ceiling=min(1.0, _BITS_PER_WORD / (baud * profile.write_word_us * 1e-6)),
        retransmissions=retransmissions,
        lost_bytes=lost,
    )


def measure_delta(profile: Profile, latency: float = LATENCY_SECONDS) -> Delta:
    """Flash workload B, another model, and workload B with another last layer; count what the laptop sends.

    Raises
    ------
    IncompatibleError, PortError : as `measure_use`.
    """
    workload = next(workload for workload in WORKLOADS if workload.name == "B")
    base = Network.with_parameters(workload.sizes, "relu", workload.output, workload.draw()[0])
    changed = base.copy()
    changed.parameters[-parameter_count(workload.sizes[-2:]) :] += np.float32(1.0)
    sent = []
    with _conversation(profile, max(rates(profile)), latency, lambda _: None) as (client, _):
        for net in (base, Network([_INPUTS, _OUTPUTS], seed=0), changed):
            before, image = client.statistics.bytes_sent, encode_image(net)
            client.flash(image, image_digest(image))
            sent.append(client.statistics.bytes_sent - before)
    page = profile.page_bytes
    old, new = (encode_image(net) for net in (base, changed))
    pages = range(0, len(new), page)
    differing = sum(old[at : at + page] != new[at : at + page] for at in pages)
    return Delta(profile.name, len(pages), differing, sent[0], sent[2])
