"""Moves of bits between float32 and int32 inside compiled code, without a detour through memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["bits_of_float", "float_of_bits"]


def _bitcast(source: Any, target: Any, llvm_type: ir.Type) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], llvm_type)

    return target(source), generate


@intrinsic  # type: ignore[untyped-decorator]
def _bits_of_float(typing_context: Any, value: Any) -> Any:
    return _bitcast(types.float32, types.int32, ir.IntType(32))


@intrinsic  # type: ignore[untyped-decorator]
def _float_of_bits(typing_context: Any, bits: Any) -> Any:
    return _bitcast(types.int32, types.float32, ir.FloatType())


#: the bits of a float32 as an int32
bits_of_float = cast(Callable[[np.float32], int], _bits_of_float)
#: the float32 that has the bits of an int32
float_of_bits = cast(Callable[[np.int32], np.float32], _float_of_bits)
