"""The header of an export: sizes as constants, the struct that is all the RAM there is, and the functions."""

from __future__ import annotations

import textwrap

from nnlite import __version__
from nnlite.export.design import Design
from nnlite.export.literals import comment_text

#: of what learns
_SPOILT = (
    "False when a value is not finite, or there is no such class. If it was the step that failed, the parameters are "
    "of no use: put saved ones back, or begin anew."
)

__all__ = ["label_bytes", "prototypes", "write_header"]


def write_header(design: Design) -> str:
    """The text of NAME.h."""
    name, macro = design.name, design.macro
    sizes = "-".join(map(str, design.net.sizes))
    functions = "\n\n".join(f"{_comment(text)}\n{declaration};" for declaration, text in prototypes(design).values())
    return f"""\
/* {name}: a network of {sizes}, {design.net.hidden}, {design.net.output}; {_purpose(design)}.
   Written by nnlite {__version__}: export again instead of changing it. The bits are those of nnlite on a laptop.
{_columns(design)}
   Nothing here keeps a pointer, allocates or has state of its own: all of it is in {name}_t.
   SPDX-License-Identifier: MIT */
#ifndef NN_{macro}_H
#define NN_{macro}_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

{_macros(design)}
{_struct(design)}

{functions}

#ifdef __cplusplus
}}
#endif

#endif
"""


def _comment(text: str) -> str:
    return textwrap.fill(f"/* {text} */", 116, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False)


def _purpose(design: Design) -> str:
    if design.learning is None:
        return "inference"
    batch = design.learning.batch_size
    return f"inference, and learning by {design.learning.optimizer} in batches of {batch}"


def _columns(design: Design) -> str:
    lines = []
    if design.net.features is not None:
        lines += [f"   input {n}: {comment_text(text)}" for n, text in enumerate(design.net.features)]
    if design.net.labels is not None:
        lines += [f"   output {n}: {comment_text(str(label))}" for n, label in enumerate(design.net.labels)]
    return "\n".join(lines)


def label_bytes(design: Design) -> int:
    """Of the longest label with the zero behind it."""
    return max(len(str(label).encode()) for label in design.net.labels or ()) + 1


def _macros(design: Design) -> str:
    macro = design.macro
    rows = [
        (f"{macro}_INPUTS", design.net.sizes[0], ""),
        (f"{macro}_OUTPUTS", design.outputs, ""),
        (f"{macro}_PARAMETERS", design.parameters, "weights and biases"),
        (f"{macro}_RAM_BYTES", design.ram_bytes, f"sizeof({design.name}_t): all but the stack"),
    ]
    if design.net.labels is not None:
        rows.append((f"{macro}_LABEL_BYTES", label_bytes(design), "the longest label and its zero"))
    if design.learning is not None:
        rows.append((f"{macro}_BATCH", design.learning.batch_size, "samples of a step"))
    return "".join(f"#define {n} {value}u{f' /* {why} */' if why else ''}\n" for n, value, why in rows)


def _struct(design: Design) -> str:
    why = {
        "even": "layers 0, 2, ... in turn",
        "odd": "layers 1, 3, ...",
        "parameters": "layer by layer the weights, row by row, then the biases; may be saved and put back",
        "state": "the optimiser's",
        "records": "of each sample of a batch: inputs and all activations",
        "gradients": "of each: dA",
    }
    members = [f"    float {member}[{count}]; /* {why[member]} */" for member, count in design.buffers.items()]
    if design.counts:
        members.append("    uint32_t filled; /* samples of the batch so far */")
    return "typedef struct {\n" + "\n".join(members) + f"\n}} {design.name}_t;"


def prototypes(design: Design) -> dict[str, tuple[str, str]]:
    """What each function is: name without the model's -> declaration and what it does, as a comment."""
    name, macro = design.name, design.macro
    found = {
        "logits": (
            f"const float *{name}_logits({name}_t *net, const float *x)",
            f"The logits of a raw sample x[{macro}_INPUTS], in the struct until the next call; 0 if one is not finite.",
        )
    }
    if design.net.output == "softmax":
        found["predict"] = (
            f"int32_t {name}_predict({name}_t *net, const float *x)",
            "The most likely class of a raw sample, counted from 0; -1 when a value is not finite. Needs no e^x.",
        )
    if design.net.output != "linear":
        found["probabilities"] = (
            f"const float *{name}_probabilities({name}_t *net, const float *x)",
            f"As {name}_logits, but probabilities.",
        )
    if design.net.labels is not None:
        found["label"] = (
            f"void {name}_label(uint32_t output, char *text)",
            f"The label of an output below {macro}_OUTPUTS, in UTF-8: text[{macro}_LABEL_BYTES].",
        )
    if design.learning is not None:
        found |= _learning_prototypes(design)
    return found


def _learning_prototypes(design: Design) -> dict[str, tuple[str, str]]:
    name, macro = design.name, design.macro
    truth, what = "const float *targets", f"targets[{macro}_OUTPUTS]"
    if design.net.output == "softmax":
        truth, what = "uint32_t label", f"the number of its class, below {macro}_OUTPUTS"
    batch = design.learning is not None and design.learning.batch_size > 1
    step = "Add to the batch, and make its step when it is full" if batch else "Make a training step"
    found = {
        "begin": (
            f"void {name}_begin({name}_t *net)",
            "Take the parameters of the export, and the optimiser from its start. Call it before anything else.",
        ),
        "learn": (
            f"bool {name}_learn({name}_t *net, const float *x, {truth}, float rate, float *loss)",
            f"{step} on a raw sample and {what}. {_SPOILT}",
        ),
    }
    if batch:
        found["flush"] = (
            f"bool {name}_flush({name}_t *net, float rate)",
            "The step of a batch that is not full, as at the end of an epoch.",
        )
    return found
