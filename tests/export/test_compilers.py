"""An export under every compiler and core: no warning as C and as C++, nothing foreign, no state, no collision."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from nnlite.export.amalgamate import amalgamate
from nnlite.export.design import Design
from tests.export.toolchains import DESIGNS, LANGUAGES, STRICT, TOOLCHAINS, build, design, write_c

HERE = Path(__file__).resolve().parent
#: what a core without floats in hardware takes from its compiler's library
FLOATS = ("__aeabi_", "__addsf", "__subsf", "__mulsf", "__divsf", "__fix", "__float", "__eqsf", "__nesf", "__unordsf")
FLOATS += ("__ltsf", "__lesf", "__gtsf", "__gesf", "__cmpsf")
#: of AVR, which has neither such a shift nor such a division, and asks its start-up for copies of constants
INTEGERS = ("__divmod", "__udivmod", "__mulsi", "__mulhisi", "__umulhisi", "__ashl", "__lshr", "__do_copy_data")
INTEGERS += ("__do_clear_bss", "__prologue_saves__", "__epilogue_restores__", "__muluhisi", "__tablejump")


def compile_all(toolchain: str, language: str, flags: list[str], folder: Path, names: Iterable[str] = DESIGNS) -> None:
    """Each design by itself."""
    command = [*TOOLCHAINS[toolchain].command(), *LANGUAGES[language], *STRICT, *flags]
    probe = folder / "probe.c"
    probe.write_text("#include <stdint.h>\n", encoding="ascii")
    if subprocess.run([*command, "-c", probe, "-o", folder / "probe.o"], capture_output=True, check=False).returncode:
        pytest.skip(f"{toolchain} is installed without {language}")
    for name in names:
        build([*command, "-c", str(write_c(design(name), folder))], folder / f"{name}.o")


@pytest.mark.parametrize("language", ["C99", "C++11"])
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_no_compiler_warns(toolchain: str, language: str, tmp_path: Path) -> None:
    compile_all(toolchain, language, ["-Os"], tmp_path)


@pytest.mark.parametrize("language", ["C99", "C++11"])
@pytest.mark.parametrize("toolchain", [name for name in TOOLCHAINS if "M" in name])
def test_no_compiler_warns_of_a_core_s_own_loops(toolchain: str, language: str, tmp_path: Path) -> None:
    compile_all(toolchain, language, ["-Os", "-DNN_FAST"], tmp_path, ("even", "sgd", "adam"))


@pytest.mark.parametrize("level", ["-O0", "-O3"])
def test_no_level_brings_a_warning(level: str, tmp_path: Path) -> None:
    compile_all("gcc x86-64", "C99", [level, "-march=native"], tmp_path)


def test_arduino_s_macros_are_not_in_the_way(tmp_path: Path) -> None:
    """Not even in the source, which does not include them by itself."""
    for language in LANGUAGES:
        compile_all("gcc x86-64", language, ["-include", str(HERE / "arduino" / "macros.h")], tmp_path)


@pytest.mark.parametrize("level", ["-Os", "-O3"])
@pytest.mark.parametrize("toolchain", [name for name in TOOLCHAINS if "x86" not in name])
def test_an_export_needs_memcpy_at_most(toolchain: str, level: str, tmp_path: Path) -> None:
    """No symbols but its own, no data that can change, nothing that copies constants to RAM but for its optimiser."""
    names = ("even", "momentum", "adam")
    compile_all(toolchain, "C99", [level], tmp_path, names)
    for name in names:
        with (tmp_path / f"{name}.o").open("rb") as stream:
            elf = ELFFile(stream)
            symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
            sections = {section.name: section for section in elf.iter_sections()}
            wanted = {s.name for s in symbols if s["st_shndx"] == "SHN_UNDEF" and s.name}
            defined = {s.name for s in symbols if s["st_info"]["bind"] == "STB_GLOBAL" and s["st_shndx"] != "SHN_UNDEF"}
            assert {n for n in wanted if not n.startswith(FLOATS + INTEGERS)} <= {"memcpy"}, name
            assert all(n.startswith(f"{name}_") for n in defined)
            for section in sections.values():
                if section.name.startswith((".data", ".bss")):
                    assert section["sh_size"] == 0, (name, section.name)
            if "AVR" in toolchain:
                parameters = 4 * design(name).parameters
                assert sections[".progmem.nn"]["sh_size"] >= parameters
                assert sum(s["sh_size"] for n, s in sections.items() if n.startswith(".rodata")) <= 64


@pytest.mark.parametrize("standard", ["C99", "C++17"])
def test_two_exports_go_into_one_program(standard: str, tmp_path: Path) -> None:
    """And into one file, where both headers are included twice."""
    both = tmp_path / "both.c"
    main = "int main(void) { static adam_t a; static sgd_t s; adam_begin(&a); sgd_begin(&s); return 0; }\n"
    both.write_text('#include "adam.h"\n#include "sgd.h"\n#include "adam.h"\n' + main, encoding="ascii")
    files = [str(both), *(str(write_c(design(name), tmp_path)) for name in ("adam", "sgd"))]
    command = [*TOOLCHAINS["gcc x86-64"].command(), *LANGUAGES[standard], *STRICT, *files]
    assert subprocess.run([build(command, tmp_path / "both")], check=False).returncode == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["-ffast-math"], "it changes the bits"),
        (["-funsafe-math-optimizations"], "it changes the bits"),
        (["-m32", "-mno-sse", "-mfpmath=387"], "more than 32 bits"),
    ],
)
def test_what_would_change_the_bits_does_not_compile(flags: list[str], said: str, tmp_path: Path) -> None:
    source = write_c(design("bare"), tmp_path)
    command = [*TOOLCHAINS["gcc x86-64"].command(), *flags, "-fsyntax-only", "-ffreestanding", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert said in done.stderr


@pytest.mark.parametrize("name", ["even", "sgd"])
def test_what_is_not_called_is_not_linked(name: str, tmp_path: Path) -> None:
    """A program that only wants the most likely class gets no e^x."""
    source, main = write_c(design(name), tmp_path), tmp_path / "main.c"
    kept = {}
    for function in ("predict", "probabilities"):
        main.write_text(
            f'#include "{name}.h"\nint main(void) {{ static {name}_t net; static float x[{name.upper()}_INPUTS]; '
            f"return {name}_{function}(&net, x) == 0; }}\n",
            encoding="ascii",
        )
        flags = ["-O0", "-ffunction-sections", "-Wl,--gc-sections"]
        program = build([*TOOLCHAINS["gcc x86-64"].command(), *flags, str(source), str(main)], tmp_path / function)
        with program.open("rb") as stream:
            symbols = ELFFile(stream).get_section_by_name(".symtab").iter_symbols()
            kept[function] = {symbol.name for symbol in symbols}
    assert "nn_exp_f32" in kept["probabilities"]
    assert not {"nn_exp_f32", "nn_softmax", "nn_dense_backward"} & kept["predict"]


def test_a_function_that_the_runtime_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="the runtime has no nn_guess"):
        amalgamate({"nn_relu", "nn_guess"})


def test_nothing_of_the_runtime_keeps_a_name_without_prefix(tmp_path: Path) -> None:
    """Macros included: what the preprocessor knows after an export and not before it is ours by its name."""
    wanted: Design = design("adam")
    source = write_c(wanted, tmp_path)
    known = []
    for file in (str(source), "/dev/null"):
        command = [*TOOLCHAINS["gcc x86-64"].command(), "-x", "c", "-dM", "-E", file]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        known.append({line.split()[1].partition("(")[0] for line in said.splitlines()})
    own = {name for name in known[0] - known[1] if not name.startswith(("_", "INT", "UINT", "WCHAR", "SIG", "PTR"))}
    own -= {"SIZE_MAX", "WINT_MAX", "WINT_MIN", "bool", "true", "false"}
    assert own
    assert all(name.startswith(("NN_", "ADAM_", "nn_")) for name in own), own
    text = source.read_text(encoding="ascii")
    assert "0x1." not in text, "a hexadecimal float"
