"""The verbs by name: where each is, and the line that `nnlite --help` says of it. A verb's module is imported when it
is called, not before.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["VERBS", "Verb", "Verbs"]


@dataclass(frozen=True)
class Verb:
    """Where a verb is: the function of its own name in a module of nnlite.cli. `summary` begins its docstring."""

    module: str
    summary: str


VERBS = {
    "demo": Verb("demo_verb", "The whole way on a simulated board, every bit compared."),
    "train": Verb("model_verbs", "Train a network and save it."),
    "evaluate": Verb("model_verbs", "How right a model is on data with known answers."),
    "boards": Verb("plan_verbs", "The boards that have a profile, and their limits."),
    "plan": Verb("plan_verbs", "Does a network fit a board, byte by byte."),
    "export": Verb("export_verb", "Write a model as C, as a library, or as bytes of flash."),
    "firmware": Verb("plan_verbs", "Write a board's firmware, as Intel HEX or an Arduino sketch."),
    "sim": Verb("sim_verbs", "A simulated board behind a serial port that any program can open."),
    "ports": Verb("port_verbs", "Which ports there are, and what stands behind each."),
    "info": Verb("board_verbs", "What board it is, and what it holds."),
    "flash": Verb("board_verbs", "Put a model on the board."),
    "verify": Verb("board_verbs", "Let the board digest its model anew, and compare."),
    "rollback": Verb("board_verbs", "Go back to the model before, in the other slot."),
    "run": Verb("board_verbs", "Run samples through the model on the board."),
    "learn": Verb("board_verbs", "Go on training the model on the board itself."),
    "pull": Verb("board_verbs", "Fetch the model from the board and save it."),
    "selftest": Verb("selftest_verb", "Does the board compute, keep and carry what it should."),
    "bench": Verb("bench_verb", "What computing costs here and on a board; how full its line is."),
    "monitor": Verb("port_verbs", "What goes over the line, decoded, as it happens."),
}


class Verbs(TyperGroup):
    """The command `nnlite`, with its verbs taken from `VERBS` as they are asked for."""

    # Contexts and commands are of typer's private copy of click: Any stands for them.

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        names: dict[str, Any] = dict.fromkeys(VERBS)
        self.commands = names  # for "Did you mean"; what they stand for comes from get_command

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the table, which is that of use."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb as a command; None when there is none of that name."""
        return _command(cmd_name, VERBS[cmd_name]) if cmd_name in VERBS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table itself, without a look at the verbs."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])


def _command(name: str, verb: Verb) -> Any:
    function = getattr(importlib.import_module(f"nnlite.cli.{verb.module}"), name)
    alone = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(function)
    return typer.main.get_command(alone)
