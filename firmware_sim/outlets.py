"""Ports of the system that lead to a simulated board: a TCP port, or a pseudo-terminal. One client at a time.

Nothing here waits; the loop in `firmware_sim.serve` does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Sequence
from typing import Any, Protocol

from nnlite.errors import PathError, PortBusyError, UsageError

__all__ = ["Outlet", "PtyOutlet", "TcpOutlet", "open_outlet"]

_HOST = "127.0.0.1"  # nobody but programs of this computer
_CHUNK_BYTES = 65_536


class Outlet(Protocol):
    """Where clients come and go."""

    @property
    def url(self) -> str:
        """What a client opens."""

    def readers(self) -> Sequence[Any]:
        """What to wait for: a client that comes, goes or says something."""

    def writers(self) -> Sequence[Any]:
        """What to wait for when `send` did not take everything."""

    def receive(self) -> bytes:
        """What the client has said since; also lets the next one in."""

    def send(self, data: bytes) -> int:
        """Bytes that are on their way to the client, or to nobody when there is none."""

    def close(self) -> None:
        """End of the service."""


def open_outlet(tcp_port: int | None) -> Outlet:
    """A TCP port of this computer, 0 for any that is free, or a pseudo-terminal for None."""
    return PtyOutlet() if tcp_port is None else TcpOutlet(tcp_port)


class TcpOutlet:
    """Raw bytes over TCP, as pyserial's `socket://` speaks them."""

    def __init__(self, port: int = 0) -> None:
        self._client: socket.socket | None = None
        self._listener = socket.socket()
        if os.name == "posix":  # on Windows this would let two programs share the port
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind((_HOST, port))
        except OSError as error:
            self._listener.close()
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
            raise PortBusyError(f"the TCP port {port} {why}; choose another one, or 0 for any that is free") from error
        self._listener.listen()
        self._listener.setblocking(False)

    @property
    def url(self) -> str:
        return f"socket://{_HOST}:{self._listener.getsockname()[1]}"

    def readers(self) -> list[socket.socket]:
        return [self._listener] if self._client is None else [self._listener, self._client]

    def writers(self) -> list[socket.socket]:
        return [] if self._client is None else [self._client]

    def receive(self) -> bytes:
        data = self._drain()
        with contextlib.suppress(BlockingIOError):
            while True:
                newcomer = self._listener.accept()[0]
                # Once more: the old client may have gone between the last look at it and the newcomer's arrival.
                data += self._drain()
                self._greet(newcomer)
        return data

    def _greet(self, client: socket.socket) -> None:
        if self._client is not None:
            client.close()
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client

    def _drain(self) -> bytes:
        data = bytearray()
        while self._client is not None:
            try:
                piece = self._client.recv(_CHUNK_BYTES)
            except BlockingIOError:
                break
            except OSError:  # reset by the client's end
                piece = b""
            if not piece:
                self._drop()
            data += piece
        return bytes(data)

    def send(self, data: bytes) -> int:
        if self._client is None:
            return len(data)
        try:
            return self._client.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._drop()
            return len(data)

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def close(self) -> None:
        self._drop()
        self._listener.close()


class PtyOutlet:
    """A pseudo-terminal: a device file that any program takes for a serial port. A lock keeps two nnlites apart."""

    def __init__(self) -> None:
        if os.name != "posix":
            raise UsageError("pseudo-terminals are a matter of Linux and macOS; use a TCP port (--tcp 0)")
        import tty

        try:
            self._controller, self._terminal = os.openpty()
        except OSError as error:
            raise PathError(f"this system gives no pseudo-terminal: {error.strerror}; use a TCP port") from error
        # Kept open here as well: without any holder the controller would report an error at every look.
        tty.setraw(self._terminal)
        os.set_blocking(self._controller, False)

    @property
    def url(self) -> str:
        return os.ttyname(self._terminal)

    def readers(self) -> list[int]:
        return [self._controller]

    def writers(self) -> list[int]:
        return [self._controller]

    def receive(self) -> bytes:
        try:
            return os.read(self._controller, _CHUNK_BYTES)
        except BlockingIOError:
            return b""

    def send(self, data: bytes) -> int:
        try:
            return os.write(self._controller, data)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        os.close(self._controller)
        os.close(self._terminal)
