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


#: longest silence within a sample
_TIMEOUT_MS = 10_000
_READING = f"""\
// Whether a sample has begun: the end of the line before is none.
static bool has_begun() {{
  while (Serial.available() > 0 && Serial.peek() <= ' ') {{
    Serial.read();
  }}
  return Serial.available() > 0;
}}

// The next number of the line. False when none came in time, or one that is not finite.
static bool next_number(float *number) {{
  const unsigned long start = millis();
  *number = Serial.parseFloat();
  return millis() - start < {_TIMEOUT_MS}ul && *number - *number == 0.0f;
}}

static bool next_numbers(float *numbers, uint16_t count) {{
  for (uint16_t i = 0; i < count; i++) {{
    if (!next_number(numbers + i)) {{
      Serial.println("a number is missing or too large: the sample is dropped");
      return false;
    }}
  }}
  return true;
}}
"""


def _serial(design: Design) -> str:
    return f"""\
// Reads samples from the serial line, {design.net.sizes[0]} numbers each, and prints the network's outputs.
#include <{design.name}.h>

static {design.name}_t net;

{_READING}
void setup() {{
  Serial.begin(115200);
  Serial.setTimeout({_TIMEOUT_MS});
}}

void loop() {{
  float x[{design.macro}_INPUTS];
  if (!has_begun() || !next_numbers(x, {design.macro}_INPUTS)) {{
    return;
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
        what = "the number of its class"
        read = f"""\
  float label;
  if (!next_numbers(&label, 1)) {{
    return;
  }}
  const uint32_t truth = label >= 0.0f && label < {macro}_OUTPUTS ? (uint32_t)label : {macro}_OUTPUTS;
  if (truth == {macro}_OUTPUTS) {{
    Serial.println("there is no such class: the sample is dropped");
    return;
  }}
"""
    else:
        what = f"the {design.outputs} values that it should give"
        read = f"""\
  float truth[{macro}_OUTPUTS];
  if (!next_numbers(truth, {macro}_OUTPUTS)) {{
    return;
  }}
"""
    return f"""\
// Learns from samples that come over the serial line, {design.net.sizes[0]} numbers each and then {what}.
#include <{name}.h>

static {name}_t net;

{_READING}
void setup() {{
  Serial.begin(115200);
  Serial.setTimeout({_TIMEOUT_MS});
  {name}_begin(&net);
}}

void loop() {{
  float x[{macro}_INPUTS];
  float loss = 0.0f;
  if (!has_begun() || !next_numbers(x, {macro}_INPUTS)) {{
    return;
  }}
{read}  // What came is a sample, so a refusal means that the step was too long: some parameter is not finite any more.
  if (!{name}_learn(&net, x, truth, 0.01f, &loss)) {{
    Serial.println("learning diverged: the network is as it was exported again");
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
