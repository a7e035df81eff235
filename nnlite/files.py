"""Paths from outside, and files that are written whole or not at all. What stands in them is others' business."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nnlite.errors import PathError

__all__ = ["check_path", "check_writable", "write_all", "write_whole"]


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
    with _refused(path):
        if path.exists() and not path.is_file() and not path.is_dir():
            if content is not None:
                with path.open("wb") as stream:
                    stream.write(content)
            return
        with _neighbour(path, content) as (neighbour, place):
            if content is not None:
                os.replace(neighbour, place)


def write_all(folder: str | Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder, which is made if it is not there, as are folders in it: all of them or none, unless
    the power goes between two renames. Files of the same names are replaced, others stay. Gives the paths.

    Parameters
    ----------
    contents : what goes where, by the path inside the folder.

    Raises
    ------
    PathError : as `write_whole`, and when the folder is a file.
    """
    folder = check_path(folder)
    paths = {folder / name: content for name, content in contents.items()}
    made: list[Path] = []
    with _refused(folder):
        try:
            with contextlib.ExitStack() as stack:
                for path in paths:
                    _make_folder(path.parent, made)
                staged = [stack.enter_context(_neighbour(path, content)) for path, content in paths.items()]
                for neighbour, place in staged:
                    os.replace(neighbour, place)
        except BaseException:
            for new in reversed(made):
                with contextlib.suppress(OSError):
                    new.rmdir()
            raise
    return list(paths)


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Make it and what it is in; `made` gets those that were not there."""
    if not folder.is_dir():
        if folder.parent != folder:
            _make_folder(folder.parent, made)
        folder.mkdir()
        made.append(folder)


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    """The system's refusal as ours."""
    try:
        yield
    except OSError as error:
        raise PathError(f"cannot write {path}: {error.strerror}; nothing was changed. Name another place") from error


@contextlib.contextmanager
def _neighbour(path: Path, content: bytes | None) -> Iterator[tuple[str, Path]]:
    """A file beside the target with the content, and the target itself; gone at the end if it was not renamed."""
    if path.is_dir():
        raise IsADirectoryError(0, "it is a directory")
    place = Path(os.path.realpath(path))
    mode = 0o666 & ~_umask()
    if place.exists():
        if not os.access(place, os.W_OK):
            raise PermissionError(0, "it is write-protected")
        mode = stat.S_IMODE(place.stat().st_mode)
    handle, neighbour = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            if content is not None:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        os.chmod(neighbour, mode)
        yield neighbour, place
    finally:
        with contextlib.suppress(OSError):
            os.unlink(neighbour)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
