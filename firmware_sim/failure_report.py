"""What a simulated board looks like at the moment a test has failed, as text: its state, its faults, the last bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_sim.errors import SimulatorError
from nnlite.link.monitor import Piece, Splitter

if TYPE_CHECKING:
    from firmware_sim.board import Board

__all__ = ["tell"]

_SHOWN_BYTES = 512
_BYTES_IN_A_LINE = 32
_REGISTERS_IN_A_LINE = 6


def tell(board: Board) -> str:
    """All of it, in lines."""
    return "\n".join([*_state(board), *_faults(board), *_line(board)])


def _state(board: Board) -> list[str]:
    try:
        board.check()
        state = "runs"
    except SimulatorError as error:
        state = "closed, while the exception went by" if board.closed else str(error)
    try:
        stack = f"{board.stack_high_water:,} bytes at its deepest"
    except SimulatorError:
        stack = "not known: the image does not say where it lies"
    registers = [f"{name:>4} {value:08x}" for name, value in board.registers().items()]
    rows = [registers[at : at + _REGISTERS_IN_A_LINE] for at in range(0, len(registers), _REGISTERS_IN_A_LINE)]
    return [
        f"state      {state}",
        f"time       {board.seconds:.6f} s, {board.cycles:,} cycles, {board.instructions:,} instructions",
        *_titled("backtrace", board.backtrace()),
        *_titled("registers", [" ".join(row).strip() for row in rows]),
        f"stack      {stack}",
    ]


def _faults(board: Board) -> list[str]:
    line = board.line
    to, of = (f"{line.damaged[way]:,} of {line.passed[way]:,}" for way in ("to_board", "from_board"))
    plan = f"--board-faults {board.faults} " if str(board.faults) else ""
    lines = [
        f"faults     {plan}--fault-seed {board.faults.seed}",
        f"damaged    {to} bytes to the board and {of} from it",
    ]
    chip = board.link.chip
    if chip is not None:
        to, of = f"{chip.dropped_to_board:,}", f"{chip.dropped_from_board:,}"
        lines.append(f"overflown  {to} bytes to the board and {of} from it in the interface chip")
    return lines + _titled("injected", board.damage)


def _titled(title: str, lines: list[str]) -> list[str]:
    return [f"{title if n == 0 else '':<10} {line}" for n, line in enumerate(lines)]


def _line(board: Board) -> list[str]:
    """The last bytes both ways, as they arrived; behind those that end a frame of nnlite's, what it says."""
    splitters = {"to_board": Splitter("sent"), "from_board": Splitter("received")}
    shown: list[list[str]] = []
    sizes = []
    for piece in board.link.record.pieces:
        seconds = piece.cycle / board.cycles_per_second
        way = "to the board" if piece.direction == "to_board" else "from the board"
        lines = [f"  {seconds:.6f} s, {len(piece.data):,} bytes {way}"]
        for at in range(0, len(piece.data), _BYTES_IN_A_LINE):
            lines.append(f"    {piece.data[at : at + _BYTES_IN_A_LINE].hex(' ')}")
        frames = splitters[piece.direction].feed(bytes(piece.data), seconds)
        lines += [f"    = {_named(frame)}" for frame in frames if frame.kind == "frame"]
        shown.append(lines)
        sizes.append(len(piece.data))
    while sum(sizes) > _SHOWN_BYTES and len(sizes) > 1:
        del shown[0], sizes[0]
    if not shown:
        return ["line       nothing went over it"]
    return [f"line       the last {sum(sizes):,} bytes", *(line for lines in shown for line in lines)]


def _named(frame: Piece) -> str:
    status = f" {frame.status}" if frame.status else ""
    meaning = f": {frame.meaning}" if frame.meaning else ""
    return f"{frame.message}{status}, session {frame.session}, sequence {frame.sequence}{meaning}"
