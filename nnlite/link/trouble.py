"""Why a port cannot be opened, or closed by itself, in plain words: who holds it, or what lets this user in."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path

from serial.tools import list_ports

from nnlite.errors import PortBusyError, PortError

__all__ = ["cannot_open", "vanished"]

_BUSY = {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}
_FORBIDDEN = {errno.EACCES, errno.EPERM}
_RULES = "/etc/udev/rules.d/70-nnlite.rules"
_READ_WRITE = stat.S_IRGRP | stat.S_IWGRP
#: how pyserial's socket:// tells that the other end is gone
_HUNG_UP = ("socket disconnected", "reset by peer", "Broken pipe", "aborted by the software")


def cannot_open(url: str, error: OSError | ValueError) -> PortError:
    """The exception for a port that did not open, from pyserial's."""
    number, text = getattr(error, "errno", None), str(error)
    if number in _FORBIDDEN and os.name == "posix" and not os.access(url, os.R_OK | os.W_OK):
        return PortBusyError(f"this user may not open {url}. {_permission(url)}")
    # Windows gives no number, only the name of the exception in the text; there "access denied" means busy.
    if number in _BUSY | _FORBIDDEN or "PermissionError" in text or "busy" in text.lower():
        return PortBusyError(f"{url} is in use{_holder(url)}; close what uses it, then try again")
    if number == errno.ENOENT or "FileNotFoundError" in text:
        return PortError(f"there is no port {url}; plug the board in, or name another one")
    if number == errno.ENOTTY or "Inappropriate ioctl" in text:
        return PortError(f"{url} is not a serial port; name the board's, such as /dev/ttyACM0 or COM3")
    reason = text.replace(f"Could not open port {url}: ", "")
    reason = re.sub(r"^\[Errno \d+\] ", "", reason)
    return PortError(f"cannot open {url}: {reason}; check the name, and that what should answer there is running")


def vanished(error: OSError, heard: bool) -> PortError:
    """The exception for a port that was open and is no more.

    Parameters
    ----------
    heard : whether anything came from it before.
    """
    if not heard and any(sign in str(error) for sign in _HUNG_UP):
        return PortBusyError(
            "the other end closed the connection before it said anything: it is in use by another program. "
            "Close that one, then try again"
        )
    return PortError(
        "the port vanished, as when a board is unplugged; the model that was committed last serves on. "
        "Plug the board in again, then run the command again"
    )


def _permission(url: str) -> str:
    """What would let this user in: the group that owns the device, or, where there is udev, a rule for it."""
    if sys.platform != "linux":
        return "Ask whoever administers this computer for access to it"
    group = _group(url)
    join = f"Join its group: sudo usermod -aG {group} $USER, then log out and in again. Or l" if group else "L"
    return f"{join}et everybody at this computer in: put {_udev_rule(url)} into {_RULES} and plug the board in again"


def _group(url: str) -> str | None:
    """Name of the group whose members may use a device; None when that helps nobody."""
    import grp

    try:
        about = os.stat(url)
        name = grp.getgrgid(about.st_gid).gr_name
    except (OSError, KeyError):
        return None
    return name if about.st_gid and about.st_mode & _READ_WRITE == _READ_WRITE else None


def _udev_rule(url: str) -> str:
    """By the maker of the USB device, or by the kind of its name if that is not known."""
    vendor = next((port.vid for port in list_ports.comports() if port.device == url), None)
    if vendor is not None:
        return f'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{vendor:04x}", TAG+="uaccess"'
    kind = re.sub(r"\d+$", "*", os.path.basename(url))
    return f'SUBSYSTEM=="tty", KERNEL=="{kind}", TAG+="uaccess"'


def _holder(url: str) -> str:
    """Who holds a port, where the system tells (Linux, own processes): ' by NAME (process N)', else nothing."""
    if not os.path.exists(url):
        return ""
    holders = _processes_with(os.path.realpath(url))
    # Who has locked it counts: a pseudo-terminal is also held open by the program that made it.
    lockers = _lockers(url)
    for process in sorted(holders, key=lambda process: process not in lockers):
        return f" by {holders[process]} (process {process})"
    return ""


def _processes_with(target: str) -> dict[int, str]:
    """Other processes that have a file open, and their names."""
    found = {}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        process = int(link.parents[1].name)
        try:
            if os.readlink(link) == target and process != os.getpid():
                found[process] = (link.parents[1] / "comm").read_text(encoding="utf-8").strip()
        except OSError:  # ended meanwhile, or another user's
            continue
    return found


def _lockers(url: str) -> set[int]:
    """Processes that have a lock on a file (proc(5), /proc/locks: process, then device and inode)."""
    try:
        inode = os.stat(url).st_ino
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return set()
    return {
        int(pid) for pid, at in re.findall(r" (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) ", "\n".join(lines)) if int(at) == inode
    }
