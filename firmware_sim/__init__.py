"""A microcontroller board in a process: real machine code, virtual time, exact counts.

Importing this makes the URL `sim://BOARD` known to pyserial, and costs nothing else: the public names load what they
need on first use, since pytest loads the plugin beside them into every run.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import serial

from firmware_sim.errors import FirmwareFault, MissingExtraError, PowerCutError, SimulatorError

if TYPE_CHECKING:
    from firmware_sim.board import Board, Edge, Measurement, Snapshot, open_board
    from firmware_sim.serve import serve_board

__all__ = [
    "Board",
    "Edge",
    "FirmwareFault",
    "Measurement",
    "MissingExtraError",
    "PowerCutError",
    "SimulatorError",
    "Snapshot",
    "open_board",
    "serve_board",
]

if "firmware_sim" not in serial.protocol_handler_packages:
    serial.protocol_handler_packages.append("firmware_sim")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'firmware_sim' has no attribute '{name}'")
    try:
        home = "serve" if name == "serve_board" else "board"
        return getattr(importlib.import_module(f"firmware_sim.{home}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in ("capstone", "unicorn"):
            raise
        raise MissingExtraError(
            f"the simulated boards need {error.name}, which is not installed: pip install 'nnlite-mcu[sim]'",
            name=error.name,
        ) from error


def __dir__() -> list[str]:
    return __all__
