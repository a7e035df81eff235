"""loops.c and the runtime on an emulated core without a firmware around them: floats in software or in hardware."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import unicorn
from elftools.elf.elffile import ELFFile
from unicorn import arm_const

from nnlite.kernels.step import Rule, Shape
from tests.runtime import native
from tests.runtime.native import Floats, Layer, LayerResult, Words

__all__ = ["BUILDS", "MODELS", "Core", "build", "core_of"]

MODELS = {"cortex_m0": arm_const.UC_CPU_ARM_CORTEX_M0, "cortex_m4": arm_const.UC_CPU_ARM_CORTEX_M4}
#: every core by every compiler at every level
BUILDS = [
    f"{chip} {compiler} {level}" for chip in MODELS for compiler in ("clang", "gcc") for level in ("-O0", "-O2", "-Os")
]
PAGE = 0x1000
DATA, DATA_BYTES = 0x2000_0000, 0x20_0000
#: where a call returns to: nothing is there
BACK = 0x3000_0000
_REGISTERS = [getattr(arm_const, f"UC_ARM_REG_R{n}") for n in range(4)]


def build(compiler: list[str], chip: str, level: str, target: Path, more: Sequence[Path] = ()) -> Path:
    """A program of `LOOPS`, the runtime and more for a core."""
    # -g, or ziglang strips the names at -Os
    flags = [*native.CHIPS[chip], level, "-g", "-ffreestanding", "-Wl,--entry=sweep_exp_f32,--no-gc-sections"]
    return native.compile_c(compiler, flags, [*native.sources(), *native.LOOPS, *more], target)


def build_with_gcc(compiler: list[str], chip: str, level: str, target: Path) -> Path:
    """The same by GCC, whose library comes last."""
    flags = [*native.GCC_CHIPS[chip], level, "-ffreestanding", "-nostdlib", "-Wl,--entry=sweep_exp_f32"]
    return native.compile_c(compiler, flags, [*native.sources(), *native.LOOPS], target, ["-lgcc"])


def core_of(name: str, folder: Path) -> Core:
    """A core with a build of `BUILDS`; skips the test where the compiler is missing."""
    chip, compiler, level = name.split()
    found = native.clang() if compiler == "clang" else native.arm_gcc()
    if found is None:
        pytest.skip("ziglang is not installed" if compiler == "clang" else "arm-none-eabi-gcc is not installed")
    made = (build if compiler == "clang" else build_with_gcc)(found, chip, level, folder / "loops.elf")
    return Core(chip, made)


class Core:
    """One core with a program of `build`."""

    def __init__(self, chip: str, program: Path) -> None:
        self._engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        self._engine.ctl_set_cpu_model(MODELS[chip])
        with program.open("rb") as stream:
            elf = ELFFile(stream)
            segments = [(s["p_vaddr"], s.data()) for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]
            symbols = elf.get_section_by_name(".symtab").iter_symbols()
            self._functions = {symbol.name: symbol["st_value"] for symbol in symbols}
        end = max(address + len(data) for address, data in segments)
        self._engine.mem_map(0, (end + PAGE - 1) // PAGE * PAGE)
        for address, data in segments:
            self._engine.mem_write(address, data)
        self._engine.mem_map(DATA, DATA_BYTES)
        self._used = DATA

    def sweep(self, name: str, x: Floats) -> Words:
        """A function of one number, by its kernel's name, of many, by the bits."""
        self._used = DATA
        given, out = self._put(x.tobytes()), self._put(bytes(x.nbytes))
        self._call(f"sweep_{name}", given, x.size, out)
        return self._words(out, x.size)

    def train_rows(
        self,
        shape: Shape,
        parameters: Floats,
        X: Floats,
        labels: npt.NDArray[np.int64],
        targets: Floats,
        weights: Floats,
        rule: Rule,
        state: Floats,
        batch: int,
        epochs: int,
    ) -> tuple[Words, Words, Words]:
        """Epochs in the order given: the losses of all of them, parameters and state after them, by the bits."""
        self._used = DATA
        rows = X.shape[0]
        sizes = self._put(shape.sizes.astype("<u2").tobytes())
        given = [
            self._put(struct.pack("<HBBI", shape.sizes.size - 1, shape.hidden, shape.output, sizes)),
            self._put(parameters.tobytes()),
            self._put(X.tobytes()),
            self._put(labels.astype("<u4").tobytes()),
            self._put(targets.tobytes()),
            self._put(weights.tobytes()) if weights.size else 0,
            rows,
            batch,
            self._put(struct.pack("<I6f", rule.optimizer, rule.learning_rate, *rule.betas, *rule[3:])),
            self._put(state.tobytes()),
            self._put(bytes(4 * batch * int(shape.sizes.sum()))),
            self._put(bytes(4 * batch * int(shape.sizes[1:].sum()))),
        ]
        losses = self._put(bytes(4 * epochs * rows))
        for epoch in range(epochs):
            seen = self._call("train_rows", *given, losses + 4 * epoch * rows)
            assert seen == 0xFFFFFFFF, f"epoch {epoch}, sample {seen}: a value is not finite"
        return (
            self._words(losses, epochs * rows),
            self._words(given[1], parameters.size),
            self._words(given[9], state.size),
        )

    def pairs(self, operation: int, a: Floats, b: Floats) -> Words:
        """`compute_pairs` of tests/firmware/soft_float.c, by the bits."""
        self._used = DATA
        left, right, out = self._put(a.tobytes()), self._put(b.tobytes()), self._put(bytes(a.nbytes))
        self._call("compute_pairs", operation, left, right, a.size, out)
        return self._words(out, a.size)

    def layer(self, layer: Layer) -> LayerResult:
        """What `one_layer` makes of it."""
        self._used = DATA
        at = [self._put(array.tobytes()) for array in layer.arrays()]
        out, dX = self._put(bytes(4 * layer.outputs)), self._put(bytes(4 * layer.inputs))
        good = self._call("one_layer", *at, layer.samples, layer.inputs, layer.outputs, layer.activation, out, dX)
        return LayerResult(
            bool(good),
            self._floats(out, layer.outputs),
            self._floats(dX, layer.inputs),
            self._floats(at[0], layer.weights.size),
            self._floats(at[1], layer.outputs),
        )

    def _floats(self, at: int, count: int) -> Floats:
        return self._words(at, count).view(np.float32)

    def _put(self, content: bytes) -> int:
        at = self._used
        self._used += (len(content) + 7) // 8 * 8
        assert self._used < DATA + DATA_BYTES - PAGE, "the core has no memory left"
        self._engine.mem_write(at, content)
        return at

    def _words(self, at: int, count: int) -> Words:
        return np.frombuffer(bytes(self._engine.mem_read(at, 4 * count)), np.uint32)

    def _call(self, name: str, *arguments: int) -> int:
        """The first four in registers, the others on the stack."""
        below = struct.pack(f"<{max(len(arguments) - 4, 0)}I", *arguments[4:])
        stack = DATA + DATA_BYTES - (len(below) + 7) // 8 * 8
        self._engine.mem_write(stack, below)
        for register, value in zip(_REGISTERS, arguments, strict=False):
            self._engine.reg_write(register, value)
        self._engine.reg_write(arm_const.UC_ARM_REG_SP, stack)
        self._engine.reg_write(arm_const.UC_ARM_REG_LR, BACK | 1)
        self._engine.emu_start(self._functions[name] | 1, BACK)
        answer: int = self._engine.reg_read(arm_const.UC_ARM_REG_R0)
        return answer
