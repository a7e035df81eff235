"""`messages.txt`: each message once, with its exit code and all cells that it is the answer to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.matrix.table import CELLS, Cell

__all__ = ["FILE", "Answer", "Answers", "parse", "stable"]

FILE = Path(__file__).with_name("messages.txt")
#: exit code and message
Answer = tuple[int, str]

_VOLATILE = (
    (r"/dev/pts/\d+", "/dev/pts/N"),
    (r"KERNEL==\"\*\"", 'KERNEL=="..."'),
    (r"socket://127\.0\.0\.1:(?!1\b)\d+", "socket://127.0.0.1:PORT"),
    (r"sim://board/\d+", "sim://board/N"),
    (r"(?<!id:)\b[0-9a-f]{16}\b", "DIGEST"),
    (r"by \S+ \(process \d+\)", "by NAME (process N)"),
)


def stable(text: str) -> str:
    """A message without what differs from run to run."""
    for pattern, instead in _VOLATILE:
        text = re.sub(pattern, instead, text)
    return text


def _head(answers: int) -> str:
    return (
        f"{len(CELLS)} cells of the table, {answers} answers: exit code and message, then for each failure the verbs\n"
        "that end so (with the message of the conversation at which it came). Written by\n"
        "    pytest tests/matrix --rewrite-messages\n"
    )


def _text(answers: Mapping[Cell, Answer]) -> str:
    """The file's text."""
    cells: dict[Answer, dict[str, list[str]]] = {}
    for cell in CELLS:
        cells.setdefault(answers[cell], {}).setdefault(cell.failure.name, []).append(cell.name)
    parts = [_head(len(cells))]
    for code, message in sorted(cells):
        failures = cells[code, message].items()
        parts.append(f"{code}  {message}\n" + "".join(f"    {name}: {'; '.join(where)}\n" for name, where in failures))
    return "\n".join(parts)


def parse(text: str) -> dict[tuple[str, str], Answer]:
    """Answers by the names of failure and cell."""
    answers = {}
    for part in text.split("\n\n")[1:]:
        first, *lines = part.splitlines()
        code, _, message = first.partition("  ")
        for line in lines:
            failure, _, where = line.strip().rpartition(": ")
            for name in where.split("; "):
                assert (failure, name) not in answers, line
                answers[failure, name] = int(code), message
    return answers


class Answers:
    """What the cells say, held against the file, or with `rewrite` put into it."""

    def __init__(self, rewrite: bool) -> None:
        self.rewrite = rewrite
        self._seen: dict[Cell, Answer] = {}
        self._expected = parse(FILE.read_text(encoding="utf-8"))

    def take(self, cell: Cell, answer: Answer) -> None:
        """One cell's."""
        self._seen[cell] = answer
        if not self.rewrite:
            assert self._expected.get((cell.failure.name, cell.name)) == answer

    def write(self) -> None:
        """At the end: the file anew, if that is asked for and every cell was run."""
        if self.rewrite and len(self._seen) == len(CELLS):
            FILE.write_text(_text(self._seen), encoding="utf-8")
