"""Floats of the Cortex-M0 against this computer's: the C of float_m0.c here, its assembly and the inner loops there."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nnlite.kernels.activation import RELU
from nnlite.kernels.dense import dense_backward, dense_forward
from nnlite.kernels.optimizer import sgd_update
from tests.runtime import native
from tests.runtime.emulated import Core, build
from tests.runtime.native import Floats, Layer

__all__ = ["OPERATIONS", "SOURCES", "Here", "There"]

OPERATIONS = ("add", "subtract", "multiply", "divide")
SOURCES = [native.ROOT / "nnlite" / "firmware" / "float_m0.c", native.ROOT / "tests" / "firmware" / "soft_float.c"]

#: every exponent that a path begins or ends at, and its neighbours; significands with few bits set, few not, and ties
_EXPONENTS = (
    *range(4),
    *range(24, 34),
    100,
    *range(125, 130),
    *range(150, 153),
    200,
    *range(226, 230),
    *range(250, 256),
)
_SIGNIFICANDS = (0, 1, 2, 3, 0x3F, 0x40, 0x41, 0x2AAAAA, 0x3FFFFF, 0x400000, 0x400001, 0x555555, 0x7FFF80, 0x7FFFFF)
_SPECIAL = np.array(
    [sign << 31 | exponent << 23 | bits for sign in (0, 1) for exponent in _EXPONENTS for bits in _SIGNIFICANDS],
    np.uint32,
)
#: biased exponents of weights and inputs: ordinary ones, and those whose products are next to what the loops leave to C
_CENTRES = ((127, 127), (127, 127), (189, 190), (79, 79), (251, 128), (34, 126), (64, 64), (252, 127))


class Here:
    """The C of float_m0.c, compiled for this computer."""

    def __init__(self, compiler: list[str], folder: Path) -> None:
        library = native.compile_c(compiler, ["-O2", "-shared", "-fPIC"], SOURCES, folder / "soft_float.so")
        self._library = ctypes.CDLL(str(library))

    @property
    def special_pairs(self) -> int:
        """How many there are."""
        return _SPECIAL.size**2

    def differing(self, operation: int, seed: int, count: int) -> int:
        """Of `count` pairs drawn from a seed other than 0."""
        found: int = self._library.count_differing(operation, ctypes.c_uint32(seed), ctypes.c_uint32(count))
        return found

    def differing_special(self, operation: int) -> int:
        """Of all pairs of the special numbers."""
        at = ctypes.c_void_p(_SPECIAL.ctypes.data)
        found: int = self._library.count_differing_pairs(operation, at, ctypes.c_uint32(_SPECIAL.size))
        return found


def _draw(generator: np.random.Generator, shape: tuple[int, ...], spread: int, centre: int = 127) -> Floats:
    """Numbers whose biased exponents lie within `spread` of a centre, of every kind of significand."""
    kind = generator.integers(0, 4, shape)
    a, b, c = (generator.integers(0, 1 << 23, shape, np.uint32) for _ in range(3))
    short = np.uint32(0x7FFFFF) << generator.integers(0, 24, shape, np.uint32)
    bits: npt.NDArray[np.uint32] = np.choose(kind, (a, a & b & c, a | b | c, a & short & np.uint32(0x7FFFFF)))
    exponents = centre + generator.integers(-spread, spread + 1, shape)
    signs = generator.integers(0, 2, shape, np.uint32) << np.uint32(31)
    return (signs | np.clip(exponents, 0, 254).astype(np.uint32) << np.uint32(23) | bits).view(np.float32)


def _differing(got: npt.NDArray[np.uint32], wanted: Floats) -> int:
    """Numbers that are not equal bit for bit; what is no number has nobody's bits."""
    nobody = np.isnan(wanted) & np.isnan(got.view(np.float32))
    return int(np.count_nonzero((got != wanted.view(np.uint32)) & ~nobody))


class There:
    """A Cortex-M0 that adds, multiplies and divides with float_m0.c, and has the runtime's inner loops."""

    def __init__(self, compiler: list[str], folder: Path) -> None:
        self._core = Core("cortex_m0", build(compiler, "cortex_m0", "-O2", folder / "soft_float.elf", SOURCES))

    def _pairs(self, operation: int, a: Floats, b: Floats) -> int:
        with np.errstate(all="ignore"):
            wanted = (np.add, np.subtract, np.multiply, np.divide)[operation](a, b)
        return _differing(self._core.pairs(operation, a, b), wanted)

    def differing(self, operation: int, seed: int, count: int) -> int:
        """Of `count` pairs: of any bits, and of exponents that are close."""
        generator = np.random.default_rng(seed)
        half = count // 2
        anything = generator.integers(0, 1 << 32, (2, count - half), np.uint32).view(np.float32)
        close = _draw(generator, (2, half), 30)
        return self._pairs(operation, *np.concatenate([anything, close], axis=1))

    def differing_special(self, operation: int) -> int:
        """Of all pairs of the special numbers."""
        numbers = _SPECIAL.view(np.float32)
        return sum(self._pairs(operation, np.full(numbers.size, one), numbers) for one in numbers)

    def differing_terms(self, seed: int, inputs: int, outputs: int) -> int:
        """Results of a layer of inputs * outputs terms a + w x, as many on the way back, and as many steps w - u x."""
        generator = np.random.default_rng(seed)
        spread = int(generator.choice([2, 8, 20, 60]))
        of_w, of_x = _CENTRES[seed % len(_CENTRES)]
        layer = Layer(
            weights=_draw(generator, (inputs, outputs), spread, of_w),
            bias=_draw(generator, (outputs,), spread, min(of_w + of_x - 127, 253)),
            X=_draw(generator, (1, inputs), spread, of_x),
            da=_draw(generator, (1, outputs), spread, of_w),
            rate=np.float32(1.0),
            activation=RELU,
        )
        layer.weights[layer.weights == 0], layer.bias[layer.bias == 0] = 0.0, 0.0  # no parameter is -0
        if seed // len(_CENTRES) % 2:  # sums that only grow, and steps
            layer.weights[:], layer.bias[:], layer.da[:] = np.abs(layer.weights), np.abs(layer.bias), -np.abs(layer.da)
        layer.X[0] = np.abs(layer.X[0])  # so that no row is left out on the way back
        weights, bias, X, dA, rate = layer.arrays()
        out, dX = np.empty(outputs, np.float32), np.empty(inputs, np.float32)
        dense_forward(X[0], weights, bias, out)
        dense_backward(dA[0], weights, X[0], dX, RELU)
        finite = sgd_update(weights, bias, X, dA, rate[0])
        got = self._core.layer(layer)
        found = _differing(got.out.view(np.uint32), out) + _differing(got.dx.view(np.uint32), dX)
        if not finite:
            return found + int(got.finite)
        return found + sum(
            _differing(mine.view(np.uint32), wanted)
            for mine, wanted in ((got.weights, weights.ravel()), (got.bias, bias))
        )
