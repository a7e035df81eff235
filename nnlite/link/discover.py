"""Finds the one port behind which a device answers HELLO."""

from __future__ import annotations

from serial.tools import list_ports

from nnlite.errors import NNLiteError, PortError
from nnlite.link.client import Client
from nnlite.link.port import open_port

__all__ = ["find_port"]

#: HELLOs for each port: the first may find the board still starting
_ATTEMPTS = 2


def find_port() -> str:
    """The name of the one USB serial port where a device of ours answers.

    Raises
    ------
    PortError : none answers, or more than one does; they are listed.
    """
    # Only USB: a HELLO into a built-in port might reach something that takes it for a command.
    ports = sorted(str(port.device) for port in list_ports.comports() if port.vid is not None)
    answering = [port for port in ports if _answers(port)]
    if len(answering) == 1:
        return answering[0]
    if answering:
        raise PortError(f"boards answer at {', '.join(answering)}; choose one with --port")
    if ports:
        raise PortError(
            f"no board answers at {', '.join(ports)}; is nnlite's firmware on it ('nnlite firmware')? "
            "Or name another port with --port"
        )
    raise PortError("no board is plugged in that shows a USB serial port; plug one in, or name a port with --port")


def _answers(port: str) -> bool:
    try:
        opened = open_port(port)
    except PortError:  # in use by somebody else, who may well be right
        return False
    try:
        Client(opened).hello(_ATTEMPTS)
    except NNLiteError:
        return False
    finally:
        opened.close()
    return True
