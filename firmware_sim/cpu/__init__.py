"""The core of a board: an interface, and the Cortex-M that Unicorn computes."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from firmware_sim.cpu.cortex_m import CortexM
from firmware_sim.cpu.interface import Cpu, Frame, Placed, Stop
from firmware_sim.errors import SimulatorError

__all__ = ["Cpu", "Frame", "Placed", "Stop", "make_cpu"]

#: what computes a core, by the names that profiles have for cores
_CORES: Mapping[str, type[CortexM]] = MappingProxyType({"cortex-m0": CortexM, "cortex-m4f": CortexM})


def make_cpu(
    core: str,
    flash_start: int,
    flash: npt.NDArray[np.uint8],
    ram_start: int,
    ram: npt.NDArray[np.uint8],
    checks: bool = True,
) -> Cpu:
    """A core with its memories, which it reads and writes in place.

    Parameters
    ----------
    core : as a profile names it.
    checks : whether it looks for what its emulator lets pass, keeps the call stack and counts for a profile.

    Raises
    ------
    SimulatorError : no such core is simulated.
    """
    if core not in _CORES:
        raise SimulatorError(f"the core {core} is not simulated; those are {', '.join(_CORES)}")
    return _CORES[core](core, flash_start, flash, ram_start, ram, checks)
