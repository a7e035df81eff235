"""`nnlite run -` as a process of its own, with its standard input held open, on served boards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from nnlite.network import load
from tests.cli.command import environment, nnlite
from tests.cli.conftest import FEATURES
from tests.serving import served, serving

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals and SIGINT to one process are POSIX")


@contextmanager
def live(folder: Path, *options: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "nnlite", "run", "-", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, env=environment(**more), stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8"
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[str], line: str) -> str:
    """Write one line, read one."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline().rstrip("\n")


def close(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture
def port(folder: Path) -> Iterator[str]:
    """A board with m.safetensors."""
    with served("--fast") as url:
        assert nnlite("flash", "m.safetensors", cwd=folder, NNLITE_PORT=url).returncode == 0
        yield url


def test_each_sample_is_answered_before_the_next_is_read(folder: Path, port: str) -> None:
    net = load(folder / "m.safetensors")
    X = np.random.default_rng(3).normal(0, 3, (5, 3)).astype(np.float32)
    with live(folder, NNLITE_PORT=port) as process:
        assert process.stdin is not None
        process.stdin.write(",".join(FEATURES) + "\n")
        answers = [ask(process, ",".join(map(repr, row.tolist()))) for row in X]
        code, out, err = close(process)
    assert (code, out) == (0, "")
    assert answers == net.predict(X).tolist()
    assert err.startswith("5 samples, p50 / p95 / max: computing ")
    assert err.rstrip().endswith("(simulated microbit, 115,200 baud)")


def test_json_is_one_object_a_line(folder: Path, port: str) -> None:
    net = load(folder / "m.safetensors")
    with live(folder, "--json", "-q", NNLITE_PORT=port) as process:
        answer = json.loads(ask(process, "1,2,3"))
        code, out, err = close(process)
    assert (code, err) == (0, "")
    assert answer.keys() == {"label", "probabilities", "seconds"}
    assert answer["probabilities"] == net.predict_proba([[1, 2, 3]])[0].tolist()
    seconds = answer["seconds"]
    assert 0 < seconds["computing"] < seconds["device"] < seconds["round_trip"]
    last = json.loads(out)
    assert (last["samples"], last["baud"], last["board"], last["simulated"]) == (1, 115_200, "microbit", True)
    assert last["seconds"]["device"] == dict.fromkeys(("p50", "p95", "max"), seconds["device"])


def test_a_line_that_is_wrong_ends_it_by_its_number(folder: Path, port: str) -> None:
    with live(folder, NNLITE_PORT=port) as process:
        assert ask(process, "1,2,3")
        assert ask(process, "1,2,three") == ""
        code, _, err = close(process)
    assert code == 9
    assert err.startswith("1 sample")
    assert err.splitlines()[-1].startswith("nnlite: standard input, line 2, column '3': 'three' is not a number")


def test_ctrl_c_says_how_long_the_answers_took(folder: Path, port: str) -> None:
    with live(folder, NNLITE_PORT=port) as process:
        assert ask(process, "1,2,3")
        process.send_signal(signal.SIGINT)
        code, _, err = close(process)
    assert code == 130
    assert "1 sample, p50" in err
    assert err.splitlines()[-1].startswith("nnlite: interrupted")
    assert "Traceback" not in err
    assert nnlite("verify", "m.safetensors", cwd=folder, NNLITE_PORT=port).returncode == 0


def test_no_samples_no_figures(folder: Path, port: str) -> None:
    with live(folder, NNLITE_PORT=port) as process:
        assert close(process) == (0, "", "")


def test_columns_are_picked_by_name(folder: Path, port: str) -> None:
    turned = f"{FEATURES[2]},{FEATURES[0]},{FEATURES[1]}\n"
    with live(folder, "--like", "m.safetensors", "--json", NNLITE_PORT=port) as process:
        assert process.stdin is not None
        process.stdin.write(turned)
        answer = json.loads(ask(process, "3,1,2"))
    assert answer["probabilities"] == load(folder / "m.safetensors").predict_proba([[1, 2, 3]])[0].tolist()


def test_a_board_that_comes_back_under_another_name_is_followed(folder: Path, tmp_path: Path) -> None:
    """The first pseudo-terminal goes with its process; a board of the same id appears at another one."""
    unique_id, state = "00000000000000c7", str(tmp_path / "board.state")
    flashed = nnlite("flash", "m.safetensors", cwd=folder, NNLITE_PORT=f"sim://microbit?state={state}")
    assert flashed.returncode == 0, flashed.stderr
    board = ("-m", "nnlite", "sim", "-q", "--pty", "--fast", "--state", state, "--id", unique_id)

    now, later = tmp_path / "now", tmp_path / "later"
    with serving(*board) as first:
        now.symlink_to(first.url)
        with live(folder, "--port", f"id:{unique_id}", NNLITE_PORTS=f"{now} {later}") as process:
            assert ask(process, "1,2,3")
            first.process.terminate()
            first.process.wait(60)
            with serving(*board) as second:
                later.symlink_to(second.url)
                assert ask(process, "1,2,3")
                code, _, err = close(process)
    assert code == 0
    assert "the port vanished; waiting up to 30 s for board id:00000000000000c7" in err
    assert f"the board is back at {later}" in err
    assert "2 samples" in err
