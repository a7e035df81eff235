"""Layout of a model image and of a slot record; docs/FORMAT.md explains every byte.

The single source of these numbers: `scripts/generate_wire` writes the C side from here.
All integers are little-endian; all floats are IEEE-754 binary32.
"""

from __future__ import annotations

import enum
import json
import struct
from collections.abc import Sequence
from itertools import pairwise

__all__ = [
    "DIGEST_BYTES",
    "IMAGE_FORMAT",
    "IMAGE_HEADER",
    "IMAGE_MAGIC",
    "JOURNAL_MAGIC",
    "JOURNAL_OFFSET",
    "MAX_LAYERS",
    "MAX_METADATA_BYTES",
    "RECORD",
    "RECORD_BYTES",
    "RECORD_COMMIT",
    "RECORD_COMMIT_OFFSET",
    "RECORD_CRC_OFFSET",
    "RECORD_FORMAT",
    "RECORD_MAGIC",
    "RECORD_RETIRED_OFFSET",
    "HiddenActivation",
    "ImageFlag",
    "OutputFunction",
    "ParameterType",
    "RecordFlag",
    "encode_metadata",
    "image_header_bytes",
    "journal_bytes",
    "parameter_count",
]

IMAGE_MAGIC = 0x4D4C4E4E  # "NNLM"
IMAGE_FORMAT = 1
#: magic u32, format u8, layers u8, hidden u8, output u8, parameter type u8, flags u8,
#: metadata length u16, parameter count u32; then layers + 1 sizes u16, padded to 4 bytes
IMAGE_HEADER = "<IBBBBBBHI"
#: dense layers at most: enough for the ten of MLPerf Tiny's autoencoder, few enough for a stack array
MAX_LAYERS = 16
#: of its metadata, whose length is a u16 in the header
MAX_METADATA_BYTES = 0xFFFF

DIGEST_BYTES = 32  # BLAKE2s-256, unkeyed (RFC 7693)

RECORD_MAGIC = 0x534C4E4E  # "NNLS"
RECORD_FORMAT = 1
#: magic u32, format u16, flags u16, generation u32, image length u32, digest, tag, erase count u32
RECORD = "<IHHII32s32sI"
RECORD_CRC_OFFSET = 120  # CRC-32 of bytes 0..119; bytes 84..119 are reserved, erased
RECORD_COMMIT_OFFSET = 124
RECORD_COMMIT = 0x54494D43  # "CMIT", programmed alone and last
RECORD_RETIRED_OFFSET = 128  # erased while the model may serve; programmed to zero by ROLLBACK
RECORD_BYTES = 132

#: behind the record in its page: which pages of the image are being replaced, and which of them are whole again
JOURNAL_OFFSET = RECORD_BYTES
JOURNAL_MAGIC = 0x4A4C4E4E  # "NNLJ"
_WORD_BYTES = 4
_WORD_BITS = 32


class HiddenActivation(enum.IntEnum):
    """Activation of every layer but the last."""

    RELU = 1
    LEAKY_RELU = 2
    SIGMOID = 3
    TANH = 4


class OutputFunction(enum.IntEnum):
    """What follows the logits of the last layer."""

    LINEAR = 0
    SOFTMAX = 1
    SIGMOID = 2


class ParameterType(enum.IntEnum):
    """How parameters lie in the image."""

    FLOAT32 = 0


class ImageFlag(enum.IntFlag):
    """Flags of the image header."""

    STANDARDISER = 1


class RecordFlag(enum.IntFlag):
    """Flags of the slot record. KEYED is reserved for authenticated images."""

    LEARNED = 1
    KEYED = 2


def image_header_bytes(layers: int) -> int:
    """Bytes of an image before the standardiser: header and sizes, padded to 4."""
    return struct.calcsize(IMAGE_HEADER) + (2 * (layers + 1) + 3) // 4 * 4


def journal_bytes(slot_pages: int, image_pages: int) -> int:
    """Bytes that a journal programs when `image_pages` pages are replaced, in a slot of `slot_pages` at most: magic,
    erase count, a bit for each page of the slot, CRC-32, and a word for each page that is done."""
    return _WORD_BYTES * (3 + -(-slot_pages // _WORD_BITS) + image_pages)


def parameter_count(sizes: Sequence[int]) -> int:
    """Weights and biases of a dense network: the sum of `in * out + out`."""
    return sum(i * o + o for i, o in pairwise(sizes))


def encode_metadata(labels: Sequence[str | int] | None) -> bytes:
    """Metadata of an image, without padding: compact JSON, empty without labels."""
    if labels is None:
        return b""
    return json.dumps({"labels": list(labels)}, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
