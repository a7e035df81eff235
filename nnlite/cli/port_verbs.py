"""Verbs about ports and what goes over them: ports, monitor."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from nnlite.cli.board_verbs import PortOption, chosen_port
from nnlite.cli.screen import JsonOption, QuietOption, note, one_line, print_json

if TYPE_CHECKING:
    from nnlite.link.discover import Finding
    from nnlite.link.monitor import Piece

__all__ = ["monitor", "ports"]


def ports(as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Which ports there are, and what stands behind each.

    Looks at the USB serial ports, or at those that the environment variable NNLITE_PORTS names, separated by blanks;
    any pyserial URL may stand there. Every command with --port takes a port from this list, or a board's id.

    \b
    Examples:
      nnlite ports
      NNLITE_PORTS='/dev/ttyS0 socket://10.0.0.7:4711' nnlite ports --json
      nnlite info --port id:5eed
    """
    from nnlite.link.discover import look

    findings = look()
    if as_json:
        print_json([finding.to_dict() for finding in findings])
        return
    width = max((len(finding.port) for finding in findings), default=0)
    for finding in findings:
        print(f"{finding.port:<{width}}  {_behind(finding)}")
    if not findings:
        note("no board is plugged in that shows a USB serial port; NNLITE_PORTS names others to look at", quiet)


def _behind(finding: Finding) -> str:
    if finding.hello is None:
        return finding.trouble
    serving = finding.hello.serving
    model = "no model" if serving is None else f"generation {serving.generation}"
    simulated = "simulated " if finding.hello.simulated else ""
    return f"{simulated}{finding.hello.board}, firmware {finding.hello.firmware}, {model}, id:{finding.hello.unique_id}"


def monitor(port: PortOption = None, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """What goes over the line, decoded, as it happens.

    Greets the board and shows each frame sent and received, then whatever else comes, until Ctrl-C; boot text and
    broken frames are shown as such. Ctrl-C is how it ends, so the exit code is 0. With --json one object a line.

    \b
    Examples:
      nnlite monitor --port /dev/ttyACM0
      nnlite monitor --port id:5eed --json
    """
    from nnlite.errors import NNLiteError, PortError
    from nnlite.link.client import Client
    from nnlite.link.monitor import Tap
    from nnlite.link.port import POLL_SECONDS, open_port

    def show(piece: Piece) -> None:
        print(one_line(piece.to_dict()) if as_json else _line(piece), flush=True)

    opened = open_port(chosen_port(port))
    simulated = hasattr(opened, "clock")  # its reads take no time of ours
    with closing(Client(Tap(opened, show))) as client, suppress(KeyboardInterrupt):
        try:
            client.hello()
        except PortError:
            raise
        except NNLiteError as error:  # silence, or an answer that cannot be: all the more a reason to look
            note(str(error), quiet)
        note("listening; Ctrl-C ends it", quiet)
        while True:
            client.listen()
            if simulated:
                time.sleep(POLL_SECONDS)


def _line(piece: Piece) -> str:
    arrow = ">" if piece.direction == "sent" else "<"
    start = f"{piece.seconds:9.3f} {arrow} "
    if piece.kind != "frame":
        return f"{start}{piece.kind:<12} {piece.payload_bytes:>5} bytes  {piece.meaning}"
    numbers = f"session {piece.session:>5} seq {piece.sequence:>5}"
    status = "" if piece.status is None else f"{piece.status}  "
    return f"{start}{piece.message:<12} {piece.payload_bytes:>5} bytes  {numbers}  {status}{piece.meaning}"
