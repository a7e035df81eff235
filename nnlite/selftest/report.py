"""What a selftest found, as a row of the table in docs/HARDWARE.md."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import date

from nnlite import __version__
from nnlite.link.protocol import Hello
from nnlite.selftest.checks import Check

__all__ = ["hardware_row"]


def hardware_row(info: Hello, checks: Sequence[Check], today: date) -> str:
    """A row to be pasted; what only a person knows stands in capitals."""
    judged = [check for check in checks if check.passed is not None]
    failed = [check.name for check in judged if not check.passed]
    seen = [f"selftest: {len(judged) - len(failed)} of {len(checks)} passed"]
    seen += [f"failed: {', '.join(failed)}"] if failed else []
    seen += [f"{check.name}: {check.seen}" for check in judged if check.figures]
    host = f"{platform.system()} {platform.release()}, Python {platform.python_version()}, nnlite {__version__}"
    who = f"YOUR NAME, {today.isoformat()}"
    cells = [info.board, "REVISION ON THE BOARD", info.firmware, host, who, "; ".join(seen)]
    return f"| {' | '.join(cells)} |"
