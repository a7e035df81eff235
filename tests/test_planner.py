"""Plans: totals are sums of their parts, limits are the board's, and what is advised fits."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite import Network, image, plan
from nnlite.errors import UsageError
from nnlite.layout import parameter_count
from nnlite.profile import Profile

MICROBIT = Profile.load("microbit")


class Sized:
    """A network too large to make just for its plan."""

    output, mean, labels = "softmax", None, None

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
    assert p.ram_bytes == MICROBIT.firmware.static_bytes + 4 * (375 + 15 + 2 * 23)


def test_workload_a_learns_in_the_bytes_of_its_parameters_x_and_da() -> None:
    ram = plan(Network([64, 32, 10]), MICROBIT, learn=True).to_dict()["parts"]["ram"]
    assert ram["parameters"] + ram["activations X"] + ram["gradients dA"] == 9_976


@given(sizes=st.lists(st.integers(1, 60), min_size=2, max_size=6), labelled=st.booleans())
def test_flash_is_firmware_record_and_the_image_that_is_sent(sizes: list[int], labelled: bool) -> None:
    net = Network(sizes)
    if labelled:
        net.labels = tuple(f"class {i}" for i in range(sizes[-1]))
    p = plan(net, MICROBIT)
    assert p.flash_bytes == MICROBIT.firmware.flash_bytes + 132 + len(image.encode_image(net))


@given(
    sizes=st.lists(st.integers(1, 3000), min_size=2, max_size=5),
    learn=st.booleans(),
    batch_size=st.integers(1, 200),
    board=st.sampled_from(["microbit", "microbit2"]),
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
        assert plan(Sized(smaller), profile, learn, 1).fits


@pytest.mark.parametrize("batch_size", [0, -1, 65_536, "a", 2.0, None, True])
def test_a_batch_size_that_cannot_be_is_refused(batch_size: Any) -> None:
    with pytest.raises(UsageError, match="batch size"):
        plan(Network([3, 2]), MICROBIT, learn=True, batch_size=batch_size)


@pytest.mark.parametrize("board", ["uno", "nano33ble", "pico"])
@given(sizes=st.lists(st.integers(1, 3000), min_size=2, max_size=4), learn=st.booleans())
def test_a_plan_without_firmware_counts_the_network_alone_and_never_says_that_it_fits(
    board: str, sizes: list[int], learn: bool
) -> None:
    profile = Profile.load(board)
    net = Sized(sizes)
    p, exact = plan(net, profile, learn), plan(net, MICROBIT, learn)
    assert (p.exact, p.status, exact.exact, exact.status) == (False, "datasheet only", True, "proven")
    assert p.flash_bytes == exact.flash_bytes - MICROBIT.firmware.flash_bytes - 132
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
