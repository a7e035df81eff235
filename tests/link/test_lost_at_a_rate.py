"""One frame of each message that is sent at the higher rate gets lost: the device has gone back when it is repeated."""

from __future__ import annotations

from typing import Any

import pytest

from firmware_sim import open_board
from nnlite import Network
from nnlite.device import Device
from nnlite.errors import DoesNotFitError
from nnlite.link.client import Client
from nnlite.link.frame import Frame, decode_frame
from nnlite.link.port import open_port
from nnlite.link.timing import BAUD, is_worth_a_faster_rate
from nnlite.link.wire import Message

NET = Network([64, 48, 10], seed=1)


class ForgetfulPort:
    """A port that loses one frame: the first of a type from the laptop, or the answer to it."""

    def __init__(self, url: str, lost: Message, *, answer: bool) -> None:
        self._port = open_port(url)
        self._lost, self._answer = lost, answer
        self._swallows = False
        self.rates: list[int] = []  # at which a frame was lost, then those that were set

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    @property
    def baudrate(self) -> int:
        return int(self._port.baudrate)

    @baudrate.setter
    def baudrate(self, rate: int) -> None:
        self._port.baudrate = rate
        if self.rates:
            self.rates.append(rate)

    def write(self, data: bytes) -> int | None:
        frames = [decode_frame(piece) for piece in data.split(b"\0") if piece]
        if not self.rates and any(isinstance(one, Frame) and one.type == self._lost for one in frames):
            self.rates.append(self.baudrate)
            if not self._answer:
                return len(data)
            self._swallows = True
        return self._port.write(data)

    def read(self, size: int = 1) -> bytes:
        data: bytes = self._port.read(size)
        if self._swallows and data:
            _, end, rest = data.partition(b"\0")
            self._swallows = not end
            return rest
        return data


@pytest.mark.parametrize("answer", [False, True], ids=["request", "answer"])
@pytest.mark.parametrize(
    "lost",
    [Message.BAUD, Message.ECHO, Message.PAGES, Message.FLASH_BEGIN, Message.FLASH_DATA, Message.FLASH_COMMIT],
    ids=lambda message: str(message.name),
)
def test_a_flash_ends_well(lost: Message, answer: bool) -> None:
    with open_board("microbit") as board:
        port = ForgetfulPort(board.url, lost, answer=answer)
        with Device(Client(port)) as device:
            device.flash(NET)
            assert is_worth_a_faster_rate(device.known.serving.length if device.known.serving else 1 << 20)
            assert port.rates[0] == (BAUD if lost == Message.BAUD else board.profile.uart_fast_baud)
            assert port.rates[-1] == BAUD, "whoever comes next begins at the rate of HELLO"
            assert device.verify(NET).generation == 1


@pytest.mark.parametrize("name", ["microbit", "microbit2"])
def test_a_refusal_leaves_the_line_at_the_rate_of_hello(name: str) -> None:
    """An image too large for a slot, past the check of the laptop: refused at the higher rate."""
    with open_board(name) as board:
        client = Client(open_port(board.url))
        size = client.hello().slot_image_bytes + 4
        with pytest.raises(DoesNotFitError):
            client.flash(bytes(size), bytes(32))
        again = client.statistics.bytes_sent
        client.hello()
        assert client.statistics.bytes_sent - again < 30, "one HELLO was enough"
