"""The `nnlite` command: what stands before the verbs, which `nnlite.cli.verbs` knows."""

from __future__ import annotations

from typing import Annotated

import typer

from nnlite import __version__
from nnlite.cli.verbs import Verbs

__all__ = ["app"]

app = typer.Typer(
    name="nnlite",
    cls=Verbs,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"nnlite {__version__}")
        raise typer.Exit


@app.callback()
def nnlite(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train small neural networks, run and go on training them on a microcontroller, bit for bit the same.

    \b
    Without a board:
      nnlite demo
    With a board:
      nnlite train DATA --target COLUMN -o m.safetensors
      nnlite flash m.safetensors --port /dev/ttyACM0
    """
