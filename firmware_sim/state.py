"""The flash of a simulated board in a file, so that a board keeps its model between processes."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nnlite.errors import DataError, PathError

if TYPE_CHECKING:
    from firmware_sim.board import Board

__all__ = ["keep_flash", "restore_flash"]

_MAGIC = b"NNLite simulated flash 1\n"


def restore_flash(board: Board, path: Path) -> None:
    """Give a board the flash that a file has; a file that is not there yet is made, to tell at once if it cannot.

    Raises
    ------
    DataError : the file is something else, another board's, or cut short.
    PathError : it cannot be read or made.
    """
    if path.exists():
        board.load_flash(_read(path, board))
    else:
        keep_flash(board, path)


def keep_flash(board: Board, path: Path) -> None:
    """Write a board's flash into a file: all of it, or the file stays as it was.

    Raises
    ------
    PathError : it cannot be written.
    """
    content = _MAGIC + board.profile.name.encode() + b"\n" + zlib.compress(board.flash, 1)
    neighbour = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        neighbour.write_bytes(content)
        os.replace(neighbour, path)
    except OSError as error:
        with suppress(OSError):
            neighbour.unlink()
        raise PathError(
            f"cannot keep the simulated board's flash in {path}: {error.strerror}; name another file"
        ) from error


def _read(path: Path, board: Board) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PathError(
            f"cannot read the simulated board's flash from {path}: {error.strerror}; name another file"
        ) from error
    name, _, body = content.removeprefix(_MAGIC).partition(b"\n")
    try:
        flash = zlib.decompress(body)
    except zlib.error:
        flash = b""
    if not content.startswith(_MAGIC) or name.decode("ascii", "replace") != board.profile.name:
        raise DataError(f"{path} is not the flash of a simulated {board.profile.name}; name another file, or delete it")
    if len(flash) != board.profile.flash_bytes:
        raise DataError(f"{path} is cut short; delete it to start with an empty board")
    return flash
