"""Finds boards: which ports there are, what answers HELLO behind each, and the one that is meant."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from serial.tools import list_ports

from nnlite.errors import DeviceTimeoutError, NNLiteError, PortBusyError, PortError
from nnlite.link.client import Client
from nnlite.link.port import open_port
from nnlite.link.protocol import Hello
from nnlite.link.timing import ATTEMPTS

__all__ = ["BY_ID", "PORTS_VARIABLE", "Finding", "await_board", "candidate_ports", "find_port", "greet", "look"]

#: a port's name may be this and the first digits of the unique id of the board behind it
BY_ID = "id:"
#: ports to look at instead of the USB serial ports, separated by blanks
PORTS_VARIABLE = "NNLITE_PORTS"
#: HELLOs for each port that is looked at: the first may find the board still starting
_ATTEMPTS = 2
#: between two looks for a board that is to come back
_PAUSE_SECONDS = 0.3


@dataclass(frozen=True)
class Finding:
    """What stands behind a port.

    Attributes
    ----------
    port : its name.
    hello : what the board says about itself, if one answers.
    problem : else why not.
    """

    port: str
    hello: Hello | None
    problem: NNLiteError | None

    def __str__(self) -> str:
        if self.hello is not None:
            return f"{self.port} ({self.hello.board}, {BY_ID}{self.hello.unique_id})"
        return f"{self.port} ({self.trouble})"

    @property
    def trouble(self) -> str:
        """The problem in a few words; empty when there is none."""
        if isinstance(self.problem, DeviceTimeoutError):
            return "does not answer"
        text = re.split(r"[;.] ", str(self.problem or ""))[0]
        return text.removeprefix(f"{self.port} ").removeprefix("is ")

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values for JSON."""
        hello = self.hello
        serving = None if hello is None else hello.serving
        return {
            "port": self.port,
            "answers": hello is not None,
            "board": None if hello is None else hello.board,
            "firmware": None if hello is None else hello.firmware,
            "unique_id": None if hello is None else hello.unique_id,
            "generation": None if serving is None else serving.generation,
            "problem": None if self.problem is None else str(self.problem),
        }


def candidate_ports() -> list[str]:
    """The ports that the environment variable NNLITE_PORTS names, else the USB serial ports, COM9 before COM10."""
    named = os.environ.get(PORTS_VARIABLE, "").split()
    # Only USB: a HELLO into a built-in port might reach something that takes it for a command.
    return named or sorted((str(port.device) for port in list_ports.comports() if port.vid is not None), key=_natural)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(digits or -1), text) for text, digits in re.findall(r"(\D*)(\d*)", name)]


def greet(port: str, attempts: int = ATTEMPTS) -> Hello:
    """Ask the board behind a port what it is.

    Raises
    ------
    PortError, PortBusyError : as `nnlite.link.port.open_port`.
    DeviceTimeoutError : nothing answers.
    IncompatibleError : another version of the protocol.
    """
    with closing(Client(open_port(port))) as client:
        return client.hello(attempts)


def look(ports: Sequence[str] | None = None) -> list[Finding]:
    """What stands behind each port; by default those of `candidate_ports`."""
    return [_look_at(port) for port in (candidate_ports() if ports is None else ports)]


def _look_at(port: str) -> Finding:
    try:
        return Finding(port, greet(port, _ATTEMPTS), None)
    except NNLiteError as error:  # in use by somebody else, say, who may well be right
        return Finding(port, None, error)


def find_port(name: str | None = None, ports: Sequence[str] | None = None) -> str:
    """The name of the port that is meant.

    Parameters
    ----------
    name : a port's name or URL, which is given back; `id:` and the first digits of a board's unique id; or None for the
        one port where a board answers.
    ports : where to look; by default `candidate_ports`.

    Raises
    ------
    PortError : no board fits, or more than one does; what there is is listed.
    PortBusyError : none answers, and a port is in use or this user may not open it.
    """
    if name is not None and not name.startswith(BY_ID):
        return name
    findings = look(ports)
    prefix = (name or BY_ID).removeprefix(BY_ID).lower()
    fitting = [finding for finding in findings if finding.hello and finding.hello.unique_id.startswith(prefix)]
    if len(fitting) == 1:
        return fitting[0].port
    raise _choice(name, findings, fitting)


def await_board(unique_id: str, seconds: float, port: str | None = None) -> str:
    """Wait until a board answers, at whatever port it comes back. Returns the port's name.

    Parameters
    ----------
    unique_id : of the board, as HELLO gives it.
    seconds : how long to wait.
    port : the one that it was at, which need not be among `candidate_ports`.

    Raises
    ------
    PortError : it did not come back.
    """
    deadline = time.monotonic() + seconds
    while True:
        for candidate in dict.fromkeys([*([port] if port else []), *candidate_ports()]):
            hello = _look_at(candidate).hello
            if hello is not None and hello.unique_id == unique_id:
                return candidate
        if time.monotonic() > deadline:
            raise PortError(
                f"the board {BY_ID}{unique_id} did not come back within {seconds:g} s; plug it in again, "
                "then run the command again"
            )
        time.sleep(_PAUSE_SECONDS)


def _choice(name: str | None, findings: list[Finding], fitting: list[Finding]) -> PortError:
    """Why none of the ports, or more than one, is what was meant."""
    there = ", ".join(map(str, findings))
    if fitting:
        which, more = ("", "") if name is None else (f" to {name}", " or more digits of the id")
        return PortError(
            f"more than one board answers{which}: {', '.join(map(str, fitting))}; choose one with --port{more}"
        )
    if any(finding.hello for finding in findings):
        return PortError(f"no board answers to {name}; there are {there}. Choose one of these with --port")
    shut = next((finding.problem for finding in findings if isinstance(finding.problem, PortBusyError)), None)
    if shut is not None:
        return shut  # a port that this user may not open, say: the board is most likely behind it
    if findings:
        return PortError(
            f"no board answers at {there}; is nnlite's firmware on it ('nnlite firmware')? "
            "Or name another port with --port"
        )
    return PortError("no board is plugged in that shows a USB serial port; plug one in, or name a port with --port")
