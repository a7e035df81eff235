"""A client written from docs/PROTOCOL.md and nothing else: what board it is, and an inference. No line of nnlite's."""

from __future__ import annotations

import random
import struct
import zlib
from itertools import pairwise
from typing import Any

TRIES, PATIENCE_SECONDS, BAUD = 5, 0.5, 115_200
HELLO, RUN, READ, REPLY = 0x01, 0x20, 0x21, 0x80
NUMBERS = {6: "receive_buffer_bytes", 7: "payload_bytes", 8: "page_bytes", 12: "clock_hz", 14: "active_slot"}
TEXTS = {3: "firmware", 4: "board"}


class Refused(Exception):
    """Status, detail, value and limit of a reply."""


def stuffed(data: bytes) -> bytes:
    """COBS."""
    out = b""
    for run in data.split(b"\0"):
        whole = len(run) // 254 * 254
        for at in range(0, whole, 254):
            out += b"\xff" + run[at : at + 254]
        out += bytes([len(run) - whole + 1]) + run[whole:]
    return out


def unstuffed(data: bytes) -> bytes:
    """What was stuffed; nonsense for nonsense, which the CRC finds."""
    out = b""
    while data:
        code = data[0]
        out += data[1:code] + (b"\0" if code < 255 else b"")
        data = data[max(code, 1) :]
        if not data and code < 255:
            out = out[:-1]
    return out


class Board:
    """One board behind a pyserial port."""

    def __init__(self, port: Any) -> None:
        self.port = port
        self.session = random.randint(1, 0xFFFF)
        self.sequence = 0
        self.info: dict[str, Any] = {"slots": {}}
        body = self.ask(HELLO, struct.pack("<BBH", 2, 2, 0))
        while body:
            tag, length, value = body[0], body[1], body[2 : 2 + body[1]]
            body = body[2 + length :]
            if tag in NUMBERS:
                self.info[NUMBERS[tag]] = int.from_bytes(value, "little")
            elif tag in TEXTS:
                self.info[TEXTS[tag]] = value.decode("ascii")
            elif tag == 15:
                index, state, _, generation, size, _ = struct.unpack("<BBHIII", value[:16])
                self.info["slots"][index] = {"state": state, "generation": generation, "bytes": size}

    def frame(self, seconds: float) -> tuple[int, int, int, bytes] | None:
        """The next whole frame: type, session, sequence, payload. None after so long a silence."""
        self.port.timeout = seconds
        data = b""
        while byte := self.port.read(1):
            if byte != b"\0":
                data += byte
                continue
            plain, data = unstuffed(data), b""
            if len(plain) >= 10 and zlib.crc32(plain[:-4]) == int.from_bytes(plain[-4:], "little"):
                kind, _, session, sequence = struct.unpack("<BBHH", plain[:6])
                return kind, session, sequence, plain[6:-4]
        return None

    def answer(self, kind: int, seconds: float) -> bytes | None:
        """What follows the status word of the answer to the request that was sent last."""
        while frame := self.frame(seconds):
            if frame[:3] == (kind | REPLY, self.session, self.sequence):
                status, detail = frame[3][:2]
                if status:
                    raise Refused(status, detail, *struct.unpack("<II", frame[3][4:]))
                return frame[3][4:]
        return None

    def ask(self, kind: int, payload: bytes, flags: int = 0, work_seconds: float = 0.0) -> bytes:
        """Send a request, and again when no answer comes; what the answer says."""
        self.sequence = self.sequence % 0xFFFF + 1
        plain = struct.pack("<BBHH", kind, flags, self.session, self.sequence) + payload
        data = b"\0" + stuffed(plain + zlib.crc32(plain).to_bytes(4, "little")) + b"\0"
        for _ in range(TRIES):
            self.port.write(data)
            answer = self.answer(kind, PATIENCE_SECONDS + work_seconds + 20 * len(data) / BAUD)
            if answer is not None:
                return answer
        raise TimeoutError(f"no answer to message {kind:#04x}")

    def read(self, region: int, length: int) -> bytes:
        """So many bytes of a region, asked for from the first gap until all are there."""
        data = b""
        while len(data) < length:
            piece: bytes | None = self.ask(READ, struct.pack("<B3xII", region, len(data), length - len(data)))
            while piece is not None:
                if struct.unpack("<I", piece[:4])[0] == len(data):
                    data += piece[4:]
                piece = self.answer(READ, PATIENCE_SECONDS) if len(data) < length else None
        return data

    def run(self, row: list[float], probabilities: bool = True) -> list[float]:
        """The outputs for one raw sample."""
        layers = self.read(0, 6)[5]  # FORMAT.md
        sizes = struct.unpack(f"<{layers + 1}H", self.read(0, 16 + 2 * (layers + 1))[16:])
        if len(row) != sizes[0]:
            raise ValueError(f"the network takes {sizes[0]} numbers, not {len(row)}")
        cycles = 20_000 + 700 * sum(a * b for a, b in pairwise(sizes))
        step = (self.info["payload_bytes"] - 4) // 4
        answer = b""
        for at in range(0, len(row), step):
            words = row[at : at + step]
            request = struct.pack(f"<I{len(words)}f", at, *words)
            answer = self.ask(RUN, request, int(probabilities), cycles / self.info["clock_hz"])
        outputs = answer[12:] if struct.unpack("<H", answer[2:4])[0] else self.read(1, 4 * sizes[-1])
        return list(struct.unpack(f"<{sizes[-1]}f", outputs))
