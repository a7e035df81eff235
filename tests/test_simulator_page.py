"""docs/SIMULATOR.md keeps its word: its code runs, and the messages that it shows are those of the boards."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from firmware_sim import FirmwareFault, open_board
from tests.pages import typed
from tests.sim.built import elf

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "SIMULATOR.md").read_text(encoding="utf-8")


def test_its_tests_pass(tmp_path: Path) -> None:
    files = dict(re.findall(r"```python (\S+)\n(.*?)```", PAGE, re.DOTALL))
    assert len(files) == PAGE.count("```python") == 2
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    tmp_path.joinpath("test_fixture.py").write_text(
        "def test_image(board):\n    assert board.run_until(b'ready\\n')\n", encoding="utf-8"
    )
    shutil.copy(elf("microbit", "callable.c"), tmp_path / "firmware.elf")
    assert "2 passed" in typed(tmp_path, "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    ("name", "function", "arguments"),
    [
        ("microbit", "unimplemented_register", ()),
        ("microbit", "read_only_register", ()),
        ("microbit", "bad_pointer_read", (0x60000000,)),
        ("microbit", "unaligned_read", ()),
        ("microbit2", "unaligned_several", ()),
        ("microbit", "flash_write_not_enabled", ()),
        ("microbit2", "fpu_off", ()),
        ("microbit", "bad_call", (0x30000000,)),
        ("microbit", "exception_without_vector", ()),
    ],
)
def test_the_messages_are_these(name: str, function: str, arguments: tuple[int, ...]) -> None:
    with open_board(name, elf(name, "stops.c")) as board:
        board.run_until("main")
        with pytest.raises(FirmwareFault) as caught:
            board.call(function, *arguments)
    assert f"`{caught.value.what}`" in PAGE


@pytest.mark.parametrize(
    "method", sorted(set(re.findall(r"`(?:board\.)?([a-z_]+)\(", PAGE.partition("## In pytest")[0])))
)
def test_every_method_it_names_is_there(method: str) -> None:
    with open_board("microbit") as board:
        assert method == "open_board" or hasattr(board, method) or hasattr(board.line, method)
