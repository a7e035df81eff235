"""What was planned against what a running board takes: flash, RAM and stack, for networks drawn by a seed and for the
smallest and the largest that there are; and what is a little larger yet, refused on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from firmware_sim import Board, FirmwareFault
from firmware_sim.hexfile import parse_hex
from nnlite import layout
from nnlite.device import Device
from nnlite.errors import DoesNotFitError, NNLiteError
from nnlite.image import encode_image
from nnlite.layout import HiddenActivation, OutputFunction
from nnlite.link.protocol import LearnSettings, Refusal, learn_begin_request
from nnlite.link.wire import Message, Status
from nnlite.network import Network
from nnlite.planner import Learning, Plan, image_parts, inference_bytes, learning_bytes, plan
from nnlite.profile import Profile
from nnlite.recipe import OPTIMIZERS
from tests.proof.judge import Violation, serving
from tests.proof.raw import Raw

__all__ = ["STACK_SPARE_BYTES", "Case", "Measured", "drawn", "edges", "measure", "refusals"]

#: the plan's stack may be so far above the deepest that is seen
STACK_SPARE_BYTES = 64
_RATE = 0.001
_WIDEST = 65_535
#: flash takes simulated minutes, and the simulator as many seconds: of what is drawn, nothing is larger
_DRAWN_IMAGE_BYTES = 24_000


@dataclass(frozen=True)
class Case:
    """A network, and how it is to learn on the board: None where no way of learning fits."""

    what: str
    net: Network
    learning: Learning | None


@dataclass(frozen=True)
class Measured:
    """Bytes planned less bytes measured, of one case."""

    flash: int
    ram: int
    stack: int
    learning_ram: int | None
    learning_stack: int | None


def _planned(net: Network, profile: Profile, how: Learning | None) -> Plan:
    if how is None:
        return plan(net, profile)
    return plan(net, profile, True, how.batch_size, how.optimizer, how.last_layers, how.keep)


# ---- what is tried


def _dressed(net: Network, chance: np.random.Generator) -> Network:
    """With labels and a standardiser, by chance."""
    if net.output == "softmax" and chance.integers(2):
        net.labels = tuple(f"class {i}" for i in range(net.sizes[-1]))
    if chance.integers(2):
        net.mean = chance.normal(size=net.sizes[0]).astype(np.float32)
        net.scale = chance.uniform(0.5, 2, net.sizes[0]).astype(np.float32)
    return net


def _drawn(profile: Profile, chance: np.random.Generator) -> Case:
    while True:
        layers = int(chance.choice([1, 2, 2, 3, 3, 4, 5, 8, 16]))
        sizes = [int(2 ** chance.uniform(0, top)) for top in (9, *[6] * (layers - 1), 5)]
        hidden, output = (
            str(chance.choice([f.name.lower() for f in kind])) for kind in (HiddenActivation, OutputFunction)
        )
        if sizes[-1] == 1 and output == "softmax":
            output = "sigmoid"
        net = _dressed(Network(sizes, hidden=hidden, output=output, seed=int(chance.integers(1000))), chance)
        if sum(image_parts(net).values()) <= _DRAWN_IMAGE_BYTES and plan(net, profile).fits:
            return Case("drawn", net, _way_to_learn(net, profile, chance))


def _way_to_learn(net: Network, profile: Profile, chance: np.random.Generator) -> Learning | None:
    """One that fits, if any does: the last layer alone and SGD are tried often enough."""
    for _ in range(40):
        last = None if chance.integers(2) else int(chance.integers(1, len(net.sizes)))
        keep = bool(chance.integers(4) == 0)
        how = Learning(int(2 ** chance.uniform(0, 6)), str(chance.choice(list(OPTIMIZERS))), last, keep)
        for batch in (how.batch_size, 1):
            if _planned(net, profile, replace(how, batch_size=batch)).fits:
                return replace(how, batch_size=batch)
    return None


def _filling_a_slot(profile: Profile, spare: int) -> Network:
    """A network whose image is `spare` bytes smaller than a slot has room for: what is left, a label takes."""
    room = profile.slot_image_bytes - spare
    net = Network([200, (room // 4 - 32) // 202, 1], output="linear")
    left = room - sum(image_parts(net).values()) - len(layout.encode_metadata([""]))
    net.labels = ("x" * left,)
    return net


def _filling_the_arena(profile: Profile, spare: int) -> Network:
    """A network whose inference takes `spare` bytes less than the arena has."""
    return Network([(profile.firmware.arena_bytes - spare) // 4 - 1, 1], output="linear")


def _learning_in_all(profile: Profile, spare: int) -> tuple[Network, Learning]:
    """A network whose learning takes `spare` bytes less than the arena has: with SGD and a batch of one sample.

    [n, h, m] takes (n + 1) h + (h + 1) m parameters, n inputs, h + m values and as many of dA.
    """
    floats = (profile.firmware.arena_bytes - spare) // 4
    for hidden, outputs in product(range(4, 40), range(2, 8)):
        inputs, rest = divmod(floats - 3 * (hidden + outputs) - hidden * outputs, hidden + 1)
        if rest == 0 and 0 < inputs <= _WIDEST:
            return Network([inputs, hidden, outputs]), Learning()
    raise AssertionError(f"no network takes {floats} floats")


def edges(profile: Profile) -> Iterator[Case]:
    """The smallest and the largest that there are, each by another measure."""
    yield Case("the smallest", Network([1, 1], output="linear"), Learning())
    largest = _filling_a_slot(profile, 0)
    yield Case("the largest image", largest, Learning(last_layers=1))
    yield Case("the most RAM for inference", _filling_the_arena(profile, 0), None)
    yield Case("the most RAM for learning", *_learning_in_all(profile, 0))


def drawn(profile: Profile, count: int, seed: int) -> Iterator[Case]:
    """Networks of any shape, and ways to learn."""
    chance = np.random.default_rng(seed)
    for _ in range(count):
        yield _drawn(profile, chance)


# ---- how it is measured


def _linked_flash(profile: Profile) -> int:
    """Bytes of the firmware's HEX file."""
    return sum(len(data) for _, data in parse_hex(profile.firmware_hex()))


def _slot_flash(board: Board, slot: int) -> int:
    """Bytes of a slot up to the last one programmed, of its record page and of its image."""
    record, page = board.profile.slot_address(slot), board.profile.page_bytes
    parts = board.read_memory(record, page), board.read_memory(record + page, board.profile.slot_image_bytes)
    return sum(len(part.rstrip(b"\xff")) for part in parts)


def _learn(device: Device, case: Case, chance: np.random.Generator) -> None:
    net, how = case.net, case.learning
    assert how is not None
    rows = how.batch_size + 1  # a full batch, and one that the end of the epoch finds
    X = chance.normal(size=(rows, net.sizes[0])).astype(np.float32)
    targets = chance.random((rows, net.sizes[-1])).astype(np.float32)
    classes = net.labels if net.labels is not None else range(net.sizes[-1])
    y = [classes[i] for i in chance.integers(0, net.sizes[-1], rows)] if net.output == "softmax" else targets
    device.learn(
        X,
        y,
        learning_rate=_RATE,
        epochs=1,
        batch_size=how.batch_size,
        optimizer=how.optimizer,
        last_layers=how.last_layers,
        **({"validation": (X[:1], y[:1]), "patience": 1} if how.keep else {}),  # type: ignore[arg-type]
    )


def measure(board: Board, case: Case, seed: int) -> Measured:
    """Flash a network onto a board that has just booted, run it, train it, and compare.

    Raises
    ------
    Violation : the firmware faults or refuses, or what is planned for flash or RAM is not what is taken, or for the
        stack less than that, or more than `STACK_SPARE_BYTES` more.
    """
    profile, net, chance = board.profile, case.net, np.random.default_rng(seed)
    arena, reserve = (profile.firmware.symbols[name] for name in ("arena", "stack"))
    static = arena.address - reserve.address - reserve.size  # where the linker has put them
    inference = _planned(net, profile, None)
    told = f"{case.what}: {'-'.join(map(str, net.sizes))} {net.hidden} {net.output}, {case.learning}"
    learning_ram = learning_stack = None
    try:
        with Device.open(board.url) as device:
            device.flash(net)
            board.poison("arena")
            X = chance.normal(size=(2, net.sizes[0])).astype(np.float32)
            (device.decision_function if net.output == "linear" else device.predict_proba)(X)
            slot = device.info().active_slot
            assert slot is not None
            flash = inference.flash_bytes - _linked_flash(profile) - _slot_flash(board, slot)
            running = board.touched("arena")
            ram = inference.ram_bytes - static - running
            stack = inference.stack_bytes - board.stack_high_water
            if case.learning is not None:
                learning = _planned(net, profile, case.learning)
                board.poison("arena")
                _learn(device, case, chance)
                learning_ram = learning.ram_bytes - static - max(running, board.touched("arena"))
                learning_stack = learning.stack_bytes - board.stack_high_water
                device.predict(X)
    except (FirmwareFault, NNLiteError) as error:
        raise Violation(f"wrong: {told}: {error}") from error
    found = Measured(flash, ram, stack, learning_ram, learning_stack)
    spare = [number for number in (stack, learning_stack) if number is not None]
    if flash or ram or learning_ram or min(spare) < 0 or max(spare) > STACK_SPARE_BYTES:
        raise Violation(f"wrong: {told}: planned less measured is {found}")
    return found


# ---- what does not fit


def _refused(answer: bytes | Refusal, status: Status, value: int, limit: int, what: str) -> None:
    if not isinstance(answer, Refusal) or (answer.status, answer.value, answer.limit) != (status, value, limit):
        raise Violation(f"wrong: {what} is answered with {answer!r}, not with {status.name}, {value} and {limit}")


def _refused_by_the_laptop(board: Board, net: Network, how: Learning | None = None) -> None:
    """By the plan, and by `Device` before a byte is sent."""
    if _planned(net, board.profile, how).fits:
        raise Violation(f"wrong: the plan takes {net.sizes} with {how}")
    with Device.open(board.url) as device:
        before = device.statistics.bytes_sent
        with suppress(DoesNotFitError):
            if how is None:
                device.flash(net)
            else:
                device.learn(np.zeros((1, net.sizes[0]), np.float32), [0], batch_size=how.batch_size)
            raise Violation(f"wrong: {net.sizes} with {how} was not refused")
        if how is None and device.statistics.bytes_sent != before:
            raise Violation("wrong: something was sent of what does not fit")


def refusals(board: Board) -> list[str]:
    """Send what is a byte, or a float, too large to a board past the laptop's checks. Gives what was refused.

    Raises
    ------
    Violation : one was taken, by either side, or refused with another status, or the old model does not serve.
    """
    profile, arena = board.profile, board.profile.firmware.arena_bytes
    old = Network([3, 4, 2], seed=3)
    told = []
    with Device.open(board.url) as device:
        device.flash(old)
        serves = serving(board, device.info())

    slot = profile.slot_image_bytes
    larger = _filling_a_slot(profile, -4)
    image = encode_image(larger)
    assert len(image) == slot + 4
    _refused_by_the_laptop(board, larger)
    for length in (slot + 1, slot + 4):
        _refused(Raw(board).flash(image, length), Status.TOO_LARGE, length, slot, f"an image of {length} bytes")
    told.append(f"an image of {slot:,} + 1 bytes")

    wider = _filling_the_arena(profile, -4)
    assert inference_bytes(wider.sizes) == arena + 4
    _refused_by_the_laptop(board, wider)
    _refused(Raw(board).flash(encode_image(wider)), Status.NO_MEMORY, arena + 4, arena, "inference beyond the arena")
    told.append(f"inference with {arena:,} + 4 bytes")

    net, how = _learning_in_all(profile, -4)
    assert sum(learning_bytes(net.sizes, net.output, how).values()) == arena + 4
    with Device.open(board.url) as device:
        device.flash(net)
        serves = serving(board, device.info())
    _refused_by_the_laptop(board, net, how)
    settings = LearnSettings(_RATE, 1, 0, (0.0, 0.0), 0.0, 0.0, 0.0, 0, False, False)
    answer = Raw(board).request(Message.LEARN_BEGIN, learn_begin_request(settings))
    _refused(answer, Status.NO_MEMORY, arena + 4, arena, "learning beyond the arena")
    told.append(f"learning with {arena:,} + 4 bytes")

    with Device.open(board.url) as device:
        X = np.ones((1, net.sizes[0]), np.float32)
        same = device.decision_function(X).tobytes() == net.decision_function(X).tobytes()
        if not same or serving(board, device.info()) != serves:
            raise Violation("wrong: the old model does not serve after what was refused")
    return told
