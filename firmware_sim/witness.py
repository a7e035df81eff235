"""Who wants to know of boards that are closed while an exception goes by: a report of the failure tells of them.

A test that fails inside `with open_board(...)` has closed its board by the time it is reported.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firmware_sim.board import Board

__all__ = ["board_closed", "watch_closing"]

_KEPT = 4
#: None as long as nobody wants to know: then a closed board is not kept in memory
_closed: deque[Board] | None = None


def watch_closing() -> deque[Board]:
    """Keep the last boards that an exception closes, from now on; those of before are forgotten."""
    global _closed  # noqa: PLW0603  one for the process, as boards are
    _closed = deque(maxlen=_KEPT)
    return _closed


def board_closed(board: Board) -> None:
    """A board is being closed."""
    if _closed is not None and sys.exc_info()[1] is not None:
        _closed.append(board)
