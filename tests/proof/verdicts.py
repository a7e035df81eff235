"""Which harness catches which broken firmware, and what it says; a row of docs/PROOF.md each."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from firmware_sim import Board, open_board
from tests.proof.broken import TRUSTING, VARIANTS, Variant, build
from tests.proof.cuts import Bench
from tests.proof.judge import Violation
from tests.proof.line_faults import slice_of
from tests.proof.talk import quiet_line, talk, worn_word
from tests.proof.undertakings import of_board

__all__ = ["BOARDS", "CAUGHT_BY", "HEAD", "control_row", "row", "verdict"]

BOARDS = ("microbit", "microbit2")
_NOISE = slice_of("interface chip, latency 16 ms, bit errors 0.0001, lost bytes 0.0001")


def _power_cuts(board: Board) -> None:
    bench = Bench(board, of_board("flash", board.profile))
    chance = Random(0)
    bench.sweep(bench.some_cuts(chance), chance)


def _noisy_line(board: Board) -> None:
    talk(board, _NOISE.what)


HARNESSES: dict[str, Callable[[Board], None]] = {
    "power cuts": _power_cuts,
    "line faults": _noisy_line,
    "a quiet line": quiet_line,
    "a word that does not take": worn_word,
}
#: by variant; those that the digest at boot hides come with it switched off
CAUGHT_BY = {
    "commit first": "power cuts",
    "record last": "power cuts",
    "no read-back": "a word that does not take",
    "no CRC": "line faults",
    "early credit": "a quiet line",
}
_HIDDEN_BY_DIGEST = ("commit first", "record last")
HEAD = "| fault | what is wrong | harness | what it says | with the digest at boot |\n|---|---|---|---|---|\n"


def verdict(board: str, harness: str, *variants: Variant) -> str | None:
    """What the harness finds wrong with a firmware, or None."""
    faults = _NOISE.faults if harness == "line faults" else None
    with open_board(board, build(board, variants), faults=faults) as opened:
        try:
            HARNESSES[harness](opened)
        except Violation as violation:
            return str(violation)
    return None


def _passed(found: list[str | None]) -> str:
    return "; ".join(text or "nothing" for text in dict.fromkeys(found))


def row(name: str) -> str:
    """What is found of a broken firmware, on every board."""
    variant, harness = VARIANTS[name], CAUGHT_BY[name]
    hidden = name in _HIDDEN_BY_DIGEST
    found = [verdict(board, harness, *(TRUSTING, variant) if hidden else (variant,)) for board in BOARDS]
    behind = _passed([verdict(board, harness, variant) for board in BOARDS]) if hidden else "the same"
    return f"| {name} | {variant.what} | {harness} | {_passed(found)} | {behind} |\n"


def control_row() -> str:
    """The same of a firmware whose boot rule trusts, and of one that is whole."""
    found = [verdict(board, "power cuts", TRUSTING) for board in BOARDS]
    whole = [verdict(board, harness) for board in BOARDS for harness in HARNESSES if harness != "power cuts"]
    return f"| none | {TRUSTING.what} | power cuts | {_passed(found)} | all harnesses: {_passed(whole)} |\n"
