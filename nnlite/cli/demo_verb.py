"""The verb demo: the main job on a simulated board, and how it looks on a screen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnlite.cli.screen import JsonOption, QuietOption, note, print_json, progress_bar

if TYPE_CHECKING:
    from nnlite.planner import Plan
    from nnlite.training import Epoch

__all__ = ["demo"]

_STEPS = 7


class _Screen:
    """Steps and remarks on stderr; tables, which are results, on stdout."""

    def __init__(self, quiet: bool, tables: bool) -> None:
        self._quiet = quiet
        self._tables = tables
        self._step = 0

    def step(self, text: str) -> None:
        self._step += 1
        note(f"[{self._step}/{_STEPS}] {text}", self._quiet)

    def remark(self, text: str) -> None:
        note(f"      {text}", self._quiet)

    def epoch(self, number: int, total: int, epoch: Epoch) -> None:
        accuracy = "" if epoch.accuracy is None else f"  accuracy {epoch.accuracy:.3f}"
        note(f"      epoch {number:>{len(str(total))}}/{total}  loss {epoch.loss:.4f}{accuracy}", self._quiet)

    def plan(self, answer: Plan) -> None:
        from nnlite.cli.plan_view import plan_table

        if self._tables:
            print(plan_table(answer), flush=True)

    def bar(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        return progress_bar(what, self._quiet)


def _summary(report: dict[str, Any]) -> str:
    person = str(report["person"])
    before, after = (report[f"accuracy_device_{when}"][person] for when in ("before", "after"))
    megahertz = report["clock_hz"] / 1e6
    stack, link = report["stack_bytes"], report["link_bytes"]

    def cost(what: str) -> str:
        cycles, instructions = report[f"cycles_per_{what}"], report[f"instructions_per_{what}"]
        return f"{instructions:,} instructions, about {cycles:,} cycles ({cycles / megahertz / 1000:.2f} ms)"

    logits, parameters = report["logits_compared"], report["parameters_compared"]
    flash, ram = report["flash_bytes"]["measured"], report["ram_bytes"]["measured"]
    rows = [
        ("board", f"{report['board']}, simulated"),
        ("same bits", f"{logits:,} logits, {parameters} parameters, on laptop and device"),
        ("people left out", f"accuracy {report['accuracy_laptop']:.1%}"),
        (f"person {person}", f"accuracy {before:.1%} before, {after:.1%} after learning on the device"),
        ("flash, RAM", f"{flash:,} and {ram:,} bytes, as planned"),
        ("stack", f"{stack['measured']:,} of at most {stack['planned']:,} bytes"),
        ("one inference", cost("inference")),
        ("one training step", cost("training_step")),
        ("link", f"{link['sent']:,} bytes sent, {link['received']:,} received"),
        ("simulated time", f"{report['seconds']:.1f} s"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def demo(
    board: Annotated[str, typer.Option("--board", help="The simulated board; see `nnlite boards`.")] = "microbit",
    sensors: Annotated[str, typer.Option(help="accelerometer (15 features) or imu (30).")] = "accelerometer",
    person: Annotated[int, typer.Option(help="Whose windows the board learns from: 3, 7 or 9.")] = 3,
    out: Annotated[Path, typer.Option("--out", help="Folder for the models and report.json.")] = Path("nnlite-demo"),
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """The whole way on a simulated board, every bit compared.

    Trains a network, plans, flashes and runs it, lets it learn on the board, and pulls it back; in under a minute.

    \b
    Examples:
      nnlite demo
      nnlite demo --board microbit2 --sensors imu --person 7 --out demo --json
    """
    from nnlite.demo import run_demo

    screen = _Screen(quiet, tables=not as_json)
    report = run_demo(board, sensors, person, out, screen)
    if as_json:
        print_json(report)
        return
    screen.step("results")
    print(_summary(report))
    sys.stdout.flush()
    note(f"      the models and report.json are in {out}", quiet)
