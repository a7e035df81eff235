"""plan and firmware: what fits, what is printed, and what is refused."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest

from nnlite import Network
from nnlite.cli import run
from nnlite.planner import Learning, Plan, largest_layer, learning_bytes, plan
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
        "largest_layer": largest_layer(profile),
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
    assert f"; layers of {largest_layer(profile):,} at most\n" in out
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
    others = ("receive buffer", "frame buffers", "context", "other static data")
    shown = {name: size for name, size in expected.items() if size or name == "gradients dW"}
    assert {name: size for name, size in ram.items() if name not in others} == shown
    assert run(["plan", "--sizes", "64,32,10", "--board", "microbit", "--learn", "--optimizer", "adam"]) == 8
    out = capsys.readouterr().out
    assert "RAM: learning by adam with batches of 1 takes" in out
    assert "what would fit: learning by sgd with batches of 1" in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--board", "microbit"], 2, "either a model file or --sizes"),
        (["--sizes", "3,4"], 2, "plan takes one of --board, --all-boards and --compare"),
        (["--sizes", "3,4", "--board", "microbit", "--all-boards"], 2, "plan takes one of --board, --all-boards"),
        (["--sizes", "3,4", "--compare", "uno,pico", "--all-boards"], 2, "plan takes one of --board, --all-boards"),
        (["--sizes", "3,4", "--compare", "microbit"], 2, "--compare takes two boards such as microbit,microbit2"),
        (["--sizes", "3,4", "--compare", "uno,pico,uno"], 2, "--compare takes two boards such as"),
        (["--sizes", "3,4", "--compare", "uno,nano"], 2, "no board 'nano'; boards are microbit"),
        (["m.safetensors", "--sizes", "3,4", "--board", "microbit"], 2, "either a model file or --sizes"),
        (["m.safetensors", "--regression", "--board", "microbit"], 2, "--regression goes with --sizes"),
        (["--sizes", "3,4", "--board", "nano"], 2, "no board 'nano'; boards are microbit, microbit2"),
        (["--sizes", "3,4", "--board", "nano.toml"], 2, "nano.toml: No such file"),
        (["--sizes", "3", "--board", "microbit"], 2, "not [3]"),
        (["--sizes", "3,0", "--board", "microbit"], 2, "not [3, 0]"),
        (["--sizes", "3,65536", "--board", "microbit"], 2, "not [3, 65536]"),
        (["--sizes", "3,x", "--board", "microbit"], 2, "--sizes takes sizes such as"),
        (["--sizes", "3,4", "--board", "microbit", "--learn", "--batch-size", "0"], 2, "batch size"),
        (
            ["--sizes", "3,4", "--board", "microbit", "--learn", "--optimizer", "rmsprop"],
            2,
            "optimizer must be sgd, momentum",
        ),
        (
            ["--sizes", "3,4,2", "--board", "microbit", "--learn", "--last-layers", "3"],
            2,
            "last layers to train must be",
        ),
        (
            ["--sizes", "3,4,2", "--board", "microbit", "--learn", "--last-layers", "0"],
            2,
            "last layers to train must be",
        ),
        (["--sizes", "3,4", "--board", "microbit", "--optimizer", "adam"], 2, "and --keep go with --learn"),
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


# ---- every board, and two of them


def test_every_board_has_a_row_and_a_reason_where_it_does_not_fit(capsys: Capsys) -> None:
    assert run(["plan", "--sizes", "64,32,10", "--all-boards", "--learn"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["board", "fits", "flash", "RAM", "stack", "time", "status"]
    names = profile_names()
    rows = {line.split()[0]: line for line in lines[: len(names)]}
    assert tuple(rows) == names
    assert re.search(
        r"^microbit +yes +34,\d{3} +2\d\.\d % +13,\d{3} +9\d\.\d % +\d+ +1\.. s +proven$", rows["microbit"]
    )
    assert re.search(r"^pico +\? .* - +- +datasheet only$", rows["pico"])
    assert re.search(r"^uno +no .* 499\.6 % +- +- +datasheet only$", rows["uno"])
    assert lines[len(names)].startswith("pico: there is no firmware for pico yet")
    assert lines[len(names) + 1].startswith("uno: RAM: learning by sgd with batches of 1 takes 10,232 bytes")
    assert max(map(len, [head, *rows.values()])) <= 80


@pytest.mark.parametrize(("sizes", "code"), [("64,32,10", 0), ("640,128,128,10", 0), ("3000,3000,10", 8)])
def test_every_board_is_enough_when_one_is(sizes: str, code: int, capsys: Capsys) -> None:
    assert run(["plan", "--sizes", sizes, "--all-boards", "--json"]) == code
    plans = json.loads(capsys.readouterr().out)
    assert [plan["board"] for plan in plans] == list(profile_names())
    assert (code == 0) == any(plan["fits"] for plan in plans)
    assert run(["plan", "--sizes", sizes, "--all-boards", "-q"]) == code
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(profile_names())


def test_two_boards_side_by_side(capsys: Capsys) -> None:
    assert run(["plan", "--sizes", "64,32,10", "--compare", "microbit, microbit2", "--learn"]) == 0
    out = capsys.readouterr().out
    one, other = (plan_of([64, 32, 10], board) for board in ("microbit", "microbit2"))
    assert re.search(r"(?m)^RAM +inputs +256 +256$", out)
    more = other.ram_bytes - one.ram_bytes
    assert re.search(rf"(?m)^RAM +=  *together +{one.ram_bytes:,} +{other.ram_bytes:,} +\{more:+,}$", out)
    assert re.search(r"(?m)^RAM +code that runs in RAM +- +584$", out)
    assert out.startswith("microbit (proven) and microbit2 (proven), inference and learning; bytes:\n")
    assert re.search(r"(?m)^ +fits +yes +yes$", out)
    assert run(["plan", "--sizes", "64,32,10", "--compare", "microbit,microbit2", "--learn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [json.loads(json.dumps(answer.to_dict())) for answer in (one, other)]


def plan_of(sizes: list[int], board: str) -> Plan:
    return plan(Network(sizes), Profile.load(board), learn=True)


def test_of_two_boards_both_have_to_take_it(capsys: Capsys) -> None:
    assert run(["plan", "--sizes", "64,32,10", "--compare", "microbit,uno", "--learn"]) == 8
    out = capsys.readouterr().out
    assert re.search(r"(?m)^flash +=  *together +34,\d{3} +9,664$", out)  # nothing is subtracted from what is not known
    assert re.search(r"(?m)^stack +=  *together +\d+ +-$", out)
    assert "\nuno: RAM: learning" in out
    assert run(["plan", "--sizes", "3000,3000,10", "--compare", "microbit2,microbit"]) == 8


# ---- what is printed


def test_suggestions_are_printed_as_they_are_asked_for_and_fit(capsys: Capsys) -> None:
    asked = ["--learn", "--optimizer", "adam", "--batch-size", "20", "--keep"]
    assert run(["plan", "--sizes", "64,32,10", "--board", "microbit", *asked]) == 8
    out = capsys.readouterr().out
    options = re.findall(r"(?m)^     (--.+)$", out.split("Nearest that fits:")[1])
    assert options[0] == "--learn --batch-size 20 --optimizer adam --last-layers 1 --keep"
    assert options[-1].startswith("--sizes 64,9,10 --learn --batch-size 1")
    for line in options:
        words = line.split() if "--sizes" in line else [*line.split(), "--sizes", "64,32,10"]
        assert run(["plan", "--board", "microbit", *words, "-q"]) == 0
        assert capsys.readouterr().out == "It fits.\n"


def test_suggestions_in_json(capsys: Capsys) -> None:
    assert run(["plan", "--sizes", "300,400,7", "--board", "microbit", "--json"]) == 8
    answer = json.loads(capsys.readouterr().out)
    assert answer["suggestions"] == [{"description": "300-92-7", "sizes": [300, 92, 7], "learn": False}]


@pytest.mark.parametrize(
    ("board", "says"),
    [
        ("microbit", "an unknown number a fetch"),
        ("microbit2", "up to 2 a fetch"),
    ],
)
def test_cycles_are_told_with_what_they_leave_out(board: str, says: str, capsys: Capsys) -> None:
    answer = plan_of([64, 32, 10], board)
    assert run(["plan", "--sizes", "64,32,10", "--board", board, "--learn"]) == 0
    out = capsys.readouterr().out
    for what, cost in (("an inference", answer.inference), ("a training step", answer.training_step)):
        assert cost is not None
        assert re.search(rf"(?m)^  {what}, estimated: [\d.]+ ms, {cost.cycles.estimate:,} cycles", out)
    assert f"  cycles are counted without the flash's wait states, {says}\n" in out


def test_estimates_are_told_and_said_to_be_such(capsys: Capsys) -> None:
    assert run(["plan", "--sizes", "64,32,10", "--board", "microbit"]) == 0
    out = capsys.readouterr().out
    assert "to flash, estimated: 1.3 s at 115,200 baud into an empty slot, 0.2 s of it erasing" in out
    assert (
        "a checkpoint erases 11 pages of one of two slots, 0.0025 % of the flash's endurance: enough for 40,000" in out
    )
    assert run(["plan", "--sizes", "64,32,10", "--board", "microbit", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["estimates"]
    assert (told["flash_baud"], told["checkpoint_pages"], told["checkpoint_wear"]) == (115_200, 11, 1 / 40_000)
    assert round(told["flash_seconds"], 1) == 1.3


class Output(io.TextIOWrapper):
    """A stdout of any encoding, that says whether it is a terminal."""

    def __init__(self, encoding: str, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def printed(monkeypatch: pytest.MonkeyPatch, width: int, encoding: str, *arguments: str) -> str:
    """What a terminal of a width shows; 0 for a pipe."""
    output = Output(encoding, width > 0)
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setenv("COLUMNS", str(width))
    run(["plan", *arguments])
    output.flush()
    content = output.buffer
    assert isinstance(content, io.BytesIO)
    return content.getvalue().decode(encoding)


LONG = ("--sizes", "64,32,10", "--board", "microbit", "--learn", "--optimizer", "adam", "--batch-size", "20", "--keep")
VIEWS = [
    LONG,
    ("--sizes", "64,32,10", "--all-boards", "--learn"),
    ("--sizes", "64,32,10", "--compare", "nano33ble,uno"),
]


@pytest.mark.parametrize("width", [60, 80, 132])
@pytest.mark.parametrize("arguments", VIEWS)
def test_no_line_is_wider_than_the_terminal(
    width: int, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = printed(monkeypatch, width, "utf-8", *arguments)
    assert max(map(len, text.splitlines())) <= width, text


def test_a_pipe_gets_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(monkeypatch, 0, "utf-8", *LONG)
    answer = plan(Network([64, 32, 10]), Profile.load("microbit"), True, 20, "adam", None, True)
    for reason in answer.reasons:
        assert f"\n  {reason}\n" in text


@pytest.mark.parametrize(
    ("encoding", "full", "empty"), [("utf-8", "\u2588", "\u2591"), ("ascii", "#", "."), ("cp1252", "#", ".")]
)
def test_bars_are_as_full_as_the_memory_in_characters_that_there_are(
    encoding: str, full: str, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = printed(monkeypatch, 80, encoding, "--sizes", "64,32,10", "--board", "microbit", "--learn")
    answer = plan_of([64, 32, 10], "microbit")
    for title, memory in (("flash", "flash"), ("RAM", "ram"), ("stack", "stack")):
        bar = re.search(rf"(?m)^  {title:<6} ([{full}{empty}]+) +([\d.]+) % +([\d,]+) of ([\d,]+)$", text)
        assert bar is not None
        total, limit = getattr(answer, f"{memory}_bytes"), answer.limits[memory]
        assert (bar[2], bar[3], bar[4]) == (f"{100 * total / limit:.1f}", f"{total:,}", f"{limit:,}")
        assert abs(bar[1].count(full) / len(bar[1]) - total / limit) < 1 / len(bar[1])
    text = printed(monkeypatch, 80, encoding, *LONG)
    assert re.search(rf"(?m)^  RAM    {full}+ 352\.0 % ", text)
