"""How the failures of the table are made: ports with something behind them, and circumstances of the whole process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from firmware_sim.outlets import PtyOutlet, TcpOutlet
from nnlite.link.port import open_port
from nnlite.link.wire import HelloField
from tests.matrix.bench import Bench
from tests.matrix.parties import (
    Echo,
    OtherProtocol,
    OverheardBoard,
    Silence,
    Talker,
    TranslatedBoard,
    with_value,
    without,
)
from tests.matrix.plugged import Unplugged, plugged_in
from tests.matrix.protocol_staged import STAGE, Party
from tests.matrix.table import HUNG_UP, INTERRUPTED, SILENT, UNPLUGGED, Cell

__all__ = ["circumstances", "port_of"]

_NOBODY = 65_534
#: no file that a verb writes is as short
_FILE_BYTES = 100

#: takes the lock that pyserial takes
_LOCKER = (
    "import fcntl, sys; port = open(sys.argv[1], 'r+b', 0); fcntl.flock(port, fcntl.LOCK_EX); "
    "print('locked', flush=True); sys.stdin.read()"
)


@contextmanager
def port_of(cell: Cell, bench: Bench, patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What stands behind the port, for as long as the verb runs. Gives the options that name it."""
    patch.delenv("NNLITE_PORT", raising=False)
    patch.delenv("NNLITE_PORTS", raising=False)
    patch.setattr("serial.tools.list_ports.comports", list)  # this machine may have some
    name = cell.failure.port
    if not cell.row.port:
        yield []
    elif cell.side:
        with _AT_MESSAGES[cell.failure.name](cell, bench) as url:
            yield ["--port", url]
    elif name in _LISTS:
        STAGE.update(silent=Silence(), one=TranslatedBoard(bench.board, list), other=OverheardBoard(bench.board))
        ports, option = _LISTS[name]
        patch.setenv("NNLITE_PORTS", ports)
        yield option
    elif name in _PARTIES:
        STAGE["it"] = _PARTIES[name](bench)
        yield ["--port", "staged://it"]
    elif name in _REAL:
        with _REAL[name](bench) as url:
            yield ["--port", url]
    else:
        yield ["--port", name or bench.board.url]


_LISTS: dict[str, tuple[str, list[str]]] = {
    "none": ("", []),
    "two": ("staged://one staged://other", []),
    "other id": ("staged://silent staged://one", ["--port", "id:ffff"]),
    "no board": ("staged://silent /dev/there-is-none", []),
}

_PARTIES: dict[str, Callable[[Bench], Party]] = {
    "silent": lambda bench: Silence(),
    "shell": lambda bench: Talker(b"bash: $'\\001': command not found\r\n", b"user@host:~$ "),
    "satellites": lambda bench: Talker(b"$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76\r\n"),
    "echo": lambda bench: Echo(),
    "zeros": lambda bench: Talker(bytes(64)),
    "older": lambda bench: OtherProtocol(1, 1),
    "newer": lambda bench: OtherProtocol(3, 4),
    "lacking": lambda bench: TranslatedBoard(bench.board, without(HelloField.ARENA_BYTES)),
    "strange slot": lambda bench: TranslatedBoard(bench.board, with_value(HelloField.SLOT, bytes([0, 99]) + bytes(48))),
    "telling": lambda bench: TranslatedBoard(bench.board, with_value(200, b"a field of later")),
    "unknown board": lambda bench: TranslatedBoard(bench.board, with_value(HelloField.BOARD, b"megabit")),
}


@contextmanager
def _opened(bench: Bench) -> Iterator[str]:
    port = open_port(bench.board.url)
    try:
        yield bench.board.url
    finally:
        port.close()


@contextmanager
def _connected(bench: Bench) -> Iterator[str]:
    with plugged_in(bench.board, TcpOutlet()) as url:
        host, port = url.removeprefix("socket://").split(":")
        with socket.create_connection((host, int(port))):
            yield url


@contextmanager
def _locked(bench: Bench) -> Iterator[str]:
    with (
        plugged_in(bench.board, PtyOutlet()) as url,
        subprocess.Popen([sys.executable, "-c", _LOCKER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        yield url
        holder.communicate(b"")


@contextmanager
def _forbidden(bench: Bench) -> Iterator[str]:
    with plugged_in(bench.board, PtyOutlet()) as url:
        os.chmod(url, 0)
        yield url


_REAL: dict[str, Callable[[Bench], AbstractContextManager[str]]] = {
    "opened": _opened,
    "connected": _connected,
    "locked": _locked,
    "forbidden": _forbidden,
}


# ---- at a message


def _overheard(what: str) -> Callable[[Cell, Bench], AbstractContextManager[str]]:
    def stage(cell: Cell, bench: Bench) -> AbstractContextManager[str]:
        STAGE["it"] = OverheardBoard(bench.board, what, cell.side, cell.number)
        return nullcontext("staged://it")

    return stage


@contextmanager
def _unplugged(cell: Cell, bench: Bench) -> Iterator[str]:
    def pull_out() -> None:
        raise Unplugged

    outlet = PtyOutlet() if cell.failure is UNPLUGGED else TcpOutlet()
    with plugged_in(bench.board, outlet, cell.side, cell.number, pull_out) as url:
        yield url
    if cell.failure is UNPLUGGED:
        bench.board.boot()  # the cable was its power as well


_AT_MESSAGES: dict[str, Callable[[Cell, Bench], AbstractContextManager[str]]] = {
    SILENT.name: _overheard("silence"),
    INTERRUPTED.name: _overheard("interrupt"),
    UNPLUGGED.name: _unplugged,
    HUNG_UP.name: _unplugged,
}


# ---- around the whole verb


@contextmanager
def _nobody() -> Iterator[None]:
    """As a user who may do nothing; a test that does not run as the superuser is one already."""
    if os.geteuid():
        yield
        return
    import grp  # the interpreter's own folder may be closed to others

    assert grp
    os.setresuid(_NOBODY, _NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@contextmanager
def _no_room() -> Iterator[None]:
    """No file may become longer than a few bytes: the system refuses in the midst of it, as on a full disk."""
    import resource  # of POSIX, as what uses it

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def circumstances(cell: Cell) -> AbstractContextManager[None]:
    """What else is different while the verb runs."""
    made = {"": nullcontext, "nobody": _nobody, "no room": _no_room}
    return made[cell.failure.circumstances]()
