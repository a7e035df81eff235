"""What can go wrong on a simulated board."""

from __future__ import annotations

from collections.abc import Sequence

from nnlite.errors import NNLiteError, PortError

__all__ = ["FirmwareFault", "MissingExtraError", "PowerCutError", "Refused", "SimulatorError"]


class SimulatorError(NNLiteError):
    """The simulator cannot do what was asked of it."""


class FirmwareFault(SimulatorError):
    """The firmware did something that silicon would not forgive; the message says what and where.

    The board stays halted, and says this again, until `boot()`.

    Attributes
    ----------
    what : what happened, with the register's name if a register was in it.
    pc : address of the instruction.
    address : of the memory that was in it, if that is known.
    backtrace : a line for each call, the innermost first: "function (file:line)" as far as the image tells.
    """

    def __init__(self, message: str, what: str, pc: int, address: int | None, backtrace: Sequence[str]) -> None:
        super().__init__(message)
        self.what, self.pc, self.address, self.backtrace = what, pc, address, tuple(backtrace)


class Refused(SimulatorError):
    """A register access that silicon would not do what was meant with. The board adds where the firmware was."""


class PowerCutError(SimulatorError):
    """The board has no power until `boot()`."""


class MissingExtraError(PortError, ImportError):
    """What the simulated boards are made of is not installed."""
