"""Rules for single values from outside that several modules need; what a whole network or table must be is theirs."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlite.errors import UsageError

__all__ = ["check_batch_size", "check_integer", "is_text"]

_MAX_BATCH_SIZE = 65_535  # LEARN_BEGIN carries it in 16 bits


def check_integer(what: str, value: Any, low: int, high: int | None = None) -> int:
    """An integer within its range. NumPy's integers count; True, 2.0 and "2" do not.

    Raises
    ------
    UsageError : anything else.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        until = "" if high is None else f" to {high}"
        raise UsageError(f"{what} must be an integer from {low}{until}, not {value!r}")
    return int(value)


def check_batch_size(value: Any) -> int:
    """Samples of one training step; see `check_integer`."""
    return check_integer("the batch size", value, 1, _MAX_BATCH_SIZE)


def is_text(value: Any) -> bool:
    """Whether a value is text that survives UTF-8 and NumPy: no lone surrogates, no NUL."""
    return type(value) is str and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
