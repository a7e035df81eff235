"""Whatever a network is given, no parameter of it is ever other than a finite number.

pytest tests/test_extremes.py --hypothesis-profile=extremes    10,000 examples instead of 100
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from nnlite import Network, train
from nnlite.errors import DataError, DivergedError, UsageError
from nnlite.layout import HiddenActivation, OutputFunction
from nnlite.recipe import OPTIMIZERS, SCHEDULES

LARGEST = float(np.finfo(np.float32).max)
#: what samples, targets and parameters are made of: zeros, subnormal numbers, the ends of the range, and plain ones
EXTREME = st.sampled_from(
    [
        0.0,
        -0.0,
        1e-45,
        -1e-45,
        1.17e-38,
        -1e-30,
        0.5,
        1.0,
        -1.0,
        30.0,
        -90.0,
        1e3,
        1e6,
        1e19,
        -1e20,
        1e30,
        LARGEST,
        -LARGEST,
    ]
)
RATE = st.sampled_from([1e-45, 1e-30, 0.01, 0.5, 1.0, 1e6, 1e20, LARGEST])


def _state(net: Network) -> tuple[Any, ...]:
    return net.parameters.tobytes(), net.mean is None, net.labels, net.training_record


def _is_sound(net: Network) -> bool:
    values = net.parameters
    return bool(np.all(np.isfinite(values)) and not np.any(np.signbit(values) & (values == 0)))


@given(data=st.data())
def test_no_network_ever_holds_what_is_no_number(data: st.DataObject) -> None:
    draw = data.draw
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    output = draw(st.sampled_from([*OutputFunction])).name.lower()
    if output == "softmax":
        sizes[-1] = max(sizes[-1], 2)
    rows = draw(st.integers(1, 5))
    net = Network(sizes, hidden=draw(st.sampled_from([*HiddenActivation])).name.lower(), output=output, seed=0)
    if draw(st.booleans()):
        count = net.parameters.size
        net.parameters[:] = np.array(draw(st.lists(EXTREME, min_size=count, max_size=count)), np.float32) + 0.0
    X = draw(st.lists(st.lists(EXTREME, min_size=sizes[0], max_size=sizes[0]), min_size=rows, max_size=rows))
    if output == "softmax":
        net.labels = tuple(range(sizes[-1]))
        y: Any = draw(st.lists(st.integers(0, sizes[-1] - 1), min_size=rows, max_size=rows))
    else:
        values = st.sampled_from([0.0, 1.0, 1e-45, 0.5]) if output == "sigmoid" else EXTREME
        y = draw(st.lists(st.lists(values, min_size=sizes[-1], max_size=sizes[-1]), min_size=rows, max_size=rows))
    weight = st.sampled_from([0.0, 1e-45, 1.0, 1e30, LARGEST])
    before = _state(net)
    try:
        history = train(
            net,
            X,
            y,
            epochs=draw(st.integers(1, 3)),
            batch_size=draw(st.integers(1, 5)),
            learning_rate=draw(RATE),
            optimizer=draw(st.sampled_from([*OPTIMIZERS])),
            weight_decay=draw(st.sampled_from([0.0, 1e-30, 0.9])),
            clip_norm=draw(st.sampled_from([None, 1e-45, 1.0, LARGEST])),
            schedule=draw(st.sampled_from(SCHEDULES)),
            last_layers=draw(st.sampled_from([None, 1])),
            sample_weight=draw(st.none() | st.lists(weight, min_size=rows, max_size=rows)),
            standardize=draw(st.booleans()),
            progress=False,
        )
    except (DivergedError, DataError, UsageError) as error:
        event(type(error).__name__)
        refused = str(error)
    else:
        event("trained")
        assert len(history.loss) >= 1
        refused = ""
    if refused:
        assert _state(net) == before
        assert re.match(r"epoch \d|row \d|column \d|weight decay|by the schedule", refused)
    assert _is_sound(net)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("output", OutputFunction)
@pytest.mark.parametrize("hidden", HiddenActivation)
@pytest.mark.parametrize("scale", [1e3, 1e6, 1e20, 1e30])
def test_raw_sensor_values_train_or_are_refused(
    scale: float, hidden: HiddenActivation, output: OutputFunction, optimizer: str, standardize: bool
) -> None:
    """As the paper has them, not normalised: standardised they always train, and what is learned is the same."""
    generator = np.random.default_rng(7)
    X = generator.uniform(0.5, 1.0, (40, 3)) * scale
    classes = (X[:, 0] > X[:, 1]).astype(np.int64)
    y: Any = classes if output == OutputFunction.SOFTMAX else np.eye(2)[classes]
    net = Network([3, 6, 2], hidden=hidden.name.lower(), output=output.name.lower(), seed=1)
    before = _state(net)
    refused = ""
    try:
        rate = 0.1 if optimizer == "sgd" else 0.01
        train(net, X, y, 30, learning_rate=rate, optimizer=optimizer, standardize=standardize, progress=False)
    except DivergedError as error:
        refused = str(error)
    if refused:
        assert not standardize
        assert re.search(r"epoch \d+, sample \d+: .*(layer|output) \d+ became (-?inf|nan)", refused)
        assert _state(net) == before
    assert _is_sound(net)
    if standardize:
        right = np.argmax(net.decision_function(X), axis=1) == classes
        assert np.mean(right) > 0.85
