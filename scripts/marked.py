"""Figures in a document, between two marks: written there by the script that measures them, or held against it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["write_or_check"]


def write_or_check(page: Path, script: str, description: str | None, measure: Callable[[], str]) -> int:
    """Be the `main` of a script that measures: write what it measured, or with --check compare. Gives the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    begin, end = f"<!-- figures: written by scripts/{script} -->\n", "<!-- end of figures -->\n"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    written, ended, after = rest.partition(end)
    if not (found and ended):
        print(f"{page.name} has no place for these figures: it lacks {begin.strip()} or {end.strip()}", file=sys.stderr)
        return 1
    figures = measure()
    if not check:
        page.write_text(before + begin + figures + end + after, encoding="utf-8")
        print(figures, end="")
    elif written != figures:
        print(f"{page.name} holds other figures; measured now:\n{figures}", file=sys.stderr, end="")
        return 1
    return 0
