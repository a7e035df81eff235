"""A trainer's process, from outside."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from nnlite.bench.peers.roster import Peer
from nnlite.bench.peers.task import Floats, Task
from nnlite.bench.peers.worker import Size
from nnlite.errors import IncompatibleError

__all__ = ["Process", "started"]

#: one thread each, whatever does the arithmetic; read when a library is loaded
_LIMITS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
}
_LAST_WORDS = 400


class Process:
    """A trainer that works when it is called, and waits for the next call without taking the processor."""

    def __init__(self, peer: Peer, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self.peer = peer
        self._process = process
        self._said = said

    def _call(self, method: str, *arguments: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump((method, arguments), self._process.stdin)
            self._process.stdin.flush()
            good, value = pickle.load(self._process.stdout)
        except (BrokenPipeError, EOFError):
            self._said.seek(0)
            words = self._said.read().decode(errors="replace").strip()[-_LAST_WORDS:] or "it said nothing"
            ended = f"its process ended with {self._process.wait()}"
            raise IncompatibleError(f"{self.peer.title} cannot be measured; {ended}: {words}") from None
        if not good:
            raise IncompatibleError(f"{self.peer.title} cannot be measured: {value}")
        return value

    def version(self) -> str:
        """Load it, which takes its time, and ask."""
        return str(self._call("version"))

    def begin(self, task: Task, seconds: float) -> tuple[str, Size]:
        """See `Worker`."""
        way, size = self._call("begin", task, seconds)
        return way, size

    def learn(self, rows: int, epochs: int) -> Floats:
        """See `Worker`."""
        parameters: Floats = self._call("learn", rows, epochs)
        return parameters

    def prepare(self, rows: int) -> None:
        """See `Worker`."""
        self._call("prepare", rows)

    def run(self, epochs: int) -> float:
        """See `Worker`."""
        return float(self._call("run", epochs))


@contextlib.contextmanager
def started(peer: Peer) -> Iterator[Process]:
    """A process of its own for a trainer, out of reach of Ctrl-C, which is for the caller to answer; it is gone at the
    end.
    """
    command = [sys.executable, "-m", "nnlite.bench.peers.worker", peer.module, peer.trainer]
    alone: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        alone = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=os.environ | _LIMITS, **alone
        ) as process,
    ):
        try:
            yield Process(peer, process, said)
        finally:
            process.kill()
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # of what a process that is gone has not read
                process.stdin.close()
