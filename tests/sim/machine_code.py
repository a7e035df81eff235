"""Firmware of a few instructions, put together by hand: steps -> Thumb code -> Intel HEX -> a board that runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from firmware_sim import Board
from firmware_sim.image import Image
from nnlite.profile import Profile, Symbol

RAM = 0x20000000
STACK = RAM + 0x1000
CODE = 0x40
HALT = b"\xfe\xe7"  # b .
BREAKPOINT = b"\x00\xbe"  # bkpt #0

CRYSTAL_START, CRYSTAL_STARTED = 0x40000000, 0x40000100
UART = 0x40002000
STARTRX, STARTTX, RXDRDY, TXDRDY, ERROR = UART, UART + 0x008, UART + 0x108, UART + 0x11C, UART + 0x124
ERRORSRC, ENABLE, PSELTXD, PSELRXD = UART + 0x480, UART + 0x500, UART + 0x50C, UART + 0x514
RXD, TXD, BAUDRATE = UART + 0x518, UART + 0x51C, UART + 0x524
READY, CONFIG, ERASEPAGE = 0x4001E400, 0x4001E504, 0x4001E508
REN, WEN, EEN = 0, 1, 2


@dataclass(frozen=True)
class Load:
    """A register's number and a constant from the pool: ldr r, =value."""

    register: int
    value: int


Part = bytes | Load


def store(address: int, value: int, width: int = 4) -> tuple[Part, ...]:
    """Write a word, halfword or byte."""
    opcode = {4: 0x6001, 2: 0x8001, 1: 0x7001}[width]  # str, strh, strb r1, [r0]
    return Load(0, address), Load(1, value), opcode.to_bytes(2, "little")


def load(address: int) -> tuple[Part, ...]:
    """Read a word into r2."""
    return Load(0, address), b"\x02\x68"  # ldr r2, [r0]


def wait(address: int) -> tuple[Part, ...]:
    """Read a word until it is not 0."""
    return Load(0, address), b"\x02\x68\x00\x2a\xfc\xd0"  # 1: ldr r2, [r0]; cmp r2, #0; beq 1b


def keep(address: int) -> tuple[Part, ...]:
    """Write r2 to memory."""
    return Load(0, address), b"\x02\x60"  # str r2, [r0]


def uart_on(tx: int = 24, rx: int = 25, baudrate: int = 0x01D7E000) -> tuple[Part, ...]:
    """Crystal and UART as the firmware of the micro:bit v1 starts them."""
    steps = [store(CRYSTAL_START, 1), wait(CRYSTAL_STARTED), store(PSELTXD, tx), store(PSELRXD, rx)]
    steps += [store(BAUDRATE, baudrate), store(ENABLE, 4), store(STARTTX, 1), store(STARTRX, 1)]
    return tuple(part for step in steps for part in step)


def program(*steps: Iterable[Part] | Part) -> bytes:
    """Vector table, code from CODE on, and the pool of constants behind it."""
    parts: list[Part] = []
    for step in steps:
        parts += [step] if isinstance(step, bytes | Load) else step
    end = CODE + sum(2 if isinstance(part, Load) else len(part) for part in parts)
    pool = end + end % 4
    code, constants = b"", b""
    for part in parts:
        if isinstance(part, bytes):
            code += part
            continue
        here = (CODE + len(code) + 4) & ~3
        code += (0x4800 | part.register << 8 | (pool + len(constants) - here) // 4).to_bytes(2, "little")
        constants += part.value.to_bytes(4, "little")
    vectors = STACK.to_bytes(4, "little") + (CODE | 1).to_bytes(4, "little")
    return vectors.ljust(CODE, b"\0") + code.ljust(pool - CODE, b"\0") + constants


def hex_text(content: bytes, start: int = 0) -> str:
    """Intel HEX of bytes at an address below 64 kB."""
    lines = []
    for at in range(0, len(content), 16):
        piece = content[at : at + 16]
        record = bytes([len(piece), *(start + at).to_bytes(2, "big"), 0]) + piece
        lines.append(record + bytes([-sum(record) & 0xFF]))
    return "".join(f":{record.hex().upper()}\n" for record in [*lines, bytes.fromhex("00000001FF")])


def bare_board(
    *steps: Iterable[Part] | Part, name: str = "microbit", symbols: Mapping[str, Symbol] = MappingProxyType({})
) -> Board:
    """A board that is about to run `program(*steps)`."""
    return Board(Profile.load(name), Image(((0, program(*steps)),), symbols))


def word(board: Board, address: int) -> int:
    """A word of memory."""
    return int.from_bytes(board.read_memory(address, 4), "little")
