"""Who is let in by a TCP port, at every interleaving of one that goes and one that comes."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from firmware_sim.outlets import TcpOutlet


@pytest.fixture
def outlet() -> Iterator[TcpOutlet]:
    with closing(TcpOutlet()) as opened:
        yield opened


def connect(outlet: TcpOutlet) -> socket.socket:
    parts = urlsplit(outlet.url)
    return socket.create_connection((parts.hostname, parts.port))


def heard(outlet: TcpOutlet) -> bytes:
    """What comes in at the next thing that happens."""
    select.select(outlet.readers(), [], [])
    return outlet.receive()


def test_the_second_is_hung_up_on_and_the_first_stays(outlet: TcpOutlet) -> None:
    with connect(outlet) as first:
        heard(outlet)
        with connect(outlet) as second:
            heard(outlet)
            assert second.recv(1) == b""
        first.sendall(b"still here")
        assert heard(outlet) == b"still here"
        assert outlet.send(b"yes") == 3
        assert first.recv(10) == b"yes"


def test_one_that_comes_as_the_other_goes_is_let_in(outlet: TcpOutlet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when both happen after the outlet looked at the first and before it looks at the door."""
    first = connect(outlet)
    heard(outlet)
    came: list[socket.socket] = []
    look_at_the_client = outlet._drain

    def drain() -> bytes:
        data = look_at_the_client()
        if not came:
            first.sendall(b"last words")
            first.close()
            came.append(connect(outlet))
        return data

    monkeypatch.setattr(outlet, "_drain", drain)
    assert outlet.receive() == b"last words"
    with came[0] as second:
        assert outlet.send(b"welcome") == 7
        assert second.recv(10) == b"welcome"


def test_bytes_for_nobody_are_gone(outlet: TcpOutlet) -> None:
    assert outlet.send(b"hello?") == 6
    with connect(outlet) as client:
        heard(outlet)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            assert client.recv(1) is None, "what was sent before it came"
