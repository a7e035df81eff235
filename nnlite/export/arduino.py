"""An export as an Arduino library: the folder that goes into `libraries`, by Arduino's library specification 1.5."""

from __future__ import annotations

from nnlite.export.design import Design
from nnlite.export.header import prototypes, write_header
from nnlite.export.sketches import sketches
from nnlite.export.source import write_source

__all__ = ["arduino_files", "describe"]

#: an export has no history of its own
VERSION = "1.0.0"


def arduino_files(design: Design) -> dict[str, str]:
    """Path -> text."""
    return {
        "library.properties": _properties(design),
        "keywords.txt": _keywords(design),
        f"src/{design.name}.h": write_header(design),
        f"src/{design.name}.c": write_source(design),
        **sketches(design),
    }


def describe(design: Design) -> str:
    """One line about it."""
    how = "inference" if design.learning is None else "inference and learning"
    return f"A neural network of {'-'.join(map(str, design.net.sizes))}: {how}"


def _properties(design: Design) -> str:
    return f"""\
name={design.name}
version={VERSION}
author=exported by nnlite
maintainer=exported by nnlite
sentence={describe(design)}.
paragraph=It takes {design.ram_bytes} bytes of RAM and computes the bits that nnlite computes on a laptop.
category=Data Processing
url=
architectures=*
includes={design.name}.h
"""


def _keywords(design: Design) -> str:
    """By Arduino's keywords.txt: a tab between name and kind."""
    macros = ["INPUTS", "OUTPUTS", "PARAMETERS", "RAM_BYTES"]
    rows = [f"{design.name}_t\tKEYWORD1"]
    rows += [f"{design.name}_{function}\tKEYWORD2" for function in prototypes(design)]
    rows += [f"{design.macro}_{macro}\tLITERAL1" for macro in macros]
    return "\n".join(rows) + "\n"
