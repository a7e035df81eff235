"""demo: the whole of it once a board, and what it refuses before it begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnlite.cli import demo_verb, run
from nnlite.network import load
from tests.cli.command import refused

PROMISED = {
    "board", "person", "inference_bit_identical", "learning_bit_identical", "accuracy_laptop",
    "accuracy_device_before", "accuracy_device_after", "flash_bytes", "ram_bytes", "stack_bytes",
    "cycles_per_inference", "cycles_per_training_step", "instructions_per_inference",
    "instructions_per_training_step", "link_bytes", "seconds",
}  # fmt: skip


@pytest.mark.parametrize("board", ["microbit", "microbit2", "nano33ble"])
def test_demo(board: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "demo"
    assert run(["demo", "--board", board, "--out", str(out), "--json"]) == 0
    printed, remarks = capsys.readouterr()
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert json.loads(printed) == report
    assert report.keys() >= PROMISED
    assert (report["board"], report["person"]) == (board, 3)
    assert report["inference_bit_identical"] is True
    assert report["learning_bit_identical"] is True
    assert report["parameters_compared"] == 375
    assert report["logits_compared"] == 7 * (report["logits_compared"] // 7) > 7 * report["windows_tested"]
    before, after = report["accuracy_device_before"], report["accuracy_device_after"]
    assert before.keys() == after.keys() == {"3"}
    assert 0.5 < before["3"] < after["3"] <= 1
    assert report["accuracy_laptop"] > 0.7
    for memory in ("flash_bytes", "ram_bytes"):
        assert report[memory]["planned"] == report[memory]["measured"] > 0
    assert 0 < report["stack_bytes"]["measured"] <= report["stack_bytes"]["planned"]
    assert (
        report["cycles_per_training_step"] > report["cycles_per_inference"] > report["instructions_per_inference"] > 0
    )
    assert report["link_bytes"].keys() == {"sent", "received"}
    general, personal = (load(out / f"{name}.safetensors") for name in ("model", "personal"))
    assert (general.sizes, general.labels, general.features) == (personal.sizes, personal.labels, personal.features)
    assert general.parameters.tobytes() != personal.parameters.tobytes()
    steps = [line for line in remarks.splitlines() if line.startswith("[")]
    assert [step.split("]")[0] for step in steps] == [f"[{n}/7" for n in range(1, len(steps) + 1)]
    assert [line for line in (remarks + demo_verb._summary(report)).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--board", "nano"], "no board 'nano'"),
        (["--person", "4"], "3, 7, 9, not 4"),
        (["--sensors", "camera"], "accelerometer, imu, not 'camera'"),
        (["--out", "file"], "cannot write into file"),
    ],
)
def test_demo_refuses(
    options: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    code, line = refused(capsys, "demo", *options)
    assert (code, says in line) == (2, True), line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
