"""Every error a user of nnlite can meet: one tree, one exit code each.

A message says what was wrong, where, and what to do next. Raising one of these
promises that the disk and the device are as they were before.
"""

from __future__ import annotations

__all__ = [
    "DataError",
    "DeviceError",
    "DeviceTimeoutError",
    "DivergedError",
    "DoesNotFitError",
    "IncompatibleError",
    "IntegrityError",
    "NNLiteError",
    "PathError",
    "PortBusyError",
    "PortError",
    "UsageError",
]


class NNLiteError(Exception):
    """Root of the tree; `exit_code` is what the command line ends with."""

    exit_code: int = 1


class UsageError(NNLiteError, ValueError):
    """A bad option, size, board name or argument."""

    exit_code = 2


class PathError(UsageError):
    """A path that is missing, a directory, unreadable, unwritable or on a full disk."""


class PortError(NNLiteError):
    """No port, an ambiguous choice of ports, or a port that vanished."""

    exit_code = 3


class PortBusyError(PortError):
    """The port is held by another program, or this user may not open it."""

    exit_code = 4


class DeviceTimeoutError(NNLiteError):
    """The device does not answer, or fell silent."""

    exit_code = 5


class IntegrityError(NNLiteError):
    """A digest or read-back on the device does not match what was sent."""

    exit_code = 6


class DoesNotFitError(NNLiteError):
    """The network needs more than the board has."""

    exit_code = 8


class IncompatibleError(NNLiteError):
    """Wrong board, other protocol or format version, no model, a model of another shape."""

    exit_code = 8


class DataError(NNLiteError, ValueError):
    """A data or model file, or an array, whose content cannot be used."""

    exit_code = 9


class DivergedError(NNLiteError):
    """Training produced a value that is not finite; the last good model is kept."""

    exit_code = 9


class DeviceError(NNLiteError):
    """The device refused a message for a reason that points at a defect, not at the user."""

    exit_code = 1
