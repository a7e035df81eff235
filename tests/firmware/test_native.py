"""The firmware's portable C files, built natively with sanitizers, against Python's own libraries."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nnlite import layout, planner
from nnlite.firmware.build import board_config
from nnlite.link.frame import cobs_decode, cobs_encode
from nnlite.link.wire import ImageFault, Optimizer
from nnlite.planner import Learning
from nnlite.profile import Profile
from nnlite.recipe import OPTIMIZERS
from tests.runtime import native

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "nnlite" / "firmware"
PORTABLE = ["frame.c", "image.c", "blake2s.c"]

Ask = Callable[[str, bytes], str]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Send one command to the natively built files; the sanitizers end the process at the first misstep."""
    compiler = native.gcc() or native.clang()
    if compiler is None:
        pytest.skip("neither gcc nor ziglang is installed")
    program = tmp_path_factory.mktemp("native") / "native"
    (program.parent / "board_config.h").write_text(board_config(Profile.load("microbit")), encoding="ascii")
    sources = [ROOT / "tests" / "firmware" / "native.c", *(FIRMWARE / name for name in PORTABLE)]
    sources += sorted((ROOT / "nnlite" / "runtime").glob("*.c"))
    flags = "-std=c99 -O1 -g -ffp-contract=off -Wall -Wextra -Wconversion -Werror"
    if native.gcc():
        flags += " -fsanitize=address,undefined -fno-sanitize-recover=all"
    subprocess.run(
        [*compiler, *flags.split(), f"-I{FIRMWARE}", f"-I{program.parent}", *map(str, sources), "-o", str(program)],
        check=True,
    )
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:

        def exchange(command: str, data: bytes) -> str:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{command} {data.hex()}\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, f"{command} {data.hex()} ended the process"
            return answer.strip()

        yield exchange


@given(data=st.binary(max_size=600))
def test_crc_and_digest_are_those_of_the_standard_libraries(ask: Ask, data: bytes) -> None:
    assert ask("crc", data) == f"{zlib.crc32(data):08x}"
    words = data[: len(data) // 4 * 4]
    assert ask("digest", words) == hashlib.blake2s(words).hexdigest()


def whole(encoded: bytes) -> str:
    """What the firmware's decoder must make of a frame's bytes: those that Python makes, or "-"."""
    body = cobs_decode(encoded)
    return (
        "-" if body is None or len(body) < 4 or zlib.crc32(body[:-4]).to_bytes(4, "little") != body[-4:] else body.hex()
    )


BODIES = st.one_of(st.binary(max_size=600), st.integers(0, 600).map(bytes), st.integers(0, 600).map(b"\x01".__mul__))


@given(data=BODIES)
def test_cobs_and_crc_round_trip(ask: Ask, data: bytes) -> None:
    body = data + zlib.crc32(data).to_bytes(4, "little")
    encoded = bytes.fromhex(ask("encode", body))
    assert encoded == cobs_encode(body)
    assert bytes.fromhex(ask("decode", encoded)) == body


@given(data=BODIES, at=st.integers(0, 700), bits=st.integers(1, 255), cut=st.integers(0, 3))
def test_damaged_frames_are_refused_alike(ask: Ask, data: bytes, at: int, bits: int, cut: int) -> None:
    encoded = bytearray(cobs_encode(data + zlib.crc32(data).to_bytes(4, "little")))
    encoded[at % len(encoded)] ^= bits
    damaged = bytes(encoded[: len(encoded) - cut]).replace(b"\0", b"\x01")
    assert ask("decode", damaged) == whole(damaged)


@given(data=st.binary(max_size=300).map(lambda data: data.replace(b"\0", b"\x02")))
def test_decoding_anything_stays_inside_the_buffer(ask: Ask, data: bytes) -> None:
    """A sanitizer ends the process otherwise."""
    assert ask("decode", data) == whole(data)


def image(sizes: list[int], output: int = 1, flags: int = 0, metadata: bytes = b"", value: float = 0.5) -> bytes:
    """An image straight from docs/FORMAT.md, on purpose not by nnlite.image."""
    count = layout.parameter_count(sizes)
    head = struct.pack(
        layout.IMAGE_HEADER, layout.IMAGE_MAGIC, 1, len(sizes) - 1, 1, output, 0, flags, len(metadata), count
    )
    body = np.full(count + (2 * sizes[0] if flags & 1 else 0), value, np.float32).tobytes()
    table = struct.pack(f"<{len(sizes)}H", *sizes)
    return head + table + b"\0" * (-len(table) % 4) + body + metadata + b"\0" * (-len(metadata) % 4)


SIZES = st.lists(st.integers(1, 40), min_size=2, max_size=17)


@given(sizes=SIZES, output=st.integers(0, 2), flags=st.integers(0, 1), metadata=st.binary(max_size=9))
def test_memory_of_inference_is_the_planners(
    ask: Ask, sizes: list[int], output: int, flags: int, metadata: bytes
) -> None:
    assert ask("image", image(sizes, output, flags, metadata)) == f"ok {planner.inference_bytes(sizes)}"


def learning_bytes(ask: Ask, sizes: list[int], output: str, learning: Learning) -> int:
    head = struct.pack(
        "<IBBBB",
        learning.batch_size,
        Optimizer[learning.optimizer.upper()],
        learning.last_layers or 0,
        learning.keep,
        layout.OutputFunction[output.upper()],
    )
    return int(ask("learning", head + struct.pack(f"<{len(sizes)}H", *sizes)))


@given(
    sizes=st.one_of(SIZES, st.lists(st.integers(1, 65_535), min_size=2, max_size=4)),
    output=st.sampled_from(["linear", "softmax", "sigmoid"]),
    batch_size=st.one_of(st.integers(1, 99), st.integers(1, 65_535)),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
    last_layers=st.one_of(st.none(), st.integers(1, 16)),
    keep=st.booleans(),
)
def test_memory_of_learning_is_the_planners(
    ask: Ask, sizes: list[int], output: str, batch_size: int, optimizer: str, last_layers: int | None, keep: bool
) -> None:
    """Any network, also those that no board could hold: a sum that 32 bits cannot hold is told as the largest."""
    assume(layout.parameter_count(sizes) < 2**32)  # the parser refuses the others
    layers = None if last_layers is None else min(last_layers, len(sizes) - 1)
    learning = Learning(batch_size, optimizer, layers, keep)
    planned = planner.learning_bytes(sizes, output, learning)
    total, most = sum(planned.values()), 2**32 - 1
    assert learning_bytes(ask, sizes, output, learning) == (total if total < 2**32 else most)


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("keep", [False, True])
def test_the_first_batch_that_leaves_32_bits_is_told(ask: Ask, optimizer: str, keep: bool) -> None:
    sizes = [30_000, 2, 30_000]

    def planned(batch_size: int) -> int:
        return sum(planner.learning_bytes(sizes, "linear", Learning(batch_size, optimizer, None, keep)).values())

    sample = planned(2) - planned(1)
    most = (2**32 - 1 - planned(1)) // sample + 1
    assert learning_bytes(ask, sizes, "linear", Learning(most, optimizer, None, keep)) == planned(most) < 2**32
    assert learning_bytes(ask, sizes, "linear", Learning(most + 1, optimizer, None, keep)) == 2**32 - 1


@pytest.mark.parametrize(
    ("fault", "at", "value"),
    [
        (ImageFault.MAGIC, 0, 0),
        (ImageFault.FORMAT, 4, 2),
        (ImageFault.LAYERS, 5, 0),
        (ImageFault.LAYERS, 5, 17),
        (ImageFault.HIDDEN, 6, 0),
        (ImageFault.HIDDEN, 6, 5),
        (ImageFault.OUTPUT, 7, 3),
        (ImageFault.PARAMETER_TYPE, 8, 1),
        (ImageFault.FLAGS, 9, 2),
        (ImageFault.LENGTH, 9, 1),
        (ImageFault.LENGTH, 10, 200),
        (ImageFault.PARAMETER_COUNT, 12, 1),
        (ImageFault.SIZE, 16, 0),
        (ImageFault.PADDING, 22, 1),
        (ImageFault.PARAMETER_COUNT, 18, 9),
        (ImageFault.NON_FINITE, 27, 0x7F),
    ],
)
def test_each_check_refuses_with_its_own_number(ask: Ask, fault: ImageFault, at: int, value: int) -> None:
    data = bytearray(image([3, 4, 2], value=-1.0))
    data[at] = value
    assert ask("image", bytes(data)) == f"fault {fault.value}"


def test_sums_that_leave_32_bits_are_refused(ask: Ask) -> None:
    """Sizes whose parameter counts add up to a small number modulo 2^32."""
    sizes = [65535, 65535, 65535, 2]
    wrapped = layout.parameter_count(sizes) % 2**32
    table = struct.pack("<4H", *sizes)
    head = struct.pack(layout.IMAGE_HEADER, layout.IMAGE_MAGIC, 1, 3, 1, 1, 0, 0, 0, wrapped)
    assert ask("image", head + table + b"\0" * 64) == f"fault {ImageFault.PARAMETER_COUNT.value}"


@given(data=st.binary(min_size=0, max_size=64), sizes=SIZES, cut=st.integers(0, 100))
def test_mangled_images_never_read_beyond_their_end(ask: Ask, data: bytes, sizes: list[int], cut: int) -> None:
    whole = image(sizes)
    ask("image", data)
    shorter = whole[: max(0, len(whole) - 4 * cut)]
    if cut:
        assert ask("image", shorter).startswith("fault")
