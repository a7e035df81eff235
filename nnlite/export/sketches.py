"""Example sketches for the Arduino core: inference, and learning or samples that come over the serial line."""

from __future__ import annotations

from nnlite.export.design import Design

__all__ = ["sketches"]


def sketches(design: Design) -> dict[str, str]:
    """Two sketches: path -> text."""
    second = ("Serial", _serial(design)) if design.learning is None else ("Learning", _learning(design))
    texts = dict([("Inference", _inference(design)), second])
    return {f"examples/{title}/{title}.ino": text for title, text in texts.items()}


def _inference(design: Design) -> str:
    return f"""\
// Runs the network on one sample a second and prints what it says.
#include <{design.name}.h>

static {design.name}_t net;

void setup() {{
  Serial.begin(115200);
{_begin(design)}}}

void loop() {{
  float x[{design.macro}_INPUTS];
  for (uint16_t i = 0; i < {design.macro}_INPUTS; i++) {{
    x[i] = 0.0f;  // the readings go here, as they were when the network was trained
  }}
{_answer(design)}  delay(1000);
}}
"""


def _serial(design: Design) -> str:
    return f"""\
// Reads samples from the serial line, {design.net.sizes[0]} numbers each, and prints the network's outputs.
#include <{design.name}.h>

static {design.name}_t net;

void setup() {{
  Serial.begin(115200);
  Serial.setTimeout(10000);
}}

void loop() {{
  float x[{design.macro}_INPUTS];
  if (Serial.available() == 0) {{
    return;
  }}
  for (uint16_t i = 0; i < {design.macro}_INPUTS; i++) {{
    x[i] = Serial.parseFloat();
  }}
  const float *outputs = {design.name}_logits(&net, x);
  for (uint16_t j = 0; outputs != 0 && j < {design.macro}_OUTPUTS; j++) {{
    Serial.print(outputs[j], 6);
    Serial.print(' ');
  }}
  Serial.println();
}}
"""


def _learning(design: Design) -> str:
    macro, name = design.macro, design.name
    if design.net.output == "softmax":
        what, read = "the number of its class", "  const uint32_t truth = (uint32_t)Serial.parseInt();\n"
    else:
        what = f"the {design.outputs} values that it should give"
        read = f"""\
  float truth[{macro}_OUTPUTS];
  for (uint16_t j = 0; j < {macro}_OUTPUTS; j++) {{
    truth[j] = Serial.parseFloat();
  }}
"""
    return f"""\
// Learns from samples that come over the serial line, {design.net.sizes[0]} numbers each and then {what}.
#include <{name}.h>

static {name}_t net;

void setup() {{
  Serial.begin(115200);
  Serial.setTimeout(10000);
  {name}_begin(&net);
}}

void loop() {{
  float x[{macro}_INPUTS];
  float loss = 0.0f;
  if (Serial.available() == 0) {{
    return;
  }}
  for (uint16_t i = 0; i < {macro}_INPUTS; i++) {{
    x[i] = Serial.parseFloat();
  }}
{read}  if (!{name}_learn(&net, x, truth, 0.01f, &loss)) {{
    Serial.println("refused: the network is as it was exported again");
    {name}_begin(&net);
  }} else {{
    Serial.println(loss, 6);
  }}
}}
"""


def _begin(design: Design) -> str:
    return "" if design.learning is None else f"  {design.name}_begin(&net);\n"


def _answer(design: Design) -> str:
    """The class, or the outputs."""
    name, macro = design.name, design.macro
    if design.net.output != "softmax":
        function = "logits" if design.net.output == "linear" else "probabilities"
        return f"""\
  const float *outputs = {name}_{function}(&net, x);
  for (uint16_t j = 0; outputs != 0 && j < {macro}_OUTPUTS; j++) {{
    Serial.println(outputs[j], 6);
  }}
"""
    said = "    Serial.println(best);\n"
    if design.net.labels is not None:
        said = f"""\
    char text[{macro}_LABEL_BYTES];
    {name}_label((uint32_t)best, text);
    Serial.println(text);
"""
    return f"""\
  const int32_t best = {name}_predict(&net, x);
  if (best < 0) {{
    Serial.println("a value is not finite");
  }} else {{
{said}  }}
"""
