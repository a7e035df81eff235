"""The functions of nnlite/runtime that a model needs, and what they call, as one piece of C.

Reads the runtime's sources, so that no expression stands twice. They are ours and written in one style: what stands
at the top level is a comment, a line for the preprocessor, or a declaration or definition that ends with `;` or `}`.
Everything gets internal linkage and the prefix `nn_` or `NN_`, so that two models go into one program, and hexadecimal
floats become decimal ones, which C++ before 2017 knows too. Who includes it defines NN_INLINE as `static inline`, with
whatever keeps a compiler quiet about those that one core needs and another does not.

Inner loops for one core are taken whole, behind NN_FAST: whoever compiles chooses between them and the portable ones,
which are less than half the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from nnlite.export.literals import float_literal

__all__ = ["amalgamate", "prefixed"]

#: in the order in which they are written; what they include comes in front of them
_UNITS = (
    "exp_log.c",
    "sigmoid_tanh.c",
    "sqrt.c",
    "standardize.c",
    "activation.c",
    "dense.c",
    "softmax.c",
    "loss.c",
    "optimizer.c",
    "step.c",
)
_INTERFACE = "nnlite_runtime.h"
#: the choice among cores, the portable one, and what defines each
_CORES, _PORTABLE = "core.h", "core_c.h"
_CORE_NAMES = ("core_forward", "core_row_sums", "core_step", "CORE_ROWS")

_TOKEN = re.compile(
    r"(?P<comment>/\*.*?\*/)"
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<other>\s+|.)",
    re.DOTALL,
)
_CONDITION = re.compile(r"#\s*(if|ifdef|ifndef|elif|else|endif)\b")


@dataclass
class _Item:
    """Something at the top level, with the comment in front of it.

    Attributes
    ----------
    text : as it stands in the source.
    names : what it defines.
    uses : identifiers in it, those it defines included.
    """

    text: str
    names: tuple[str, ...]
    uses: frozenset[str]


@dataclass
class _Conditional:
    """#if to #endif: for each branch the line that begins it, and what is in it."""

    branches: list[tuple[str, list[_Node]]] = field(default_factory=list)


_Node = _Item | _Conditional


def amalgamate(functions: Iterable[str]) -> str:
    """C of these functions of the runtime and of all that they use, every one after what it uses."""
    nodes = _runtime()
    defined = {name for item in _items(nodes) for name in item.names}
    wanted = set(functions)
    if not wanted <= defined:
        raise ValueError(f"the runtime has no {', '.join(sorted(wanted - defined))}")
    while True:
        used = {name for item in _items(nodes) if wanted & set(item.names) for name in item.uses}
        used |= _conditions(nodes, wanted)
        if used & defined <= wanted:
            break
        wanted |= used & defined
    renamed = {name: prefixed(name) for name in wanted}
    return "\n".join(_rewritten(text, renamed) for text in _kept(nodes, wanted))


def prefixed(name: str) -> str:
    """What something of the runtime is called in an export."""
    if name.startswith(("nn_", "NN_")):
        return name
    return f"NN_{name}" if name.isupper() else f"nn_{name}"


def _items(nodes: list[_Node]) -> Iterator[_Item]:
    for node in nodes:
        if isinstance(node, _Item):
            yield node
        else:
            for _, inner in node.branches:
                yield from _items(inner)


def _conditions(nodes: list[_Node], wanted: set[str]) -> set[str]:
    """Identifiers in the conditions in front of what is wanted."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, _Conditional) and list(_kept([node], wanted)):
            for line, inner in node.branches:
                found |= _words(line) | _conditions(inner, wanted)
    return found


def _kept(nodes: list[_Node], wanted: set[str]) -> Iterator[str]:
    """The texts of what is wanted, with the conditions around them."""
    for node in nodes:
        if isinstance(node, _Item):
            if wanted & set(node.names):
                yield node.text
            continue
        branches = [(line, list(_kept(inner, wanted))) for line, inner in node.branches]
        if any(texts for _, texts in branches):
            for line, texts in branches:
                yield f"{line}\n"
                yield from texts
            yield "#endif\n"


def _rewritten(text: str, renamed: dict[str, str]) -> str:
    """With other names, and with decimal floats."""
    out, before = [], ""
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup, token.group()
        if kind == "word" and before not in (".", "->"):
            word = prefixed(word) if re.match("core_|CORE_", word) else renamed.get(word, word)
        elif kind == "number" and "p" in word.lower():
            word = float_literal(float.fromhex(word.removesuffix("f")))
        out.append(word)
        if not word.isspace():
            before = "->" if before == "-" and word == ">" else word
    return "".join(out).replace("static inline ", "NN_INLINE ")


# ---- reading


@cache
def _runtime() -> list[_Node]:
    """All units, each header once, where it is first included."""
    seen: set[str] = {_INTERFACE}
    nodes: list[_Node] = _with_kinds(_parse(_read(_INTERFACE), seen))
    for unit in _UNITS:
        nodes += _parse(_read(unit), seen)
    return nodes


def _read(name: str) -> str:
    return (resources.files("nnlite") / "runtime" / name).read_text(encoding="ascii")


def _with_kinds(nodes: list[_Node]) -> list[_Node]:
    """Of the interface only the numbers of activations and optimisers: definitions stand in front of their use, and
    nothing here takes a network's shape."""
    return [node for node in nodes if isinstance(node, _Item) and re.search(r"^enum\b", node.text, re.MULTILINE)]


def _parse(text: str, seen: set[str]) -> list[_Node]:
    """What stands at the top level of a file."""
    root: list[_Node] = []
    stack: list[tuple[_Conditional, list[_Node]]] = []  # open conditionals, and the list that each stands in
    here = root
    comment = ""
    for piece in _pieces(text):
        if not piece.startswith("#"):
            if piece.startswith("/*"):
                comment = f"{piece}\n"
                continue
            here.append(_item(piece, comment))
        elif _CONDITION.match(piece):
            here = _open_or_close(piece, comment, stack, here)
        elif included := re.match(r'#\s*include\s*"(.+)"', piece):
            name = included.group(1)
            if name.startswith("core_") and name != _PORTABLE:
                here.append(_whole(_read(name)))
            elif name not in seen:
                seen.add(name)
                here += _fast(_parse(_read(name), seen)) if name == _CORES else _parse(_read(name), seen)
        elif re.match(r"#\s*define", piece):
            here.append(_item(piece, comment))
        comment = ""
    return _unguarded(root)


def _open_or_close(
    line: str, comment: str, stack: list[tuple[_Conditional, list[_Node]]], here: list[_Node]
) -> list[_Node]:
    """The list that what follows this line of a conditional belongs to."""
    match = _CONDITION.match(line)
    assert match is not None
    if match.group(1) == "endif":
        return stack.pop()[1]
    if match.group(1).startswith("if"):
        opened = _Conditional()
        here.append(opened)
        stack.append((opened, here))
    inner: list[_Node] = []
    stack[-1][0].branches.append((comment + line, inner))
    return inner


def _unguarded(nodes: list[_Node]) -> list[_Node]:
    """Without the guard of a header against being included twice."""
    if len(nodes) == 1 and isinstance(nodes[0], _Conditional) and nodes[0].branches[0][0].endswith("_H"):
        return nodes[0].branches[0][1][1:]
    return nodes


def _fast(cores: list[_Node]) -> list[_Node]:
    """The choice among cores made twice: by the core, and by who compiles."""
    for node in cores:
        if isinstance(node, _Conditional):
            for n, (line, inner) in enumerate(node.branches):
                node.branches[n] = (re.sub(r"^#(if|elif) (.*)", r"#\1 defined(NN_FAST) && (\2)", line), inner)
    return cores


def _whole(text: str) -> _Item:
    """The header of a core as one item: macros put some of its functions' names together."""
    inside = text.partition("_H\n\n")[2].rpartition("#endif")[0]
    body = re.sub(r'#include [<"].*[>"]\n+', "", inside).strip()
    return _Item(f"{body}\n", _CORE_NAMES, frozenset(_words(body).difference(_CORE_NAMES)))


def _pieces(text: str) -> Iterator[str]:
    """Comments, preprocessor lines, declarations and definitions, one after the other."""
    piece, depth = "", 0
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None
        word = token.group()
        if not piece and word == "#":
            line = re.compile(r"(?:\\\n|/\*.*?\*/|[^\n])*", re.DOTALL).match(text, at)
            assert line is not None
            yield line.group().rstrip()
            at = line.end()
            continue
        at = token.end()
        if not piece and word.isspace():
            continue
        if not piece and token.lastgroup == "comment":
            yield word
            continue
        piece += word
        depth += (word in "{(") - (word in "})")
        if depth == 0 and (word == ";" or (word == "}" and not _goes_on(text, at))):
            yield piece
            piece = ""
    if piece.strip():
        raise ValueError(f"the runtime ends in the midst of: {piece[:60]}")


def _goes_on(text: str, at: int) -> bool:
    """Whether a closing brace is not the end: that of a type or of a list of values."""
    return re.match(r"\s*(;|\w+\s*;)", text[at:]) is not None


def _item(piece: str, comment: str) -> _Item:
    names = _names(piece)
    text = piece
    if re.match(r"[\w\s*]+\(", piece) and piece.endswith("}") and not piece.startswith("static"):
        text = f"static {piece}"
    return _Item(f"{comment}{text}\n", names, frozenset(_words(piece)))


def _names(piece: str) -> tuple[str, ...]:
    """What a declaration or definition or #define defines."""
    if define := re.match(r"#\s*define\s+(\w+)", piece):
        return (define.group(1),)
    code = _code(piece)
    if re.match(r"enum\b", code):
        return tuple(re.findall(r"[{,]\s*(\w+)", code))
    if re.match(r"(typedef|struct|union)\b", code):
        found = re.search(r"(\w+)\s*;\s*$", code)
    else:
        head = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", code)
        found = re.match(r"[\w\s*]*?\b(\w+)\s*[(\[=;]", head)
    if found is None:
        raise ValueError(f"what does this of the runtime define: {piece[:60]}")
    return (found.group(1),)


def _code(text: str) -> str:
    """Without comments and strings."""
    return "".join(
        " " if token.lastgroup in ("comment", "string") else token.group() for token in _TOKEN.finditer(text)
    )


def _words(text: str) -> set[str]:
    return set(re.findall(r"\b[A-Za-z_]\w*", _code(text)))
