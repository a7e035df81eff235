"""docs/SIMULATOR.md keeps its word: its code runs, and the messages that it shows are those of the boards."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim import FirmwareFault, open_board
from tests.pages import ROOT, typed
from tests.sim.built import elf

PAGE = (ROOT / "docs" / "SIMULATOR.md").read_text(encoding="utf-8")
BLINK = ROOT / "examples" / "blink"
FILES = dict(re.findall(r"```(?:python|c|ld) (\S+)\n(.*?)```", PAGE, re.DOTALL))
#: the arguments of the command whose report is shown, and its lines
ARGUMENTS, SHOWN = re.findall(r"```console\n\$ pytest (.*)\n((?:.*\n)*?)```", PAGE)[0]
PERIOD = re.search(r"With (\d+)\s+in place of the (\d+) in `main.c`", PAGE)


def built(folder: Path, changed: tuple[str, str] = ("", "")) -> Path:
    """A folder with the page's files and the example's, built by the page's commands."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copy(BLINK / "start.c", folder)
    source = (BLINK / "main.c").read_text(encoding="utf-8")
    assert changed[0] in source
    (folder / "main.c").write_text(source.replace(*changed) if changed[0] else source, encoding="utf-8")
    commands = re.findall(r"(?m)^python (-m ziglang .*?)(?:  +#.*)?$", PAGE)
    assert len(commands) == 3
    for command in commands:
        subprocess.run([sys.executable, *command.split()], cwd=folder, check=True)
    return folder


def plain(line: str) -> str:
    """A line of a report without its numbers: they follow the compiler and the model of the cycles."""
    return re.sub(r"\b[0-9a-f,.]*\d[0-9a-f,.]*\b", "#", line)


def test_its_tests_pass(tmp_path: Path) -> None:
    assert len(FILES) == PAGE.count("```python") + PAGE.count("```c ") + PAGE.count("```ld") == 5
    output = typed(built(tmp_path), "-p", "no:cacheprovider")
    assert f"{sum(text.count('def test_') for text in FILES.values())} passed" in output


def test_its_images_are_for_the_boards_that_it_says(tmp_path: Path) -> None:
    built(tmp_path)
    with open_board("microbit2", tmp_path / "firmware2.elf") as board:
        board.run_until("main")
    with open_board("microbit", tmp_path / "firmware.hex") as board:
        assert board.run_until(b"on\n") == b"on\n"
        assert not board.image.symbols


def test_its_linker_script_is_the_examples() -> None:
    assert FILES["board.ld"] == (BLINK / "board.ld").read_text(encoding="utf-8")


def test_a_failure_is_told_as_it_shows(tmp_path: Path) -> None:
    assert PERIOD is not None
    folder = built(tmp_path, (PERIOD[2], PERIOD[1]))
    output = typed(folder, *ARGUMENTS.split(), "-p", "no:cacheprovider", code=1)
    assert [plain(line) for line in SHOWN.splitlines()] == [
        plain(line) for line in output.splitlines() if plain(line) in {plain(shown) for shown in SHOWN.splitlines()}
    ]


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
