"""Figures in a document, between two marks: written there by the script that measures them, or held against it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["hold_or_write", "write_or_check"]


def write_or_check(page: Path, script: str, description: str | None, measure: Callable[[], str]) -> int:
    """Be the `main` of a script that measures: write what it measured, or with --check compare. Gives the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    return hold_or_write(page, script, parser.parse_args().check, lambda _: measure())


def hold_or_write(page: Path, script: str, check: bool, measure: Callable[[str], str]) -> int:
    """The same for a script with options of its own, whose `measure` is given what the page has."""
    begin, end = f"<!-- figures: written by scripts/{script} -->\n", "<!-- end of figures -->\n"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    written, ended, after = rest.partition(end)
    if not (found and ended):
        print(f"{page.name} has no place for these figures: it lacks {begin.strip()} or {end.strip()}", file=sys.stderr)
        return 1
    figures = measure(written)
    if not check:
        page.write_text(before + begin + figures + end + after, encoding="utf-8")
        print(figures, end="")
    elif written != figures:
        print(f"{page.name} holds other figures; measured now:\n{figures}", file=sys.stderr, end="")
        return 1
    return 0
