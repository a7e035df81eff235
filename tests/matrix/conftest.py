"""The bench that all cells share, the answers that are expected, and the option that writes them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from tests.matrix.bench import Bench
from tests.matrix.snapshot import Answers

_REWRITE = "--rewrite-messages"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(_REWRITE, action="store_true", help="write what each cell of the table says into messages.txt")


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """In a folder of its own, which any user can reach."""
    serial.protocol_handler_packages.append("tests.matrix")
    back = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        os.chdir(folder)
        try:
            yield Bench(Path(folder))
        finally:
            os.chdir(back)
    serial.protocol_handler_packages.remove("tests.matrix")


@pytest.fixture(scope="session")
def answers(request: pytest.FixtureRequest) -> Iterator[Answers]:
    """Shared by all cells."""
    taken = Answers(request.config.getoption(_REWRITE, default=False))
    yield taken
    taken.write()
