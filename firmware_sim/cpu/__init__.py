"""The core of a board: an interface, and the Cortex-M that Unicorn computes."""

from firmware_sim.cpu.cortex_m import CortexM, CpuState
from firmware_sim.cpu.interface import Cpu, Frame, Placed, Stop

__all__ = ["CortexM", "Cpu", "CpuState", "Frame", "Placed", "Stop"]
