"""What can go wrong on a simulated board."""

from __future__ import annotations

from nnlite.errors import NNLiteError, PortError

__all__ = ["FirmwareFault", "MissingExtraError", "PowerCutError", "SimulatorError"]


class SimulatorError(NNLiteError):
    """The simulator cannot do what was asked of it."""


class FirmwareFault(SimulatorError):
    """The firmware did something that silicon would not forgive; the message says what and where.

    The board stays halted, and says this again, until `boot()`.
    """


class PowerCutError(SimulatorError):
    """The board has no power until `boot()`."""


class MissingExtraError(PortError, ImportError):
    """What the simulated boards are made of is not installed."""
