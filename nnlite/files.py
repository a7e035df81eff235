"""Paths from outside, and files that are written whole or not at all. What stands in them is others' business."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from nnlite.errors import PathError

__all__ = ["check_path", "check_writable", "write_whole"]


def check_path(path: Any) -> Path:
    """A path that a system can be asked for; whether something is there, only asking tells.

    Raises
    ------
    PathError : not a path at all, or one with characters that no file's name has.
    """
    try:
        usable = isinstance(path, str | Path) and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise PathError(f"{path!a} cannot be the path of a file; give another")
    return Path(path)


def check_writable(path: str | Path) -> None:
    """Say before long work, not after it, that its result could not be written. Changes nothing.

    Raises
    ------
    PathError : as `write_whole`, but for the full disk.
    """
    write_whole(path, None)


def write_whole(path: str | Path, content: bytes | None) -> None:
    """Write a file whole or not at all: into a neighbour, then renamed. A link is followed; a device or a pipe,
    such as /dev/stdout, is written as it is. Who may read a file that is replaced, may read the new one.
    Without content nothing is written, only tried.

    Raises
    ------
    PathError : the folder is missing or not writable, the target is a directory, or the disk is full.
    """
    path = check_path(path)
    neighbour = None
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a directory")
        if path.exists() and not path.is_file():
            if content is not None:
                with path.open("wb") as stream:
                    stream.write(content)
            return
        place = Path(os.path.realpath(path))
        mode = 0o666 & ~_umask()
        if place.exists():
            if not os.access(place, os.W_OK):
                raise PermissionError(0, "it is write-protected")
            mode = stat.S_IMODE(place.stat().st_mode)
        handle, neighbour = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        with os.fdopen(handle, "wb") as file:
            if content is None:
                return
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(neighbour, mode)
        os.replace(neighbour, place)
        neighbour = None
    except OSError as error:
        raise PathError(f"cannot write {path}: {error.strerror}; nothing was changed. Name another place") from error
    finally:
        if neighbour is not None:
            with contextlib.suppress(OSError):
                os.unlink(neighbour)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
