"""What lies in a line when a port is opened, or gets into it, costs at most a repeated HELLO."""

from __future__ import annotations

import pytest

from nnlite.device import Device
from nnlite.link.frame import Frame, encode_frame
from nnlite.link.wire import REPLY_BIT, Message
from nnlite.network import Network
from tests.serving import serving

OVERFLOW = b"<DAPLink:Overflow>"
STALE = encode_frame(Frame(Message.HELLO | REPLY_BIT, 0, 4711, 1, bytes(4) + b"\x01\x02\x01\x01"))
NOISE = {
    "boot text": b"*** booting ***\r\nready\r\n",
    "half a frame": STALE[:9],
    "a whole frame of another session": STALE,
    "garbage": bytes(range(1, 256)) * 20,
    "zeros": bytes(300),
    "overflow": OVERFLOW,
}


@pytest.mark.parametrize("when", ["open", "answer", "inside"])
@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_a_board_is_used_all_the_same(when: str, noise: bytes) -> None:
    net = Network([2, 3], seed=4)
    with serving("-m", "tests.noisy_board", when, noise.hex()) as board, Device.open(board.url) as device:
        device.flash(net)
        assert device.verify(net).generation == 1
        assert device.statistics.retransmissions == 0
        if when == "inside" and noise is OVERFLOW:
            assert device.statistics.bad_frames > 0  # it was there
