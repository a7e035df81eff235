"""An export as a PlatformIO library, which `pio pkg pack` takes: library.json, sources and sketches.

The manifest names no licence, for the sources do: pio would look it up in a list on the network, and fail without one.
"""

from __future__ import annotations

import json

from nnlite.export.arduino import VERSION, describe
from nnlite.export.design import Design
from nnlite.export.header import write_header
from nnlite.export.sketches import sketches
from nnlite.export.source import write_source

__all__ = ["platformio_files"]


def platformio_files(design: Design) -> dict[str, str]:
    """Path -> text."""
    examples = sketches(design)
    return {
        "library.json": _manifest(design, list(examples)),
        f"src/{design.name}.h": write_header(design),
        f"src/{design.name}.c": write_source(design),
        **examples,
    }


def _manifest(design: Design, examples: list[str]) -> str:
    content = {
        "name": design.name,
        "version": VERSION,
        "description": describe(design),
        "keywords": ["neural network", "tinyml"],
        "frameworks": "*",
        "platforms": "*",
        "headers": f"{design.name}.h",
        "examples": [
            {"name": path.split("/")[1], "base": path.rpartition("/")[0], "files": [path.rpartition("/")[2]]}
            for path in examples
        ],
    }
    return json.dumps(content, indent=2) + "\n"
