"""Opens a serial port by any pyserial URL.

Why one cannot be opened is said by `nnlite.link.trouble`; simulated boards (`sim://`) are `nnlite.link.simulators`'
business, what is said over the port `nnlite.link.client`'s.
"""

from __future__ import annotations

from typing import Any, Protocol

import serial
from serial.urlhandler import protocol_socket

from nnlite.errors import NNLiteError, PortError
from nnlite.link.simulators import load_simulator
from nnlite.link.timing import BAUD
from nnlite.link.trouble import cannot_open

__all__ = ["POLL_SECONDS", "Port", "open_port"]

#: longest that one read blocks, so that Ctrl-C is heard on every system
POLL_SECONDS = 0.05
#: longest that one write blocks: the longest frame takes a tenth of it
_WRITE_SECONDS = 5.0
_SIMULATED = "sim://"
_SOCKET = "socket://"


class Port(Protocol):
    """What a client needs of a port; pyserial's are such. One with `clock()` (seconds) is asked for the time, one with
    `draw(below)` for random numbers."""

    baudrate: int

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; fewer when none came for a short while."""

    def write(self, data: bytes, /) -> int | None:
        """Send all of `data`."""

    def close(self) -> None:
        """Give the port back."""


def open_port(url: str) -> Port:
    """Open a port for a client: nothing else may use it, the device is not reset, what lay in it is dropped.

    Parameters
    ----------
    url : a device name such as /dev/ttyACM0 or COM3, or any pyserial URL.

    Raises
    ------
    PortError : there is none of that name, or it cannot be used.
    PortBusyError : another program holds it, or this user may not open it.
    """
    if url.startswith(_SIMULATED):
        load_simulator()
    try:
        port = _port(url)
    except (ValueError, ImportError) as error:
        raise PortError(f"'{url}' is not the name of a port: {error}. 'nnlite info --help' shows examples") from error
    port.timeout = POLL_SECONDS
    port.write_timeout = _WRITE_SECONDS
    port.exclusive = True
    # Many boards reset when these lines move; low before opening is as close to not moving as pyserial comes.
    port.dtr = False
    port.rts = False
    try:
        port.open()
        port.reset_input_buffer()
    except NNLiteError:
        raise
    except (OSError, ValueError) as error:  # serial.SerialException is an OSError
        raise cannot_open(url, error) from error
    opened: Port = port
    return opened


def _port(url: str) -> Any:
    """A pyserial port that is not open yet."""
    if not url.lower().startswith(_SOCKET):
        return serial.serial_for_url(url, do_not_open=True, baudrate=BAUD)
    port = _Socket()
    port.port = url
    return port


class _Socket(protocol_socket.Serial):  # type: ignore[misc]  # pyserial has no types
    """pyserial's, which sleeps 0.3 s when it is closed: a third of what a short command takes."""

    def close(self) -> None:
        """Give the port back."""
        connection: Any = getattr(self, "_socket", None)  # there is none before the first open
        self._socket: Any = None
        self.is_open = False
        if connection is not None:
            connection.close()
