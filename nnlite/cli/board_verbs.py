"""Verbs that talk to a board: info, flash, verify, rollback, run, learn, pull."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nnlite.cli.screen import JsonOption, QuietOption, note, print_json, progress_bar
from nnlite.device import Device, find_port
from nnlite.errors import UsageError

__all__ = ["flash", "info", "learn", "pull", "rollback", "run", "verify"]

PortOption = Annotated[
    str | None,
    typer.Option(
        "--port", "-p", help="A port such as /dev/ttyACM0, COM3, or any pyserial URL; else $NNLITE_PORT, else found."
    ),
]


def _open(port: str | None) -> Device:
    return Device.open(port or os.environ.get("NNLITE_PORT") or find_port())


def info(port: PortOption = None, as_json: JsonOption = False) -> None:
    """What board it is, and what it holds.

    \b
    Example:
      nnlite info --port /dev/ttyACM0
    """
    with _open(port) as device:
        about = device.info().to_dict()
    if as_json:
        print_json(about)
        return
    for name, value in about.items():
        if isinstance(value, list):
            for item in value:
                print(f"{name.rstrip('s')}: " + ", ".join(f"{k} {v}" for k, v in item.items() if v not in (None, "")))
        else:
            print(f"{name.replace('_', ' ')}: {value}")


def flash(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    port: PortOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put a model on the board; the one before it stays until the new one is whole.

    \b
    Example:
      nnlite flash m.safetensors --port /dev/ttyACM0
    """
    from nnlite.network import load

    net = load(model)
    with _open(port) as device, progress_bar("flashing", quiet) as progress:
        reply = device.flash(net, progress=progress)
    if as_json:
        print_json(_model(reply))
    else:
        note(f"{model} serves on the board as generation {reply.generation} ({reply.length:,} bytes)", quiet)


def verify(
    model: Annotated[Path | None, typer.Argument(help="A model file to compare with.")] = None,
    port: PortOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Let the board digest its model anew, and compare with a file's. Exit code 6 when they differ.

    \b
    Example:
      nnlite verify m.safetensors --port /dev/ttyACM0
    """
    from nnlite.network import load

    net = None if model is None else load(model)
    with _open(port) as device:
        reply = device.verify(net)
    if as_json:
        print_json(_model(reply))
    else:
        against = "" if model is None else f"; it is {model}"
        note(f"generation {reply.generation} is intact{against} (digest {reply.digest.hex()[:16]}...)", quiet)


def rollback(port: PortOption = None, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Go back to the model before, in the other slot.

    \b
    Example:
      nnlite rollback --port /dev/ttyACM0
    """
    with _open(port) as device:
        reply = device.rollback()
    if as_json:
        print_json(_model(reply))
    else:
        note(f"generation {reply.generation} serves again", quiet)


def _model(reply: Any) -> dict[str, Any]:
    return {"generation": reply.generation, "length": reply.length, "digest": reply.digest.hex()}


def run(
    data: Annotated[str, typer.Argument(help="Raw samples: a CSV file with a header, an .npz file, or 'shoulder'.")],
    port: PortOption = None,
    target: Annotated[str | None, typer.Option(help="A column to leave out.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run samples through the model on the board; prints one label a line (or the outputs of a regression).

    \b
    Examples:
      nnlite run samples.csv --port /dev/ttyACM0
      nnlite run samples.csv --target state --json
    """
    from nnlite.data import read_table

    with _open(port) as device:
        net = device.pull()
        table = read_table(data, target, net.features)
        with progress_bar("running", quiet) as progress:
            if net.output == "softmax":
                outputs = device.predict_proba(table.X, progress=progress)
            else:
                outputs = device.decision_function(table.X, progress=progress)
    answers = net.decide(outputs).tolist()
    if as_json:
        key = "probabilities" if net.output == "softmax" else "outputs"
        print_json({"labels": answers if net.output == "softmax" else None, key: outputs.tolist()})
    elif net.output == "softmax":
        sys.stdout.writelines(f"{answer}\n" for answer in answers)
    else:
        csv.writer(sys.stdout, lineterminator="\n").writerows(answers)


def learn(
    data: Annotated[str, typer.Argument(help="Samples with their truth, as for train.")],
    target: Annotated[str | None, typer.Option(help="The column with the truth; not needed for .npz.")] = None,
    port: PortOption = None,
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 1,
    batch_size: Annotated[int, typer.Option(help="Samples of one step.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Step size.")] = 0.05,
    optimizer: Annotated[str, typer.Option(help="sgd.")] = "sgd",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Go on training the model on the board itself, in the order of the rows; committed once, at the end.

    \b
    Example:
      nnlite learn mine.csv --target state --epochs 5 --learning-rate 0.02 --port /dev/ttyACM0
    """
    from nnlite.data import read_table

    with _open(port) as device:
        table = read_table(data, "exercise" if data == "shoulder" and target is None else target, None)
        if table.y is None:
            raise UsageError("name the column with the truth with --target")
        with progress_bar("learning", quiet) as progress:
            result = device.learn(
                table.X,
                table.y,
                learning_rate=learning_rate,
                epochs=epochs,
                batch_size=batch_size,
                optimizer=optimizer,
                progress=progress,
            )
    if as_json:
        print_json(_model(result.model) | {"loss": list(result.loss)})
    else:
        note(f"loss by epoch: {', '.join(f'{loss:.4f}' for loss in result.loss)}", quiet)
        note(f"what was learned serves as generation {result.model.generation}", quiet)


def pull(
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the model goes (.safetensors).")],
    port: PortOption = None,
    quiet: QuietOption = False,
) -> None:
    """Fetch the model from the board, as it is there now, and save it.

    \b
    Example:
      nnlite pull -o personal.safetensors --port /dev/ttyACM0
    """
    with _open(port) as device, progress_bar("pulling", quiet) as progress:
        net = device.pull(progress=progress)
    net.save(output)
    note(f"saved {output}: network {'-'.join(map(str, net.sizes))}", quiet)
