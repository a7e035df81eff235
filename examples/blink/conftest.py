"""Builds the firmware once a session, for the simulated board that every test gets."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FLAGS = "-target thumb-freestanding-eabi -mcpu=cortex_m0 -std=c99 -g -Os -ffreestanding"
WARNINGS = "-Wall -Wextra -Wconversion -Werror"


@pytest.fixture(scope="session")
def board_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    elf = tmp_path_factory.mktemp("firmware") / "firmware.elf"
    sources = [str(HERE / "main.c"), str(HERE / "start.c")]
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS.split(), *WARNINGS.split(), *sources]
    subprocess.run([*command, f"-Wl,-T,{HERE / 'board.ld'},-e,reset_handler", "-o", str(elf)], check=True)
    return elf
