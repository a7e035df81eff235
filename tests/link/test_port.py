"""Opening ports: what goes wrong is said in plain words and with the right class."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

import pytest
import serial

from nnlite.errors import PortBusyError, PortError
from nnlite.link.client import Client
from nnlite.link.port import open_port
from nnlite.link.trouble import cannot_open, vanished


def test_a_port_that_does_not_exist() -> None:
    with pytest.raises(PortError, match="there is no port /dev/nowhere") as caught:
        open_port("/dev/nowhere")
    assert caught.value.exit_code == 3


def test_a_url_of_an_unknown_kind() -> None:
    with pytest.raises(PortError, match="not the name of a port"):
        open_port("carrier-pigeon://loft")


def test_no_network_peer() -> None:
    with pytest.raises(PortError, match="cannot open socket://"):
        open_port("socket://127.0.0.1:1")


def test_a_port_opens_quietly_and_shortly() -> None:
    port = open_port("loop://")
    assert isinstance(port, serial.SerialBase)
    assert (port.baudrate, port.exclusive, port.dtr, port.rts) == (115_200, True, False, False)
    assert 0 < port.timeout < 0.2
    port.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the pseudo-terminal and /proc are Linux's")
def test_a_port_in_use_names_who_holds_it() -> None:
    controller, terminal = os.openpty()
    name = os.ttyname(terminal)
    os.close(terminal)
    script = f"exec 3<>{name}; echo ready; read line"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        first = open_port(name)
        with pytest.raises(PortBusyError, match=rf"in use by sh \(process {holder.pid}\)") as caught:
            open_port(name)
        first.close()
        assert caught.value.exit_code == 4
        holder.communicate(b"\n")
    os.close(controller)


def test_windows_has_only_text_to_go_by() -> None:
    denied = serial.SerialException("could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)")
    assert type(cannot_open("COM3", denied)) is PortBusyError
    missing = serial.SerialException("could not open port 'COM9': FileNotFoundError(2, 'cannot find', None, 2)")
    assert "there is no port COM9" in str(cannot_open("COM9", missing))


@pytest.mark.skipif(os.name != "posix", reason="groups are a matter of POSIX systems")
@pytest.mark.parametrize("mode", [0o660, 0o600])
def test_a_port_without_permission_names_the_group_and_the_rule(mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    controller, terminal = os.openpty()
    name = os.ttyname(terminal)
    os.chmod(name, mode)
    owner = os.stat(name).st_gid
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser may everything
    raised = cannot_open(name, serial.SerialException(errno.EACCES, f"could not open port {name}: Permission denied"))
    os.close(terminal)
    os.close(controller)
    assert type(raised) is PortBusyError
    join = f"sudo usermod -aG {grp.getgrgid(owner).gr_name} $USER"
    assert (join in str(raised)) == (mode == 0o660 and owner != 0)  # what else would it bring to join
    assert 'SUBSYSTEM=="tty", KERNEL=="*", TAG+="uaccess" into /etc/udev/rules.d/70-nnlite.rules' in str(raised)
    assert "\n" not in str(raised)


def test_a_socket_that_hangs_up_at_once_is_busy() -> None:
    """A server that has another client does so; one that has said something before has gone."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client = Client(open_port(f"socket://127.0.0.1:{server.getsockname()[1]}"))
        other, _ = server.accept()
        other.close()
        with pytest.raises(PortBusyError, match="in use by another program"):
            client.hello()
        client.close()
    assert type(vanished(serial.SerialException("read failed: socket disconnected"), heard=True)) is PortError
