"""The formats of an export by name: which files there are, and what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nnlite.errors import UsageError
from nnlite.export.arduino import arduino_files
from nnlite.export.design import Design, default_name
from nnlite.export.header import write_header
from nnlite.export.platformio import platformio_files
from nnlite.export.source import write_source
from nnlite.files import check_path, write_all, write_whole
from nnlite.image import encode_image
from nnlite.network import Network
from nnlite.recipe import Recipe

__all__ = ["FORMATS", "export", "is_source"]


def is_source(to: str, path: Path) -> bool:
    """Whether a path names the C itself and not a folder for it."""
    return to == "c" and path.suffix in (".c", ".h") and not path.is_dir()


def c_files(design: Design) -> dict[str, str]:
    """The header and the source."""
    return {f"{design.name}.h": write_header(design), f"{design.name}.c": write_source(design)}


#: all but the image: which files go into a folder
_FOLDERS: dict[str, Callable[[Design], dict[str, str]]] = {
    "c": c_files,
    "arduino": arduino_files,
    "platformio": platformio_files,
}
FORMATS = (*_FOLDERS, "image")


def export(
    net: Network, to: Any, path: str | Path, name: str | None = None, learning: Recipe | None = None
) -> list[Path]:
    """Write a network for a program of one's own. Files of the same names are replaced, others stay.

    Parameters
    ----------
    net : the network, with its standardiser and labels.
    to : "c", "arduino" and "platformio" write into the folder `path`, which is made if it is not there; of "c" it may
        also be the source itself, `NAME.c`, which the header goes beside. "image" writes the file `path`: the bytes as
        they lie in a slot.
    name : what all names in the C begin with, and those of the files; letters that C has not become `_`. None: the
        name of the source, or of the folder.
    learning : how it is to learn, as `design.check_learning` gives it; None for inference alone.

    Returns
    -------
    The files that were written.

    Raises
    ------
    UsageError : there is no such format, no name can be made, or an image is to learn in a way of its own.
    DataError : a value of the network that is not finite, or labels that an image cannot hold.
    PathError : the target cannot be written; nothing was changed.
    """
    if not isinstance(to, str) or to not in FORMATS:
        raise UsageError(f"an export goes to {', '.join(FORMATS)}, not to {to!r}")
    path = check_path(path)
    if to == "image":
        if name is not None or learning is not None:
            raise UsageError("an image has no name and no way of learning of its own; leave --name and --learn out")
        write_whole(path, encode_image(net))
        return [path]
    folder = path
    if is_source(to, path):
        folder = path.parent
    design = Design.of(net, default_name(path) if name is None else name, learning)
    contents = {file: text.encode() for file, text in _FOLDERS[to](design).items()}
    return write_all(folder, contents)
