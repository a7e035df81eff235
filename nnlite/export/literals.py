"""Numbers and text as C writes them. Text of a model never gets into a program as anything but numbers, letters and
digits, so none can end a string or a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

__all__ = ["comment_text", "float_literal", "floats", "text_bytes"]

_WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z0-9 ]")


def float_literal(value: float | np.float32) -> str:
    """The shortest decimal number that is this float32 again once a compiler has rounded it."""
    return f"{np.float32(value)!s}f"


def floats(values: npt.NDArray[np.float32]) -> str:
    """The inside of the braces of an array, in lines."""
    return _lines(map(float_literal, values))


def text_bytes(texts: Iterable[str]) -> str:
    """Texts in UTF-8, each with a zero behind it, as the inside of the braces of an array of uint8_t, a line each."""
    return "".join(_lines([*map(_byte, text.encode()), "0"]) for text in texts)


def comment_text(text: str) -> str:
    """Text for a comment: letters, digits and blanks as they are, everything else as `<F6>`, the character's number."""
    return "".join(c if _PLAIN.fullmatch(c) else f"<{ord(c):X}>" for c in text)


def _byte(value: int) -> str:
    return f"'{chr(value)}'" if _PLAIN.fullmatch(chr(value)) else str(value)


def _lines(words: Iterable[str]) -> str:
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) + 2 > _WIDTH:
            lines.append(line)
            line = ""
        line += f"{' ' if line else '    '}{word},"
    lines.append(line)
    return "\n".join(lines) + "\n"
