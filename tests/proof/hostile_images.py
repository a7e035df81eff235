"""Images that nobody should send: made from good ones by chance, with digests and CRCs that are right; and what the
laptop says of them."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from random import Random

from nnlite import layout
from nnlite.image import ImageError, decode_image, encode_image
from nnlite.link.wire import ImageFault
from nnlite.network import Network

__all__ = ["CHECKS", "NO_ROOM_IN_FLASH", "NO_ROOM_IN_RAM", "check_of", "fault_of", "hostile_images"]

_HEADER = struct.calcsize(layout.IMAGE_HEADER)
_FIELDS = {"format": 4, "layers": 5, "hidden": 6, "output": 7, "parameter type": 8, "flags": 9}
_BAD_FLOATS = (0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001, 0x7F800001, 0x7FFFFFFF)
_ODD_FLOATS = (0x80000000, 0x00000001, 0x807FFFFF, 0x7F7FFFFF, 0xFF7FFFFF)
#: every check that firmware/image.c makes, in its order; and that none of them failed
CHECKS = (
    "length: shorter than any image",
    "length: no whole words",
    "magic",
    "format",
    "layers: none",
    "layers: more than 16",
    "hidden activation: 0",
    "hidden activation: above the last",
    "output function",
    "parameter type",
    "flags",
    "length: no room for the sizes",
    "size: 0",
    "padding",
    "parameter count: beyond 32 bits",
    "parameter count: not that of the sizes",
    "length: no room for the standardiser",
    "length: no room for the parameters",
    "length: not that of the metadata",
    "not finite: in the standardiser",
    "not finite: in the parameters",
)

#: what is checked of an image that is in order, before it is committed
NO_ROOM_IN_RAM = "RAM: inference takes more than there is"
#: what is checked of the length that is announced, before anything is erased
NO_ROOM_IN_FLASH = "flash: a slot holds less than is announced"

Mutation = Callable[[bytearray, Random], None]


def fault_of(image: bytes) -> ImageFault | None:
    """Which check fails on the laptop; None for an image that a device takes, which does not read the metadata."""
    try:
        decode_image(image)
    except ImageError as error:
        return error.fault
    return None


def check_of(image: bytes, fault: ImageFault) -> str:
    """Which of the `CHECKS` it is, where a fault has several."""
    name = {ImageFault.HIDDEN: "hidden activation", ImageFault.OUTPUT: "output function"}.get(
        fault, fault.name.lower().replace("_", " ").replace("non ", "not ")
    )
    if fault == ImageFault.LENGTH:
        return f"{name}: {_length_check(image)}"
    if fault == ImageFault.LAYERS:
        return f"{name}: {'none' if image[5] == 0 else 'more than 16'}"
    if fault == ImageFault.HIDDEN:
        return f"{name}: {'0' if image[6] == 0 else 'above the last'}"
    if fault == ImageFault.SIZE:
        return f"{name}: 0"
    if fault == ImageFault.PARAMETER_COUNT:
        beyond = layout.parameter_count(_sizes(image)) >= 2**32
        return f"{name}: {'beyond 32 bits' if beyond else 'not that of the sizes'}"
    if fault == ImageFault.NON_FINITE:
        first, count = layout.image_header_bytes(image[5]) // 4, (2 * _sizes(image)[0] if image[9] else 0)
        there = struct.unpack_from(f"<{count}f", image, 4 * first)
        return f"{name}: in the {'parameters' if all(map(math.isfinite, there)) else 'standardiser'}"
    return name


def _length_check(image: bytes) -> str:
    if len(image) < _HEADER + 4:
        return "shorter than any image"
    if len(image) % 4:
        return "no whole words"
    rest = len(image) - layout.image_header_bytes(image[5])
    if rest < 0:
        return "no room for the sizes"
    sizes = _sizes(image)
    rest -= 8 * sizes[0] if image[9] else 0
    if rest < 0:
        return "no room for the standardiser"
    return "no room for the parameters" if rest < 4 * layout.parameter_count(sizes) else "not that of the metadata"


def _sizes(image: bytes | bytearray) -> tuple[int, ...]:
    """Those that there is room for, of up to 16 layers."""
    count = min(image[5], layout.MAX_LAYERS) + 1 if len(image) > _HEADER else 0
    count = min(count, max(0, len(image) - _HEADER) // 2)
    return struct.unpack_from(f"<{count}H", image, _HEADER)


# ---- mutations


def _set_field(image: bytearray, chance: Random) -> None:
    at = chance.choice(list(_FIELDS.values()))
    image[at] = chance.choice([0, 1, 2, 3, 4, 5, 16, 17, 0x80, 0xFF, image[at] ^ 1, chance.randrange(256)])


def _clear_field(image: bytearray, chance: Random) -> None:
    image[chance.choice([_FIELDS["layers"], _FIELDS["hidden"]])] = 0


def _spoil_magic(image: bytearray, chance: Random) -> None:
    image[chance.randrange(4)] ^= 1 << chance.randrange(8)


def _set_count(image: bytearray, chance: Random) -> None:
    count = int.from_bytes(image[12:16], "little")
    count = chance.choice([0, 1, count - 1, count + 1, count ^ 1 << chance.randrange(32), 2**32 - 1, 2**30, 2**31])
    struct.pack_into("<I", image, 12, count % 2**32)


def _set_size(image: bytearray, chance: Random) -> None:
    sizes = _sizes(image)
    if sizes:
        n = chance.randrange(len(sizes))
        size = chance.choice([0, 0, 1, sizes[n] + 1, sizes[n] - 1, 255, 32_768, 65_535, chance.randrange(65_536)])
        struct.pack_into("<H", image, _HEADER + 2 * n, size % 65_536)


def _set_size_and_count(image: bytearray, chance: Random) -> None:
    """The header is in order, and the image as long as before."""
    _set_size(image, chance)
    struct.pack_into("<I", image, 12, layout.parameter_count(_sizes(image)) % 2**32)


def _overflow(image: bytearray, chance: Random) -> None:
    """Sizes whose parameters are above 2^32, and a count of what 32 bits hold of that."""
    for n in range(len(_sizes(image))):
        struct.pack_into("<H", image, _HEADER + 2 * n, 65_535 - chance.randrange(3))
    struct.pack_into("<I", image, 12, layout.parameter_count(_sizes(image)) % 2**32)


def _set_metadata_length(image: bytearray, chance: Random) -> None:
    length = int.from_bytes(image[10:12], "little")
    lengths = [0, 1, length + 1, length + 4, length - 1, length - 4, 65_535, 65_532, 65_533, chance.randrange(65_536)]
    struct.pack_into("<H", image, 10, chance.choice(lengths) % 65_536)


def _spoil_padding(image: bytearray, chance: Random) -> None:
    """Behind an odd number of sizes; else it is a float."""
    at = _HEADER + 2 * len(_sizes(image)) + chance.randrange(2)
    if at < len(image):
        image[at] = chance.randrange(1, 256)


def _set_float(image: bytearray, chance: Random) -> None:
    first, end = layout.image_header_bytes(min(image[5], layout.MAX_LAYERS)) // 4, len(image) // 4
    if first < end:
        value = chance.choice(_BAD_FLOATS if chance.random() < 0.8 else _ODD_FLOATS)
        end = min(end, first + 4) if chance.random() < 0.5 else end  # where the standardiser is
        struct.pack_into("<I", image, 4 * chance.randrange(first, end), value)


def _cut(image: bytearray, chance: Random) -> None:
    del image[chance.choice([0, 4, 15, 16, 19, 20, 24, len(image) - 4, chance.randrange(len(image) + 1)]) :]


def _cut_words(image: bytearray, chance: Random) -> None:
    del image[4 * chance.randrange(len(image) // 4 + 1) :]


def _lengthen(image: bytearray, chance: Random) -> None:
    image += bytes(
        chance.choice([0, 0, 0xFF, chance.randrange(256)]) for _ in range(chance.choice([1, 2, 3, 4, 4, 8, 64]))
    )


def _lose(image: bytearray, chance: Random) -> None:
    at = chance.randrange(len(image))
    del image[at : at + chance.randrange(1, 9)]


def _flip(image: bytearray, chance: Random) -> None:
    for _ in range(chance.randrange(1, 9)):
        image[chance.randrange(len(image))] ^= 1 << chance.randrange(8)


def _flip_in_the_header(image: bytearray, chance: Random) -> None:
    image[chance.randrange(min(len(image), _HEADER + 8))] ^= 1 << chance.randrange(8)


def _noise(image: bytearray, chance: Random) -> None:
    at = chance.randrange(len(image))
    part = image[at : at + chance.randrange(1, 17)]
    image[at : at + len(part)] = chance.randbytes(len(part))


def _many_layers(image: bytearray, chance: Random) -> None:
    """As many as are allowed, or one more, where there are few sizes."""
    image[5] = chance.choice([15, 16, 16, 17])
    del image[chance.choice([24, 28, 32, 48, 52]) :]


_MUTATIONS: tuple[Mutation, ...] = (
    _set_field,
    _set_field,
    _set_field,
    _clear_field,
    _spoil_magic,
    _set_count,
    _set_size,
    _set_size_and_count,
    _overflow,
    _set_metadata_length,
    _spoil_padding,
    _set_float,
    _set_float,
    _cut,
    _cut_words,
    _lengthen,
    _lose,
    _flip,
    _flip_in_the_header,
    _noise,
    _many_layers,
)


def _good(chance: Random) -> bytes:
    layers = chance.choice([1, 1, 2, 2, 3, 4, 16])
    sizes = [chance.randrange(1, 6 if layers < 16 else 3) for _ in range(layers + 1)]
    output = "linear" if sizes[-1] == 1 else chance.choice(["linear", "softmax", "sigmoid"])
    net = Network(sizes, hidden=chance.choice(["relu", "tanh"]), output=output, seed=chance.randrange(100))
    if chance.random() < 0.5:
        net.mean, net.scale = net.parameters[: sizes[0]].copy(), abs(net.parameters[: sizes[0]]) + 1
    if output == "softmax" and chance.random() < 0.5:
        net.labels = tuple(f"{'x' * chance.randrange(6)}{i}" for i in range(sizes[-1]))
    return encode_image(net)


def hostile_images(count: int, seed: int) -> Iterator[bytes]:
    """`count` mutants of good images, each changed in one to three ways. Some are good images nonetheless."""
    chance = Random(seed)
    bases = [_good(chance) for _ in range(200)]
    for _ in range(count):
        image = bytearray(chance.choice(bases))
        for mutation in chance.choices(_MUTATIONS, k=chance.choice([1, 1, 1, 2, 3])):
            if len(image) > _HEADER:
                mutation(image, chance)
        yield bytes(image)
