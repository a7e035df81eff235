"""The source of an export: guards, the runtime's functions that it needs, the constants, and the model's own functions,
written out layer by layer with every size a number. Which expression is computed how is the runtime's business; this
module calls it in the order of runtime/step.c.
"""

from __future__ import annotations

import textwrap

from nnlite import __version__
from nnlite.export.amalgamate import amalgamate, prefixed
from nnlite.export.design import Design
from nnlite.export.header import prototypes
from nnlite.export.literals import float_literal, floats, text_bytes

__all__ = ["write_source"]

_ACTIVATIONS = {"relu": "NN_RELU", "leaky_relu": "NN_LEAKY_RELU", "sigmoid": "NN_SIGMOID", "tanh": "NN_TANH"}

#: in front of the runtime: what would change the bits, and where constants lie
_GUARDS = """\
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \\
    defined(__NO_SIGNED_ZEROS__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "without -ffast-math and what it is made of: it changes the bits"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16
#error "this compiler computes with more than 32 bits; on a PC give it -msse2 -mfpmath=sse"
#endif

/* No product and sum in one rounding, which compilers are free to make of them; and no call of memset for a loop. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off", "no-tree-loop-distribute-patterns")
#endif

#ifdef __GNUC__
#define NN_INLINE static inline __attribute__((__unused__))
#else
#define NN_INLINE static inline
#endif

/* Constants stay in program memory: where that is a memory of its own, they are read from there in place. */
#ifdef __AVR__
#define NN_FLASH __attribute__((__section__(".progmem.nn")))

NN_INLINE float nn_flash_float(const float *from)
{
    union {
        uint16_t halves[2];
        float value;
    } both;
    __asm__("lpm %A0, Z+\\n\\tlpm %B0, Z+\\n\\tlpm %A1, Z+\\n\\tlpm %B1, Z"
            : "=&r"(both.halves[0]), "=&r"(both.halves[1]), "+z"(from));
    return both.value;
}
"""
_FLASH_BYTE = """
NN_INLINE uint8_t nn_flash_byte(const uint8_t *from)
{
    uint8_t value;
    __asm__("lpm %0, Z" : "=r"(value) : "z"(from));
    return value;
}
"""


def write_source(design: Design) -> str:
    """The text of NAME.c."""
    functions = _Functions(design)
    written = "\n".join(functions.all())
    return f"""\
/* The network of {design.name}.h. Written by nnlite {__version__}: export again instead of changing it.
   The functions that begin with nn_ are nnlite's runtime.
   Copyright (c) 2026 The nnlite authors. SPDX-License-Identifier: MIT */
#include "{design.name}.h"

{_guards(design)}
{amalgamate(functions.runtime)}
/* ---- {design.name} */

static bool nn_all_finite(const float *x, uint32_t n)
{{
    for (uint32_t i = 0; i < n; i++) {{
        if (!nn_is_finite(x[i])) {{
            return false;
        }}
    }}
    return true;
}}

typedef char {design.name}_ram_is_as_said[sizeof({design.name}_t) == {design.macro}_RAM_BYTES ? 1 : -1];

{_constants(design)}
{written}"""


def _guards(design: Design) -> str:
    labels = design.net.labels is not None
    parts = [_GUARDS]
    if labels:
        parts.append(_FLASH_BYTE)
    if design.learning is None:
        parts.append("\n#define NN_PARAMETER(pointer) nn_flash_float(pointer)\n")
    parts += ["#else\n", "#define NN_FLASH\n", "#define nn_flash_float(from) (*(from))\n"]
    if labels:
        parts.append("#define nn_flash_byte(from) (*(from))\n")
    return "".join([*parts, "#endif\n"])


def _constants(design: Design) -> str:
    net, name = design.net, design.name
    arrays = [("parameters", design.parameters, "float", floats(net.parameters))]
    if net.mean is not None and net.scale is not None:
        arrays += [("mean", net.mean.size, "float", floats(net.mean))]
        arrays += [("scale", net.scale.size, "float", floats(net.scale))]
    if net.labels is not None:
        texts = [str(label) for label in net.labels]
        count = sum(len(text.encode()) + 1 for text in texts)
        arrays += [("labels", count, "uint8_t", text_bytes(texts))]
    return "\n".join(
        f"static const {kind} {name}_{what}[{count}] NN_FLASH = {{\n{inside}}};\n"
        for what, count, kind, inside in arrays
    )


class _Functions:
    """The model's own functions.

    Attributes
    ----------
    runtime : names of the runtime's functions that they call.
    """

    def __init__(self, design: Design) -> None:
        self.runtime: set[str] = set()
        self._design = design
        self._name, self._net = design.name, design.net
        self._layers = design.layers
        self._learns = design.learning is not None

    def all(self) -> list[str]:
        """Their texts, in the header's order; what serves them in front."""
        bodies = {
            "logits": self._logits,
            "predict": self._predict,
            "probabilities": self._probabilities,
            "label": self._label,
            "begin": self._begin,
            "learn": self._learn,
            "flush": self._flush,
        }
        texts = []
        for name, (declaration, _) in prototypes(self._design).items():
            if name == "learn":
                texts.append(
                    _function(f"static bool {self._name}_update({self._name}_t *net, {_UPDATE})", self._update())
                )
            texts.append(_function(declaration, bodies[name]()))
        return texts

    def _call(self, function: str, *arguments: object) -> str:
        """A call of a function of the runtime."""
        self.runtime.add(function)
        return f"{prefixed(function)}({', '.join(map(str, arguments))})"

    def _finite(self, array: str, count: str) -> str:
        """Whether all of an array are."""
        self.runtime.add("nn_is_finite")
        return f"nn_all_finite({array}, {count})"

    def _macro(self, name: str) -> str:
        return f"{self._design.macro}_{name}"

    # ---- inference

    def _buffer(self, layer: int) -> str:
        """Where the outputs of a layer are; those of layer 0 are the sample as the network takes it."""
        if self._learns:
            return _at("X", self._layers[layer].x if layer < len(self._layers) else self._layers[-1].out)
        if layer == 0 and not self._design.standardised:
            return "x"
        return "net->odd" if layer % 2 else "net->even"

    def _parameters(self, offset: int) -> str:
        return _at("net->parameters" if self._learns else f"{self._name}_parameters", offset)

    def _record(self) -> list[str]:
        """Where the sample's record is."""
        if not self._learns:
            return []
        return [f"float *X = net->records{self._of_sample(sum(self._net.sizes))};"]

    def _of_sample(self, floats_each: int) -> str:
        return f" + net->filled * {floats_each}u" if self._design.counts else ""

    def _sample(self) -> list[str]:
        """The raw sample standardised, or copied where it has to be kept."""
        first = self._buffer(0)
        if first == "x":
            return []
        element = f"{first} + i"
        if self._design.standardised:
            inside = [
                f"const float mean = nn_flash_float({self._name}_mean + i);",
                f"const float scale = nn_flash_float({self._name}_scale + i);",
                f"{self._call('nn_standardize', 'x + i', '&mean', '&scale', element, 1)};",
            ]
        else:
            inside = [f"{first}[i] = x[i];"]
        return _loop("i", self._macro("INPUTS"), inside)

    def _logits(self) -> list[str]:
        lines = [*self._record(), *self._sample()]
        lines += _unless(self._finite(self._buffer(0), self._macro("INPUTS")), "return 0;")
        for n, layer in enumerate(self._layers, 1):
            x, out = self._buffer(n - 1), self._buffer(n)
            weights, bias = self._parameters(layer.weights), self._parameters(layer.bias)
            lines.append(
                self._call("nn_dense_forward", x, weights, bias, out, f"{layer.inputs}u", f"{layer.outputs}u") + ";"
            )
            if n < len(self._layers):
                lines.append(f"{self._call(f'nn_{self._net.hidden}', out, out, f'{layer.outputs}u')};")
        last = self._buffer(len(self._layers))
        return [*lines, f"return {self._finite(last, self._macro('OUTPUTS'))} ? {last} : 0;"]

    def _predict(self) -> list[str]:
        """As `Network.decide`: the first of equals."""
        return [
            f"const float *logits = {self._name}_logits(net, x);",
            "int32_t best = 0;",
            "if (logits == 0) {",
            "    return -1;",
            "}",
            *_loop("j", self._macro("OUTPUTS"), ["if (logits[j] > logits[best]) {", "    best = (int32_t)j;", "}"]),
            "return best;",
        ]

    def _probabilities(self) -> list[str]:
        last = self._buffer(len(self._layers))
        function = "nn_softmax" if self._net.output == "softmax" else "nn_sigmoid"
        return [
            *self._record(),
            *_unless(f"{self._name}_logits(net, x)", "return 0;"),
            f"{self._call(function, last, last, self._macro('OUTPUTS'))};",
            f"return {last};",
        ]

    def _label(self) -> list[str]:
        return [
            f"const uint8_t *from = {self._name}_labels;",
            "uint8_t letter = 0;",
            f"if (output >= {self._macro('OUTPUTS')}) {{",
            "    *text = 0;",
            "    return;",
            "}",
            "while (output > 0) {",
            "    letter = nn_flash_byte(from);",
            "    from++;",
            "    output -= letter == 0;",
            "}",
            "do {",
            "    letter = nn_flash_byte(from);",
            "    from++;",
            "    *text = (char)letter;",
            "    text++;",
            "} while (letter != 0);",
        ]

    # ---- learning

    def _begin(self) -> list[str]:
        learning = self._design.learning
        assert learning is not None
        take = [f"net->parameters[n] = nn_flash_float({self._name}_parameters + n);"]
        lines = _loop("n", self._macro("PARAMETERS"), take)
        if learning.optimizer != "sgd":
            optimizer = {"momentum": "NN_MOMENTUM", "adam": "NN_ADAM"}[learning.optimizer]
            self.runtime.add(optimizer)
            lines.append(f"{self._call('nn_begin_state', 'net->state', optimizer, f'{self._design.state}u')};")
        return [*lines, *(["net->filled = 0;"] if self._design.counts else [])]

    def _learn(self) -> list[str]:
        """The order of nn_backward, for a sample of weight 1."""
        softmax = self._net.output == "softmax"
        last, outputs = self._layers[-1], self._macro("OUTPUTS")
        good = f"label < {outputs}" if softmax else self._finite("targets", outputs)
        loss = {
            "softmax": "nn_softmax_cross_entropy",
            "sigmoid": "nn_binary_cross_entropy",
            "linear": "nn_mean_squared_error",
        }[self._net.output]
        lines = [
            *self._record(),
            f"float *dA = net->gradients{self._of_sample(sum(self._net.sizes[1:]))};",
            *_unless(good, "return false;"),
            *_unless(f"{self._name}_logits(net, x)", "return false;"),
        ]
        logits, da = self._buffer(len(self._layers)), _at("dA", last.gradient)
        given = (logits, "label") if softmax else (logits, "targets")
        lines.append(f"*loss = {self._call(loss, *given, da, outputs)};")
        for layer, before in zip(self._layers[:0:-1], self._layers[-2::-1], strict=True):
            activation = _ACTIVATIONS[self._net.hidden]
            self.runtime.add(activation)
            arguments = (
                *(_at("dA", layer.gradient), self._parameters(layer.weights), _at("X", layer.x)),
                *(_at("dA", before.gradient), activation, f"{layer.inputs}u", f"{layer.outputs}u"),
            )
            lines.append(f"{self._call('nn_dense_backward', *arguments)};")
        if not self._design.counts:
            return [*lines, f"return {self._name}_update(net, rate, 1);"]
        return [
            *lines,
            "net->filled++;",
            f"return net->filled < {self._macro('BATCH')} || {self._name}_flush(net, rate);",
        ]

    def _flush(self) -> list[str]:
        return [
            "const uint32_t samples = net->filled;",
            "net->filled = 0;",
            f"return samples == 0 || {self._name}_update(net, rate, samples);",
        ]

    def _update(self) -> list[str]:
        """The order of nn_apply."""
        learning = self._design.learning
        assert learning is not None
        strides = f"{sum(self._net.sizes)}u", f"{sum(self._net.sizes[1:])}u"
        lines = ["bool finite = true;", "float scale = 1.0f;"]
        if learning.clip_norm > 0:
            lines += self._clipping(float_literal(learning.clip_norm), strides)
        if learning.optimizer == "sgd":
            lines.append("scale = (rate / (float)samples) * scale;")
        else:
            lines.append("scale = scale / (float)samples;")
        if learning.optimizer == "adam":
            betas = ", ".join(map(float_literal, learning.betas))
            lines = [f"static const float betas[2] = {{{betas}}};", *lines]
            lines += ["net->state[0] = net->state[0] * betas[0];", "net->state[1] = net->state[1] * betas[1];"]
        for layer in self._layers:
            sizes = f"{layer.inputs}u", f"{layer.outputs}u"
            weights, bias = self._parameters(layer.weights), self._parameters(layer.bias)
            if learning.weight_decay > 0:
                decay = f"rate * {float_literal(learning.weight_decay)}"
                lines.append(f"{self._call('nn_decay_weights', weights, decay, *sizes)};")
            records = _at("net->records", layer.x), _at("net->gradients", layer.gradient)
            rule: tuple[object, ...] = ("scale",)
            if learning.optimizer == "momentum":
                rule = _at("net->state", layer.weights), "scale", "rate", float_literal(learning.betas[0])
            elif learning.optimizer == "adam":
                square = self._design.state - self._design.parameters
                moments = square - self._design.parameters + layer.weights, square + layer.weights
                rule = (
                    *(_at("net->state", moment) for moment in moments),
                    "scale",
                    "rate",
                    "betas",
                    "net->state",
                    float_literal(learning.epsilon),
                )
            function = f"nn_{learning.optimizer}_update"
            call = self._call(function, weights, bias, *records, *rule, "samples", *strides, *sizes)
            lines.append(f"finite = {call} && finite;")
        return [*lines, "return finite;"]

    def _clipping(self, clip: str, strides: tuple[str, str]) -> list[str]:
        lines = ["float norm = 0.0f;"]
        for layer in self._layers:
            records = _at("net->records", layer.x), _at("net->gradients", layer.gradient)
            sizes = f"{layer.inputs}u", f"{layer.outputs}u"
            lines.append(f"norm = {self._call('nn_gradient_square', *records, 'norm', 'samples', *strides, *sizes)};")
        lines.append(f"norm = {self._call('nn_sqrt_f32', 'norm')} / (float)samples;")
        lines += _unless(self._call("nn_is_finite", "norm"), "return false;")
        return [*lines, f"scale = norm > {clip} ? {clip} / norm : 1.0f;"]


_UPDATE = "float rate, uint32_t samples"


def _at(array: str, offset: int) -> str:
    return f"{array} + {offset}" if offset else array


def _function(declaration: str, lines: list[str]) -> str:
    inside = "".join(f"{_wrapped(line)}\n" for line in lines)
    return f"{declaration}\n{{\n{inside}}}\n"


def _wrapped(line: str) -> str:
    blanks = " " * (4 + len(line) - len(line.lstrip()))
    return textwrap.fill(
        line,
        116,
        initial_indent="    ",
        subsequent_indent=f"{blanks}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _loop(index: str, end: str, lines: list[str]) -> list[str]:
    return [f"for (uint32_t {index} = 0; {index} < {end}; {index}++) {{", *(f"    {line}" for line in lines), "}"]


def _unless(condition: str, then: str) -> list[str]:
    negated = f"!({condition})" if " " in condition.partition("(")[0] else f"!{condition}"
    return [f"if ({negated}) {{", f"    {then}", "}"]
