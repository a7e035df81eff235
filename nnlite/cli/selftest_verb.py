"""The verb selftest: the checks as they are done, and a row for docs/HARDWARE.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nnlite.cli.board_verbs import PortOption, chosen_port
from nnlite.cli.screen import JsonOption, QuietOption, note, print_json

if TYPE_CHECKING:
    from nnlite.selftest import Check

__all__ = ["selftest"]

_VERDICTS = {True: "pass", False: "FAIL", None: "-"}


def selftest(
    port: PortOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also when 'nnlite rollback' has a model to go back to, which is lost.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Does the board compute, keep and carry what it should.

    Tries the line, then a small network of its own: golden vectors, 100 training steps, flash, cycles. The network
    lies in the slot that does not serve and is never committed, so your model serves on, whatever happens. Exit code 6
    when a check fails. At the end stands a row to be pasted into docs/HARDWARE.md.

    \b
    Examples:
      nnlite selftest --port /dev/ttyACM0
      nnlite selftest --port id:5eed --overwrite --json
    """
    from datetime import date

    from nnlite.device import Device
    from nnlite.errors import IntegrityError
    from nnlite.selftest import hardware_row, run_checks

    checks: list[Check] = []
    with Device.open(chosen_port(port)) as device:
        for check in run_checks(device, overwrite):
            checks.append(check)
            if not as_json:
                print(f"{_VERDICTS[check.passed]:<4}  {check.name:<18}  {check.seen}", flush=True)
        about = device.known
    failed = [check.name for check in checks if check.passed is False]
    row = hardware_row(about, checks, date.today())
    if as_json:
        names = {"board": about.board, "unique_id": about.unique_id, "simulated": about.simulated}
        print_json(names | {"passed": not failed, "checks": [check.to_dict() for check in checks], "row": row})
    elif about.simulated:
        note("This board is simulated; docs/HARDWARE.md lists real ones only.", quiet)
    else:
        note("For docs/HARDWARE.md, or an issue; fill in what stands in capitals:", quiet)
        print(row)
    for check in checks:
        if check.error is not None:
            raise check.error
    if failed:
        raise IntegrityError(
            f"the board failed {len(failed)} of {len(checks)} checks ({', '.join(failed)}); put the firmware of this "
            "version on it ('nnlite firmware') and try again"
        )
