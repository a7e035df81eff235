"""Threads: one device is used by one at a time, two devices by two at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import numpy as np
import pytest

from firmware_sim import Board, open_board
from nnlite import Device, Network
from nnlite.errors import UsageError

NET = Network([4, 8, 3], seed=1)
X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


@pytest.fixture
def device(board: Board) -> Device:
    device = Device.open(board.url)
    device.flash(NET)
    return device


def test_a_second_thread_waits_until_the_first_ones_call_is_over(device: Device) -> None:
    second_is_done = Event()
    early: list[bool] = []

    def verify() -> None:
        device.verify()
        second_is_done.set()

    second = Thread(target=verify)

    def in_the_midst(done: int, total: int) -> None:
        if not early:
            second.start()
            early.append(second_is_done.wait(0.5))  # which it would be by far, if it did not wait for this call

    device.flash(Network([16, 32, 3], seed=2), progress=in_the_midst)
    second.join()
    assert early == [False]
    assert second_is_done.is_set()


def test_a_trial_is_held_to_its_end(device: Device) -> None:
    other = Network([4, 8, 3], seed=9)
    with ThreadPoolExecutor(1) as pool:
        with device.trial(other) as trial:
            waiting = pool.submit(device.decision_function, X)
            np.testing.assert_array_equal(trial.run(X)[0], other.decision_function(X))
            assert not waiting.done()
        np.testing.assert_array_equal(waiting.result(), NET.decision_function(X))


def test_what_would_end_a_trial_is_refused_inside_it(device: Device) -> None:
    other = Network([4, 8, 3], seed=9)
    with device.trial(other) as trial:
        for call in (device.info, device.verify, device.pull, lambda: device.predict(X), lambda: device.flash(NET)):
            with pytest.raises(UsageError, match="a network is on trial"):
                call()
        np.testing.assert_array_equal(trial.run(X)[0], other.decision_function(X))
    np.testing.assert_array_equal(device.decision_function(X), NET.decision_function(X))


def test_many_threads_get_what_is_theirs(device: Device) -> None:
    parts = [X[at : at + 5] for at in range(0, len(X), 5)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(device.decision_function, parts))
    for part, answer in zip(parts, answers, strict=True):
        np.testing.assert_array_equal(answer, NET.decision_function(part))
    assert device.statistics.retransmissions == 0


def work(name: str, seed: int) -> tuple[bytes, bytes]:
    """A flash, answers and a training run on a board of its own: its outputs, and its flash at the end."""
    with open_board(name) as board, Device.open(board.url) as device:
        device.flash(Network([4, 8, 3], seed=seed))
        outputs = device.decision_function(X)
        device.learn(X, np.arange(len(X)) % 3, epochs=1, learning_rate=0.1)
        return outputs.tobytes(), board.flash


def test_two_boards_at_once_are_as_one_after_the_other() -> None:
    jobs = [("microbit", 1), ("microbit2", 2)]
    with ThreadPoolExecutor(2) as pool:
        at_once = list(pool.map(lambda job: work(*job), jobs))
    assert at_once == [work(*job) for job in jobs]
