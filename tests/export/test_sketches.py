"""What the sketches do with what comes over the line, on an Arduino core of ours whose line is a text."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from nnlite.export.formats import export
from tests.export.toolchains import design

HERE = Path(__file__).resolve().parent
REFUSED = "a number is missing or too large: the sample is dropped"


def built(name: str, title: str, folder: Path) -> Path:
    """The sketch as a program of this computer."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed (Debian's g++)")
    wanted = design(name)
    export(wanted.net, "arduino", folder / name, learning=wanted.learning)
    library = folder / name / "src" / f"{name}.c"
    sketch = folder / name / "examples" / title / f"{title}.ino"
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HERE / 'arduino'}", f"-I{library.parent}"]
    objects = []
    for source, more in ((library, []), (HERE / "arduino" / "line.cpp", []), (sketch, ["-include", "Arduino.h"])):
        objects.append(str(folder / f"{source.stem}.o"))
        subprocess.run([compiler, "-x", "c++", *flags, *more, "-c", str(source), "-o", objects[-1]], check=True)
    program = folder / "program"
    subprocess.run([compiler, *objects, "-o", str(program)], check=True)
    return program


def said(program: Path, text: str) -> list[str]:
    done = subprocess.run([program, text], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_learning_takes_whole_samples_and_nothing_else(tmp_path: Path) -> None:
    program = built("sgd", "Learning", tmp_path)
    net = design("sgd").net
    sample = " ".join(f"0.{n + 1}" for n in range(net.sizes[0]))
    outputs = net.sizes[-1]
    once = said(program, f"{sample} 1\n")
    assert len(once) == 1
    assert float(once[0]) > 0
    # An end of line is no sample; a sample that is cut short, a class that there is not and a number beyond float32 are
    # dropped, and what was learned stays.
    assert said(program, f"\r\n{sample} 1\r\n\r\n") == once
    twice = said(program, f"{sample} 1\n{sample} 1\n")
    assert twice[0] == once[0]
    assert float(twice[1]) < float(twice[0])
    assert said(program, f"{sample} 1\n{sample} {outputs}\n{sample} 1\n") == [
        twice[0],
        "there is no such class: the sample is dropped",
        twice[1],
    ]
    assert said(program, f"{sample} 1\n{sample}") == [once[0], REFUSED]
    huge = "9" * 60
    assert said(program, f"{sample} 1\n{huge}\n{sample} 1\n") == [twice[0], REFUSED, twice[1]]


def test_answers_are_only_given_to_whole_samples(tmp_path: Path) -> None:
    program = built("bare", "Serial", tmp_path)
    sample = " ".join(f"0.{n + 1}" for n in range(design("bare").net.sizes[0]))
    answers = said(program, f"{sample}\n\n{sample}\n")
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert said(program, f"{sample}\n0.5") == [answers[0], REFUSED]
