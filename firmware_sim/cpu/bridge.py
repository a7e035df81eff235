"""What the compiled hooks call: Unicorn's own functions, and Python where a core has to be asked.

They are bound by name, not by address, so that Numba can keep the hooks' machine code between processes.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
from numba import types
from numba.extending import intrinsic
from unicorn.unicorn_py3 import unicorn as binding

if TYPE_CHECKING:
    from firmware_sim.cpu.cortex_m import CortexM

__all__ = ["cores", "decode", "emu_stop", "pointer", "read_register", "reg_read", "reg_read_batch", "write_register"]

#: by the number in their CORE slot
cores: dict[int, weakref.ref[CortexM]] = {}


def _core(number: int) -> CortexM:
    core = cores[number]()
    assert core is not None  # it is running
    return core


@ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)  # type: ignore[untyped-decorator]
def _read_register(core: int, address: int, size: int) -> int:
    return _core(core).read_register(address, size)


@ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)  # type: ignore[untyped-decorator]
def _write_register(core: int, address: int, size: int, value: int) -> None:
    _core(core).write_register(address, size, value)


@ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64)  # type: ignore[untyped-decorator]
def _decode(core: int, address: int) -> None:
    _core(core).decode(address)


def _bind(name: str, function: Any, signature: Any) -> Any:
    llvm.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)
    return types.ExternalFunction(name, signature)


_u64 = types.uint64
emu_stop = _bind("sim_emu_stop", binding.uclib.uc_emu_stop, types.int32(types.voidptr))
reg_read = _bind("sim_reg_read", binding.uclib.uc_reg_read, types.int32(types.voidptr, types.int32, _u64))
reg_read_batch = _bind(
    "sim_reg_read_batch", binding.uclib.uc_reg_read_batch, types.int32(types.voidptr, _u64, _u64, types.int32)
)
read_register = _bind("sim_read_register", _read_register, _u64(_u64, _u64, _u64))
write_register = _bind("sim_write_register", _write_register, types.void(_u64, _u64, _u64, _u64))
decode = _bind("sim_decode", _decode, types.void(_u64, _u64))


@intrinsic  # type: ignore[untyped-decorator]
def pointer(_: Any, address: Any) -> Any:
    """An address as a pointer to int64."""
    result = types.CPointer(types.int64)

    def generate(context: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(result))

    return result(address), generate
