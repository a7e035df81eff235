"""A model as it lies in flash and travels: `Network` <-> bytes (docs/FORMAT.md, Image).

The checks are those of firmware/image.c, in the same order. Where the bytes go is left to `nnlite.device`.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass

import numpy as np

from nnlite import layout
from nnlite.errors import DataError, IncompatibleError
from nnlite.layout import HiddenActivation, ImageFlag, OutputFunction, ParameterType
from nnlite.link.wire import ImageFault
from nnlite.network import Floats, Label, Network, check_labels, check_network

__all__ = [
    "MAX_HEADER_BYTES",
    "ImageError",
    "ImageHeader",
    "decode_header",
    "decode_image",
    "decode_labels",
    "encode_image",
    "image_digest",
]

_FIXED_BYTES = struct.calcsize(layout.IMAGE_HEADER)
_FLOAT_BYTES = 4
_UINT32_MAX = 2**32 - 1
#: so much of any image holds its header and sizes
MAX_HEADER_BYTES = layout.image_header_bytes(layout.MAX_LAYERS)


class ImageError(IncompatibleError):
    """Bytes that are not an image, or not one that this version can use.

    Attributes
    ----------
    fault : the check of FORMAT.md that failed; None when it is the metadata, which a device does not read.
    """

    def __init__(self, fault: ImageFault | None, message: str) -> None:
        super().__init__(f"the model image cannot be used: {message}")
        self.fault = fault


@dataclass(frozen=True)
class ImageHeader:
    """What an image says about itself before its floats.

    Attributes
    ----------
    sizes : inputs, hidden..., outputs.
    hidden, output : as `Network` names them.
    standardised : whether mean and scale follow the sizes.
    parameter_count : weights and biases.
    metadata_bytes : of the metadata, without padding.
    """

    sizes: tuple[int, ...]
    hidden: str
    output: str
    standardised: bool
    parameter_count: int
    metadata_bytes: int

    @property
    def floats_offset(self) -> int:
        """Where the standardiser begins, or without one the parameters."""
        return layout.image_header_bytes(len(self.sizes) - 1)

    @property
    def parameters_offset(self) -> int:
        """Where the parameters begin."""
        return self.floats_offset + (2 * self.sizes[0] * _FLOAT_BYTES if self.standardised else 0)

    @property
    def metadata_offset(self) -> int:
        """Where the metadata begins."""
        return self.parameters_offset + self.parameter_count * _FLOAT_BYTES

    @property
    def image_bytes(self) -> int:
        """Length of the whole image."""
        return self.metadata_offset + _padded_length(self.metadata_bytes)


def image_digest(image: bytes) -> bytes:
    """BLAKE2s-256 (RFC 7693, no key), as the device computes it over its flash."""
    return hashlib.blake2s(image).digest()


def encode_image(net: Network) -> bytes:
    """The bytes of a network. Minus zero becomes plus zero.

    Raises
    ------
    UsageError : it is no network.
    DataError : a value that is not finite, or labels that take too many bytes.
    """
    check_network(net)
    net = net.checked()
    metadata = layout.encode_metadata(net.labels)
    if len(metadata) > layout.MAX_METADATA_BYTES:
        raise DataError(
            f"the labels take {len(metadata):,} bytes, an image has room for {layout.MAX_METADATA_BYTES:,}; "
            "use shorter ones"
        )
    flags = 0
    floats = b""
    if net.mean is not None and net.scale is not None:
        flags = ImageFlag.STANDARDISER
        floats = _float_bytes(net.mean) + _float_bytes(net.scale)
    header = struct.pack(
        layout.IMAGE_HEADER,
        layout.IMAGE_MAGIC,
        layout.IMAGE_FORMAT,
        len(net.sizes) - 1,
        HiddenActivation[net.hidden.upper()],
        OutputFunction[net.output.upper()],
        ParameterType.FLOAT32,
        flags,
        len(metadata),
        net.parameters.size,
    )
    sizes = struct.pack(f"<{len(net.sizes)}H", *net.sizes)
    return _padded(header + sizes) + floats + _float_bytes(net.parameters) + _padded(metadata)


def decode_header(head: bytes, length: int) -> ImageHeader:
    """The header of an image of `length` bytes, from its first `MAX_HEADER_BYTES` (or all, if it is shorter).

    Makes every check of FORMAT.md but that of the floats.

    Raises
    ------
    ImageError : a check failed; the first one, in FORMAT.md's order.
    """
    if length < _FIXED_BYTES + 4 or length % 4:
        raise ImageError(ImageFault.LENGTH, f"{length} bytes are no image's length; it is cut short")
    (magic, version, layers, hidden, output, kind, flags, metadata_bytes, count) = struct.unpack_from(
        layout.IMAGE_HEADER, head
    )
    _check(magic == layout.IMAGE_MAGIC, ImageFault.MAGIC, "it does not begin like one")
    _check(version == layout.IMAGE_FORMAT, ImageFault.FORMAT, f"its format is {version}, this version knows 1")
    _check(1 <= layers <= layout.MAX_LAYERS, ImageFault.LAYERS, f"it has {layers} layers, 1 to 16 are possible")
    known = hidden in HiddenActivation._value2member_map_
    _check(known, ImageFault.HIDDEN, f"its hidden activation {hidden} is unknown")
    known = output in OutputFunction._value2member_map_
    _check(known, ImageFault.OUTPUT, f"its output function {output} is unknown")
    _check(kind == ParameterType.FLOAT32, ImageFault.PARAMETER_TYPE, f"its parameter type {kind} is unknown")
    _check(not flags & ~int(ImageFlag.STANDARDISER), ImageFault.FLAGS, f"its flags {flags:#04x} are unknown")

    sizes_end = layout.image_header_bytes(layers)
    _check(length >= sizes_end, ImageFault.LENGTH, f"{length} bytes do not hold its {layers + 1} sizes")
    sizes = struct.unpack_from(f"<{layers + 1}H", head, _FIXED_BYTES)
    _check(0 not in sizes, ImageFault.SIZE, f"a size is 0 in {list(sizes)}")
    padding = head[_FIXED_BYTES + 2 * len(sizes) : sizes_end]
    _check(not any(padding), ImageFault.PADDING, "the padding behind its sizes is not zero")
    expected = layout.parameter_count(sizes)
    _check(
        expected <= _UINT32_MAX and count == expected,
        ImageFault.PARAMETER_COUNT,
        f"it claims {count} parameters, its sizes make {expected}",
    )
    header = ImageHeader(
        sizes,
        HiddenActivation(hidden).name.lower(),
        OutputFunction(output).name.lower(),
        bool(flags & ImageFlag.STANDARDISER),
        count,
        metadata_bytes,
    )
    _check(
        length == header.image_bytes,
        ImageFault.LENGTH,
        f"it has {length} bytes, its header makes {header.image_bytes}",
    )
    return header


def decode_image(image: bytes) -> Network:
    """The network of an image.

    Raises
    ------
    ImageError : a check of FORMAT.md failed; `fault` tells which.
    """
    header = decode_header(image, len(image))
    floats = np.frombuffer(image, "<f4", (header.metadata_offset - header.floats_offset) // 4, header.floats_offset)
    bad = np.flatnonzero(~np.isfinite(floats))
    if bad.size:
        raise ImageError(ImageFault.NON_FINITE, f"its float number {bad[0]} is {floats[bad[0]]}")
    floats = floats.astype(np.float32) + np.float32(0.0)  # -0 + 0 is +0
    parameters = floats[floats.size - header.parameter_count :].copy()
    net = Network.with_parameters(header.sizes, header.hidden, header.output, parameters)
    if header.standardised:
        inputs = header.sizes[0]
        net.mean, net.scale = floats[:inputs].copy(), floats[inputs : 2 * inputs].copy()
    net.labels = decode_labels(image[header.metadata_offset :][: header.metadata_bytes], header)
    return net


def decode_labels(metadata: bytes, header: ImageHeader) -> tuple[Label, ...] | None:
    """The class labels in an image's metadata, or None.

    Raises
    ------
    ImageError : the metadata is not what FORMAT.md says, or the labels do not fit the outputs.
    """
    if not metadata:
        return None
    try:
        content = json.loads(metadata.decode("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is not a JSON object")
        labels = content.get("labels")
        return None if labels is None else check_labels(labels, header.sizes[-1])
    except (ValueError, RecursionError) as error:  # DataError is a ValueError
        raise ImageError(None, f"its metadata is damaged: {error}") from error


def _check(holds: bool, fault: ImageFault, message: str) -> None:
    if not holds:
        raise ImageError(fault, message)


def _float_bytes(values: Floats) -> bytes:
    return values.astype("<f4").tobytes()


def _padded_length(length: int) -> int:
    return (length + 3) // 4 * 4


def _padded(data: bytes) -> bytes:
    return data.ljust(_padded_length(len(data)), b"\0")
