"""The command as a process: start-up, help, pipes, streams that are full or closed, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nnlite import __version__
from nnlite.cli import run
from nnlite.cli.verbs import VERBS as TABLE
from tests.cli.command import environment, nnlite, refused

VERBS = tuple(TABLE)
posix = pytest.mark.skipif(os.name != "posix", reason="shells, signals and /dev of POSIX")


def test_help_lists_every_verb_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from nnlite.cli import run; print(run(['--help']), run(['plan', '--sizes', '4,3', '--board',"
        "'microbit']), [m for m in ('numba', 'llvmlite', 'unicorn', 'safetensors', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1] == "0 0 []", done.stderr
    assert [line.split()[0] for line in done.stdout.split("Commands:\n")[1].splitlines()[: len(VERBS)]] == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example_in_80_columns(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert f"\n    nnlite {verb} " in out or f"\n    nnlite {verb}\n" in out
    assert "--quiet" in out


def test_help_of_a_narrow_terminal_has_no_colour_and_no_broken_word() -> None:
    done = nnlite("train", "--help", COLUMNS="40", NO_COLOR="1")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "--learning-rate <float>" in done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"nnlite {__version__}\n"


def test_no_command_shows_the_help_and_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    out, err = capsys.readouterr()
    assert "Commands:" in out
    assert err.startswith("nnlite: a command is missing")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bogus"], "No such command 'bogus'; see 'nnlite --help'"),
        (["flsh"], "No such command 'flsh'. Did you mean 'flash'? See 'nnlite --help'"),
        (["--bogus"], "No such option: --bogus"),
        (["train"], "Missing argument 'DATA'; see 'nnlite train --help'"),
        (["train", "data.csv"], "Missing option '-o' / '--output'; see 'nnlite train --help'"),
        (["train", "data.csv", "-o", "x", "--hiden", "3"], "--hidden"),
        (["train", "data.csv", "-o", "x", "--epochs", "many"], "Invalid value for '--epochs'"),
        (["plan", "--sizes", "3,4"], "plan takes one of --board, --all-boards and --compare"),
        (["flash"], "Missing argument 'MODEL'; see 'nnlite flash --help'"),
    ],
)
def test_wrong_words_are_usage_errors(
    arguments: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = refused(capsys, *arguments)
    assert code == 2
    assert says in line


def _shell(line: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    line = line.replace("nnlite", f"{sys.executable} -m nnlite")
    return subprocess.run(
        ["bash", "-c", line],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@posix
def test_a_reader_that_goes_is_no_error(folder: Path) -> None:
    done = _shell("nnlite plan --sizes 4,3 --board microbit | true; echo ${PIPESTATUS[0]}", folder)
    assert (done.stdout, done.stderr) == ("0\n", "")


@posix
@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full")
def test_a_full_disk_behind_stdout_or_a_file_is_a_path_error(folder: Path) -> None:
    done = _shell("nnlite plan --sizes 4,3 --board microbit > /dev/full", folder)
    assert done.returncode == 2
    assert done.stderr == "nnlite: cannot write the result to standard output: No space left on device\n"
    done = _shell("nnlite firmware --board microbit -o /dev/full", folder)
    assert done.returncode == 2
    assert "cannot write /dev/full: No space left on device" in done.stderr
    assert Path("/dev/full").is_char_device()


@posix
def test_closed_streams_are_no_error(folder: Path) -> None:
    done = _shell(
        "nnlite plan m.safetensors --board microbit >&- && nnlite firmware --board microbit -o f.hex 2>&-", folder
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (folder / "f.hex").exists()


def test_letters_that_the_output_has_not_are_escaped(folder: Path) -> None:
    port = f"sim://microbit?state={folder / 'board.state'}"
    assert run(["flash", "m.safetensors", "--port", port, "-q"]) == 0
    more = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = nnlite("run", "unlabelled.csv", "--port", port, cwd=folder, **more)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == {"at rest", "lifted, slowly", r"gr\xf6\xdfer"}


@posix
def test_ctrl_c_during_training_leaves_the_old_model(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    command = [sys.executable, "-m", "nnlite", "train", "data.csv", "--target", "state", "-o", "m.safetensors"]
    with subprocess.Popen(
        [*command, "--epochs", "10000000"], cwd=folder, env=environment(), stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("epoch"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(60) == 130
    assert rest.splitlines()[-1].startswith("nnlite: interrupted")
    assert "Traceback" not in rest
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
