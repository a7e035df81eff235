"""The compilers that an export has to please, as far as they are installed, and the exports that they get."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from nnlite import Network
from nnlite.export.design import Design, check_learning
from nnlite.export.formats import c_files

__all__ = ["DESIGNS", "LANGUAGES", "STRICT", "TOOLCHAINS", "Toolchain", "build", "design", "write_c"]

STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-pedantic", "-Werror"]
LANGUAGES = {
    "C99": ["-x", "c", "-std=c99"],
    "C++11": ["-x", "c++", "-std=c++11"],
    "C++17": ["-x", "c++", "-std=c++17"],
}


@dataclass(frozen=True)
class Toolchain:
    """A compiler for a core.

    Attributes
    ----------
    program : what is looked for; "ziglang" is a package.
    package : who has it, for the reason of a skip.
    flags : that choose the core.
    """

    program: str
    package: str
    flags: tuple[str, ...] = ()

    def command(self) -> list[str]:
        """How to call it; skips the test where it is not installed."""
        if self.program == "ziglang":
            if importlib.util.find_spec("ziglang") is not None:
                return [sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all", *self.flags]
        elif (path := shutil.which(self.program)) is not None:
            return [path, *self.flags]
        pytest.skip(f"{self.program} is not installed ({self.package})")


_M4F = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
TOOLCHAINS = {
    "gcc x86-64": Toolchain("gcc", "Debian's gcc"),
    "gcc M0": Toolchain("arm-none-eabi-gcc", "Debian's gcc-arm-none-eabi", ("-mcpu=cortex-m0", "-mthumb")),
    "gcc M4F": Toolchain("arm-none-eabi-gcc", "Debian's gcc-arm-none-eabi", _M4F),
    "gcc AVR": Toolchain("avr-gcc", "Debian's gcc-avr and avr-libc", ("-mmcu=atmega328p",)),
    "clang x86-64": Toolchain("ziglang", "PyPI"),
    "clang M0": Toolchain("ziglang", "PyPI", ("-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0")),
    "clang M4F": Toolchain("ziglang", "PyPI", ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp")),
    "clang AVR": Toolchain("ziglang", "PyPI", ("-target", "avr-freestanding", "-mcpu=atmega328p", "-mmcu=atmega328p")),
}

#: name -> sizes, hidden, output, whether it has a standardiser and labels, how it learns
DESIGNS: dict[str, tuple[list[int], str, str, bool, dict[str, object] | None]] = {
    "bare": ([4, 3], "relu", "linear", False, None),
    "even": ([5, 9, 4, 3], "relu", "softmax", True, None),
    "odd": ([6, 2, 7], "sigmoid", "sigmoid", False, None),
    "sgd": ([5, 9, 3], "relu", "softmax", True, {}),
    "batches": ([5, 9, 4, 3], "leaky_relu", "softmax", False, {"batch_size": 4}),
    "momentum": ([3, 8, 2], "sigmoid", "linear", True, {"optimizer": "momentum", "weight_decay": 0.1}),
    "adam": ([3, 8, 2], "tanh", "sigmoid", True, {"optimizer": "adam", "batch_size": 3, "clip_norm": 0.05}),
}


def design(name: str) -> Design:
    """One of `DESIGNS`."""
    sizes, hidden, output, furnished, learning = DESIGNS[name]
    net = Network(sizes, hidden=hidden, output=output, seed=3)
    if furnished:
        generator = np.random.default_rng(4)
        net.mean = generator.normal(size=sizes[0])
        net.scale = generator.uniform(0.5, 2.0, sizes[0])
        net.features = tuple(f"input {n}" for n in range(sizes[0]))
        net.labels = tuple(f"höhe {n}" for n in range(sizes[-1]))
    return Design.of(net, name, None if learning is None else check_learning(**learning))


def write_c(wanted: Design, folder: Path) -> Path:
    """The source in a folder, with its header beside it."""
    for name, text in c_files(wanted).items():
        (folder / name).write_text(text, encoding="ascii")
    return folder / f"{wanted.name}.c"


def build(command: list[str], target: Path) -> Path:
    """Run a compiler; what it says is the assertion's."""
    done = subprocess.run([*command, "-o", str(target)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return target
