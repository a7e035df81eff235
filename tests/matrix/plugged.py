"""A simulated board behind a real port, TCP or pseudo-terminal, served by a thread of this process, until something
happens at one of the frames that pass."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from firmware_sim import Board
from firmware_sim.outlets import Outlet
from firmware_sim.serve import serve

__all__ = ["Unplugged", "plugged_in"]


class Unplugged(Exception):
    """The cable is out: the board has neither a port nor power."""


class _CountingOutlet:
    """An outlet that counts the frames of each side, and calls a function as one of them begins."""

    def __init__(self, outlet: Outlet, side: str, number: int, happens: Callable[[], None]) -> None:
        self._outlet = outlet
        self._at = side, number
        self._happens = happens
        self._begun = {"request": 0, "answer": 0}
        self._inside = {"request": False, "answer": False}
        self._end, self._ended = socket.socketpair()
        self._ended.setblocking(False)

    def end(self) -> None:
        """From another thread: let the service end."""
        self._end.close()

    def readers(self) -> list[Any]:
        return [*self._outlet.readers(), self._ended]

    def writers(self) -> Sequence[Any]:
        return self._outlet.writers()

    def receive(self) -> bytes:
        try:
            if not self._ended.recv(1):
                raise Unplugged
        except BlockingIOError:
            pass
        data = self._outlet.receive()
        at = self._event_in("request", data)
        self._pass("request", data)
        if at is not None:
            self._happens()
        return data

    def send(self, data: bytes) -> int:
        at = self._event_in("answer", data)
        if at == 0:
            self._at = "answer", 0  # once
            self._happens()
            at = None
        taken = self._outlet.send(data[:at])
        self._pass("answer", data[:taken])
        return taken

    def _event_in(self, side: str, data: bytes) -> int | None:
        """Where in `data` the frame begins at which something happens."""
        begun, inside = self._begun[side], self._inside[side]
        for at, byte in enumerate(data):
            if byte and not inside:
                begun += 1
                if self._at == (side, begun):
                    return at
            inside = bool(byte)
        return None

    def _pass(self, side: str, data: bytes) -> None:
        for byte in data:
            self._begun[side] += bool(byte) and not self._inside[side]
            self._inside[side] = bool(byte)

    def close(self) -> None:
        self._end.close()
        self._ended.close()
        self._outlet.close()


@contextmanager
def plugged_in(
    board: Board, outlet: Outlet, side: str = "request", number: int = 0, happens: Callable[[], None] = lambda: None
) -> Iterator[str]:
    """Serve a board, as fast as it goes; gives the port's name. What `happens` at a frame may raise Unplugged."""
    counting = _CountingOutlet(outlet, side, number, happens)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            serve(board, counting, fast=True)
        except Unplugged:
            pass
        except BaseException as error:
            failures.append(error)
        finally:
            counting.close()

    url = outlet.url
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield url
    finally:
        counting.end()
        thread.join(60)
    assert not thread.is_alive()
    assert not failures, failures
