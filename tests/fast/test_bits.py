"""The fast kernels give the plain kernels' bits: networks of any size, every option, any number of threads.

pytest tests/fast --hypothesis-profile=fast    over 2,000 networks a test
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite import Network, fast, train
from nnlite.errors import DivergedError, UsageError
from nnlite.fast.beside import compile_for
from nnlite.fast.engine import Engine, fits_registers
from nnlite.fast.plan import plan_of_thread
from nnlite.kernels.step import (
    Rule,
    Shape,
    activation_count,
    begin_state,
    forward_rows,
    gradient_count,
    loss_rows,
    scratch,
    state_count,
    train_rows,
)
from nnlite.layout import HiddenActivation, OutputFunction, parameter_count
from nnlite.recipe import OPTIMIZERS, SCHEDULES, check_recipe
from tests.runtime.native import same_bits

Floats = npt.NDArray[np.float32]
#: around one vector, two and more; few and many
SIZE = st.one_of(st.integers(1, 18), st.integers(19, 70), st.sampled_from([128, 130, 200]))


@dataclass
class Training:
    """One training as the kernels take it."""

    shape: Shape
    parameters: Floats
    X: Floats
    labels: npt.NDArray[np.int64]
    targets: Floats
    weights: Floats
    order: npt.NDArray[np.int64]
    rule: Rule
    batch: int

    @property
    def data(self) -> tuple[Any, ...]:
        return self.X, self.labels, self.targets, self.weights, self.order, self.rule

    def state(self) -> Floats:
        """Before the first step."""
        state = np.empty(state_count(self.shape, self.rule.optimizer), np.float32)
        begin_state(state, self.rule.optimizer)
        return state

    def plain(self, epochs: int) -> tuple[Floats, Floats, list[Floats], bool]:
        """Parameters, state, losses, and whether all was finite."""
        parameters, state, losses = self.parameters.copy(), self.state(), []
        records = np.zeros((self.batch, activation_count(self.shape)), np.float32)
        gradients = np.empty((self.batch, gradient_count(self.shape)), np.float32)
        for _ in range(epochs):
            losses.append(np.empty(self.order.size, np.float32))
            seen = train_rows(self.shape, parameters, *self.data, state, records, gradients, losses[-1])
            if seen >= 0:
                return parameters, state, losses, False
        return parameters, state, losses, True

    def fast(self, epochs: int, threads: int, tiny: bool = False) -> tuple[Floats, Floats, list[Floats], bool]:
        """The same, by the fast kernels."""
        parameters, state, losses = self.parameters.copy(), self.state(), []
        engine = Engine(self.shape, self.batch, self.rule, parameters, state, threads, tiny)
        for _ in range(epochs):
            losses.append(np.empty(self.order.size, np.float32))
            if not engine.train(*self.data, losses[-1]):
                return parameters, state, losses, False
        engine.store()
        return parameters, state, losses, True


@st.composite
def trainings(draw: st.DrawFn) -> Training:
    """Any."""
    sizes = draw(st.lists(SIZE, min_size=2, max_size=5))
    hidden, output = draw(st.sampled_from([*HiddenActivation])), draw(st.sampled_from([*OutputFunction]))
    rows, batch = draw(st.integers(1, 70)), draw(st.sampled_from([1, 1, 2, 3, 7, 16, 17, 32, 50]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layers = [generator.normal(0, 1.4 / np.sqrt(i), i * o + o) for i, o in itertools.pairwise(sizes)]
    X = generator.uniform(-1, 1, (rows, sizes[0])).astype(np.float32)
    X[generator.uniform(size=X.shape) < 0.2] = 0
    softmax = output == OutputFunction.SOFTMAX
    weights = generator.uniform(0, 2, rows if draw(st.booleans()) else 0).astype(np.float32)
    rule = check_recipe(
        1,
        batch,
        draw(st.sampled_from([0.05, 0.001])),
        draw(st.sampled_from([*OPTIMIZERS])),
        weight_decay=draw(st.sampled_from([0.0, 0.0, 0.1])),
        clip_norm=draw(st.sampled_from([None, None, 0.05, 2.0])),
    ).rule(0)
    return Training(
        Shape(np.array(sizes), int(hidden), int(output)),
        np.concatenate(layers).astype(np.float32) + np.float32(0),
        X,
        generator.integers(sizes[-1], size=rows if softmax else 0),
        generator.uniform(0, 1, (1 if softmax else rows, sizes[-1])).astype(np.float32),
        weights,
        generator.permutation(rows),
        rule,
        min(batch, rows),
    )


@given(training=trainings(), threads=st.integers(1, 3))
def test_training(training: Training, threads: int) -> None:
    parameters, state, losses, finite = training.plain(3)
    got = training.fast(3, threads)
    assert got[3] == finite
    assert all(same_bits(a, b) for a, b in zip(got[2][: len(losses) if finite else -1], losses, strict=False))
    if finite:
        assert same_bits(got[0], parameters)
        assert same_bits(got[1], state)
        assert not np.any(np.signbit(got[0]) & (got[0] == 0))


def long_samples(outputs: int, batch: int, output: str) -> Training:
    """Of 300 floats each, shuffled, and not all of the rows; the last batch is a small one."""
    sizes, rows = (300, outputs, 40, 3 if output == "softmax" else 50), 75
    generator = np.random.default_rng(8)
    return Training(
        Shape(np.array(sizes), int(HiddenActivation.RELU), int(OutputFunction[output.upper()])),
        generator.normal(0, 0.1, parameter_count(sizes)).astype(np.float32),
        generator.uniform(-1, 1, (rows, 300)).astype(np.float32),
        generator.integers(3, size=rows),
        generator.uniform(0, 1, (rows, sizes[-1])).astype(np.float32),
        np.zeros(0, np.float32),
        generator.permutation(rows)[:70],
        check_recipe(1, batch, 0.05, "sgd").rule(0),
        batch,
    )


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "linear"])
@pytest.mark.parametrize("outputs", [5, 16, 43])
@pytest.mark.parametrize("batch", [7, 16, 33, 64])
def test_long_samples(batch: int, outputs: int, output: str) -> None:
    """While the first layer is computed, the next batch is fetched."""
    training = long_samples(outputs, batch, output)
    parameters, _, losses, finite = training.plain(2)
    assert finite
    for threads in (1, 2, 3):
        got = training.fast(2, threads)
        assert got[3]
        assert all(same_bits(a, b) for a, b in zip(got[2], losses, strict=True))
        assert same_bits(got[0], parameters)


@pytest.mark.parametrize("started", [0, 1])
def test_a_thread_that_the_system_refuses(monkeypatch: pytest.MonkeyPatch, started: int) -> None:
    """The error comes through, and those that wait for the thread leave."""
    before, starts, start = threading.enumerate(), iter(range(3)), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if next(starts) >= started:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        long_samples(43, 33, "linear").fast(2, 3)
    assert threading.enumerate() == before


def test_a_thread_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is raised where the training was asked for, and nobody waits for it."""
    before = threading.enumerate()

    def fail(plan: Any, thread: int) -> Any:
        if thread == 1 and threading.current_thread() is not threading.main_thread():
            raise MemoryError("no room for a plan")
        return plan_of_thread(plan, thread)

    monkeypatch.setattr("nnlite.fast.engine.plan_of_thread", fail)
    with pytest.raises(MemoryError, match="no room"):
        long_samples(43, 33, "linear").fast(2, 3)
    assert threading.enumerate() == before


#: with every hidden activation before every output, each number of lanes, of layers, and of outputs up to 8
TINY = [
    ((4, 8, 3), "relu", "softmax"),
    ((1, 1), "relu", "softmax"),
    ((16, 16, 16), "leaky_relu", "softmax"),
    ((5, 9, 2, 4), "sigmoid", "softmax"),
    ((2, 3, 7, 3, 6), "tanh", "softmax"),
    ((70, 7, 5), "relu", "sigmoid"),
    ((3, 2, 16), "leaky_relu", "sigmoid"),
    ((8, 8, 8), "sigmoid", "sigmoid"),
    ((1, 11, 1), "tanh", "sigmoid"),
    ((2, 1, 13, 2), "relu", "linear"),
    ((6, 4, 4, 7), "leaky_relu", "linear"),
    ((13, 10, 12), "sigmoid", "linear"),
    ((4, 1), "tanh", "linear"),
]


@pytest.mark.parametrize(("sizes", "hidden", "output"), TINY)
@given(data=st.data())
def test_a_kernel_of_a_network_s_own(data: st.DataObject, sizes: tuple[int, ...], hidden: str, output: str) -> None:
    """Each is compiled once, and trains from all kinds of parameters and samples."""
    softmax, rows = output == "softmax", data.draw(st.integers(1, 70))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    scales = st.sampled_from([0.0, 1e-38, 1.0, 1.0, 1.0, 30.0, 1e30])
    layers = [generator.normal(0, 1.4 / np.sqrt(i), i * o + o) for i, o in itertools.pairwise(sizes)]
    X = (generator.uniform(-1, 1, (rows, sizes[0])) * data.draw(scales)).astype(np.float32)
    X[generator.uniform(size=X.shape) < 0.2] = data.draw(st.sampled_from([0.0, -0.0]))
    training = Training(
        Shape(np.array(sizes), int(HiddenActivation[hidden.upper()]), int(OutputFunction[output.upper()])),
        (np.concatenate(layers) * data.draw(scales)).astype(np.float32) + np.float32(0),
        X,
        generator.integers(sizes[-1], size=rows if softmax else 0),
        generator.uniform(0, 1, (1 if softmax else rows, sizes[-1])).astype(np.float32),
        generator.uniform(0, 2, rows if data.draw(st.booleans()) else 0).astype(np.float32),
        generator.permutation(rows)[: data.draw(st.integers(1, rows))],
        check_recipe(1, 1, data.draw(st.sampled_from([0.05, 0.001, 1e5])), "sgd").rule(0),
        1,
    )
    parameters, _, losses, finite = training.plain(3)
    got = training.fast(3, 1, tiny=True)
    assert got[3] == finite
    assert all(same_bits(a, b) for a, b in zip(got[2][: len(losses) if finite else -1], losses, strict=False))
    if finite:
        assert same_bits(got[0], parameters)
        assert not np.any(np.signbit(got[0]) & (got[0] == 0))


def test_the_registers_hold_what_is_tiny() -> None:
    def fits(*sizes: int) -> bool:
        return fits_registers(Shape(np.array(sizes), int(HiddenActivation.RELU), int(OutputFunction.SOFTMAX)))

    assert all(fits(*sizes) for sizes, _, _ in TINY)
    assert not fits(4, 17, 3)
    assert not fits(4, 8, 17)
    assert not fits(16, 16, 16, 16)
    assert fits(2, 2, 2, 2, 2, 2)
    assert not fits(2, 2, 2, 2, 2, 2, 2)
    assert fits(80, 8, 2)
    assert not fits(120, 8, 2)


@given(training=trainings())
def test_measuring(training: Training) -> None:
    shape, rows = training.shape, training.X.shape[0]
    engine = Engine(shape, training.batch, training.rule, training.parameters, training.state())
    losses, wanted = np.empty(rows, np.float32), np.empty(rows, np.float32)
    right = engine.measure(training.X, training.labels, training.targets, losses)
    loss_rows(shape, training.parameters, training.X, training.labels, training.targets, wanted, scratch(shape))
    assert same_bits(losses, wanted)
    if shape.output == OutputFunction.SOFTMAX:
        logits = np.empty((rows, shape.sizes[-1]), np.float32)
        forward_rows(shape, training.parameters, training.X, logits, scratch(shape))
        assert right == np.count_nonzero(np.argmax(logits, axis=1) == training.labels)
        # without room for losses they are not computed
        assert engine.measure(training.X, training.labels, training.targets, np.empty(0, np.float32)) == right


def test_of_equal_logits_the_first_counts() -> None:
    shape = Shape(np.array([1, 3]), 1, int(OutputFunction.SOFTMAX))
    nothing, rule = np.empty(0, np.float32), check_recipe(1, 1, 0.1, "sgd").rule(0)
    engine = Engine(shape, 1, rule, np.zeros(6, np.float32), nothing)
    targets, labels = np.zeros((1, 3), np.float32), np.array([0, 1, 0, 2, 0])
    assert engine.measure(np.ones((5, 1), np.float32), labels, targets, nothing) == 3


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("output", OutputFunction)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_not_finite_is_found(batch: int, output: OutputFunction, optimizer: str) -> None:
    """In the data of one sample only, so that it is found among others; then in a parameter."""
    sizes, rows = (5, 20, 4), 9
    generator = np.random.default_rng(3)
    X, softmax = generator.uniform(size=(rows, 5)).astype(np.float32), output == OutputFunction.SOFTMAX
    training = Training(
        Shape(np.array(sizes), int(HiddenActivation.RELU), int(output)),
        generator.normal(size=parameter_count(sizes)).astype(np.float32),
        X,
        generator.integers(4, size=rows if softmax else 0),
        np.zeros((1 if softmax else rows, 4), np.float32),
        np.zeros(0, np.float32),
        np.arange(rows),
        check_recipe(1, batch, 0.01, optimizer).rule(0),
        batch,
    )
    assert training.plain(1)[3]
    assert training.fast(1, 1)[3]
    X[7] = 1e38
    assert not training.plain(1)[3]
    assert not training.fast(1, 1)[3]
    assert not training.fast(1, 2)[3]


@pytest.mark.parametrize(("batch", "tiny"), [(1, False), (1, True), (3, False)])
@pytest.mark.parametrize("output", [OutputFunction.SOFTMAX, OutputFunction.SIGMOID])
def test_a_logit_alone_that_is_not_finite_is_found(batch: int, tiny: bool, output: OutputFunction) -> None:
    """Its dA is 0, so that no parameter tells of it."""
    X = np.array([[1], [1], [2], [1], [1]], np.float32)
    training = Training(
        Shape(np.array([1, 2]), 1, int(output)),
        np.array([1, -3e38, 0, 0], np.float32),
        X,
        np.zeros(5 if output == OutputFunction.SOFTMAX else 0, np.int64),
        np.array([[1, 0]] * (1 if output == OutputFunction.SOFTMAX else 5), np.float32),
        np.zeros(0, np.float32),
        np.arange(5),
        check_recipe(1, batch, 0.01, "sgd").rule(0),
        batch,
    )
    parameters, _, _, finite = training.plain(1)
    assert not finite
    assert np.isfinite(parameters).all()
    assert not training.fast(1, 1, tiny)[3]
    X[2] = 1
    assert training.fast(1, 1, tiny)[3]


def test_what_is_not_finite_is_found_behind_a_silent_unit() -> None:
    """The first layer overflows, and so the second one is silent: neither logits nor dA show it, but 0 * inf is NaN in
    the gradient of the second layer's weights."""
    sizes = (1, 64, 2, 2)
    parameters = np.zeros(parameter_count(sizes), np.float32)
    parameters[:64], parameters[128 : 128 + 128] = 3e38, -1
    training = Training(
        Shape(np.array(sizes), int(HiddenActivation.RELU), int(OutputFunction.SOFTMAX)),
        parameters,
        np.array([[1], [3]], np.float32),
        np.zeros(2, np.int64),
        np.zeros((1, 2), np.float32),
        np.zeros(0, np.float32),
        np.arange(2),
        check_recipe(1, 2, 0.01, "sgd").rule(0),
        2,
    )
    assert not training.plain(1)[3]
    assert not training.fast(1, 1)[3]


def test_features_that_are_not_finite_are_found_by_silent_units() -> None:
    """Frozen layers overflow, and the first one that is trained is silent."""
    training = Training(
        Shape(np.array([64, 8, 2]), int(HiddenActivation.RELU), int(OutputFunction.SOFTMAX)),
        np.concatenate([np.full(512, -1), np.zeros(8), np.ones(16), np.zeros(2)]).astype(np.float32),
        np.array([[0] * 64, [np.inf] * 64], np.float32),
        np.zeros(2, np.int64),
        np.zeros((1, 2), np.float32),
        np.zeros(0, np.float32),
        np.arange(2),
        check_recipe(1, 2, 0.01, "sgd").rule(0),
        2,
    )
    assert not training.plain(1)[3]
    assert not training.fast(1, 1)[3]


@pytest.mark.parametrize(("batch", "tiny"), [(1, False), (1, True), (5, False)])
def test_an_engine_forgets_what_was_not_finite(batch: int, tiny: bool) -> None:
    """After measuring, and after an epoch that failed, the next epochs are those of a new engine."""
    sizes = (5, 16 if tiny else 17, 3)
    shape = Shape(np.array(sizes), int(HiddenActivation.RELU), int(OutputFunction.SOFTMAX))
    generator = np.random.default_rng(5)
    parameters = generator.normal(size=parameter_count(sizes)).astype(np.float32)
    X, y = generator.uniform(size=(11, 5)).astype(np.float32), generator.integers(3, size=11)
    nothing, targets, losses = np.empty(0, np.float32), np.zeros((1, 3), np.float32), np.empty(11, np.float32)
    rule = check_recipe(1, batch, 0.1, "sgd").rule(0)

    def trained(engine: Engine, samples: Floats) -> bool:
        return engine.train(samples, y, targets, nothing, np.arange(11), rule, losses)

    wanted = parameters.copy()
    fresh = Engine(shape, batch, rule, wanted, nothing, 1, tiny)
    assert trained(fresh, X)
    fresh.store()
    engine = Engine(shape, batch, rule, parameters, nothing, 1, tiny)
    assert engine.measure(np.full((11, 5), 3e38, np.float32), y, targets, nothing) is None
    assert not trained(engine, np.full((11, 5), 3e38, np.float32))
    engine.load()
    assert trained(engine, X)
    engine.store()
    assert same_bits(parameters, wanted)


def _trained(net: Network, X: Any, y: Any, arguments: dict[str, Any]) -> tuple[Network, Any]:
    mine = net.copy()
    try:
        return mine, train(mine, X, y, progress=False, **arguments)
    except DivergedError as error:
        return mine, str(error)


@pytest.mark.usefixtures("fast_kernels")
@given(data=st.data())
def test_train_gives_the_same_either_way(data: st.DataObject) -> None:
    """The public function: all that comes out of it, whichever kernels it takes."""
    sizes = data.draw(st.lists(st.integers(2, 40), min_size=2, max_size=4))
    net = Network(
        sizes, data.draw(st.sampled_from(["relu", "tanh"])), data.draw(st.sampled_from(["softmax", "linear"]))
    )
    rows = data.draw(st.integers(sizes[-1], 60))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    X = generator.normal(size=(rows, sizes[0])) * data.draw(st.sampled_from([1.0, 1e30]))
    classes = np.arange(rows) % sizes[-1]
    y = classes if net.output == "softmax" else generator.normal(size=(rows, sizes[-1]))
    arguments: dict[str, Any] = {
        "epochs": 4,
        "batch_size": data.draw(st.sampled_from([1, 4, 32])),
        "learning_rate": data.draw(st.sampled_from([0.05, 1e5])),
        "optimizer": data.draw(st.sampled_from([*OPTIMIZERS])),
        "schedule": data.draw(st.sampled_from(SCHEDULES)),
        "last_layers": data.draw(st.sampled_from([None, 1])),
        "standardize": data.draw(st.booleans()),
        "accuracy": data.draw(st.booleans()),
        "threads": data.draw(st.sampled_from([None, 1, 2])),
    }
    if data.draw(st.booleans()):
        arguments |= {"validation": (X[: sizes[-1]], y[: sizes[-1]]), "patience": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "_PAYS_FROM", dict.fromkeys(fast._PAYS_FROM, np.inf))
        plain, history = _trained(net, X, y, arguments)
        patch.setattr(fast, "_PAYS_FROM", dict.fromkeys(fast._PAYS_FROM, 0))
        mine, told = _trained(net, X, y, arguments)
    assert told == history
    assert same_bits(mine.parameters, plain.parameters)
    assert mine.training_record == plain.training_record


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "linear"])
def test_train_gives_the_same_with_a_kernel_of_the_network_s_own(output: str) -> None:
    net, generator = Network([3, 6, 2], "tanh", output), np.random.default_rng(4)
    X, y = generator.normal(size=(40, 3)), generator.uniform(size=(40, 2))
    arguments: dict[str, Any] = {"epochs": 3, "schedule": "cosine", "sample_weight": generator.uniform(size=40)}
    truth = y.argmax(1) if output == "softmax" else y
    compile_for(net.kernel_shape(), True, measures=True, tiny=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "_PAYS_FROM", dict.fromkeys(fast._PAYS_FROM, np.inf))
        plain, history = _trained(net, X, truth, arguments)
        patch.setattr(fast, "_PAYS_FROM", dict.fromkeys(fast._PAYS_FROM, 0))
        patch.setattr(fast, "_OWN_PAYS_FROM", 0)
        mine, told = _trained(net, X, truth, arguments)
    assert told == history
    assert same_bits(mine.parameters, plain.parameters)


def test_accuracy_is_measured_unless_it_is_not_asked_for() -> None:
    X, y = np.eye(4), np.arange(4)
    arguments: dict[str, Any] = {"epochs": 2, "progress": False}
    assert train(Network([4, 4]), X, y, accuracy=False, **arguments).accuracy == (None, None)
    assert None not in train(Network([4, 4]), X, y, **arguments).accuracy
    assert None not in train(Network([4, 4]), X, y, accuracy=False, validation=(X, y), **arguments).accuracy


@pytest.mark.parametrize("threads", [0, -1, 1.5, "two"])
def test_a_number_of_threads_that_cannot_be(threads: Any) -> None:
    with pytest.raises(UsageError, match="threads must be"):
        train(Network([2, 2]), np.eye(2), [0, 1], threads=threads, progress=False)


@pytest.mark.usefixtures("fast_kernels")
def test_what_pays_goes_by_the_work() -> None:
    shape = Shape(np.array([50, 60, 2]), int(HiddenActivation.RELU), int(OutputFunction.SOFTMAX))
    assert fast.choose(fast._PAYS_FROM["loaded"] - 1, 1, shape, True, True) is None
    choice = fast.choose(fast._PAYS_FROM["nowhere"], 1, shape, True, True)
    assert choice is not None
    assert not choice.tiny
    assert list(fast._PAYS_FROM.values()) == sorted(fast._PAYS_FROM.values())


def test_a_kernel_of_a_network_s_own_pays_sooner_once_it_is_there(tmp_path: Path) -> None:
    """Once a process has compiled it, less work is enough, there and in the next one."""
    program = """
from nnlite import Network, fast
from nnlite.fast.beside import compile_for
shape = Network([3, 5, 2], "leaky_relu").kernel_shape()
def told():
    return [fast.choose(fast._PAYS_FROM[where], 1, shape, True, False) for where in ("loaded", "on disk")]
long = fast._PAYS_FROM["nowhere"], fast._OWN_PAYS_FROM, shape
print(told(), *(fast.choose(*long, one_by_one, False) for one_by_one in (False, True)))
compile_for(shape, True, measures=False, tiny=True)
print(told())
"""

    def said() -> list[str]:
        command, environment = [sys.executable, "-c", program], os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.splitlines()

    other, loaded = "Choice(tiny=False, where='nowhere')", "Choice(tiny=True, where='loaded')"
    assert said() == [f"[None, None] {other} Choice(tiny=True, where='nowhere')", f"[{loaded}, {loaded}]"]
    on_disk = "Choice(tiny=True, where='on disk')"
    assert said() == [f"[None, {on_disk}] {other} {on_disk}", f"[{loaded}, {loaded}]"]


def test_the_first_use_on_a_computer_says_so(tmp_path: Path) -> None:
    """A process with an empty cache tells that it compiles, once; the next one finds the code on disk."""
    program = (
        "import numpy as np; from nnlite import Network, train; import sys;"
        "show = (lambda *_: None) if sys.argv[1:] else False;"
        "[train(Network([2, n, 2]), np.eye(2), [0, 1], epochs=1, progress=show) for n in (3, 4)]"
    )

    def said(*arguments: str) -> str:
        command = [sys.executable, "-c", program, *arguments]
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stderr

    assert said("aloud") == "compiling the kernels; this computer keeps them for networks and optimizers like these\n"
    assert said("aloud") == ""
    for path in tmp_path.rglob("*train_*"):
        path.unlink()
    assert said() == ""
