"""What must hold of a board at any time, judged from outside: by its flash, not by what its firmware says of it."""

from __future__ import annotations

from firmware_sim import Board
from nnlite.device import DeviceInfo, Slot
from nnlite.image import encode_image, image_digest
from nnlite.link.wire import SlotState
from nnlite.network import Network

__all__ = ["Violation", "digest", "held_image", "serving"]


class Violation(AssertionError):
    """The firmware did what it must never do."""


def digest(net: Network) -> bytes:
    """Of a network's image."""
    return image_digest(encode_image(net))


def held_image(board: Board, slot: Slot) -> bytes:
    """What lies in flash where a slot has its image: as many bytes as its record says, or as there are."""
    length = min(slot.length, board.profile.slot_image_bytes)
    return board.read_memory(board.profile.slot_address(slot.index) + board.profile.page_bytes, length)


def serving(board: Board, info: DeviceInfo) -> bytes | None:
    """Digest of the model that serves, by what the device has just said about itself; None for none.

    Raises
    ------
    Violation : it calls a slot valid whose flash is not what its record says.
    """
    for slot in info.slots:
        whole = slot.state != SlotState.VALID or image_digest(held_image(board, slot)) == slot.digest
        if not whole or (slot.index == info.active_slot and slot.state != SlotState.VALID):
            raise Violation(f"torn: slot {slot.index} of state {slot.state.name} does not hold what its record says")
    return None if info.serving is None else info.serving.digest
