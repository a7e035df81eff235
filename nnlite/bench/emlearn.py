"""emlearn's C engine on the same networks: by the same compiler, in the same simulator.

Its headers come with the package emlearn, which is optional. They want expf, logf and tanhf of a C library, which a
bare core has not, so these are ours; what is measured calls none of them.
"""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

import numpy as np

from nnlite.bench.boards import Cost, boot, call
from nnlite.bench.workloads import Workload
from nnlite.errors import IncompatibleError, IntegrityError
from nnlite.firmware.build import TARGETS, compiler
from nnlite.kernels import step
from nnlite.profile import Profile

__all__ = ["inference", "missing"]

_FLAGS = ["-std=c99", "-O2", "-g", "-ffp-contract=off", "-ffreestanding", "-ffunction-sections", "-fdata-sections"]
_STACK_BYTES = 1024
#: parts of a C library that emlearn's headers name and its engine has no use for, and the functions of math.h it has
_LIBRARY = {
    "stdio.h": "",
    "stdlib.h": "",
    "math.h": (
        '#define INFINITY __builtin_inff()\n#define NAN __builtin_nanf("")\n#define fabsf __builtin_fabsf\n'
        "float expf(float x);\nfloat logf(float x);\nfloat tanhf(float x);\n"
    ),
}
_SCRIPT = """MEMORY
{{
    FLASH ( rx ) : ORIGIN = {flash:#x}, LENGTH = 2048K
    RAM ( rwx ) : ORIGIN = {ram:#x}, LENGTH = {ram_bytes:#x}
}}
SECTIONS
{{
    .text : {{ KEEP(*(.vectors)) *(.text .text.*) *(.rodata .rodata.*) . = ALIGN(4); }} > FLASH
    .stack (NOLOAD) : {{ stack_bottom = .; . = . + {stack}; stack_top = .; }} > RAM
    .bss (NOLOAD) : {{ *(.bss .bss.*) *(COMMON) }} > RAM
    .data : {{ *(.data .data.*) }} > FLASH
    /DISCARD/ : {{ *(.ARM.attributes .ARM.exidx .comment .note*) }}
}}
"""


def missing() -> str | None:
    """Which package it takes that is not installed; None when all is there."""
    for package in ("emlearn", "ziglang"):
        if importlib.util.find_spec(package) is None:
            return package
    return None


def _build(profile: Profile, room_bytes: int, folder: Path) -> Path:
    spec = importlib.util.find_spec("emlearn")
    assert spec is not None
    assert spec.submodule_search_locations
    for name, text in _LIBRARY.items():
        (folder / name).write_text(text, encoding="ascii")
    script = _SCRIPT.format(
        flash=profile.flash_start, ram=profile.ram_start, ram_bytes=profile.ram_bytes, stack=_STACK_BYTES
    )
    (folder / "probe.ld").write_text(script, encoding="ascii")
    elf = folder / "emlearn.elf"
    with resources.as_file(resources.files("nnlite")) as package:
        command = [*compiler(), *TARGETS[profile.core], *_FLAGS, f"-DROOM_BYTES={room_bytes}", f"-I{folder}"]
        command += [f"-I{spec.submodule_search_locations[0]}", f"-I{package / 'runtime'}", "-w"]
        command += [str(package / "bench" / "emlearn_probe.c")]
        command += [str(package / "runtime" / name) for name in ("exp_log.c", "sigmoid_tanh.c")]
        command += ["-T", str(folder / "probe.ld"), "-Wl,--gc-sections,--entry=reset", "-o", str(elf)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise IncompatibleError(f"emlearn's engine does not build for {profile.name}:\n{done.stderr.strip()}")
    return elf


def inference(profile: Profile, workload: Workload) -> Cost:
    """What its dense layers cost on a board with more flash than there is.

    Raises
    ------
    IncompatibleError : it does not build.
    IntegrityError : it computes something else; its sums have another order, so that the last bits may differ.
    """
    parameters, sample = workload.draw()
    widest, layers = max(workload.sizes), len(workload.sizes) - 1
    room_bytes = 4 * (3 * widest) + 20 * layers + 64
    with tempfile.TemporaryDirectory() as folder:
        elf = _build(profile, room_bytes, Path(folder))
        with boot(profile, "wait", elf) as board:
            in_flash = profile.flash_start + (1 << 16)
            board.write_memory(in_flash, parameters.tobytes())
            at = board.symbol("room")
            rows, weights = b"", in_flash
            for n, (inputs, outputs) in enumerate(zip(workload.sizes[:-1], workload.sizes[1:], strict=True)):
                biases = weights + 4 * inputs * outputs
                rows += struct.pack("<iiIIi", outputs, inputs, weights, biases, 1 if n + 1 < layers else 0)
                weights = biases + 4 * outputs
            in_rows, in_model = at + 12 * widest, at + 12 * widest + len(rows)
            board.write_memory(at, sample.tobytes())
            board.write_memory(in_rows, rows)
            buffers = at + 4 * widest, at + 8 * widest
            board.write_memory(in_model, struct.pack("<iIIIi", layers, in_rows, *buffers, widest))
            cost, status = call(board, "eml_net_infer", in_model, at, workload.sizes[0], returns=int)
            got = np.frombuffer(board.read_memory(buffers[1], 4 * workload.sizes[-1]), np.float32)
    a, b = np.zeros(widest, np.float32), np.zeros(widest, np.float32)
    a[: sample.size] = sample
    wanted = (a, b)[step.forward(workload.shape(), parameters, a, b)][: workload.sizes[-1]]
    if status != 0 or not np.allclose(got, wanted, rtol=1e-3, atol=1e-4):
        raise IntegrityError(
            f"emlearn's engine does not compute workload {workload.name}: its interface is another one"
        )
    return cost
