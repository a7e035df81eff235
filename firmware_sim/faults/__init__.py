"""What goes wrong with a board, by plan or by chance, and the same each time: on the line, in memory, in its power.

`plan` says what there is to choose, `line` and `memory` do it. Nothing heavy is loaded by this: pytest's options are
read with it in every run.
"""

from __future__ import annotations

from firmware_sim.faults.line import Direction, Line
from firmware_sim.faults.plan import Faults

__all__ = ["Direction", "Faults", "Line"]
