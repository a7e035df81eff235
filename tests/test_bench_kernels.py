"""`nnlite bench kernels`: all of them learn the same, and what is said of it. How fast they are is not looked at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nnlite.bench.c_runtime import CShape, build
from nnlite.bench.digits import digits_path, time_digits
from nnlite.bench.kernels import Cell, Pace, bench_kernels, summaries
from nnlite.bench.peers.in_c import network_header
from nnlite.bench.peers.roster import PEERS, Peer
from nnlite.bench.workloads import WORKLOADS
from nnlite.cli import run
from nnlite.cli.bench_kernels import pace_table, summary_table
from nnlite.errors import IncompatibleError, IntegrityError
from nnlite.export.native import compilers
from tests.cli.command import environment
from tests.runtime import native

SECONDS = 0.002
IN_C = ("c", "runtime")
BY_NAME = {workload.name: workload for workload in WORKLOADS}


def quietly(done: int, total: int) -> None:
    """No progress."""


@pytest.fixture(scope="session", autouse=True)
def compiler() -> None:
    """Without one there is little to compare."""
    try:
        compilers()
    except IncompatibleError as error:
        pytest.skip(str(error))


def test_the_verb_prints_json_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "paces.svg"
    few = "--workloads D,A --batch-sizes 32,1,32 --peers runtime,c --seconds 0.002 --rounds 2"
    assert run(["bench", "kernels", *few.split(), "--plot", str(plot), "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told.keys() == {"computer", "versions", "missing", "cells", "summary", "two_threads", "digits"}
    assert told["computer"].keys() == {"processor", "cores", "system", "python"}
    assert told["versions"].keys() == {"nnlite", *IN_C}
    assert (told["missing"], told["two_threads"], told["digits"]) == ({}, None, None)
    cells = [(cell["workload"], cell["batch_size"]) for cell in told["cells"]]
    assert cells == [("A", 32), ("A", 1), ("D", 32), ("D", 1)]
    for cell in told["cells"]:
        assert cell["sizes"] == list(BY_NAME[cell["workload"]].sizes)
        assert list(cell["paces"]) == ["nnlite", *IN_C]
        for pace in cell["paces"].values():
            assert pace["rows"] % cell["batch_size"] == 0
            assert 0 < pace["least"] <= pace["ratio"] <= pace["most"]
            assert pace["samples_per_second"] > 0
            assert pace["epochs"] > 0
        assert cell["paces"]["nnlite"]["ratio"] == 1
    for one, peer in zip(told["summary"], IN_C, strict=True):
        assert one["peer"] == peer
        assert one["geometric_mean"].keys() == {"1", "32"}
        assert one["least"] <= one["usual"]
    drawn = ElementTree.fromstring(plot.read_text(encoding="utf-8"))
    assert len(drawn.findall("{*}circle")) == len(cells) * 3
    assert "Python" in said.err


def test_the_verb_prints_tables(capsys: pytest.CaptureFixture[str]) -> None:
    few = "--workloads D --batch-sizes 1 --peers c --seconds 0.002 --rounds 1"
    assert run(["bench", "kernels", *few.split(), "-q"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    head, row, empty, *rest = said.out.splitlines()
    assert head.split() == ["batch", "nnlite", "C", "ratio"]
    assert row.split()[:2] == ["D", "1"]
    assert (empty, len(rest)) == ("", 4)


def test_what_a_person_reads() -> None:
    def cell(workload: str, size: int, *paces: tuple[float, float]) -> Cell:
        ours, *others = [Pace("", 1, 1, pace, ratio, ratio, ratio) for pace, ratio in paces]
        return Cell(workload, (1, 1), size, ours, dict(zip(("c", "torch"), others, strict=True)))

    cells = [
        cell("A", 1, (3_551_000, 1), (1_896_000, 1.873), (10_700, 332.0)),
        cell("A", 32, (15_697_000, 1), (2_264_000, 6.933), (291_000, 53.94)),
        cell("D", 1, (14_282_400, 1), (8_988_000, 1.589), (10_900, 1310.2)),
    ]
    assert pace_table(cells).splitlines() == [
        "   batch  nnlite      C  ratio  torch  ratio",
        "A      1   3,551  1,896   1.87   10.7    332",
        "A     32  15,697  2,264   6.93    291   53.9",
        "D      1  14,282  8,988   1.59   10.9  1,310",
    ]
    assert summary_table(summaries(cells)).splitlines() == [
        "nnlite's ratio to                        C  torch",
        "geometric mean, batch size 1          1.73    660",
        "geometric mean, batch size 32         6.93   53.9",
        "geometric mean, batch sizes 1 and 32  2.74    286",
        "least                                 1.59   53.9",
        "  workload and batch size              D 1   A 32",
    ]


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_learns_the_same(name: str) -> None:
    """Else the measuring ends with an error. C is the one with a linear output."""
    peer = PEERS[name]
    if not peer.is_installed:
        pytest.skip(f"{peer.install} is not installed (requirements-bench.txt)")
    results = bench_kernels([BY_NAME["C"], BY_NAME["D"]], [1, 32], {name: peer}, SECONDS, 1, False, quietly)
    assert results.missing == {}
    assert [cell.peers.keys() for cell in results.cells] == 4 * [{name}]


def test_steps_are_counted_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    bench_kernels([BY_NAME["D"]], [1, 32], {"c": PEERS["c"]}, SECONDS, 2, False, lambda *step: seen.append(step))
    assert seen == [(n, 12) for n in range(1, 13)]


@pytest.mark.parametrize(
    ("trainer", "same_bits", "error", "said"),
    [
        ("Near", True, IntegrityError, "1 of 67 parameters have other bits"),
        ("Last", False, IntegrityError, "does not learn workload D as nnlite does: its parameters are"),
        ("Refusing", False, IncompatibleError, "ValueError: not today"),
        ("Dying", False, IncompatibleError, "its process ended with 1: out of memory"),
    ],
)
def test_a_trainer_that_is_not_what_it_should_be(
    trainer: str, same_bits: bool, error: type[Exception], said: str
) -> None:
    peer = Peer("other", "tests.trainers", trainer, same_bits=same_bits)
    with pytest.raises(error, match=said):
        bench_kernels([BY_NAME["D"]], [1], {"other": peer}, SECONDS, 1, False, quietly)


def test_another_order_of_sums_is_no_difference() -> None:
    """Which a peer that need not have the same bits may have."""
    peer = Peer("other", "tests.trainers", "Near")
    assert bench_kernels([BY_NAME["D"]], [1], {"other": peer}, SECONDS, 1, False, quietly).cells


def test_who_is_not_there_is_left_out() -> None:
    """Not installed, or installed and broken."""
    peers = {
        "absent": Peer("absent", "tests.trainers", "Near", "no_such_package", "no-such-package"),
        "broken": Peer("broken", "tests.no_such_module", "Near"),
        "c": PEERS["c"],
    }
    results = bench_kernels([BY_NAME["D"]], [1], peers, SECONDS, 1, False, quietly)
    assert results.cells[0].peers.keys() == {"c"}
    assert results.missing["absent"] == "no-such-package is not installed"
    assert "No module named 'tests.no_such_module'" in results.missing["broken"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--peers elephant", "--peers knows c, runtime, jax, torch, sklearn, not 'elephant'"),
        ("--peers ,", "--peers takes names"),
        ("--workloads A,Z", "--workloads knows A, B, C, D, E, not 'Z'"),
        ("--batch-sizes 0", "divisors of 8,192"),
        ("--batch-sizes 3", "divisors of 8,192"),
        ("--batch-sizes some", "not 'some'"),
        ("--seconds 0", "--seconds"),
        ("--rounds 0", "--rounds"),
        ("--board microbit", "--board belongs to 'bench device' and 'bench link'"),
    ],
)
def test_what_the_verb_does_not_take(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "kernels", *words.split()]) == 2
    assert said in capsys.readouterr().err


def test_a_plot_that_cannot_be_written_is_said_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "kernels", "--plot", str(tmp_path / "nowhere" / "paces.svg")]) == 2
    assert capsys.readouterr().err.startswith("nnlite: cannot write")


@pytest.mark.skipif(os.name == "nt", reason="SIGINT to one process is POSIX")
def test_an_interrupt_ends_it() -> None:
    command = [sys.executable, "-m", "nnlite", "bench", "kernels", "--seconds", "60", "--peers", "c"]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "Python" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.startswith("nnlite: interrupted")
    assert len(err.splitlines()) == 1


def test_the_digits_are_learned() -> None:
    path = digits_path()
    if path is None:
        pytest.skip("scikit-learn is not installed, which has the digits")
    digits = time_digits(path, 1)
    assert (digits.sizes, digits.epochs, digits.samples) == ((64, 32, 10), 30, 1797)
    assert digits.accuracy > 0.98
    assert digits.seconds > 0


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_plain_loops_are_as_strict_as_the_runtime(workload: object, tmp_path: Path) -> None:
    """No warning, whatever the network."""
    assert isinstance(workload, type(WORKLOADS[0]))
    (tmp_path / "network.h").write_text(network_header(workload.sizes, workload.output), encoding="ascii")
    flags = ["-O1", "-c", f"-I{tmp_path}"]
    native.compile_c(compilers()[0], flags, [native.BENCH / "plain.c"], tmp_path / "plain.o")


def test_c_that_does_not_build_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "broken.c"
    source.write_text("int broken = ;\n", encoding="ascii")
    with pytest.raises(IncompatibleError, match=r"broken\.c"):
        build(compilers()[0], [source])


def test_c_says_when_training_diverges() -> None:
    from nnlite.errors import DivergedError

    workload = BY_NAME["C"]
    parameters, X, truth = workload.draw_rows(8)
    library = build(compilers()[0], [])
    with pytest.raises(DivergedError, match="row"):
        library.epochs(CShape.of(workload.sizes, 1, 0), parameters, X, truth, 1e6, 1, 1)
