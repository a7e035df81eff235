"""plan and firmware: what fits, what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnlite.cli import run
from nnlite.planner import Learning, learning_bytes
from nnlite.profile import Profile, profile_names
from tests.cli.command import nnlite, refused

Capsys = pytest.CaptureFixture[str]


def test_boards_in_words_and_in_json(capsys: Capsys) -> None:
    assert run(["boards", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() == set(profile_names())
    profile = Profile.load("microbit")
    assert rows["microbit"] == {
        "name": "microbit",
        "title": profile.title,
        "chip": "nrf51822",
        "core": "cortex-m0",
        "fpu": False,
        "clock_hz": 16_000_000,
        "flash_bytes": profile.slot_image_bytes,
        "ram_bytes": profile.firmware.arena_bytes,
        "chip_flash_bytes": 262_144,
        "chip_ram_bytes": 16_384,
        "status": "proven",
    }
    uno = rows["uno"]
    assert (uno["status"], uno["flash_bytes"], uno["ram_bytes"]) == ("datasheet only", None, None)
    assert (uno["chip_flash_bytes"], uno["chip_ram_bytes"]) == (32_768, 2_048)
    assert run(["boards"]) == 0
    out = capsys.readouterr().out
    assert "microbit2    BBC micro:bit v2 (nRF52833); proven\n" in out
    assert "cortex-m4f, FPU, 64 MHz" in out
    assert "bytes in all: flash 32,768, RAM 2,048; no firmware yet" in out


def test_plan_as_a_process_in_json(folder: Path) -> None:
    done = nnlite("plan", "m.safetensors", "--board", "microbit", "--learn", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["fits"] is True
    assert answer.keys() >= {"fits", "flash_bytes", "ram_bytes", "stack_bytes", "limits", "reasons", "parts"}
    for memory in ("flash", "ram", "stack"):
        assert answer[f"{memory}_bytes"] == sum(answer["parts"][memory].values()) <= answer["limits"][memory]


def test_plan_says_what_would_fit(capsys: Capsys) -> None:
    assert run(["plan", "--sizes", "300,400,7", "--board", "microbit"]) == 8
    out = capsys.readouterr().out
    assert "It does not fit:" in out
    assert "what would fit: 300-92-7" in out
    assert run(["plan", "--sizes", "300,92,7", "--board", "microbit", "-q"]) == 0
    assert capsys.readouterr().out == "It fits.\n"


def test_plan_of_a_way_to_learn(folder: Path, capsys: Capsys) -> None:
    """The parts are the library's; what does not fit is named with what would."""
    how = ["--learn", "--optimizer", "adam", "--last-layers", "1", "--batch-size", "3", "--keep"]
    assert run(["plan", "m.safetensors", "--board", "microbit", *how, "--json"]) == 0
    ram = json.loads(capsys.readouterr().out)["parts"]["ram"]
    expected = learning_bytes((3, 5, 3), "softmax", Learning(3, "adam", 1, True))
    assert {name: size for name, size in ram.items() if name != "firmware"} == {n: b for n, b in expected.items() if b}
    assert run(["plan", "--sizes", "64,32,10", "--board", "microbit", "--learn", "--optimizer", "adam"]) == 8
    out = capsys.readouterr().out
    assert "RAM: learning by adam with batches of 1 takes" in out
    assert "what would fit: learning by sgd with batches of 1" in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--board", "microbit"], 2, "either a model file or --sizes"),
        (["m.safetensors", "--sizes", "3,4", "--board", "microbit"], 2, "either a model file or --sizes"),
        (["m.safetensors", "--regression", "--board", "microbit"], 2, "--regression goes with --sizes"),
        (["--sizes", "3,4", "--board", "nano"], 2, "no board 'nano'; boards are microbit, microbit2"),
        (["--sizes", "3,4", "--board", "nano.toml"], 2, "nano.toml: No such file"),
        (["--sizes", "3", "--board", "microbit"], 2, "not [3]"),
        (["--sizes", "3,0", "--board", "microbit"], 2, "not [3, 0]"),
        (["--sizes", "3,65536", "--board", "microbit"], 2, "not [3, 65536]"),
        (["--sizes", "3,x", "--board", "microbit"], 2, "--sizes takes sizes such as"),
        (["--sizes", "3,4", "--board", "microbit", "--batch-size", "0"], 2, "batch size"),
        (["--sizes", "3,4", "--board", "microbit", "--optimizer", "rmsprop"], 2, "optimizer must be sgd, momentum"),
        (["--sizes", "3,4,2", "--board", "microbit", "--last-layers", "3"], 2, "last layers to train must be"),
        (["--sizes", "3,4,2", "--board", "microbit", "--last-layers", "0"], 2, "last layers to train must be"),
        (["gone.safetensors", "--board", "microbit"], 2, "gone.safetensors: No such file"),
        (["data.csv", "--board", "microbit"], 9, "data.csv is not a model file"),
    ],
)
def test_plan_refuses(arguments: list[str], code: int, says: str, folder: Path, capsys: Capsys) -> None:
    got, line = refused(capsys, "plan", *arguments)
    assert (got, says in line) == (code, True), line


def test_firmware_is_the_prebuilt_one(folder: Path) -> None:
    done = nnlite("firmware", "--board", "microbit2", "-o", "f.hex", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert "wrote f.hex" in done.stderr
    assert (folder / "f.hex").read_text(encoding="ascii") == Profile.load("microbit2").firmware_hex()


def test_firmware_is_written_through_a_link(folder: Path) -> None:
    (folder / "link.hex").symlink_to(folder / "real.hex")
    assert run(["firmware", "--board", "microbit", "-o", "link.hex", "-q"]) == 0
    assert (folder / "link.hex").is_symlink()
    assert (folder / "real.hex").is_file()


@pytest.mark.parametrize("output", [".", "gone/f.hex"])
def test_firmware_names_a_place_that_cannot_be_written(output: str, folder: Path, capsys: Capsys) -> None:
    code, line = refused(capsys, "firmware", "--board", "microbit", "-o", output)
    assert code == 2
    assert f"cannot write {output}" in line


def test_a_plan_without_firmware_says_that_it_is_not_exact(capsys: Capsys) -> None:
    assert run(["plan", "--sizes", "4,4,2", "--board", "uno"]) == 8
    out = capsys.readouterr().out
    assert "uno (datasheet only), inference" in out
    assert "not exact: these are the network's bytes alone" in out
    assert "stack" not in out
    assert "Whether it fits is not known:\n  there is no firmware for uno yet" in out
    assert run(["plan", "--sizes", "64,32,10", "--board", "uno", "--learn", "--json"]) == 8
    answer = json.loads(capsys.readouterr().out)
    assert (answer["exact"], answer["fits"], answer["status"]) == (False, False, "datasheet only")


def test_a_plan_with_firmware_says_that_it_is_exact(capsys: Capsys) -> None:
    assert run(["plan", "--sizes", "4,4,2", "--board", "microbit"]) == 0
    out = capsys.readouterr().out
    assert "microbit (proven), inference" in out
    assert "not exact" not in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("firmware", "--board", "uno", "-o", "f.hex"),
        ("demo", "--board", "uno", "--out", "demo"),
        ("info", "--port", "sim://uno"),
    ],
)
def test_where_firmware_is_needed_a_board_without_is_refused(
    arguments: tuple[str, ...], folder: Path, capsys: Capsys
) -> None:
    before = set(folder.iterdir())
    code, line = refused(capsys, *arguments)
    assert (code, line) == (
        8,
        "nnlite: there is no firmware for the board 'uno' yet; there is for microbit, microbit2, nano33ble",
    )
    assert set(folder.iterdir()) == before


def test_train_for_a_board_without_firmware_is_refused_before_training(folder: Path, capsys: Capsys) -> None:
    code, line = refused(
        capsys, "train", "data.csv", "--target", "state", "--board", "pico", "--hidden", "4", "-o", "n.safetensors"
    )
    assert code == 8
    assert "it is not known whether the network fits pico: there is no firmware for pico yet" in line
    assert not (folder / "n.safetensors").exists()
