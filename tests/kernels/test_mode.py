"""A thread whose processor was told to compute otherwise is refused by name, and the others are not."""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from nnlite import Network, train
from nnlite.errors import IncompatibleError
from tests.runtime import native

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the mode is set through MXCSR, which only x86 has"
)

SOURCE = """
#include <xmmintrin.h>
unsigned get_mode(void);
void set_mode(unsigned mode);
unsigned get_mode(void) { return _mm_getcsr(); }
void set_mode(unsigned mode) { _mm_setcsr(mode); }
"""
FLUSH_TO_ZERO, DENORMALS_ARE_ZERO, ROUND_DOWN = 0x8000, 0x0040, 0x2000
X = np.ones((4, 3), np.float32)


@pytest.fixture(scope="module")
def mode(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = native.gcc() or native.clang()
    if compiler is None:
        pytest.skip("neither gcc nor ziglang is installed")
    folder = tmp_path_factory.mktemp("mode")
    (folder / "mode.c").write_text(SOURCE, encoding="ascii")
    return ctypes.CDLL(str(native.compile_c(compiler, ["-shared", "-fPIC"], [folder / "mode.c"], folder / "mode.so")))


@pytest.fixture
def changed(mode: ctypes.CDLL, request: pytest.FixtureRequest) -> Iterator[None]:
    before = mode.get_mode()
    mode.set_mode(before | request.param)
    yield
    mode.set_mode(before)


def compute() -> None:
    net = Network([3, 4, 2], seed=1)
    net.predict_proba(X)
    train(net, X, [0, 1, 0, 1], epochs=1, progress=False)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (FLUSH_TO_ZERO, "flush-to-zero"),
        (DENORMALS_ARE_ZERO, "flush-to-zero"),
        (FLUSH_TO_ZERO | DENORMALS_ARE_ZERO, "flush-to-zero"),
        (ROUND_DOWN, "does not round to nearest"),
    ],
    indirect=["changed"],
)
def test_a_changed_mode_is_refused(changed: None, said: str) -> None:
    net = Network([3, 4, 2], seed=1)
    net.mean, net.scale = np.zeros(3, np.float32), np.ones(3, np.float32)
    before = net.parameters.copy()
    for call in (
        lambda: net.standardize(X),
        lambda: net.decision_function(X),
        lambda: train(net, X, [0, 1, 0, 1], progress=False),
    ):
        with pytest.raises(IncompatibleError, match=said):
            call()
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize("changed", [FLUSH_TO_ZERO], indirect=True)
def test_each_thread_answers_for_itself(changed: None, mode: ctypes.CDLL) -> None:
    """The mode belongs to a thread: a new one takes that of its parent, and may set it right."""
    errors: list[BaseException] = []

    def in_a_thread() -> None:
        mode.set_mode(0x1F80)  # as a process starts
        try:
            compute()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert not errors


def test_the_mode_of_this_process_is_right() -> None:
    compute()
