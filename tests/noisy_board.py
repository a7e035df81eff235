"""A simulated board behind a TCP port with noise on its line: `python -m tests.noisy_board WHEN HEX`.

WHEN is "open" (the noise comes before anything else), "answer" (in front of the first answer, without a delimiter
between) or "inside" (in the midst of the first answer, as the interface chip's overflow text comes).
"""

from __future__ import annotations

import sys

from firmware_sim import open_board
from firmware_sim.outlets import TcpOutlet
from firmware_sim.serve import serve

_INSIDE = 40


class NoisyOutlet(TcpOutlet):
    def __init__(self, when: str, noise: bytes) -> None:
        super().__init__()
        self.when = when
        self.noise = noise

    def make_noise(self) -> bytes:
        noise, self.noise = self.noise, b""
        return noise

    def receive(self) -> bytes:
        data = super().receive()
        if self.when == "open" and self.writers():
            super().send(self.make_noise())
        return data

    def send(self, data: bytes) -> int:
        if data and self.writers():
            at = _INSIDE if self.when == "inside" and self.noise else 0
            if len(data) > at:
                super().send(data[:at] + self.make_noise() + data[at:])
                return len(data)
            return 0  # until there is an inside
        return super().send(data)


if __name__ == "__main__":
    outlet = NoisyOutlet(sys.argv[1], bytes.fromhex(sys.argv[2]))
    with open_board("microbit") as board:
        print(outlet.url, flush=True)
        serve(board, outlet)
