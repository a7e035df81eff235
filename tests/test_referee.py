"""The prebuilt firmware on a simulator that is not ours: where QEMU is installed, its micro:bit gives the same bits."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest

from nnlite import Device, Network, train

HEX = Path(__file__).resolve().parent.parent / "nnlite" / "firmware" / "prebuilt" / "microbit.hex"


def test_qemu_gives_the_same_bits(tmp_path: Path) -> None:
    qemu = shutil.which("qemu-system-arm")
    if qemu is None:
        pytest.skip("qemu-system-arm is not installed (Debian: qemu-system-arm)")
    rng = np.random.default_rng(4)
    net = Network([15, 16, 7], seed=4)
    X, y = rng.normal(size=(40, 15)).astype(np.float32), rng.integers(0, 7, 40)
    net.mean, net.scale = rng.normal(size=15).astype(np.float32), rng.uniform(0.5, 2, 15).astype(np.float32)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    # QEMU loads the image and says that it waits for a connection; only then does the board start.
    serial = f"tcp:127.0.0.1:{port},server=on,wait=on"
    command = [qemu, "-M", "microbit", "-display", "none", "-device", f"loader,file={HEX}", "-serial", serial]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "waiting for connection" in process.stderr.readline()
            with Device.open(f"socket://127.0.0.1:{port}") as device:
                device.flash(net)
                assert device.decision_function(X).tobytes() == net.decision_function(X).tobytes()
                device.learn(X, y, learning_rate=0.02, batch_size=3)
                pulled = device.pull()
        finally:
            process.kill()
    train(net, X, y, epochs=1, batch_size=3, learning_rate=0.02, shuffle=False, standardize=False, progress=False)
    assert pulled.parameters.tobytes() == net.parameters.tobytes()
