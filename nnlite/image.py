"""A model as it lies in flash and travels (docs/FORMAT.md, "Image"); the laptop's side of firmware/image.c."""

from __future__ import annotations

import hashlib
import json
import struct

import numpy as np

from nnlite import layout
from nnlite.errors import DataError, IncompatibleError
from nnlite.network import Floats, Network, check_labels

__all__ = ["decode_image", "encode_image", "image_digest"]

_HIDDEN = {"relu": layout.HiddenActivation.RELU}
_OUTPUT = {"linear": layout.OutputFunction.LINEAR, "softmax": layout.OutputFunction.SOFTMAX}


def image_digest(image: bytes) -> bytes:
    """BLAKE2s-256 (RFC 7693), what the device computes over flash as read back."""
    return hashlib.blake2s(image).digest()


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _float_bytes(values: Floats, what: str) -> bytes:
    """Little-endian float32; -0 becomes +0.

    Raises
    ------
    DataError : not float32, or not finite.
    """
    if values.dtype != np.float32:
        raise DataError(f"the network's {what} are {values.dtype}; a device takes float32 only")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise DataError(f"the network's {what} hold {values[bad[0]]} (number {bad[0]}); only finite values can be sent")
    return (values + np.float32(0.0)).astype("<f4").tobytes()


def encode_image(net: Network) -> bytes:
    """The bytes of a network.

    Raises
    ------
    DataError : a value that is not finite or not float32, or labels longer than 65,535 bytes.
    """
    metadata = layout.encode_metadata(net.labels)
    if len(metadata) > 0xFFFF:
        raise DataError(f"the labels take {len(metadata)} bytes, an image holds 65535; shorten them")
    standardised = net.mean is not None and net.scale is not None
    header = struct.pack(
        layout.IMAGE_HEADER,
        layout.IMAGE_MAGIC,
        layout.IMAGE_FORMAT,
        len(net.sizes) - 1,
        _HIDDEN[net.hidden],
        _OUTPUT[net.output],
        layout.ParameterType.FLOAT32,
        layout.ImageFlag.STANDARDISER if standardised else 0,
        len(metadata),
        net.parameters.size,
    )
    parts = [_padded(header + struct.pack(f"<{len(net.sizes)}H", *net.sizes))]
    if net.mean is not None and net.scale is not None:
        parts += [_float_bytes(net.mean, "means"), _float_bytes(net.scale, "scales")]
    return b"".join([*parts, _float_bytes(net.parameters, "parameters"), _padded(metadata)])


def decode_image(image: bytes) -> Network:
    """The network of an image that a device sent.

    Raises
    ------
    IncompatibleError : not an image, or of another format version.
    DataError : fields that contradict each other, or values that cannot be.
    """
    fixed = struct.calcsize(layout.IMAGE_HEADER)
    if len(image) < fixed + 4 or int.from_bytes(image[:4], "little") != layout.IMAGE_MAGIC:
        raise IncompatibleError("what the device holds is not an nnlite model")
    (_, version, layers, hidden, output, kind, flags, metadata_bytes, count) = struct.unpack_from(layout.IMAGE_HEADER, image)
    if version != layout.IMAGE_FORMAT or kind != layout.ParameterType.FLOAT32 or flags & ~layout.ImageFlag.STANDARDISER:
        raise IncompatibleError(
            f"the model on the device has format {version}, parameter type {kind}, flags {flags}; "
            f"this version reads format {layout.IMAGE_FORMAT} with float32"
        )
    names = [name for name, code in _HIDDEN.items() if code == hidden], [n for n, code in _OUTPUT.items() if code == output]
    if not names[0] or not names[1] or not 1 <= layers <= layout.MAX_LAYERS:
        raise IncompatibleError(f"the model on the device has {layers} layers, activation {hidden}, output {output}")
    start = layout.image_header_bytes(layers)
    sizes = struct.unpack_from(f"<{layers + 1}H", image.ljust(start, b"\0"), fixed)
    standardiser = 2 * sizes[0] if flags & layout.ImageFlag.STANDARDISER else 0
    expected = sum(i * o + o for i, o in zip(sizes, sizes[1:], strict=False))
    length = start + 4 * (standardiser + expected) + -(-metadata_bytes // 4) * 4
    if 0 in sizes or count != expected or len(image) != length:
        raise DataError(f"the model on the device contradicts itself: {len(image)} bytes, sizes {list(sizes)}")
    floats = np.frombuffer(image, "<f4", standardiser + expected, start).astype(np.float32)
    if not np.all(np.isfinite(floats)):
        raise DataError("the model on the device holds values that are not finite")
    net = Network(sizes, names[0][0], names[1][0])
    if standardiser:
        net.mean, net.scale = floats[: sizes[0]].copy(), floats[sizes[0] : standardiser].copy()
    net.parameters[:] = floats[standardiser:]
    net.labels = _labels(image[start + 4 * floats.size :][:metadata_bytes], sizes[-1])
    return net


def _labels(metadata: bytes, outputs: int) -> tuple[str | int, ...] | None:
    if not metadata:
        return None
    try:
        labels = json.loads(metadata.decode("utf-8")).get("labels")
    except (ValueError, AttributeError) as error:
        raise DataError(f"the metadata of the model on the device is not what FORMAT.md says: {error}") from error
    return None if labels is None else check_labels(labels, outputs)
