"""Does a board do what it should: the checks behind `nnlite selftest`, and the golden vectors that they go by."""

from nnlite.selftest.checks import Check, run_checks
from nnlite.selftest.golden import Golden, load_golden
from nnlite.selftest.report import hardware_row

__all__ = ["Check", "Golden", "hardware_row", "load_golden", "run_checks"]
