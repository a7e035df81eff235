"""Opens a serial port by any pyserial URL, and says in plain words why it cannot.

Simulated boards (`sim://`) are `nnlite.link.simulators`' business, what is said over the port `nnlite.link.client`'s.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Protocol

import serial

from nnlite.errors import NNLiteError, PortBusyError, PortError
from nnlite.link.simulators import load_simulator
from nnlite.link.timing import BAUD

__all__ = ["POLL_SECONDS", "Port", "open_port"]

#: longest that one read blocks, so that Ctrl-C is heard on every system
POLL_SECONDS = 0.05
#: longest that one write blocks: the longest frame takes a tenth of it
_WRITE_SECONDS = 5.0
_SIMULATED = "sim://"
_BUSY = {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}
_FORBIDDEN = {errno.EACCES, errno.EPERM}


class Port(Protocol):
    """What a client needs of a port; pyserial's are such. One with `clock()` (seconds) is asked for the time."""

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
        port = serial.serial_for_url(url, do_not_open=True, baudrate=BAUD)
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
        raise _cannot_open(url, error) from error
    opened: Port = port
    return opened


def _cannot_open(url: str, error: OSError | ValueError) -> PortError:
    number, text = getattr(error, "errno", None), str(error)
    if number in _FORBIDDEN and os.name == "posix" and not os.access(url, os.R_OK | os.W_OK):
        return PortBusyError(
            f"this user may not open {url}. On most Linux systems: sudo usermod -aG dialout $USER, "
            "then log out and in again"
        )
    # Windows gives no number, only the name of the exception in the text; there "access denied" means busy.
    if number in _BUSY | _FORBIDDEN or "PermissionError" in text or "busy" in text.lower():
        return PortBusyError(f"{url} is in use{_holder(url)}; close what uses it, then try again")
    if number == errno.ENOENT or "FileNotFoundError" in text:
        return PortError(f"there is no port {url}; plug the board in, or name another one")
    if number == errno.ENOTTY or "Inappropriate ioctl" in text:
        return PortError(f"{url} is not a serial port; name the board's, such as /dev/ttyACM0 or COM3")
    return PortError(f"cannot open {url}: {text}; check the name, and that what should answer there is running")


def _holder(url: str) -> str:
    """Who holds a port, where the system tells (Linux, own processes): ' by NAME (process N)', else nothing."""
    if not os.path.exists(url):
        return ""
    target = os.path.realpath(url)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            held = os.readlink(link) == target
            name = (link.parents[1] / "comm").read_text(encoding="utf-8").strip() if held else ""
        except OSError:  # ended meanwhile, or another user's
            continue
        if held and link.parents[1].name != str(os.getpid()):
            return f" by {name} (process {link.parents[1].name})"
    return ""
