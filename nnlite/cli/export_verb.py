"""The verb export: a model for a program of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnlite.cli.recipe_options import (
    BatchSizeOption,
    ClipNormOption,
    MomentumOption,
    OptimizerOption,
    WeightDecayOption,
)
from nnlite.cli.screen import JsonOption, QuietOption, note, print_json
from nnlite.errors import UsageError

__all__ = ["export"]


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", readable=False, help="A model file.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="c, arduino, platformio or image.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", readable=False, help="A folder; for c also NAME.c; for image a file.")
    ],
    name: Annotated[
        str | None, typer.Option(help="What names in the C begin with; else the model's file says.")
    ] = None,
    learn: Annotated[bool, typer.Option("--learn", help="Learning as well as inference.")] = False,
    optimizer: OptimizerOption = "sgd",
    batch_size: BatchSizeOption = 1,
    momentum: MomentumOption = None,
    weight_decay: WeightDecayOption = 0.0,
    clip_norm: ClipNormOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a model as C, as a library, or as bytes of flash.

    The C takes no memory but a struct of the caller's, needs no library, and computes the bits of the laptop.

    \b
    Examples:
      nnlite export gestures.safetensors --to c -o gestures.c
      nnlite export gestures.safetensors --to arduino --learn -o gestures
      nnlite export gestures.safetensors --to platformio -o lib/gestures
      nnlite export gestures.safetensors --to image -o gestures.bin
    """
    from nnlite.export.design import check_learning, default_name
    from nnlite.export.formats import export as write_export
    from nnlite.export.formats import is_source
    from nnlite.network import load

    how = {
        "optimizer": optimizer,
        "batch_size": batch_size,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "clip_norm": clip_norm,
    }
    plain = {"optimizer": "sgd", "batch_size": 1, "momentum": None, "weight_decay": 0.0, "clip_norm": None}
    if not learn and how != plain:
        odd = next(option for option in how if how[option] != plain[option])
        raise UsageError(f"--{odd.replace('_', '-')} says how to learn; add --learn")
    learning = check_learning(**how) if learn else None
    net = load(model)
    if output.exists() and output.samefile(model):
        raise UsageError(f"{output} is the model itself; name another file with -o, the model was kept")
    if name is None and to != "image" and not is_source(to, output):
        name = default_name(model)
    files = write_export(net, to, output, name, learning)
    if as_json:
        print_json({"to": to, "files": [str(file) for file in files]})
    note(f"wrote {', '.join(map(str, files))}", quiet)
