"""Moves of bits between float32 and int32 inside compiled code, without a detour through memory."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["bits_of_float", "float_of_bits"]


def _bitcast(source: Any, target: Any, llvm_type: ir.Type) -> Any:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], llvm_type)

    return target(source), generate


@intrinsic
def bits_of_float(typing_context: Any, value: Any) -> Any:
    """The bits of a float32 as an int32."""
    return _bitcast(types.float32, types.int32, ir.IntType(32))


@intrinsic
def float_of_bits(typing_context: Any, bits: Any) -> Any:
    """The float32 that has the bits of an int32."""
    return _bitcast(types.int32, types.float32, ir.FloatType())
