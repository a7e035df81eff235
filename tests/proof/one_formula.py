"""The planner's sums against those of firmware/image.c, for random networks of any size up to beyond 32 bits."""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlite import layout
from nnlite.firmware.build import board_config
from nnlite.image import ImageError, decode_header
from nnlite.layout import ImageFlag, OutputFunction
from nnlite.link.wire import ImageFault
from nnlite.planner import Learning, image_parts, inference_bytes, learning_bytes
from nnlite.profile import Profile
from nnlite.recipe import OPTIMIZERS
from tests.proof.fuzz_native import NO_GCC
from tests.proof.judge import Violation
from tests.runtime import native

__all__ = ["NO_GCC", "build_formula", "compare_formulas"]

_HERE = Path(__file__).resolve().parent
_FIRMWARE = native.ROOT / "nnlite" / "firmware"
_WORDS = 2**32
_MOST_LAYERS = layout.MAX_LAYERS
_LARGEST = 0xFFFF
#: networks that one process is given
_PIECE = 20_000

#: network_t and result_t of one_formula.c
_NETWORK = np.dtype(
    [("sizes", "<u2", _MOST_LAYERS + 2)]
    + [(name, "u1") for name in ("layers", "output", "flags", "optimizer", "last_layers", "keep")]
    + [("metadata_length", "<u2")]
    + [(name, "<u4") for name in ("batch_size", "parameter_count", "length")]
)
_RESULT = np.dtype([(n, "<u4") for n in ("fault", "longer", "shorter", "inference_bytes", "learning_bytes")])


@dataclass(frozen=True)
class _Drawn:
    """A network as the planner wants to know it, and how it is to learn."""

    sizes: tuple[int, ...]
    output: str
    mean: Any
    labels: tuple[str | int, ...] | None
    learning: Learning


@lru_cache(maxsize=1)
def build_formula() -> Path | None:
    """The driver, with sanitizers; None without gcc."""
    gcc = native.gcc()
    if gcc is None:
        return None
    folder = Path(mkdtemp(prefix="nnlite-formula-"))
    (folder / "board_config.h").write_text(board_config(Profile.load("microbit")), encoding="ascii")
    files = [_HERE / "one_formula.c", _FIRMWARE / "image.c"]
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{_FIRMWARE}", f"-I{folder}"]
    return native.compile_c(gcc, flags, [*files, *native.sources()], folder / "one_formula")


def _sizes(chance: np.random.Generator) -> tuple[int, ...]:
    """Any that are sizes of a network: of a few units or of thousands, and where 32 bits end."""
    layers = int(chance.integers(1, _MOST_LAYERS + 1))
    kind = chance.integers(5)
    if kind == 0:
        return tuple(chance.integers(1, 9, layers + 1).tolist())
    if kind == 1:
        return tuple(chance.integers(1, 400, layers + 1).tolist())
    sizes = [int(2.0**e) for e in chance.uniform(0, 16, layers + 1)]
    if kind == 3:
        sizes = [_LARGEST - s % 3 if chance.integers(2) else min(s, 40) for s in sizes]
    if kind == 4:  # the last layer fills 2^30 floats, or 2^32, but for a few
        left = (_WORDS >> 2 * int(chance.integers(2))) - layout.parameter_count(sizes[:-1])
        sizes[-2] = max(sizes[-2], _WORDS // _LARGEST + 1 if left > 2**31 else 2**15)
        left = (_WORDS >> (0 if left > 2**31 else 2)) - layout.parameter_count(sizes[:-1])
        sizes[-1] = min(max(1, left // (sizes[-2] + 1) + int(chance.integers(-1, 2))), _LARGEST)
    return tuple(min(s, _LARGEST) for s in sizes)


def _draw(chance: np.random.Generator) -> _Drawn:
    sizes = _sizes(chance)
    output = str(chance.choice([f.name.lower() for f in OutputFunction]))
    last = None if chance.integers(2) else int(chance.integers(1, len(sizes)))
    labels: tuple[str | int, ...] | None = None
    if sizes[-1] <= 16 and chance.integers(2):
        labels = tuple("x" * int(chance.integers(1, 30)) + str(i) for i in range(sizes[-1]))
    how = Learning(1, str(chance.choice(list(OPTIMIZERS))), last, bool(chance.integers(2)))
    batch = int(2.0 ** chance.uniform(0, 16))
    if chance.integers(2):  # where the sum leaves 32 bits
        one, two = (_learning(sizes, output, how, b) for b in (1, 2))
        batch = 1 + (_WORDS - 1 - one) // (two - one) + int(chance.integers(0, 2))
    how = Learning(min(max(batch, 1), _LARGEST), how.optimizer, last, how.keep)
    return _Drawn(sizes, output, "there" if chance.integers(2) else None, labels, how)


def _learning(sizes: tuple[int, ...], output: str, how: Learning, batch: int) -> int:
    return sum(learning_bytes(sizes, output, Learning(batch, how.optimizer, how.last_layers, how.keep)).values())


def _record(row: npt.NDArray[Any], net: _Drawn) -> None:
    row["sizes"][: len(net.sizes)] = net.sizes
    row["layers"] = len(net.sizes) - 1
    row["output"] = OutputFunction[net.output.upper()]
    row["flags"] = 0 if net.mean is None else ImageFlag.STANDARDISER
    row["optimizer"] = OPTIMIZERS[net.learning.optimizer]
    row["last_layers"] = net.learning.last_layers or 0
    row["keep"] = net.learning.keep
    row["metadata_length"] = len(layout.encode_metadata(net.labels))
    row["batch_size"] = net.learning.batch_size
    row["parameter_count"] = layout.parameter_count(net.sizes) % _WORDS
    row["length"] = sum(image_parts(net).values()) % _WORDS


def _laptops_fault(row: npt.NDArray[Any], length: int) -> int:
    """What the laptop says of the header; of floats that are not there it says nothing, as they come last."""
    header = layout.image_header_bytes(int(row["layers"]))
    fields = [int(row[n]) for n in ("output", "flags", "metadata_length", "parameter_count")]
    head = b"NNLM" + bytes([layout.IMAGE_FORMAT, int(row["layers"]), 1, fields[0], 0, fields[1]])
    head += fields[2].to_bytes(2, "little") + fields[3].to_bytes(4, "little") + row["sizes"].tobytes()
    try:
        decode_header(head[:header], length)
    except ImageError as error:
        return 0 if error.fault is None else error.fault.value
    return ImageFault.NON_FINITE.value


def _expected(net: _Drawn, row: npt.NDArray[Any]) -> tuple[int, ...]:
    length = int(row["length"])
    faults = (_laptops_fault(row, at % _WORDS) for at in (length, length + 4, length - 4))
    learning = _learning(net.sizes, net.output, net.learning, net.learning.batch_size)
    return (*faults, inference_bytes(net.sizes), min(learning, _WORDS - 1))


def compare_formulas(program: Path, count: int, seed: int) -> Counter[str]:
    """Compare `count` networks: bytes of the image, of inference and of learning.

    Returns
    -------
    How many were compared ("networks"), of how many the image does not fit 32 bits ("image above 32 bits"), and of how
    many of the others learning does not ("learning above 32 bits"): these both must refuse.

    Raises
    ------
    Violation : one differs, or a sanitizer ended the driver.
    """
    chance = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for start in range(0, count, _PIECE):
        nets = [_draw(chance) for _ in range(min(_PIECE, count - start))]
        rows = np.zeros(len(nets), _NETWORK)
        for row, net in zip(rows, nets, strict=True):
            _record(row, net)
        done = subprocess.run([program], input=rows.tobytes(), capture_output=True, check=False)
        if done.returncode:
            raise Violation(f"crash: {done.stderr[-2000:].decode(errors='replace')}")
        for row, net, result in zip(rows, nets, np.frombuffer(done.stdout, _RESULT), strict=True):
            expected = _expected(net, row)
            if layout.parameter_count(net.sizes) >= _WORDS:  # neither adds up what comes behind that
                expected = (*expected[:3], *result.tolist()[3:])
            if result.tolist() != expected:
                raise Violation(f"wrong: C says {result.tolist()}, Python {list(expected)} of {net}")
            too_large = sum(image_parts(net).values()) >= _WORDS
            taken = [fault == ImageFault.NON_FINITE for fault in result.tolist()[:3]]
            if taken != [not too_large, False, False]:
                raise Violation(f"wrong: {result.tolist()} of an image planned to take {row['length']} bytes: {net}")
            found["networks"] += 1
            found["image above 32 bits"] += too_large
            found["learning above 32 bits"] += not too_large and int(result["learning_bytes"]) == _WORDS - 1
    return found
