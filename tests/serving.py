"""Simulated boards behind ports of the system, each in a process of its own, as another program meets them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.cli.command import environment

__all__ = ["Served", "served", "serving"]


@dataclass(frozen=True)
class Served:
    """A process that serves a board, the first line that it printed, and the port's name, which begins it."""

    process: subprocess.Popen[str]
    line: str

    @property
    def url(self) -> str:
        return self.line.split()[0]


@contextmanager
def serving(*command: str) -> Iterator[Served]:
    """Run a Python program, and end it afterwards."""
    # PYTHONPATH: the program may be one of the tests' own
    more = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, *command], env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate(timeout=60)[1]
            yield Served(process, line)
        finally:
            process.kill()


@contextmanager
def served(*options: str) -> Iterator[str]:
    """`nnlite sim` with options; gives the port's name."""
    with serving("-m", "nnlite", "sim", "-q", *options) as board:
        yield board.url
