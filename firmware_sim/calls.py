"""Arguments and results of C functions that Python calls on a board (Procedure Call Standard for the Arm Architecture).

Integers and pointers take r0 to r3 and then the stack; floats the same, or s0 to s15 where the image passes them in the
FPU. Arrays lie on the stack while the function runs, and come back as it left them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_sim.errors import SimulatorError

__all__ = ["Arguments", "result"]

_CORE, _FLOATS = 4, 16  # registers that arguments are passed in


@dataclass
class Arguments:
    """What goes where.

    Attributes
    ----------
    words, floats : for r0 to r3, and for s0 to s15.
    stack : what lies on the stack at the call: further arguments, then arrays.
    aside : address and bytes of arrays that lie elsewhere.
    """

    words: list[int] = field(default_factory=list)
    floats: list[float] = field(default_factory=list)
    stack: bytes = b""
    aside: tuple[int, bytes] | None = None
    _arrays: list[tuple[int, npt.NDArray[Any]]] = field(default_factory=list)

    @classmethod
    def place(cls, values: Sequence[object], sp: int, hard_float: bool, arrays_at: int | None) -> Arguments:
        """Find a place for each argument of a call at stack pointer `sp`, for arrays from `arrays_at` on if given.

        Raises
        ------
        SimulatorError : an argument of a type that has no meaning in C here.
        """
        self = cls()
        spilled: list[bytes] = []
        arrays = [(n, _array(value)) for n, value in enumerate(values) if isinstance(value, np.ndarray | bytes)]
        offsets, total = {}, 0
        for n, array in arrays:
            offsets[n] = total
            total += array.nbytes + 7 & ~7
        base = sp - total & ~7 if arrays_at is None else arrays_at
        for n, value in enumerate(values):
            if n in offsets:
                self._word(base + offsets[n], spilled)
            elif isinstance(value, float | np.floating) and hard_float and len(self.floats) < _FLOATS:
                self.floats.append(float(value))
            elif isinstance(value, float | np.floating) and hard_float:
                spilled.append(struct.pack("<f", value))
            elif isinstance(value, float | np.floating):
                self._word(int(np.float32(value).view(np.uint32)), spilled)
            elif isinstance(value, int | np.integer) and -(2**31) <= int(value) < 2**32:
                self._word(int(value) & 0xFFFFFFFF, spilled)
            else:
                raise SimulatorError(
                    f"argument {n + 1} is {value!r}: integers of 32 bits, floats, bytes and numpy arrays can be passed"
                )
        content = b"".join(array.tobytes().ljust(array.nbytes + 7 & ~7, b"\0") for _, array in arrays)
        below = b"".join(spilled)
        below += bytes(-len(below) % 8)
        if arrays_at is None:
            self.stack = below + content.ljust(sp - base, b"\0")
        else:
            self.stack, self.aside = below, (arrays_at, content)
        self._arrays = [(base + offsets[n], value) for n, value in enumerate(values) if isinstance(value, np.ndarray)]
        return self

    def _word(self, value: int, spilled: list[bytes]) -> None:
        if len(self.words) < _CORE:
            self.words.append(value)
        else:
            spilled.append(struct.pack("<I", value))

    def arrays(self) -> list[tuple[int, npt.NDArray[Any]]]:
        """Address of each numpy array, and the array itself, which is given back what the function left there."""
        return self._arrays


def _array(value: npt.NDArray[Any] | bytes) -> npt.NDArray[Any]:
    array = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value
    if not array.flags.c_contiguous or array.dtype.hasobject:
        raise SimulatorError(
            "an array that is passed to a board must be contiguous and of numbers; np.ascontiguousarray makes one"
        )
    return array


def result(kind: type | None, r0: int, r1: int, s0: int, hard_float: bool) -> Any:
    """What a function returned: an int (unsigned, 32 bits), float, None, or a numpy scalar type up to 64 bits."""
    if kind is None:
        return None
    if kind is int:
        return r0
    if kind is float:
        return float(np.uint32(s0 if hard_float else r0).view(np.float32))
    scalar = np.dtype(kind)
    if scalar == np.float32 and hard_float:
        r0 = s0
    return np.frombuffer(struct.pack("<II", r0, r1)[: scalar.itemsize], scalar)[0]
