"""A simulated board behind a port of the system, for other programs: the loop that ties its time to the laptop's.

One thread and one wait: for bytes from the client, or until the board's next event is due. Where clients come from is
`firmware_sim.outlets`' business.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from firmware_sim.board import Board, open_board
from firmware_sim.outlets import Outlet, open_outlet
from firmware_sim.state import keep_flash, restore_flash

__all__ = ["serve", "serve_board"]

#: shortest wait: USB carries bytes once a millisecond as well
_TICK_SECONDS = 0.001
#: simulated time between two looks at the client while the board computes
_SLICE_SECONDS = 0.02
#: what a client does not take beyond this is lost, as in the interface chip
_OUTBOX_BYTES = 4_096
#: Windows hears Ctrl-C only between two waits
_LONGEST_WAIT_SECONDS = 0.5 if os.name == "nt" else None

Wait = Callable[[Sequence[Any], Sequence[Any], Sequence[Any], float | None], object]


def serve_board(
    board: str,
    ready: Callable[[str], None],
    *,
    tcp_port: int | None = 0,
    fast: bool = False,
    state: str | Path | None = None,
    unique_id: str | None = None,
) -> None:
    """Boot a board and serve it until KeyboardInterrupt.

    Parameters
    ----------
    board : a profile's name or path.
    ready : called once with what a client opens, as soon as it can.
    tcp_port : on 127.0.0.1, 0 for any that is free; None for a pseudo-terminal.
    fast : let the board run as fast as this computer can, not in real time.
    state : a file that holds the board's flash; written at the end, whatever ends it.
    unique_id : of the chip, 16 hexadecimal digits.

    Raises
    ------
    PortBusyError : the TCP port is taken.
    UsageError : no such board, a wrong id, or a pseudo-terminal on a system that has none.
    """
    with closing(open_outlet(tcp_port)) as outlet, open_board(board, unique_id=unique_id) as opened:
        if state is not None:
            restore_flash(opened, Path(state))
        try:
            ready(outlet.url)
            serve(opened, outlet, fast=fast)
        finally:
            if state is not None:
                keep_flash(opened, Path(state))


def serve(
    board: Board,
    outlet: Outlet,
    *,
    fast: bool = False,
    clock: Callable[[], float] = time.monotonic,
    wait: Wait = select.select,
) -> None:
    """Carry bytes between a board and its clients for ever; ends by an exception (Ctrl-C, or the board's).

    Parameters
    ----------
    clock, wait : where real time comes from, and what lets it pass.
    """
    start = clock() - board.seconds
    outbox = bytearray()
    while True:
        timeout = _seconds_to_wait(board, None if fast else clock() - start)
        wait(outlet.readers(), outlet.writers() if outbox else [], [], None if outbox and fast else timeout)
        if not (outbox and fast):  # without a clock the client is what the board goes by
            _run(board, None if fast else clock() - start)
        outbox += board.read_line(board.waiting_bytes, 0)
        del outbox[: outlet.send(bytes(outbox))]
        del outbox[_OUTBOX_BYTES:]
        if data := outlet.receive():
            # What rate the client has set is not heard here: whoever it is speaks at the board's.
            board.write_line(data, board.uart.baud)


def _seconds_to_wait(board: Board, now: float | None) -> float | None:
    """Real seconds until the board has something to do. None: not before a client says something."""
    event = board.seconds_to_event
    if event is None:
        return _LONGEST_WAIT_SECONDS
    if now is None:
        return 0.0
    ahead = board.seconds + event - now
    # A board that is behind has to work, not to wait.
    return 0.0 if ahead < -_TICK_SECONDS else max(ahead, _TICK_SECONDS)


def _run(board: Board, now: float | None) -> None:
    """Let the board catch up with real time, or work on if it has any work."""
    if now is None:
        seconds = 0.0 if board.seconds_to_event is None else _SLICE_SECONDS
    elif board.seconds_to_event is None:
        seconds = now - board.seconds  # one jump, however long
    else:
        seconds = min(now - board.seconds, _SLICE_SECONDS)
    if seconds > 0:
        board.run(round(seconds * board.profile.clock_hz))
