"""Going over from the plain to the fast kernels in the middle of a training, and the process that compiles them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite import Network, fast, train, training
from nnlite.errors import DivergedError
from nnlite.fast import beside
from nnlite.fast.beside import Beside
from nnlite.fast.jit import fast_kernel
from nnlite.recipe import OPTIMIZERS
from tests.runtime.native import same_bits

FAILED = "compiling the fast kernels failed; the plain ones go on, slower, to the same network\n"
MEANWHILE = "compiling the fast kernels meanwhile; this computer keeps them for later, whatever the network\n"


def _missing(patch: pytest.MonkeyPatch) -> None:
    """As if the fast kernels had to be compiled for every training; looked for after each batch."""
    patch.setattr(fast, "choose", lambda *_: fast.Choice(False, "nowhere"))
    patch.setattr(training, "_STRETCH", 1)


def _trained(X: Any, y: Any, net: Network, arguments: dict[str, Any]) -> Any:
    try:
        return train(net, X, y, progress=False, **arguments)
    except DivergedError as error:
        return str(error)


@pytest.mark.usefixtures("fast_kernels")
@given(data=st.data())
def test_the_same_bits_whenever_it_goes_over(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    rows, output = data.draw(st.integers(5, 40)), data.draw(st.sampled_from(["softmax", "sigmoid", "linear"]))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    X, y = generator.normal(size=(rows, 5)).astype(np.float32), generator.uniform(size=(rows, 3)).astype(np.float32)
    X[data.draw(st.integers(0, rows - 1))] *= data.draw(st.sampled_from([1, 1, 1, 1e30]))
    truth: Any = np.arange(rows) % 3 if output == "softmax" else y
    arguments: dict[str, Any] = {
        "epochs": 3,
        "batch_size": data.draw(st.sampled_from([1, 4, 7])),
        "learning_rate": data.draw(st.sampled_from([0.05, 1e5])),
        "optimizer": data.draw(st.sampled_from([*OPTIMIZERS])),
        "clip_norm": data.draw(st.sampled_from([None, 0.5])),
        "sample_weight": data.draw(st.sampled_from([None, generator.uniform(size=rows)])),
    }
    looks = data.draw(st.integers(1, 130))

    class After(Beside):
        """Compiled after so many looks, since it is already."""

        def poll(self) -> bool | None:
            nonlocal looks
            looks -= 1
            return True if looks <= 0 else None

    plain, mine = Network([5, 18, 3], output=output), Network([5, 18, 3], output=output)
    samples: Any = X
    if data.draw(st.booleans()):
        path = tmp_path_factory.mktemp("mapped") / "X.npy"
        np.save(path, X)
        samples = np.load(path, mmap_mode="r")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "_PAYS_FROM", dict.fromkeys(fast._PAYS_FROM, np.inf))
        told = _trained(samples, truth, plain, arguments)
        _missing(patch)
        patch.setattr(beside, "Beside", After)
        assert _trained(samples, truth, mine, arguments) == told
    assert same_bits(mine.parameters, plain.parameters)


@pytest.mark.parametrize("executable", ["/nowhere/python", "false"])
def test_a_process_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], executable: str
) -> None:
    """The system cannot start it; or it ends with an error. The training goes on, and says so once."""
    X, y = np.eye(4), np.arange(4)
    plain, mine = Network([4, 18, 4]), Network([4, 18, 4])
    train(plain, X, y, epochs=300, progress=False)
    _missing(monkeypatch)
    monkeypatch.setattr(sys, "executable", executable)
    seen = []

    def until_it_failed(number: int, *_: Any) -> None:
        seen.append(capsys.readouterr().err)
        if number > 299 and FAILED not in "".join(seen):
            raise TimeoutError

    # a process takes its time to end, so the epochs go on until it has
    for _ in range(1000):
        net = mine.copy()
        try:
            train(net, X, y, epochs=300, progress=until_it_failed)
            break
        except TimeoutError:
            continue
    assert "".join(seen).count(FAILED) == 1
    assert same_bits(net.parameters, plain.parameters)


def test_ctrl_c_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def show(number: int, *_: Any) -> None:
        started.extend(beside._running.values())
        if number == 5:
            raise KeyboardInterrupt

    started: list[subprocess.Popen[bytes]] = []
    _missing(monkeypatch)
    net = Network([4, 18, 4])
    before = net.parameters.copy()
    with pytest.raises(KeyboardInterrupt):
        train(net, np.eye(4), np.arange(4), epochs=9, progress=show)
    assert same_bits(net.parameters, before)
    assert all(process.returncode is not None for process in started)
    assert started
    assert not beside._running


@pytest.mark.usefixtures("fast_kernels")
def test_what_one_training_leaves_unfinished_serves_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    _missing(monkeypatch)
    nets = Network([4, 18, 4]), Network([4, 18, 4])
    histories = []
    for net in nets:
        histories.append(train(net, np.eye(4), np.arange(4), epochs=3, progress=False))
        for process in beside._running.values():
            assert process.wait() == 0
    assert not beside._running
    assert histories[0] == histories[1]
    assert same_bits(nets[0].parameters, nets[1].parameters)


@pytest.mark.usefixtures("fast_kernels")
def test_without_a_place_for_machine_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Another process could leave nothing behind: they are compiled here, before."""
    _missing(monkeypatch)
    monkeypatch.setattr(fast_kernel, "keeps_code", False)
    monkeypatch.setattr(beside, "Beside", None)
    train(Network([4, 18, 4]), np.eye(4), np.arange(4), epochs=2, progress=lambda *_: None)
    assert capsys.readouterr().err == "compiling the fast kernels\n"


def test_a_computer_s_first_long_training(tmp_path: Path) -> None:
    """It begins with the plain kernels, goes over to the fast ones, and the next process finds both on disk."""
    program = """
import numpy as np
from nnlite import Network, fast, train
from nnlite.fast.batches import train_batches
class Enough(Exception): pass
fast._PAYS_FROM["nowhere"] = 0
def show(number, *_):
    loaded.append(bool(train_batches.signatures))
    if loaded[-1]: raise Enough
loaded = []
try: train(Network([4, 18, 4]), np.eye(4), np.arange(4), 10**9, 2, progress=show, accuracy=False)
except Enough: print(loaded[0])
"""

    def said() -> tuple[str, str]:
        command, environment = [sys.executable, "-c", program], os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout, done.stderr

    kernels = "compiling the kernels; this computer keeps them for networks and optimizers like these\n"
    assert said() == ("False\n", kernels + MEANWHILE)
    assert said() == ("True\n", "")
