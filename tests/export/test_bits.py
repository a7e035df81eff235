"""Exported C computes the laptop's bits: built for this computer, on the two cores in the emulator, and on an AVR."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network, train
from nnlite.errors import DataError, UsageError
from nnlite.export.design import Design, check_learning
from nnlite.export.formats import export
from nnlite.export.native import load_exported
from nnlite.layout import HiddenActivation, OutputFunction
from nnlite.recipe import OPTIMIZERS
from tests.export.toolchains import DESIGNS, TOOLCHAINS, build, design, write_c
from tests.runtime.emulated import Core
from tests.runtime.native import Floats, Words, same_bits

HERE = Path(__file__).resolve().parent
RATE = 0.05
#: samples of the tests on chips: more than two batches, and one that is not full
SAMPLES = 7
#: between them every output function and optimiser; what takes longest is run with these
ON_CHIPS = ("bare", "even", "sgd", "momentum", "adam")


def truth_of(net: Network, generator: np.random.Generator, rows: int) -> np.ndarray[Any, Any]:
    """Numbers of classes, or targets."""
    if net.output == "softmax":
        return generator.integers(0, net.sizes[-1], rows)
    return generator.uniform(0.0, 1.0, (rows, net.sizes[-1])).astype(np.float32)


def trained(wanted: Design, X: Floats, y: np.ndarray[Any, Any]) -> tuple[Network, list[float]]:
    """What `train` makes of a design's network, and the losses of the epochs."""
    net, how = wanted.net.copy(), wanted.learning
    assert how is not None
    net.labels = None if net.output != "softmax" else tuple(range(net.sizes[-1]))
    history = train(
        net,
        X,
        y,
        epochs=2,
        learning_rate=RATE,
        shuffle=False,
        progress=False,
        standardize=False,
        batch_size=how.batch_size,
        optimizer=how.optimizer,
        momentum=float(how.betas[0]) if how.optimizer == "momentum" else None,
        weight_decay=float(how.weight_decay),
        clip_norm=float(how.clip_norm) or None,
    )
    return net, list(history.loss)


@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 10), min_size=2, max_size=5),
    hidden=st.sampled_from([*HiddenActivation]),
    output=st.sampled_from([*OutputFunction]),
    optimizer=st.sampled_from([None, *OPTIMIZERS]),
    batch_size=st.integers(1, 5),
    weight_decay=st.sampled_from([0.0, 0.1]),
    clip_norm=st.sampled_from([None, 0.05, 2.0]),
    standardised=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_an_export_computes_the_laptop_s_bits(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    hidden: HiddenActivation,
    output: OutputFunction,
    optimizer: str | None,
    batch_size: int,
    weight_decay: float,
    clip_norm: float | None,
    standardised: bool,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    net = Network(sizes, hidden=hidden.name.lower(), output=output.name.lower(), seed=seed)
    if standardised:
        net.mean, net.scale = generator.normal(size=sizes[0]), generator.uniform(0.5, 2.0, sizes[0])
    X = generator.normal(size=(SAMPLES, sizes[0])).astype(np.float32)
    X[generator.random(X.shape) < 0.2] = 0.0
    learning = None
    if optimizer is not None:
        learning = check_learning(optimizer, batch_size, None, weight_decay, clip_norm)
    source = tmp_path_factory.mktemp("export") / "net.c"
    export(net, "c", source, learning=learning)
    exported = load_exported(source)
    if learning is not None:
        exported.begin()
    assert same_bits(exported.decision_function(X), net.decision_function(X))
    if output != OutputFunction.LINEAR:
        assert same_bits(exported.predict_proba(X), net.predict_proba(X))
    if output == OutputFunction.SOFTMAX:
        assert exported.predict(X).tolist() == np.argmax(net.decision_function(X), axis=1).tolist()
    if learning is None:
        return
    y = truth_of(net, generator, SAMPLES)
    personal, losses = trained(Design.of(net, "net", learning), X, y)
    for loss in losses:
        assert float(np.mean(exported.learn(X, y, RATE), dtype=np.float64)) == loss
    assert same_bits(exported.parameters, personal.parameters)
    assert same_bits(exported.decision_function(X), personal.decision_function(X))
    exported.begin()
    assert same_bits(exported.parameters, net.parameters + np.float32(0.0))


def test_the_first_of_equals_is_the_answer(tmp_path: Path) -> None:
    net = Network([1, 3], seed=0)
    net.parameters = np.array([0, 0, 0, 1, 2, 2])
    export(net, "c", tmp_path / "net.c")
    assert load_exported(tmp_path / "net.c").predict([[0.0]]).tolist() == net.predict([[0.0]]).tolist() == [1]


@pytest.mark.parametrize("name", ["even", "sgd", "batches"])
def test_a_result_that_is_not_finite_is_refused(name: str, tmp_path: Path) -> None:
    wanted = design(name)
    exported = load_exported(write_c(wanted, tmp_path))
    if wanted.learning is not None:
        exported.begin()
    X = np.full((1, wanted.net.sizes[0]), 3e38, np.float32)
    with pytest.raises(DataError):
        wanted.net.decision_function(X)
    for function in (exported.decision_function, exported.predict_proba, exported.predict):
        with pytest.raises(DataError, match="row 0: a value is not finite"):
            function(X)


def test_a_sample_that_is_not_finite_once_standardised_is_refused(tmp_path: Path) -> None:
    """ReLU would make a 0 of it."""
    net = Network([1, 1, 1], output="linear")
    net.parameters, net.mean, net.scale = [-1, 0, 1, 0], [0], [1e20]
    export(net, "c", tmp_path / "net.c")
    exported = load_exported(tmp_path / "net.c")
    assert exported.decision_function([[1e10]]).tolist() == [[0.0]]
    with pytest.raises(DataError, match="row 0: a value is not finite"):
        exported.decision_function([[1e30]])
    with pytest.raises(UsageError, match="net was exported without net_begin"):
        exported.begin()


@pytest.mark.parametrize("name", ["sgd", "batches", "momentum", "adam"])
def test_what_cannot_be_learned_is_refused(name: str, tmp_path: Path) -> None:
    """A step that leaves float32; and truth that cannot be, which changes nothing."""
    wanted = design(name)
    exported = load_exported(write_c(wanted, tmp_path))
    exported.begin()
    X = np.ones((4, wanted.net.sizes[0]), np.float32)
    y = truth_of(wanted.net, np.random.default_rng(0), 4)
    bad = y + wanted.outputs if wanted.net.output == "softmax" else y * np.float32(np.inf)
    with pytest.raises(DataError, match="row 0: the step was refused"):
        exported.learn(X, bad, RATE)
    assert same_bits(exported.parameters, wanted.net.parameters)
    with pytest.raises(DataError, match="refused"):
        exported.learn(np.repeat(X, 9, axis=0) * 1e18, np.repeat(y, 9, axis=0), 3e38)
    exported.begin()
    assert same_bits(exported.parameters, wanted.net.parameters)


@pytest.mark.parametrize("flags", [["-O0"], ["-Os"], ["-O3", "-march=native"]], ids=" ".join)
@pytest.mark.parametrize("toolchain", ["gcc x86-64", "clang x86-64"])
def test_every_level_gives_the_same_bits(toolchain: str, flags: list[str], tmp_path: Path) -> None:
    """Where the processor could, neither compiler fuses a product and a sum."""
    for name in ON_CHIPS:
        wanted = design(name)
        exported = load_exported(write_c(wanted, tmp_path), TOOLCHAINS[toolchain].command(), [*flags, "-std=gnu11"])
        X = np.random.default_rng(5).normal(size=(SAMPLES, wanted.net.sizes[0])).astype(np.float32)
        if wanted.learning is not None:
            exported.begin()
        assert same_bits(exported.decision_function(X), wanted.net.decision_function(X))
        if wanted.learning is not None:
            y = truth_of(wanted.net, np.random.default_rng(6), SAMPLES)
            personal, losses = trained(wanted, X, y)
            for _ in losses:
                exported.learn(X, y, RATE)
            assert same_bits(exported.parameters, personal.parameters)


# ---- on chips


@cache
def expected(name: str) -> tuple[Floats, np.ndarray[Any, Any], Words]:
    """Samples, truth, and what a chip has to give: the logits of all samples, then the parameters after two epochs."""
    wanted = design(name)
    X = np.random.default_rng(5).normal(size=(SAMPLES, wanted.net.sizes[0])).astype(np.float32)
    y = truth_of(wanted.net, np.random.default_rng(6), SAMPLES)
    words = [wanted.net.decision_function(X).view(np.uint32).ravel()]
    if wanted.learning is not None:
        words.append(trained(wanted, X, y)[0].parameters.view(np.uint32))
    return X, y, np.concatenate(words)


def harness(name: str, X: Floats, y: np.ndarray[Any, Any], around: str) -> str:
    """C whose function `everything` does the same with the export, in memory that it is given, and has each word `put`.
    `around` says how, and how an array is read."""
    wanted = design(name)
    inputs, outputs = wanted.net.sizes[0], wanted.outputs
    truths = y.astype(np.uint32).ravel() if wanted.net.output == "softmax" else y.view(np.uint32).ravel()
    width = truths.size // SAMPLES
    arrays = "".join(
        f"static const uint32_t {array}[] NN_WHERE = {{{', '.join(f'{int(word):#x}u' for word in words)}}};\n"
        for array, words in (("samples", X.view(np.uint32).ravel()), ("truths", truths))
    )
    begin = learn = ""
    if wanted.learning is not None:
        truth, fetch = "y", f"fetch(truths, k, {width}, y);"
        if wanted.net.output == "softmax":
            truth, fetch = "read(truths + k)", ""
        flush = f"{name}_flush(&memory->net, {RATE}f);" if wanted.counts else ""
        begin = f"{name}_begin(&memory->net);"
        learn = f"""
    for (int epoch = 0; epoch < 2; epoch++) {{
        for (int k = 0; k < {SAMPLES}; k++) {{
            float loss;
            fetch(samples, k, {inputs}, x);
            {fetch}
            {name}_learn(&memory->net, x, {truth}, {RATE}f, &loss);
        }}
        {flush}
    }}
    for (int n = 0; n < {wanted.parameters}; n++) {{
        put(word(memory->net.parameters[n]));
    }}"""
    return f"""\
#include "{name}.h"
{around}
{arrays}
typedef struct {{
    {name}_t net;
    float x[{inputs}];
    float y[{outputs}];
}} memory_t;
static uint32_t word(float value)
{{
    union {{
        float value;
        uint32_t bits;
    }} both;
    both.value = value;
    return both.bits;
}}
static void fetch(const uint32_t *from, int row, int width, float *to)
{{
    for (int n = 0; n < width; n++) {{
        union {{
            uint32_t bits;
            float value;
        }} both;
        both.bits = read(from + row * width + n);
        to[n] = both.value;
    }}
}}
void everything(memory_t *memory, uint32_t *to);
void everything(memory_t *memory, uint32_t *to)
{{
    float *x = memory->x;
    float *y = memory->y;
    (void)to;
    (void)y;
    (void)truths;
    {begin}
    for (int k = 0; k < {SAMPLES}; k++) {{
        fetch(samples, k, {inputs}, x);
        const float *logits = {name}_logits(&memory->net, x);
        for (int j = 0; j < {outputs}; j++) {{
            put(word(logits[j]));
        }}
    }}{learn}
}}
"""


ON_ARM = """
#define NN_WHERE
#define put(word) *to++ = (word)
static uint32_t read(const uint32_t *from) { return *from; }
"""


class Called(Core):
    """A core with a program that has `everything`."""

    def words(self, memory: int, count: int) -> Words:
        """What it puts, in so many bytes of memory."""
        at = self._put(bytes(4 * count))
        self._call("everything", self._put(bytes(memory)), at)
        return self._words(at, count)


@pytest.mark.parametrize("flags", ["-O0", "-O2", "-Os", "-Os -DNN_FAST"])
@pytest.mark.parametrize("toolchain", ["gcc M0", "gcc M4F", "clang M0", "clang M4F"])
def test_a_cortex_computes_the_same_bits(toolchain: str, flags: str, tmp_path: Path) -> None:
    command = [*TOOLCHAINS[toolchain].command(), *flags.split(), "-g", "-std=gnu11", "-ffreestanding"]
    library = ["-nostdlib", "-lgcc"] if "gcc" in toolchain else []
    main = tmp_path / "main.c"
    for name in ON_CHIPS:
        X, y, words = expected(name)
        main.write_text(harness(name, X, y, ON_ARM) + _MEMCPY, encoding="ascii")
        files = [str(write_c(design(name), tmp_path)), str(main), *library, "-Wl,--entry=everything"]
        program = build([*command, *files], tmp_path / f"{name}.elf")
        core = Called("cortex_m0" if "M0" in toolchain else "cortex_m4", program)
        memory = design(name).ram_bytes + 4 * (X.shape[1] + design(name).outputs)
        np.testing.assert_array_equal(core.words(memory, words.size), words, err_msg=name)


#: the one function that an export may want of a library, and there is none
_MEMCPY = """
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n);
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n)
{
    for (__SIZE_TYPE__ i = 0; i < n; i++) {
        ((volatile char *)to)[i] = ((const char *)from)[i];
    }
    return to;
}
"""

ON_LAPTOP = """
#include <stdio.h>
#define NN_WHERE
#define put(word) printf("%08x\\n", (unsigned)(word))
static uint32_t read(const uint32_t *from) { return *from; }
"""


@pytest.mark.parametrize("name", DESIGNS)
def test_nothing_beyond_the_struct_is_touched(name: str, tmp_path: Path) -> None:
    """By the compiler's sanitizers, in a program of its own."""
    X, y, words = expected(name)
    main = tmp_path / "main.c"
    size = f"sizeof memory.net != {design(name).ram_bytes}"
    start = f"int main(void) {{ static memory_t memory; everything(&memory, 0); return {size}; }}\n"
    main.write_text(harness(name, X, y, ON_LAPTOP) + start, encoding="ascii")
    flags = ["-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    files = [str(write_c(design(name), tmp_path)), str(main)]
    program = build([*TOOLCHAINS["gcc x86-64"].command(), *flags, *files], tmp_path / "main")
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [int(word, 16) for word in done.stdout.split()] == words.tolist()


def test_the_struct_is_as_small_as_it_can_be() -> None:
    """A sample that is not standardised is read where it is; layers take turns; learning keeps what it needs."""
    assert {name: design(name).ram_bytes for name in DESIGNS} == {
        "bare": 4 * 3,
        "even": 4 * (5 + 9),
        "odd": 4 * (2 + 7),
        "sgd": 4 * (84 + 17 + 12),
        "batches": 4 * (109 + 4 * (21 + 16)) + 4,
        "momentum": 4 * (50 + 50 + 13 + 10),
        "adam": 4 * (50 + 102 + 3 * (13 + 10)) + 4,
    }


ON_AVR = r"""
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#define NN_WHERE PROGMEM
static uint32_t read(const uint32_t *from) { return pgm_read_dword(from); }
static void letter(uint8_t value)
{
    while (!(UCSR0A & (1 << UDRE0))) {
    }
    UDR0 = value;
}
static void put(uint32_t word)
{
    for (int8_t shift = 28; shift >= 0; shift -= 4) {
        uint8_t digit = (uint8_t)(word >> shift) & 15;
        letter(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    letter('\n');
}
"""
#: asleep without interrupts is the end for simavr
AVR_MAIN = """
static memory_t memory;
int main(void)
{
    UCSR0B = 1 << TXEN0;
    everything(&memory, 0);
    cli();
    for (;;) {
        sleep_mode();
    }
}
"""


@pytest.mark.parametrize("name", ON_CHIPS)
@pytest.mark.parametrize("toolchain", ["gcc AVR", "clang AVR"])
def test_an_avr_computes_the_same_bits(toolchain: str, name: str, tmp_path: Path) -> None:
    """The export by either compiler; what is around it, and the library for floats, are GCC's."""
    gcc, command = TOOLCHAINS["gcc AVR"].command(), TOOLCHAINS[toolchain].command()
    simulator = shutil.which("simavr")
    if simulator is None:
        pytest.skip("simavr is not installed (Debian's simavr)")
    X, y, words = expected(name)
    main = tmp_path / "main.c"
    main.write_text(harness(name, X, y, ON_AVR) + AVR_MAIN, encoding="ascii")
    source = write_c(design(name), tmp_path)
    part = build([*command, "-Os", "-std=gnu11", "-c", str(source)], tmp_path / "export.o")
    program = build([*gcc, "-Os", "-std=gnu11", str(main), str(part)], tmp_path / "main.elf")
    done = subprocess.run(
        [simulator, "-m", "atmega328p", "-f", "16000000", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = [
        int(word, 16)
        for word in re.findall(r"\b[0-9a-f]{8}\b", re.sub(r"\x1b\[[0-9;]*m", " ", done.stdout + done.stderr))
    ]
    np.testing.assert_array_equal(np.array(said, np.uint32), words)
