"""Plans: totals are sums of their parts, limits are the board's, and what is advised fits."""

from __future__ import annotations

import itertools
import re
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import Board, open_board
from nnlite import Network, image, plan, train
from nnlite.cycles import inference_cycles, step_cycles
from nnlite.device import Device
from nnlite.errors import DoesNotFitError, UsageError
from nnlite.layout import parameter_count
from nnlite.link.estimate import flash_time
from nnlite.link.protocol import LearnSettings
from nnlite.planner import Learning, inference_bytes, largest_layer, learning_bytes
from nnlite.profile import Profile
from nnlite.recipe import OPTIMIZERS

MICROBIT = Profile.load("microbit")


class Sized:
    """A network too large to make just for its plan."""

    hidden, output, mean, labels = "relu", "softmax", None, None

    def __init__(self, sizes: list[int]) -> None:
        self.sizes = tuple(sizes)


def test_the_demo_network_on_the_micro_bit() -> None:
    """15-16-7 counted by hand: 375 parameters; X and dA of 16 + 7 nodes each, 15 inputs."""
    net = Network([15, 16, 7])
    p = plan(net, MICROBIT, learn=True)
    assert p.fits
    ram = p.to_dict()["parts"]["ram"]
    assert ram["parameters"] == 4 * 375
    assert ram["inputs"] == 4 * 15
    assert ram["activations X"] == ram["gradients dA"] == 4 * 23
    assert ram["gradients dW"] == 0
    assert p.ram_bytes == MICROBIT.firmware.static_bytes + 4 * (375 + 15 + 2 * 23)


@pytest.mark.parametrize("board", ["microbit", "microbit2", "nano33ble"])
@pytest.mark.parametrize(("sizes", "most", "inputs"), [([64, 32, 10], 9_976, 256), ([4, 8, 3], 356, 16)])
def test_workloads_a_and_d_learn_in_the_bytes_of_their_parameters_x_and_da(
    board: str, sizes: list[int], most: int, inputs: int
) -> None:
    """The input vector and the firmware's context are listed apart; the table of layers is read where it lies."""
    p = plan(Network(sizes), Profile.load(board), learn=True)
    ram = p.to_dict()["parts"]["ram"]
    assert ram["parameters"] + ram["activations X"] + ram["gradients dA"] == most
    assert (ram["inputs"], ram["gradients dW"]) == (inputs, 0)
    assert 0 < ram["context"] < 500
    assert p.to_dict()["parts"]["flash"]["image header"] == 16 + 4 * ((len(sizes) + 1) // 2)


@pytest.mark.parametrize("board", ["microbit", "microbit2", "nano33ble"])
def test_the_firmwares_memory_has_names_and_nothing_of_it_is_lost(board: str) -> None:
    profile = Profile.load(board)
    ram = plan(Network([1, 1]), profile).to_dict()["parts"]["ram"]
    assert ram.pop("two buffers of layers") == 8
    assert sum(ram.values()) == profile.firmware.static_bytes
    assert profile.receive_buffer_bytes <= ram["receive buffer"] <= profile.receive_buffer_bytes + 8
    assert 2 * profile.payload_bytes <= ram["frame buffers"]
    assert 0 <= ram["other static data"] < 256
    known = {*STATIC, *(["code that runs in RAM"] if profile.runs_while_writing else [])}
    assert {*ram} == known


STATIC = ("receive buffer", "frame buffers", "context", "other static data")


@given(sizes=st.lists(st.integers(1, 60), min_size=2, max_size=6), labelled=st.booleans())
def test_flash_is_firmware_record_and_the_image_that_is_sent(sizes: list[int], labelled: bool) -> None:
    net = Network(sizes)
    if labelled:
        net.labels = tuple(f"class {i}" for i in range(sizes[-1]))
    p = plan(net, MICROBIT)
    size = len(image.encode_image(net))
    journal = 4 * (3 + 4 + -(-size // 1024))  # 111 pages are 4 words of bits
    assert p.flash_bytes == MICROBIT.firmware.flash_bytes + 132 + journal + size


@given(
    sizes=st.lists(st.integers(1, 3000), min_size=2, max_size=5),
    learn=st.booleans(),
    batch_size=st.integers(1, 200),
    board=st.sampled_from(["microbit", "microbit2", "nano33ble"]),
)
def test_what_does_not_fit_says_by_how_much_and_what_would(
    sizes: list[int], learn: bool, batch_size: int, board: str
) -> None:
    profile = Profile.load(board)
    p = plan(Sized(sizes), profile, learn, batch_size)
    over = p.flash_bytes > p.limits["flash"] or p.ram_bytes > p.limits["ram"]
    assert p.fits == (not over)
    if p.fits:
        return
    assert re.search(r"\d too many", p.reasons[0])
    if match := re.search(r"would fit: batches of (\d+)", p.reasons[-1]):
        assert plan(Sized(sizes), profile, learn, int(match[1])).fits
        assert not plan(Sized(sizes), profile, learn, int(match[1]) + 1).fits
    elif match := re.search(r"would fit: ([\d-]+)", p.reasons[-1]):
        smaller = [int(size) for size in match[1].split("-")]
        assert parameter_count(smaller) < parameter_count(sizes)
        assert plan(Sized(smaller), profile, **p.suggest()[0].arguments).fits


@pytest.mark.parametrize("batch_size", [0, -1, 65_536, "a", 2.0, None, True])
def test_a_batch_size_that_cannot_be_is_refused(batch_size: Any) -> None:
    with pytest.raises(UsageError, match="batch size"):
        plan(Network([3, 2]), MICROBIT, learn=True, batch_size=batch_size)


@pytest.mark.parametrize("board", ["uno", "pico"])
@given(sizes=st.lists(st.integers(1, 3000), min_size=2, max_size=4), learn=st.booleans())
def test_a_plan_without_firmware_counts_the_network_alone_and_never_says_that_it_fits(
    board: str, sizes: list[int], learn: bool
) -> None:
    profile = Profile.load(board)
    net = Sized(sizes)
    p, exact = plan(net, profile, learn), plan(net, MICROBIT, learn)
    assert (p.exact, p.status, exact.exact, exact.status) == (False, "datasheet only", True, "proven")
    firmwares_share = ("code", "slot record", "slot journal")
    assert p.flash_bytes == sum(
        part.bytes for part in exact.parts if part.memory == "flash" and part.name not in firmwares_share
    )
    assert p.ram_bytes == exact.ram_bytes - MICROBIT.firmware.static_bytes
    assert p.limits == {"flash": profile.flash_bytes, "ram": profile.ram_bytes}
    over = p.flash_bytes > profile.flash_bytes or p.ram_bytes > profile.ram_bytes
    assert p.fits is (False if over else None)
    assert ("too many" if over else "no firmware") in p.reasons[0]
    assert p.to_dict()["fits"] is p.fits


@pytest.mark.parametrize(("field", "says"), [("flash_bytes", "flash: the image"), ("ram_bytes", "RAM: learning")])
def test_one_byte_less_than_the_network_alone_is_too_little(field: str, says: str) -> None:
    net, pico = Network([20, 9, 4]), Profile.load("pico")
    needed = getattr(plan(net, pico, learn=True), field)
    enough, short = (msgspec.structs.replace(pico, **{field: size}) for size in (needed, needed - 1))
    assert plan(net, enough, learn=True).fits is None
    p = plan(net, short, learn=True)
    assert p.fits is False
    assert p.reasons[0].startswith(says)
    assert p.reasons[0].endswith(": 1 too many")


def test_an_uno_cannot_hold_the_parameters_of_workload_a_for_learning() -> None:
    p = plan(Network([64, 32, 10]), Profile.load("uno"), learn=True)
    assert p.fits is False
    assert p.reasons == (
        "RAM: learning by sgd with batches of 1 takes 10,232 bytes, uno has 2,048 in all: 8,184 too many",
    )


# ---- what the firmware says that it uses, what it touches, and what is refused

SHAPES = [([5, 6, 4, 3], "softmax"), ([4, 7, 3, 2], "sigmoid"), ([9, 2, 5, 1], "linear"), ([3, 4], "softmax")]


@pytest.mark.board("microbit", "microbit2")
@pytest.mark.parametrize(("sizes", "output"), SHAPES)
def test_the_arena_of_learning_is_what_the_firmware_uses(device: Device, sizes: list[int], output: str) -> None:
    """Its answer to LEARN_BEGIN, for everything that memory depends on."""
    net = Network(sizes, output=output, seed=1)
    device.flash(net)
    layers = len(sizes) - 1
    for optimizer, last_layers, keep, batch_size in itertools.product(
        OPTIMIZERS, (None, *range(1, layers + 1)), (False, True), (1, 3)
    ):
        learning = Learning(batch_size, optimizer, last_layers, keep)
        settings = LearnSettings(
            0.05, batch_size, OPTIMIZERS[optimizer], (0.5, 0.5), 1e-7, 0.0, 0.0, last_layers or 0, False, keep
        )
        used = device._client.learn_begin(settings)
        device._client.learn_abort()
        assert used == sum(learning_bytes(sizes, output, learning).values()), learning


@pytest.mark.board("microbit", "microbit2", "nano33ble")
@pytest.mark.parametrize(
    ("optimizer", "last_layers", "keep"),
    [("sgd", None, False), ("momentum", None, True), ("adam", None, False), ("adam", 2, True), ("adam", 1, False)],
)
@pytest.mark.parametrize("output", ["softmax", "linear"])
def test_learning_touches_the_bytes_that_are_planned_and_no_more(
    board: Board, device: Device, optimizer: str, last_layers: int | None, keep: bool, output: str
) -> None:
    net = Network([5, 6, 4, 3], hidden="tanh", output=output, seed=1)
    net.labels = (0, 1, 2) if output == "softmax" else None
    device.flash(net)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 5))
    y = [0, 1, 2] * 2 if output == "softmax" else rng.normal(size=(6, 3))
    validation = {"validation": (X, y), "patience": 2} if keep else {}
    board.poison("arena")
    device.learn(X, y, epochs=2, batch_size=2, optimizer=optimizer, last_layers=last_layers, **validation)  # type: ignore[arg-type]
    answer = plan(net, board.profile, True, 2, optimizer, last_layers, keep)
    assert answer.ram_bytes == board.profile.firmware.static_bytes + board.touched("arena")


def test_every_share_of_adams_memory_has_a_name() -> None:
    """5-6-4-3, two layers, batches of 2, by hand: 43 parameters, records of 6 + 7; 5 and 6 in front."""
    net = Network([5, 6, 4, 3], output="linear")
    ram = plan(net, MICROBIT, True, 2, "adam", 2, True).to_dict()["parts"]["ram"]
    for name in STATIC:
        del ram[name]
    assert ram == {
        "parameters": 4 * 43,
        "parameters set aside": 4 * 43,
        "state of adam": 4 * (2 + 2 * 43),
        "inputs": 4 * 2 * 6,
        "activations X": 4 * 2 * 7,
        "gradients dA": 4 * 2 * 7,
        "gradients dW": 0,
        "targets": 4 * 3,
        "frozen layers": 4 * (5 + 6),
    }


@pytest.mark.parametrize(
    ("sizes", "how", "says", "fitting"),
    [
        ([64, 32, 10], {"optimizer": "adam"}, "learning by adam with batches of 1 takes", {"optimizer": "sgd"}),
        ([20, 40, 10], {"optimizer": "adam"}, "learning by adam with batches of 1 takes", {"optimizer": "momentum"}),
        (
            [64, 32, 10],
            {"optimizer": "sgd", "keep": True},
            "learning by sgd, the best parameters set aside, with batches of 1 takes",
            {"optimizer": "sgd"},
        ),
        (
            [100, 50, 10],
            {"optimizer": "adam"},
            "learning by adam with batches of 1 takes",
            {"optimizer": "adam", "last_layers": 1},
        ),
        (
            [100, 50, 30, 10],
            {"optimizer": "sgd"},
            "learning by sgd with batches of 1 takes",
            {"optimizer": "sgd", "last_layers": 2},
        ),
        (
            [100, 30, 20, 10],
            {"optimizer": "adam", "last_layers": 2, "batch_size": 2_000},
            "learning in the last 2 layers by adam with batches of 2000 takes",
            {"optimizer": "adam", "last_layers": 2, "batch_size": 1},
        ),
    ],
)
def test_what_is_too_much_for_learning_is_named_and_so_is_what_would_fit(
    sizes: list[int], how: dict[str, Any], says: str, fitting: dict[str, Any]
) -> None:
    p = plan(Sized(sizes), MICROBIT, True, **how)
    assert p.fits is False
    assert p.reasons[0].startswith(f"RAM: {says} ")
    assert plan(Sized(sizes), MICROBIT, True, **fitting).fits
    if how.get("batch_size", 1) == 1:
        assert p.reasons[-1] == f"what would fit: {Learning(**fitting).description}"
    else:
        assert p.reasons[-1].startswith("what would fit: batches of ")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"optimizer": "rmsprop"}, "the optimizer must be sgd, momentum, adam, not 'rmsprop'"),
        ({"optimizer": ["sgd"]}, "the optimizer must be"),
        ({"last_layers": 0}, "the last layers to train must be an integer from 1 to 2"),
        ({"last_layers": 3}, "the last layers to train must be an integer from 1 to 2"),
        ({"last_layers": 1.5}, "the last layers to train must be"),
    ],
)
def test_a_way_to_learn_that_cannot_be_is_refused(how: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        plan(Network([3, 4, 2]), MICROBIT, learn=True, **how)


@pytest.mark.parametrize("board", ["microbit", "microbit2", "nano33ble"])
def test_the_largest_layer_is_the_widest_that_runs(board: str) -> None:
    profile = Profile.load(board)
    nodes = largest_layer(profile)
    assert inference_bytes([nodes, 1]) <= profile.firmware.arena_bytes
    assert nodes == 65_535 or inference_bytes([nodes + 1, 1]) > profile.firmware.arena_bytes


# ---- what is suggested


@pytest.mark.parametrize("board", ["microbit", "microbit2"])
@given(
    sizes=st.lists(st.integers(1, 1500), min_size=2, max_size=5),
    learn=st.booleans(),
    batch_size=st.integers(1, 200),
    optimizer=st.sampled_from(["sgd", "momentum", "adam"]),
    keep=st.booleans(),
    last=st.integers(0, 4),
)
def test_what_is_suggested_fits_and_is_no_more_than_was_asked_for(
    board: str, sizes: list[int], learn: bool, batch_size: int, optimizer: str, keep: bool, last: int
) -> None:
    profile, last_layers = Profile.load(board), min(last, len(sizes) - 1) or None
    p = plan(Sized(sizes), profile, learn, batch_size, optimizer, last_layers, keep)
    found = p.suggest()
    assert not (p.fits and found)
    for suggestion in found:
        assert plan(Sized(list(suggestion.sizes)), profile, **suggestion.arguments).fits, suggestion
        assert (suggestion.sizes[0], suggestion.sizes[-1], len(suggestion.sizes)) == (sizes[0], sizes[-1], len(sizes))
        assert all(new <= old for new, old in zip(suggestion.sizes, sizes, strict=True))
        assert suggestion.arguments["learn"] is learn or found == (suggestion,), "running alone is the last resort"
        assert suggestion.arguments.get("batch_size", 1) <= batch_size
    if not p.fits:
        told = found[0].description if found else "of what was tried nothing fits"
        assert told in p.reasons[-1]
        assert [one["description"] for one in p.to_dict()["suggestions"]] == [one.description for one in found]


def test_suggestions_come_with_the_least_change_first() -> None:
    p = plan(Sized([64, 32, 10]), MICROBIT, True, 20, "adam", None, True)
    assert [suggestion.description for suggestion in p.suggest()] == [
        "learning in the last layer by adam, the best parameters set aside, with batches of 20",
        "learning by sgd with batches of 3",
        "64-3-10",
        "64-9-10, learning by adam, the best parameters set aside, with batches of 1",
    ]


@pytest.mark.parametrize(("how", "next_one"), [({"batch_size": 3}, {"batch_size": 4})])
def test_one_more_than_is_suggested_is_too_much(how: dict[str, Any], next_one: dict[str, Any]) -> None:
    assert plan(Sized([64, 32, 10]), MICROBIT, True, **how).fits
    assert not plan(Sized([64, 32, 10]), MICROBIT, True, **next_one).fits


@given(inputs=st.integers(1, 400), hidden=st.integers(300, 3000), outputs=st.integers(1, 50))
def test_the_suggested_hidden_layer_is_the_widest(inputs: int, hidden: int, outputs: int) -> None:
    p = plan(Sized([inputs, hidden, outputs]), MICROBIT)
    if p.suggest():
        width = p.suggest()[0].sizes[1]
        assert not plan(Sized([inputs, width + 1, outputs]), MICROBIT).fits


def test_nothing_is_suggested_where_nothing_can_be_said_to_fit() -> None:
    assert plan(Sized([64, 32, 10]), Profile.load("uno"), learn=True).suggest() == ()
    hopeless = plan(Sized([40_000, 5, 3]), MICROBIT)
    assert hopeless.suggest() == ()
    assert hopeless.reasons[-1].startswith("of what was tried nothing fits")


def test_what_cannot_learn_may_still_run() -> None:
    (found,) = plan(Sized([2_000, 2]), MICROBIT, learn=True).suggest()
    assert (found.description, found.arguments) == ("running it, without learning on the board", {"learn": False})


def test_an_image_that_cannot_be_made_does_not_fit() -> None:
    """Whatever the memory: labels beyond a u16 of bytes, and more layers than an image holds."""
    nano = Profile.load("nano33ble")
    net = Network([2, 3_000])
    net.labels = tuple(f"a label of thirty letters {n:04}" for n in range(3_000))
    p = plan(net, nano)
    assert not p.fits
    assert p.reasons[0].startswith("labels: they take 99,012 bytes, an image has room for 65,535: 33,477 too many")
    assert (p.flash_time, p.wear, p.inference) == (None, None, None)
    with pytest.raises(DoesNotFitError, match="labels: they take"):
        train(net, np.zeros((1, 2)), [net.labels[0]], profile=nano)
    assert plan(Sized([2] * 19), nano).reasons[0] == "layers: there are 18, an image holds 16: 2 too many"
    assert plan(Sized([2] * 19), Profile.load("pico")).fits is False


def test_a_plan_is_for_a_profile() -> None:
    with pytest.raises(UsageError, match=r"not 'microbit'; Profile\.load"):
        plan(Network([3, 2]), "microbit")  # type: ignore[arg-type]


# ---- formats and byte order


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"formats": ("int8", "float16")}, "format: the network's parameters are float32, NAME takes int8, float16"),
        ({"endianness": "big"}, "byte order: a network lies in flash little-endian and is read in place, NAME is big-"),
    ],
)
@pytest.mark.parametrize("board", ["microbit", "pico"])
def test_a_board_that_reads_other_numbers_is_refused(board: str, changes: dict[str, Any], says: str) -> None:
    p = plan(Network([3, 2]), msgspec.structs.replace(Profile.load(board), **changes))
    assert p.fits is False
    assert p.reasons[0].startswith(says.replace("NAME", board))
    assert p.suggest() == ()


# ---- estimates


def test_cycles_are_those_of_the_model_for_what_was_asked() -> None:
    net = Network([20, 16, 7], hidden="tanh")
    net.mean, net.scale = np.zeros(20, np.float32), np.ones(20, np.float32)
    p = plan(net, MICROBIT, True, 3, "momentum", 1)
    inference = inference_cycles(MICROBIT, (20, 16, 7), "tanh", standardised=True)
    how: dict[str, Any] = {"optimizer": "momentum", "batch_size": 3, "last_layers": 1}
    step = step_cycles(MICROBIT, (20, 16, 7), "tanh", "softmax", **how, standardised=True)
    assert p.inference is not None
    assert p.training_step is not None
    assert (p.inference.cycles, p.training_step.cycles) == (inference, step)
    assert p.inference.seconds == inference.estimate / 16e6
    told = p.to_dict()["estimates"]["training_step"]
    assert told["cycles"] == {"minimum": step.minimum, "estimate": step.estimate, "maximum": step.maximum}
    assert plan(net, MICROBIT).training_step is None


def test_what_does_not_fit_takes_no_time() -> None:
    for p in (plan(Network([300, 400, 7]), MICROBIT, True), plan(Network([3, 2]), Profile.load("uno"), True)):
        assert (p.inference, p.training_step) == (None, None)


@pytest.mark.parametrize(
    ("board", "latency", "image_bytes"),
    [
        ("microbit", 0.016, 1_600),
        ("microbit", 0.0, 12_000),
        ("microbit2", 0.016, 12_000),
        ("microbit2", 0.004, 6_000),
        ("nano33ble", 0.016, 30_000),
    ],
)
def test_the_time_to_flash_is_what_a_simulated_board_takes(board: str, latency: float, image_bytes: int) -> None:
    """Within 3 %, at either rate; an image of 11,520 bytes or more goes at the higher one."""
    profile = Profile.load(board)
    net = Network([64, image_bytes // 300, 10], seed=0)
    with open_board(profile, faults=f"latency={latency}") as simulated, Device.open(simulated.url) as device:
        begin = device.clock()
        length = device.flash(net).length
        seconds = device.clock() - begin
    estimate = flash_time(length, profile, latency)
    assert estimate.baud == (profile.uart_fast_baud if length >= 11_520 else profile.uart_baud)
    assert estimate.seconds == pytest.approx(seconds, rel=0.03)
    assert plan(net, profile).flash_time == flash_time(length, profile)


@pytest.mark.board("microbit", "microbit2")
def test_a_checkpoint_erases_its_pages_once_in_every_other_slot(board: Board, device: Device) -> None:
    """What `Wear` counts with, of a flash and of learning alike."""
    net = Network([30, 20, 10], seed=1)
    net.labels = tuple(range(10))
    wear = plan(net, board.profile).wear
    assert wear is not None
    assert wear.endurance_cycles == board.profile.flash_endurance_cycles
    assert (wear.checkpoints, wear.share) == (2 * wear.endurance_cycles, 1 / (2 * wear.endurance_cycles))
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4, 30)), [0, 1, 2, 3]
    erases = []
    for _ in range(2):
        with board.measure("board_flash_erase_page") as flashing:
            device.flash(net)
        with board.measure("board_flash_erase_page") as learning:
            device.learn(X, y)
        net.parameters[:] += np.float32(1.0)
        erases += [flashing.calls, learning.calls]
    assert erases == [wear.pages] * 4
    assert [slot.erase_count for slot in device.info().slots] == [2, 2]
