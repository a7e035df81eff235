"""The demo is no theatre: with one bit or byte wrong anywhere it fails, and leaves no report of a success."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_sim import Board, Measurement
from nnlite import demo
from nnlite.datasets import Shoulder, load_shoulder
from nnlite.errors import IntegrityError, NNLiteError
from nnlite.image import MAX_HEADER_BYTES, decode_header
from nnlite.planner import Plan
from nnlite.profile import Profile


class OtherBoard(Board):
    """The real board; `on_measure` may change it when the demo begins to count the calls of a function."""

    def __init__(self, profile: Profile, flipped: tuple[int, int] | None, on_measure: Callable[[Board, str], None]):
        self._on_measure = on_measure
        super().__init__(profile)
        if flipped is not None:
            address, mask = flipped
            self.write_memory(address, bytes([self.read_memory(address, 1)[0] ^ mask]))

    @contextmanager
    def measure(self, function: str) -> Iterator[Measurement]:
        self._on_measure(self, function)
        with super().measure(function) as result:
            yield result


class OtherScreen(demo.Silent):
    """Shows nothing; `at` is called with what a bar is for and "begins" or "ended", and how often it was before."""

    def __init__(self, at: Callable[[str, int], None]) -> None:
        self._at = at
        self._seen: list[str] = []

    def _tell(self, what: str) -> None:
        self._at(what, self._seen.count(what))
        self._seen.append(what)

    @contextmanager
    def bar(self, what: str) -> Iterator[Callable[[int, int], None]]:
        self._tell(f"{what} begins")
        yield lambda done, total: None
        self._tell(f"{what} ended")


class OtherSimulator:
    """A simulator whose boards are not quite what they should be.

    Attributes
    ----------
    board : the last one that was opened.
    """

    board: Board

    def __init__(
        self,
        flipped: tuple[int, int] | None = None,
        on_measure: Callable[[Board, str], None] = lambda board, what: None,
    ) -> None:
        self._flipped = flipped
        self._on_measure = on_measure

    def open_board(self, board: str) -> Board:
        self.board = OtherBoard(Profile.load(board), self._flipped, self._on_measure)
        return self.board


def few_windows() -> Shoulder:
    """Six windows of each recording of one arm; three of them would be too few to learn from and to test on."""
    data = load_shoulder()
    keep = (data.window < 6) & (data.side == 0)
    rows = {
        name: getattr(data, name)[keep] for name in ("features", "exercise", "subject", "side", "recording", "window")
    }
    return replace(data, **rows)


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    monkeypatch.setattr(demo, "_EPOCHS", 2)
    monkeypatch.setattr(demo, "_LEARNING_EPOCHS", 1)
    few = few_windows()
    monkeypatch.setattr(demo, "load_shoulder", lambda: few)

    def run(simulator: OtherSimulator, screen: demo.Screen | None = None) -> dict[str, Any]:
        monkeypatch.setattr(demo, "load_simulator", lambda: simulator)
        return demo.run_demo("microbit", "accelerometer", 7, tmp_path, screen or demo.Silent())

    return run


def no_report(folder: Path) -> bool:
    return json.loads((folder / "report.json").read_text(encoding="utf-8")) == {}


def test_the_short_way_succeeds(go: Any, tmp_path: Path) -> None:
    """Otherwise the others would prove nothing."""
    report = go(OtherSimulator())
    assert report["learning_bit_identical"] is True
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == report


@pytest.mark.parametrize(("kernel", "compared"), [("core_sum", "logit"), ("core_column", "parameter")])
def test_a_bit_of_an_inner_loops_machine_code(kernel: str, compared: str, go: Any, tmp_path: Path) -> None:
    """Some bits make the core stumble, some make it compute something else; those on a way that no term of these
    samples takes do not matter."""
    symbol = Profile.load("microbit").firmware.symbols[kernel]
    said = []
    for offset in range(40, symbol.size - symbol.size % 4, 32):
        try:
            go(OtherSimulator((symbol.address + offset, 1)))
        except NNLiteError as error:
            assert no_report(tmp_path)
            said.append(str(error))
        else:
            said.append("nothing")
    print("\n".join(said))
    assert len(said) >= 9
    assert 2 * said.count("nothing") < len(said)
    assert any(line.startswith(compared) and "differ" in line for line in said)
    assert all(f"in {kernel}" in line or "pc 0x" in line or "differ" in line or line == "nothing" for line in said)


def flip(board: Board, slot: int, behind_parameters: int) -> None:
    """Another byte of the image in a slot, counted from the end of its parameters."""
    image = board.profile.slot_address(slot) + board.profile.page_bytes
    head = board.read_memory(image, MAX_HEADER_BYTES)
    length = len(board.flash[image - board.profile.flash_start :][: board.profile.slot_image_bytes].rstrip(b"\xff"))
    at = image + decode_header(head, length).metadata_offset + behind_parameters
    board.write_memory(at, bytes([board.read_memory(at, 1)[0] ^ 0x40]))


def flip_last_parameter(board: Board, slot: int = 0) -> None:
    """A bias of the output, so that it shows in a logit, by a quarter of its value."""
    flip(board, slot, -2)


def test_a_bit_of_a_parameter_in_flash_after_the_verify(go: Any, tmp_path: Path) -> None:
    def meddle(board: Board, measured: str) -> None:
        if measured == "model_run_row":
            flip_last_parameter(board)

    with pytest.raises(IntegrityError, match=r"logit 0, 6 is .* on the device and .* on the laptop"):
        go(OtherSimulator(on_measure=meddle))
    assert no_report(tmp_path)


def test_a_bit_of_a_parameter_in_flash_before_the_learning(go: Any, tmp_path: Path) -> None:
    def meddle(board: Board, measured: str) -> None:
        if measured == "model_train_row":
            flip_last_parameter(board)

    with pytest.raises(IntegrityError, match=r"parameter \d+ is .* on the device and .* on the laptop"):
        go(OtherSimulator(on_measure=meddle))
    assert no_report(tmp_path)


def test_a_letter_of_a_label_in_flash_before_the_verify(go: Any, tmp_path: Path) -> None:
    """No logit and no parameter shows it."""
    simulator = OtherSimulator()

    def meddle(what: str, before: int) -> None:
        if what == "flashing ended":
            flip(simulator.board, 0, len('{"labels":["'))

    with pytest.raises(IntegrityError, match="digest"):
        go(simulator, OtherScreen(meddle))
    assert no_report(tmp_path)


def test_a_bit_of_a_parameter_only_while_the_board_runs_what_it_learned(go: Any, tmp_path: Path) -> None:
    """What is pulled afterwards is right again: the logits alone show it."""
    simulator = OtherSimulator()

    def meddle(what: str, before: int) -> None:
        if what.startswith("running") and before == 1:
            flip_last_parameter(simulator.board, slot=1)

    with pytest.raises(IntegrityError, match=r"logit after learning 0, 6 is .* on the device and .* on the laptop"):
        go(simulator, OtherScreen(meddle))
    assert no_report(tmp_path)


@pytest.mark.parametrize("memory", ["flash", "ram"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_plan_that_is_off_by_one_byte(
    memory: str, change: int, go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: Any, **options: Any) -> Plan:
        answer = plan(*arguments, **options)
        parts = list(answer.parts)
        at = next(n for n, part in enumerate(parts) if part.memory == memory)
        parts[at] = replace(parts[at], bytes=parts[at].bytes + change)
        return replace(answer, parts=tuple(parts))

    plan = demo.plan
    monkeypatch.setattr(demo, "plan", wrong)
    with pytest.raises(IntegrityError, match=f"plan was not exact .{memory}: "):
        go(OtherSimulator())
    assert no_report(tmp_path)


def test_a_plan_of_too_little_stack(go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = demo.plan

    def wrong(*arguments: Any, **options: Any) -> Plan:
        answer = plan(*arguments, **options)
        return replace(answer, parts=tuple(replace(p, bytes=64) if p.memory == "stack" else p for p in answer.parts))

    monkeypatch.setattr(demo, "plan", wrong)
    with pytest.raises(IntegrityError, match="stack: 64 planned at most"):
        go(OtherSimulator())
    assert no_report(tmp_path)
