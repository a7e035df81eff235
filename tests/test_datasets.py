"""The bundled data: what is in it, that it can be made again, how it splits, and what can be learned from it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from statistics import mean, median

import numpy as np
import numpy.typing as npt
import pytest

from nnlite import Network, train
from nnlite.datasets import Shoulder, load_shoulder
from nnlite.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = (3, 7, 9)


def test_what_is_in_it() -> None:
    data = load_shoulder()
    assert data.features.shape == (4677, 30)
    assert data.features.dtype == np.float32
    assert np.all(np.isfinite(data.features))
    assert len(set(data.feature_names)) == 30
    assert data.feature_names[:6] == ("mean_ax", "mean_ay", "mean_az", "mean_wx", "mean_wy", "mean_wz")
    assert len(set(data.exercise_names)) == 7
    assert set(data.exercise.tolist()) == set(range(7))
    assert set(data.subject.tolist()) == set(range(1, 11))
    assert set(data.side.tolist()) == {0, 1}
    assert len(set(data.recording.tolist())) == 140
    columns = dict(zip(data.feature_names, data.features.T, strict=True))
    for channel in ("ax", "ay", "az", "wx", "wy", "wz"):
        assert np.all(columns[f"min_{channel}"] <= columns[f"mean_{channel}"])
        assert np.all(columns[f"mean_{channel}"] <= columns[f"max_{channel}"])
        assert np.all(columns[f"std_{channel}"] > 0)
    gravity = np.sqrt(sum(columns[f"mean_{c}"] ** 2 for c in ("ax", "ay", "az")))
    assert 0.8 < np.median(gravity) < 1.2, "in g"
    assert (ROOT / "nnlite" / "datasets" / "shoulder.npz").stat().st_size < 600_000


def test_a_recording_is_one_subject_side_and_exercise() -> None:
    data = load_shoulder()
    for recording in range(140):
        rows = data.recording == recording
        assert len(set(zip(data.subject[rows], data.side[rows], data.exercise[rows], strict=True))) == 1
        assert data.window[rows].tolist() == list(range(int(rows.sum())))


def test_it_is_made_again_byte_for_byte() -> None:
    if importlib.util.find_spec("seglearn") is None:
        pytest.skip("seglearn, the source of the data, is not installed")
    command = [sys.executable, str(ROOT / "scripts" / "make_dataset"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_sensors() -> None:
    data = load_shoulder()
    accelerometer = data.sensors("accelerometer")
    assert accelerometer.features.shape == (4677, 15)
    assert all(name.split("_")[1].startswith("a") for name in accelerometer.feature_names)
    column = data.feature_names.index(accelerometer.feature_names[7])
    assert np.array_equal(accelerometer.features[:, 7], data.features[:, column])
    assert data.sensors("imu").features.shape == (4677, 30)
    with pytest.raises(UsageError, match="accelerometer, imu"):
        data.sensors("sonar")


@pytest.mark.parametrize("subject", range(1, 11))
def test_splits_share_nothing(subject: int) -> None:
    data = load_shoulder()
    learn, test = data.personal_split(subject)
    mine = data.subject == subject
    assert not np.any(learn & test)
    assert not np.any((learn | test) & ~mine)
    for recording in set(data.recording[mine].tolist()):
        rows = np.flatnonzero(data.recording == recording)
        third = rows.size // 3
        assert learn[rows].tolist() == [n < third for n in range(rows.size)]
        assert test[rows].tolist() == [n > third for n in range(rows.size)], "the window at the cut is in neither"
    left, right = data.arm_split(subject, 0)
    assert np.array_equal(left | right, mine)
    assert set(data.side[left].tolist()) == {0}
    assert set(data.side[right].tolist()) == {1}


def _general(data: Shoulder, seed: int) -> Network:
    out = data.people(LEFT_OUT)
    net = Network([data.features.shape[1], 16, 7], seed=seed)
    train(net, data.features[~out], data.labels[~out], epochs=30, learning_rate=0.02, seed=seed, progress=False)
    return net


def _accuracy(net: Network, data: Shoulder, rows: npt.NDArray[np.bool_]) -> float:
    return float(np.mean(net.predict(data.features[rows]) == data.labels[rows]))


@pytest.mark.parametrize(("sensors", "least"), [("accelerometer", 0.79), ("imu", 0.86)])
def test_people_left_out_are_recognised(sensors: str, least: float) -> None:
    data = load_shoulder().sensors(sensors)
    assert median(_accuracy(_general(data, seed), data, data.people(LEFT_OUT)) for seed in range(5)) >= least


def test_learning_from_the_wearer_helps_each_of_them() -> None:
    data = load_shoulder().sensors("accelerometer")
    general = _general(data, 0)
    after = []
    for subject in LEFT_OUT:
        learn, test = data.personal_split(subject)
        rows = np.random.default_rng(0).permutation(np.flatnonzero(learn))
        personal = general.copy()
        arguments = {"epochs": 5, "learning_rate": 0.02, "shuffle": False, "progress": False}
        train(personal, data.features[rows], data.labels[rows], **arguments)
        after.append(_accuracy(personal, data, test))
        assert after[-1] > _accuracy(general, data, test)
    assert mean(after) >= 0.92
