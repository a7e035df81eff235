"""A microcontroller board in a process: real machine code, virtual time, exact counts.

Importing this makes the URL `sim://BOARD` known to pyserial.
"""

from __future__ import annotations

import serial

from firmware_sim.board import Board, Measurement, Snapshot, open_board
from firmware_sim.errors import FirmwareFault, PowerCutError, SimulatorError

__all__ = ["Board", "FirmwareFault", "Measurement", "PowerCutError", "SimulatorError", "Snapshot", "open_board"]

if "firmware_sim" not in serial.protocol_handler_packages:
    serial.protocol_handler_packages.append("firmware_sim")
