"""The verb sim: a simulated board for other programs."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from nnlite.cli.screen import JsonOption, QuietOption, note, one_line
from nnlite.errors import UsageError

__all__ = ["sim"]


def sim(
    board: Annotated[str, typer.Option("--board", help="A board's name, or the path of a profile.")] = "microbit",
    tcp: Annotated[
        int | None,
        typer.Option(
            "--tcp", metavar="PORT", min=0, max=65535, help="TCP port on 127.0.0.1; 0, as without, is a free one."
        ),
    ] = None,
    pty: Annotated[bool, typer.Option("--pty", help="A pseudo-terminal instead (Linux, macOS).")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as this computer can, not in real time.")] = False,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="Keep the board's flash in this file between runs.")
    ] = None,
    unique_id: Annotated[
        str | None, typer.Option("--id", metavar="HEX", help="The chip's unique id, to tell several boards apart.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """A simulated board behind a serial port that any program can open.

    Prints one line with the name of the port, then serves until Ctrl-C. That is how it ends, so the exit code is 0.
    A client that goes may come back; a second one at a time is refused. The board keeps to real time, as its clients'
    patience does; with --fast it computes, and bytes travel, as fast as this computer can.

    \b
    Examples:
      nnlite sim --board microbit
      nnlite sim --board microbit2 --tcp 4711 --state board.flash
      nnlite sim --pty --id 00000000000000a7
    """
    from nnlite.link.simulators import load_simulator

    if pty and tcp is not None:
        raise UsageError("--tcp and --pty exclude each other; choose one")

    def ready(url: str) -> None:
        if as_json:
            print(one_line({"url": url, "board": board, "simulated": True, "fast": fast}), flush=True)
        else:
            print(f"{url}  simulated {board}, {'as fast as it goes' if fast else 'in real time'}", flush=True)
            note(f"in another terminal: nnlite info --port {url}; Ctrl-C here ends it", quiet)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        load_simulator().serve_board(
            board, ready, tcp_port=None if pty else tcp or 0, fast=fast, state=state, unique_id=unique_id
        )
