"""What the verbs share on the screen: results on stdout, everything else on stderr, bars only on a terminal."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

__all__ = [
    "JsonOption",
    "QuietOption",
    "aligned",
    "can_print",
    "columns",
    "note",
    "numbers",
    "one_line",
    "print_json",
    "progress_bar",
    "sizes_of",
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result only: no progress, no remarks.")]


def print_json(value: Any) -> None:
    """One JSON document on stdout, in characters that it can take."""
    print(json.dumps(value, indent=2, ensure_ascii=not _takes_unicode()))


def numbers(values: Iterable[float | None]) -> list[float | None]:
    """For JSON, which has no infinity: None for what is not finite."""
    return [value if value is not None and math.isfinite(value) else None for value in values]


def one_line(value: Any) -> str:
    """JSON for a stream of objects, one a line."""
    return json.dumps(value, ensure_ascii=not _takes_unicode())


def _takes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def can_print(text: str) -> bool:
    """Whether stdout has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def columns(otherwise: int) -> int:
    """How wide the terminal is that stdout goes to; `otherwise` when it goes elsewhere."""
    return shutil.get_terminal_size((otherwise, 24)).columns if sys.stdout.isatty() else otherwise


def note(text: str, quiet: bool) -> None:
    """A remark on stderr."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def aligned(rows: Sequence[Sequence[str]], left: int) -> str:
    """Cells in columns, the first `left` of which begin where the others end."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def sizes_of(option: str, text: str) -> list[int]:
    """Numbers from an option such as 32,16."""
    from nnlite.errors import UsageError

    try:
        return [int(size) for size in text.split(",") if text.strip()]
    except ValueError:
        raise UsageError(f"{option} takes sizes such as 32,16, not '{text}'") from None


@contextmanager
def progress_bar(what: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr that takes (done, total); nothing off a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
