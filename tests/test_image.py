"""Images: bytes by FORMAT.md, every check in its order, and the same verdicts as the firmware's image.c."""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite import layout
from nnlite.errors import DataError, IncompatibleError, UsageError
from nnlite.image import MAX_HEADER_BYTES, ImageError, decode_header, decode_image, encode_image, image_digest
from nnlite.link.wire import ImageFault
from nnlite.network import Network
from tests.runtime import native

ROOT = Path(__file__).resolve().parents[1]


def example(labels: tuple[str | int, ...] | None = ("yes", "no"), standardised: bool = True) -> Network:
    net = Network([3, 4, 2], seed=1)
    if standardised:
        net.mean = np.array([1, 2, 3], np.float32)
        net.scale = np.array([0.5, 1, 2], np.float32)
    net.labels = labels
    return net


def same(a: Network, b: Network) -> bool:
    def bits(values: object) -> object:
        return None if values is None else np.asarray(values).tobytes()

    return (a.sizes, a.hidden, a.output, a.labels) == (b.sizes, b.hidden, b.output, b.labels) and all(
        bits(x) == bits(y) for x, y in ((a.parameters, b.parameters), (a.mean, b.mean), (a.scale, b.scale))
    )


def test_an_image_byte_by_byte() -> None:
    net = example()
    metadata = b'{"labels":["yes","no"]}'
    expected = b"NNLM" + bytes([1, 2, 1, 1, 0, 1]) + struct.pack("<HI", len(metadata), 3 * 4 + 4 + 4 * 2 + 2)
    expected += struct.pack("<HHHxx", 3, 4, 2)
    expected += struct.pack("<6f", 1, 2, 3, 0.5, 1, 2) + net.parameters.astype("<f4").tobytes()
    expected += metadata + b"\0"
    assert encode_image(net) == expected
    assert image_digest(expected) == hashlib.blake2s(expected).digest()


@given(
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=17),
    hidden=st.sampled_from(["relu", "leaky_relu", "sigmoid", "tanh"]),
    output=st.sampled_from(["softmax", "sigmoid", "linear"]),
    standardised=st.booleans(),
    kind=st.sampled_from(["none", "text", "integers"]),
)
def test_round_trip(sizes: list[int], hidden: str, output: str, standardised: bool, kind: str) -> None:
    net = Network(sizes, hidden=hidden, output=output, seed=3)
    if standardised:
        net.mean, net.scale = np.arange(sizes[0], dtype=np.float32), np.ones(sizes[0], np.float32)
    labels = {
        "none": None,
        "text": tuple(f"é{n}" for n in range(sizes[-1])),
        "integers": tuple(range(-1, sizes[-1] - 1)),
    }
    net.labels = labels[kind]
    image = encode_image(net)
    assert len(image) % 4 == 0
    assert same(decode_image(image), net)
    header = decode_header(image[:MAX_HEADER_BYTES], len(image))
    assert header.sizes == tuple(sizes)
    assert header.image_bytes == len(image)


def test_minus_zero_becomes_plus_zero_both_ways() -> None:
    net = example()
    net.parameters[5] = -0.0
    image = encode_image(net)
    offset = decode_header(image, len(image)).parameters_offset
    assert image[offset + 20 : offset + 24] == bytes(4)
    foreign = image[: offset + 20] + struct.pack("<f", -0.0) + image[offset + 24 :]
    assert not np.signbit(decode_image(foreign).parameters[5])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["parameters", "mean", "scale"])
def test_values_that_are_not_finite_are_not_encoded(where: str, value: float) -> None:
    net = example()
    getattr(net, where)[2] = value
    with pytest.raises(DataError, match=f"{where} number 2"):
        encode_image(net)


@pytest.mark.parametrize("what", [None, 5, "model.safetensors", [2, 2]])
def test_what_is_no_network(what: Any) -> None:
    with pytest.raises(UsageError, match="a Network is needed"):
        encode_image(what)


def test_labels_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="room for 65,535"):
        encode_image(example(labels=("a", "b" * 70_000)))
    with pytest.raises(DataError, match="different names"):
        encode_image(example(labels=("a",)))


#: fault, offset of a byte, its new value; each alone, and in the order of FORMAT.md
FAULTS = [
    (ImageFault.MAGIC, 0, 0),
    (ImageFault.FORMAT, 4, 2),
    (ImageFault.LAYERS, 5, 0),
    (ImageFault.LAYERS, 5, 17),
    (ImageFault.HIDDEN, 6, 0),
    (ImageFault.HIDDEN, 6, 5),
    (ImageFault.OUTPUT, 7, 3),
    (ImageFault.PARAMETER_TYPE, 8, 1),
    (ImageFault.FLAGS, 9, 3),
    (ImageFault.SIZE, 16, 0),
    (ImageFault.PADDING, 22, 1),
    (ImageFault.PARAMETER_COUNT, 12, 1),
    (ImageFault.LENGTH, 9, 0),
    (ImageFault.LENGTH, 10, 200),
    (ImageFault.NON_FINITE, 27, 0x7F),
]


@pytest.mark.parametrize(("fault", "at", "value"), FAULTS)
def test_each_check_refuses_with_its_own_number(fault: ImageFault, at: int, value: int) -> None:
    image = bytearray(encode_image(example()))
    image[at] = value
    if fault == ImageFault.NON_FINITE:
        image[26] |= 0x80
    with pytest.raises(ImageError) as caught:
        decode_image(bytes(image))
    assert caught.value.fault == fault
    assert isinstance(caught.value, IncompatibleError)


def test_the_first_fault_in_the_order_of_the_format_is_named() -> None:
    """One more fault at a time, from the last check to the first: the newest must be the one that is named."""
    image = bytearray(encode_image(example()))
    # Other layers move what comes behind them, and the flags can only be wrong in one way at a time.
    steps = [(fault, at, value) for fault, at, value in FAULTS if at not in (5, 27) and (at, value) != (9, 0)]
    for fault, at, value in reversed(steps):
        image[at] = value
        with pytest.raises(ImageError) as caught:
            decode_image(bytes(image))
        assert caught.value.fault == fault


@pytest.mark.parametrize("cut", [1, 2, 4, 20, 60, 160])
def test_a_cut_image_has_the_wrong_length(cut: int) -> None:
    image = encode_image(example())
    with pytest.raises(ImageError) as caught:
        decode_image(image[:-cut])
    assert caught.value.fault == ImageFault.LENGTH


def test_sizes_whose_count_leaves_32_bits() -> None:
    sizes = [65_535, 65_535, 65_535, 2]
    count = sum(i * o + o for i, o in itertools.pairwise(sizes))
    head = struct.pack(layout.IMAGE_HEADER, layout.IMAGE_MAGIC, 1, 3, 1, 1, 0, 0, 0, count % 2**32)
    with pytest.raises(ImageError) as caught:
        decode_image(head + struct.pack("<4H", *sizes) + bytes(64))
    assert caught.value.fault == ImageFault.PARAMETER_COUNT


@pytest.mark.parametrize(
    "metadata",
    [
        b"{",
        b"[1]",
        b"\xff\xfe\xfd\xfc",
        b'{"labels":["a"]}',
        b'{"labels":["a",1]}',
        b'{"labels":3}',
        b'{"labels":[[1],[2]]}',
        b'{"labels":["a","\\ud800"]}',
        b'{"labels":[1,9223372036854775808]}',
        b"[" * 9000,
    ],
)
def test_damaged_metadata_is_named(metadata: bytes) -> None:
    image = bytearray(encode_image(example(labels=None)))
    image[10:12] = struct.pack("<H", len(metadata))
    with pytest.raises(ImageError, match="metadata is damaged") as caught:
        decode_image(bytes(image) + metadata + b"\0" * (-len(metadata) % 4))
    assert caught.value.fault is None


def test_metadata_without_labels_is_no_labels() -> None:
    image = bytearray(encode_image(example(labels=None)))
    image[10:12] = struct.pack("<H", 11)
    assert decode_image(bytes(image) + b'{"later":1}\0').labels is None


@pytest.fixture(scope="module")
def firmware_verdict(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], int]:
    """What the firmware's own image.c says of an image: 0 or the fault."""
    compiler = native.gcc() or native.clang()
    if compiler is None:
        pytest.skip("no C compiler is installed to build the firmware's image.c natively")
    library = tmp_path_factory.mktemp("image") / "image.so"
    sources = [ROOT / "nnlite" / "firmware" / "image.c", *sorted((ROOT / "nnlite" / "runtime").glob("*.c"))]
    subprocess.run(
        [*compiler, "-std=c99", "-O1", "-shared", "-fPIC", *map(str, sources), "-o", str(library)], check=True
    )
    parse = ctypes.CDLL(str(library)).image_parse
    parse.restype = ctypes.c_uint8
    parsed = ctypes.create_string_buffer(256)
    return lambda image: int(
        parse(ctypes.create_string_buffer(image, len(image) + 4), ctypes.c_uint32(len(image)), parsed)
    )


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=17),
    standardised=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0, 1, 2, 3, 16, 17, 127, 128, 255])), max_size=3),
    cut=st.sampled_from([0, 0, 0, 2, 4, 8, 40]),
)
def test_laptop_and_firmware_refuse_the_same(
    firmware_verdict: Callable[[bytes], int],
    sizes: list[int],
    standardised: bool,
    changes: list[tuple[int, int]],
    cut: int,
) -> None:
    net = Network(sizes)
    if standardised:
        net.mean, net.scale = np.zeros(sizes[0], np.float32), np.ones(sizes[0], np.float32)
    image = bytearray(encode_image(net))
    for at, value in changes:
        if at < len(image):
            image[at] = value
    data = bytes(image[: max(0, len(image) - cut)])
    try:
        decode_image(data)
        verdict = 0
    except ImageError as error:
        verdict = error.fault or 0  # the firmware does not read metadata
    assert verdict == firmware_verdict(data)
