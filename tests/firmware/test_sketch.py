"""The firmware as an Arduino sketch: what the verb writes compiles by the flags of Arduino's core, and, over a core of
the tests, is the firmware on a simulated chip."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from firmware_sim import open_board
from nnlite.cli import run
from nnlite.device import Device
from nnlite.network import Network
from nnlite.profile import Profile
from nnlite.training import train
from tests.cli.command import refused

ROOT = Path(__file__).resolve().parents[2]
CORE = Path(__file__).resolve().parent / "arduino"
NRF = ROOT / "nnlite" / "firmware" / "boards" / "nrf"
#: of ArduinoCore-mbed, variants/ARDUINO_NANO33BLE/cflags.txt and cxxflags.txt, with warnings as errors
FLAGS = [
    "-Os",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fdata-sections",
    "-ffunction-sections",
    "-funsigned-char",
    "-fomit-frame-pointer",
]
LANGUAGES = {".c": ["-std=gnu11"], ".cpp": ["-x", "c++", "-std=gnu++14", "-fno-rtti", "-fno-exceptions"]}
LANGUAGES[".ino"] = LANGUAGES[".cpp"]
SLOTS = 0x80000


def compiler(which: str) -> list[str]:
    if which == "GCC":
        if shutil.which("arm-none-eabi-gcc") is None:
            pytest.skip("arm-none-eabi-gcc is not installed (Debian: gcc-arm-none-eabi)")
        return ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=softfp", "-mfpu=fpv4-sp-d16"]
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    target = ["-target", "thumb-freestanding-eabi", "-mcpu=cortex_m4+vfp4d16sp", "-mfloat-abi=softfp"]
    return [sys.executable, "-m", "ziglang", "cc", *target, "-fno-sanitize=all", "-fno-strict-aliasing"]


def written(folder: Path) -> Path:
    sketch = folder / "nnlite_firmware"
    assert run(["firmware", "--board", "nano33ble", "--to", "arduino", "-o", str(sketch), "-q"]) == 0
    return sketch


def image(which: str, folder: Path) -> Path:
    """The sketch with a core, linked to begin at address 0."""
    sketch, command = written(folder), [*compiler(which), *FLAGS]
    include = [f"-I{sketch / 'src' / 'firmware'}", f"-I{NRF}", f"-I{CORE}"]
    sources = [p for p in sorted(sketch.rglob("*")) if p.suffix in LANGUAGES]
    sources += [CORE / "core.cpp", CORE / "chip.c", NRF / "startup.c", NRF / "startup_nrf52.c", NRF / "errata_nrf52.c"]
    objects = [str(folder / f"{number}.o") for number, _ in enumerate(sources)]
    for source, target in zip(sources, objects, strict=True):
        language = [*LANGUAGES[source.suffix], *include]
        subprocess.run([*command, *language, "-c", str(source), "-o", target], check=True)
    profile = Profile.load("nano33ble")
    memory = f"FLASH (rx) : ORIGIN = 0, LENGTH = {SLOTS}\n"
    memory += f"RAM (rwx) : ORIGIN = {profile.ram_start}, LENGTH = {profile.ram_bytes}\n"
    (folder / "memory.ld").write_text(f"MEMORY {{ {memory} }}\nSTACK_BYTES = 4096;\n", encoding="ascii")
    script = [f"-Wl,-T,{NRF / 'firmware.ld'}", "-Wl,--gc-sections", "-Wl,--entry=startup_reset"]
    library = ["-nostdlib", "-lgcc"] if which == "GCC" else []
    elf = folder / "sketch.elf"
    subprocess.run([*command, *objects, *script, *library, "-o", str(elf)], check=True, cwd=folder)
    return elf


@pytest.mark.parametrize("which", ["GCC", "Clang"])
def test_the_sketch_is_the_firmware(which: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6))
    y = np.where(X[:, 0] > 0.3, "up", np.where(X[:, 1] > 0, "on", "off"))
    net = Network([6, 9, 3], seed=1)
    train(net, X, y, epochs=3)
    with open_board("nano33ble", image(which, tmp_path)) as board:
        with Device.open(board.url) as device:
            info = device.info()
            assert (info.board, info.slot_image_bytes, info.arena_bytes) == ("nano33ble", 63 * 4096, 131_072)
            device.flash(net)
            assert device.decision_function(X).tobytes() == net.decision_function(X).tobytes()
            device.learn(X, y, epochs=2, learning_rate=0.05, optimizer="adam")
            train(net, X, y, epochs=2, learning_rate=0.05, optimizer="adam", shuffle=False)
            assert device.pull().parameters.tobytes() == net.parameters.tobytes()
        assert board.flash_bytes_programmed(0, SLOTS) == 0
        board.boot()
        with Device.open(board.url) as device:
            assert device.verify(net).generation == 2


def test_every_file_is_the_firmware_s_own(tmp_path: Path) -> None:
    sketch = written(tmp_path)
    assert (sketch / "nnlite_firmware.ino").is_file()
    package = ROOT / "nnlite"
    for file in sketch.glob("src/**/*.[ch]*"):
        if file.name != "board_config.h":
            text = file.read_text(encoding="ascii")
            assert text.endswith((package / file.relative_to(sketch / "src")).read_text(encoding="ascii")), file
            assert text.startswith("#ifdef __clang__\n#pragma STDC FP_CONTRACT OFF") == (file.suffix == ".c"), file
    assert not (sketch / "src" / "firmware" / "main.c").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["microbit", "--to", "arduino", "-o", "f"], 8, "is no sketch, and takes no --to"),
        (["uno", "--to", "arduino", "-o", "f"], 8, "no firmware for the board 'uno'"),
        (["nano33ble", "--to", "arduino", "-o", "a b"], 2, "no sketch that is called 'a b'"),
        (["nano33ble", "--to", "uf2", "-o", "f"], 2, "hex or arduino, not as 'uf2'"),
        (["nano33ble", "--to", "arduino", "-o", "taken"], 2, "cannot write taken"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    arguments: list[str],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("", encoding="ascii")
    got, line = refused(capsys, "firmware", "--board", *arguments)
    assert (got, says in line) == (code, True), line
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
