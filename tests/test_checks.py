"""Single values from outside: NumPy's count as Python's, what only looks like one does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlite import Network, load
from nnlite.checks import check_batch_size, check_integer, is_text
from nnlite.data import read_table
from nnlite.errors import PathError, UsageError
from nnlite.files import check_path
from nnlite.profile import Profile


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers(value: Any) -> None:
    checked = check_integer("the number", value, 1, 3)
    assert (checked, type(checked)) == (3, int)


@pytest.mark.parametrize("value", [0, 4, 3.0, np.float64(3), "3", None, True, np.True_, [3], np.array([1, 2])])
def test_what_is_no_integer_or_out_of_range(value: Any) -> None:
    with pytest.raises(UsageError, match="the number must be an integer from 1 to 3, not"):
        check_integer("the number", value, 1, 3)


def test_batch_sizes_are_what_a_frame_can_say() -> None:
    assert check_batch_size(65_535) == 65_535
    with pytest.raises(UsageError, match="batch size must be an integer from 1 to 65535, not 65536"):
        check_batch_size(65_536)


@pytest.mark.parametrize("path", ["a\0b.toml", "a\ud800.toml", None, 3])
@pytest.mark.parametrize("call", [check_path, load, read_table, Network([2, 2]).save, Profile.load])
def test_what_no_file_can_be_called(call: Any, path: Any) -> None:
    with pytest.raises(PathError, match="cannot be the path of a file"):
        call(path)


def test_paths() -> None:
    assert check_path("a") == check_path(Path("a")) == Path("a")


def test_text_is_what_utf_8_and_numpy_keep() -> None:
    assert is_text("größer 腕 𝄞")
    assert not any(map(is_text, ["\ud800", "a\0", 3, None, b"a"]))
