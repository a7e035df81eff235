"""A program is linked with the parts of the firmware that it calls, and with no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnlite.errors import IncompatibleError
from nnlite.firmware.build import build_program
from nnlite.firmware.elf import metadata
from nnlite.profile import Profile, Symbol, profile_names

BOARDS = [name for name in profile_names() if Profile.load(name).has_firmware]
HEAD = '#include "nnlite_runtime.h"\nfloat x[8], y[8], w[72], rate;\nbool finite;\n'
FORWARD = "nn_dense_forward(x, w, w + 64, y, 8, 8);"
STEP = "nn_softmax_cross_entropy(y, 0, x, 8); finite = nn_sgd_update(w, w + 64, y, x, rate, 1, 0, 0, 8, 8);"


def linked(folder: Path, name: str, calls: str) -> dict[str, Symbol]:
    """Functions and objects of the image whose main makes these calls."""
    source = folder / "program.c"
    source.write_text(f"{HEAD}int main(void) {{ {calls} return 0; }}\n", encoding="ascii")
    profile = Profile.load(name)
    return metadata(build_program(profile, folder, [source]), profile, "none").symbols


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize(
    ("calls", "runtime"),
    [
        ("", set()),
        (FORWARD, {"nn_dense_forward"}),
        (f"{FORWARD} nn_softmax(y, y, 8);", {"nn_dense_forward", "nn_softmax", "nn_exp_f32"}),
        (STEP, {"nn_softmax_cross_entropy", "nn_sgd_update", "nn_exp_f32", "nn_log_f32", "nn_is_finite"}),
    ],
    ids=["nothing", "inference", "softmax", "learning"],
)
def test_what_is_not_called_is_not_linked(tmp_path: Path, name: str, calls: str, runtime: set[str]) -> None:
    symbols = linked(tmp_path, name, calls)
    assert {symbol for symbol in symbols if symbol.startswith("nn_")} == runtime
    assert {"startup_run", "vectors"} <= symbols.keys()
    parts = ("board_", "protocol_", "messages_", "slots_", "journal_", "model_", "image_", "uart_", "flash_", "frame_")
    assert not [symbol for symbol in symbols if symbol.startswith(parts)]


def test_inference_and_training_take_less_than_4_kb_on_a_cortex_m4f(tmp_path: Path) -> None:
    """ReLU, softmax with cross-entropy, SGD: what AIfES takes 18,528 bytes for. Start-up, vectors and main apart."""
    calls = f"{FORWARD} nn_relu(y, y, 8); nn_softmax(y, y, 8); nn_dense_backward(y, w, x, x, NN_RELU, 8, 8); {STEP}"
    symbols = linked(tmp_path, "microbit2", calls)
    taken = sum(symbol.size for name, symbol in symbols.items() if name.startswith(("nn_", "core_")))
    print(f"{taken:,} bytes")
    assert 2_000 < taken < 4_000


def test_a_program_that_does_not_compile_says_why(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match=r"microbit does not build:\n(?s:.)*nn_nothing"):
        linked(tmp_path, "microbit", "nn_nothing();")
