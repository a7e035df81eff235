"""Opening ports: what goes wrong is said in plain words and with the right class."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
import serial

from nnlite.errors import PortBusyError, PortError
from nnlite.link.port import _cannot_open, open_port


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
    assert type(_cannot_open("COM3", denied)) is PortBusyError
    missing = serial.SerialException("could not open port 'COM9': FileNotFoundError(2, 'cannot find', None, 2)")
    assert "there is no port COM9" in str(_cannot_open("COM9", missing))


@pytest.mark.skipif(os.name != "posix", reason="groups are a matter of POSIX systems")
def test_a_port_without_permission_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser may everything
    refused = serial.SerialException(errno.EACCES, "could not open port /dev/ttyACM0: Permission denied")
    raised = _cannot_open("/dev/ttyACM0", refused)
    assert type(raised) is PortBusyError
    assert "dialout" in str(raised)
