"""Functions of one number in C on the cores themselves: floats in software on the M0, in hardware on the M4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import unicorn
from elftools.elf.elffile import ELFFile
from unicorn import arm_const

from tests.golden.vectors import ELEMENTARY, compute, parse, words
from tests.golden.vectors import PATH as GOLDEN
from tests.runtime import native
from tests.runtime.native import Floats, Words

MODELS = {"cortex_m0": arm_const.UC_CPU_ARM_CORTEX_M0, "cortex_m4": arm_const.UC_CPU_ARM_CORTEX_M4}
PAGE = 0x1000
DATA, DATA_BYTES = 0x2000_0000, 0x20_0000
#: where a call returns to: nothing is there
BACK = 0x3000_0000


def _sample() -> Floats:
    """Every 400,009th number, and whatever stands in the golden vectors; NaN left out, whose bits are nobody's."""
    golden = [record.inputs[0] for record in parse(GOLDEN.read_text(encoding="ascii")) if record.name in ELEMENTARY]
    everywhere = np.arange(0, 1 << 32, 400_009, np.uint64).astype(np.uint32)
    x = np.concatenate([everywhere, *golden]).view(np.float32)
    return x[~np.isnan(x)]


class Core:
    """loops.c and the runtime on one core."""

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

    def sweep(self, name: str, x: Floats) -> Words:
        """The function of many numbers, by the bits."""
        out = DATA + x.nbytes
        self._engine.mem_write(DATA, x.tobytes())
        for register, value in (
            (arm_const.UC_ARM_REG_R0, DATA),
            (arm_const.UC_ARM_REG_R1, x.size),
            (arm_const.UC_ARM_REG_R2, out),
            (arm_const.UC_ARM_REG_SP, DATA + DATA_BYTES),
            (arm_const.UC_ARM_REG_LR, BACK | 1),
        ):
            self._engine.reg_write(register, value)
        self._engine.emu_start(self._functions[f"sweep_{name}"] | 1, BACK)
        return np.frombuffer(bytes(self._engine.mem_read(out, x.nbytes)), np.uint32)


@pytest.fixture(scope="module", params=MODELS)
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Core:
    compiler = native.clang()
    if compiler is None:
        pytest.skip("ziglang is not installed")
    flags = [*native.CHIPS[request.param], "-O2", "-ffreestanding", "-Wl,--entry=sweep_exp_f32"]
    files = [*native.sources(), native.HERE / "loops.c"]
    target = tmp_path_factory.mktemp(request.param) / "loops.elf"
    return Core(request.param, native.compile_c(compiler, flags, files, target))


@pytest.mark.parametrize("name", ELEMENTARY)
def test_a_core_computes_the_laptop_s_bits(core: Core, name: str) -> None:
    x = _sample()
    np.testing.assert_array_equal(core.sweep(name, x), compute(name, (words(x),))[0])
