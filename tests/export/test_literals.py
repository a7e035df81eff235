"""No text of a model gets out of its comment or array, and every float is itself again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nnlite import Network
from nnlite.checks import is_text
from nnlite.errors import UsageError
from nnlite.export.design import Design, check_learning, identifier
from nnlite.export.literals import comment_text, float_literal, text_bytes
from nnlite.export.native import load_exported
from tests.export.toolchains import LANGUAGES, STRICT, TOOLCHAINS, build, write_c

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)
NASTY = (
    "*/",
    "/*",
    "??/",
    "??'",
    "\\",
    "a\\\n",
    "\n#error no\n",
    '"',
    "'",
    "'0'",
    "%s",
    "höhe",
    "好",
    "\u2028",
    "\r",
    "",
)


@given(TEXT)
@example("*/ #error")
@example("??/\n")
@example("\\")
def test_a_comment_stays_one_and_can_be_read(text: str) -> None:
    safe = comment_text(text)
    assert re.fullmatch(r"[A-Za-z0-9 <>]*", safe)
    assert re.sub("<([0-9A-F]+)>", lambda found: chr(int(found[1], 16)), safe) == text


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_text_is_numbers_and_single_letters(texts: list[str]) -> None:
    words = [word.strip() for word in text_bytes(texts).replace("\n", " ").split(",")][:-1]
    assert all(re.fullmatch(r"\d{1,3}|'[A-Za-z0-9 ]'|'", word) for word in words)
    values = bytes(int(word) if word.isdigit() else ord(word[1:2] or " ") for word in words)
    assert values == b"".join(text.encode() + b"\0" for text in texts)


@settings(max_examples=8)
@given(st.lists(TEXT.filter(is_text), min_size=2, max_size=5, unique=True))
@example(list(NASTY))
def test_labels_arrive_as_they_are(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Through every dialect, trigraphs included, without a warning."""
    net = Network([len(texts), len(texts)])
    net.labels = net.features = tuple(texts)
    folder = tmp_path_factory.mktemp("labels")
    source = write_c(Design.of(net, "net"), folder)
    assert load_exported(source).labels() == tuple(texts)
    for language in LANGUAGES.values():
        build([*TOOLCHAINS["gcc x86-64"].command(), *language, *STRICT, "-c", str(source)], folder / "net.o")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(1e-45)
@example(3.4028235e38)
@example(16777216.0)
def test_a_float_is_itself_again(value: float) -> None:
    literal = float_literal(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", literal)
    assert "." in literal or "e" in literal
    assert np.float32(literal[:-1]).view(np.uint32) == np.float32(value).view(np.uint32)


def test_a_compiler_reads_the_same_floats(tmp_path: Path) -> None:
    """Of every exponent, both ends and two between, subnormals among them."""
    ends = np.array([0, 1, 0x2AAAAA, 0x7FFFFF], np.uint32)
    words = (np.arange(0, 255, dtype=np.uint32)[:, None] << 23 | ends).ravel()
    net = Network([words.size - 1, 1], output="linear")
    net.parameters = words.view(np.float32)
    exported = load_exported(write_c(Design.of(net, "net", check_learning()), tmp_path))
    exported.begin()
    np.testing.assert_array_equal(exported.parameters.view(np.uint32), words)


@given(st.text(min_size=1, max_size=50))
def test_a_name_is_an_identifier_or_refused(text: str) -> None:
    try:
        name = identifier(text)
    except UsageError:
        return
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{,39}", name)
    assert "__" not in name


@pytest.mark.parametrize(
    ("text", "name"),
    [("gestures", "gestures"), ("3 axes", "model_3_axes"), ("grüße-2.0", "gru_e_2_0"), ("__x__y", "x_y")],
)
def test_what_becomes_of_a_name(text: str, name: str) -> None:
    assert identifier(text) == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("模型", "no name for C can be made of"),
        ("a" * 41, "40 are possible"),
        ("String", "there is a header string.h"),
        ("features", "there is a header features.h"),
        ("uint32", "C has a type uint32_t"),
        ("mode", "C has a type mode_t"),
        ("nn_sgd", "names that begin with nn_ are the runtime's"),
        ("NN_FAST", "names that begin with NN_ are the runtime's"),
    ],
)
def test_which_names_are_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        identifier(text)


HEADERS = "assert ctype errno fenv inttypes locale math setjmp signal stdio stdlib string time unistd wchar wctype"


def test_no_name_is_one_that_a_compiler_s_headers_have(tmp_path: Path) -> None:
    """A header beside these would stand in for one that they include, or a type be declared twice."""
    probe = tmp_path / "probe.c"
    probe.write_text("".join(f"#include <{name}.h>\n" for name in HEADERS.split()), encoding="ascii")
    command = [*TOOLCHAINS["gcc x86-64"].command(), "-std=gnu11"]
    text = build([*command, "-E", str(probe)], tmp_path / "probe.i").read_text(encoding="utf-8")
    types = set(re.findall(r"\b([A-Za-z]\w*)_t\b", text))
    included = {Path(name) for name in re.findall(r'^# \d+ "(/[^"]+)"', text, re.MULTILINE)}
    headers = {file.stem for file in included if file.parent.name == "include"}
    assert {"features", *HEADERS.split()} <= headers
    assert {"mode", "pthread_attr", "u_int8"} <= types
    for name in (types | headers) - {"probe"}:
        try:
            assert identifier(name) != name, name  # such as stdc-predef, which is no name in C
        except UsageError:
            continue
