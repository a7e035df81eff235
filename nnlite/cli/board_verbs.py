"""Verbs that talk to a board: info, flash, verify, rollback, run, learn, pull."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnlite.cli.recipe_options import (
    BatchSizeOption,
    ClassWeightOption,
    ClipNormOption,
    LastLayersOption,
    LearningRateOption,
    MomentumOption,
    OptimizerOption,
    PatienceOption,
    ScheduleOption,
    ValidateOption,
    WeightDecayOption,
    read_validation,
)
from nnlite.cli.screen import JsonOption, QuietOption, note, numbers, print_json, progress_bar

if TYPE_CHECKING:
    from nnlite.data import Table
    from nnlite.device import Device
    from nnlite.link.protocol import Hello, Slot
    from nnlite.network import Network

__all__ = ["PortOption", "chosen_port", "flash", "info", "learn", "pull", "rollback", "run", "verify"]

PortOption = Annotated[
    str | None,
    typer.Option(
        "--port",
        "-p",
        help="A port such as /dev/ttyACM0 or COM3, any pyserial URL, or id: and the first digits of the board's unique "
        "id; else $NNLITE_PORT, else found.",
    ),
]
LikeOption = Annotated[
    Path | None,
    typer.Option(
        "--like",
        metavar="MODEL",
        readable=False,
        help="A model file whose feature names pick the columns; else they are the model's inputs as they stand.",
    ),
]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", readable=False, help="A model file.")]


def chosen_port(port: str | None) -> str:
    """What --port, else NNLITE_PORT, else a look at the ports says."""
    from nnlite.link.discover import find_port

    return find_port(port or os.environ.get("NNLITE_PORT") or None)


def _open(port: str | None) -> Device:
    from nnlite.device import Device

    return Device.open(chosen_port(port))


def _load_like(like: Path | None) -> Network | None:
    from nnlite.network import load

    return None if like is None else load(like)


def _read(data: str, target: str | None, like: Network | None, labelled: bool = False) -> Table:
    """Data for the model on a board: names of features do not travel, so a file's take their place."""
    from nnlite.data import read_table

    return read_table(data, target, None if like is None else like.features, labelled)


def _check_like(path: Path | None, like: Network | None, sizes: tuple[int, ...]) -> None:
    """Refuse a model file whose names cannot be those of the inputs on the board."""
    from nnlite.errors import IncompatibleError

    if like is not None and like.sizes[0] != sizes[0]:
        raise IncompatibleError(
            f"{path} has {like.sizes[0]} inputs, the model on the board {sizes[0]}; give the file that was flashed "
            "with --like, or flash this one first"
        )


def info(port: PortOption = None, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """What board it is, and what it holds.

    \b
    Examples:
      nnlite info --port /dev/ttyACM0
      nnlite info --port id:5eed --json
    """
    from nnlite.link.discover import greet

    about = greet(chosen_port(port))
    if as_json:
        print_json(about.to_dict())
    else:
        print(_about(about))


def _about(info: Hello) -> str:
    """What a person wants to know of HELLO; --json has all of it."""
    simulated = ", simulated" if info.simulated else ""
    rows = [
        ("board", f"{info.board}, {info.clock_hz / 1e6:g} MHz, chip {info.unique_id}{simulated}"),
        ("firmware", f"{info.firmware}, protocol {' to '.join(map(str, sorted(set(info.protocol))))}"),
        ("room", f"{info.slot_image_bytes:,} bytes of flash for a model, {info.arena_bytes:,} of RAM for its work"),
    ]
    rows += [(f"slot {slot.index}", _slot(slot, info.active_slot == slot.index)) for slot in info.slots]
    rows += [
        ("line", f"{' or '.join(f'{rate:,}' for rate in info.baud_rates)} baud"),
        ("runs for", _duration(info.uptime_seconds)),
        ("last error", _last_error(*info.last_error)),
    ]
    return "\n".join(f"{name:<10} {value}" for name, value in rows)


def _duration(seconds: int) -> str:
    """The two largest units."""
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def _last_error(status: int, detail: int) -> str:
    from nnlite.link.last_error import last_error_words, status_name

    words = last_error_words(status, detail)
    return ": ".join(filter(None, (status_name(status), words))) if status else "none since it started"


def _slot(slot: Slot, serves: bool) -> str:
    state = "serves" if serves else slot.state.name.lower()
    if not slot.generation:
        return state
    model = f"generation {slot.generation}, {slot.length:,} bytes, digest {slot.digest.hex()[:16]}..."
    return f"{state}: {model}, erase count {slot.erase_count:,}"


def flash(
    model: ModelArgument,
    port: PortOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put a model on the board.

    The one before it serves until the new one is whole, and is kept for rollback.

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
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL", readable=False, help="A model file to compare with.")
    ] = None,
    port: PortOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Let the board digest its model anew, and compare.

    Exit code 6 when its flash has changed, or when it is another model than the file's.

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
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Raw samples: a CSV file with a header, an .npz file, 'shoulder', or - for standard input.",
        ),
    ],
    port: PortOption = None,
    target: Annotated[str | None, typer.Option(help="The column with the truth, to be left out.")] = None,
    like: LikeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run samples through the model on the board.

    Prints one label a line, the probabilities of sigmoid outputs, or the outputs of a regression. With - it takes lines
    of CSV from standard input, answers each as it comes, and says at the end how long the answers took; a board that is
    plugged in again is followed.

    \b
    Examples:
      nnlite run samples.csv --port /dev/ttyACM0
      sensor | nnlite run - --port /dev/ttyACM0
      nnlite run samples.csv --target state --json
      nnlite run samples.csv --like m.safetensors
    """
    from nnlite.network import decide

    net = _load_like(like)
    if data == "-":
        from nnlite.cli.live import run_live

        with _open(port) as device:
            _check_like(like, net, device.shape().sizes)
            run_live(device, target, None if net is None else net.features, as_json, quiet)
        return
    table = _read(data, target, net)
    with _open(port) as device:
        shape = device.shape()
        _check_like(like, net, shape.sizes)
        table.check_inputs(shape.sizes[0])
        classifies = shape.output == "softmax"
        squashed = shape.output != "linear"
        with progress_bar("running", quiet) as progress:
            if squashed:
                outputs = device.predict_proba(table.X, progress=progress)
            else:
                outputs = device.decision_function(table.X, progress=progress)
    answers = decide(outputs, shape.output, shape.labels).tolist() if classifies else outputs.tolist()
    if as_json:
        key = "probabilities" if squashed else "outputs"
        print_json({"labels": answers if classifies else None, key: outputs.tolist()})
    elif classifies:
        sys.stdout.writelines(f"{answer}\n" for answer in answers)
    else:
        csv.writer(sys.stdout, lineterminator="\n").writerows(answers)


def learn(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Samples with their truth, as for train.")],
    target: Annotated[
        str | None, typer.Option(help="The column with the truth; not needed for .npz and shoulder.")
    ] = None,
    port: PortOption = None,
    like: LikeOption = None,
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 1,
    batch_size: BatchSizeOption = 1,
    learning_rate: LearningRateOption = 0.05,
    optimizer: OptimizerOption = "sgd",
    momentum: MomentumOption = None,
    weight_decay: WeightDecayOption = 0.0,
    clip_norm: ClipNormOption = None,
    schedule: ScheduleOption = "constant",
    last_layers: LastLayersOption = None,
    class_weight: ClassWeightOption = None,
    validate: ValidateOption = None,
    patience: PatienceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Go on training the model on the board itself.

    It takes the rows in their order, and commits once, at the end: whatever fails before leaves the model as it was.

    \b
    Example:
      nnlite learn mine.csv --target state --epochs 5 --learning-rate 0.02
    """
    from nnlite.targets import encode_labels

    net = _load_like(like)
    table = _read(data, target, net, labelled=True)
    with _open(port) as device:
        shape = device.shape()
        _check_like(like, net, shape.sizes)
        table.check_inputs(shape.sizes[0])
        # Device.learn looks at them as well, but knows nothing of the file and its lines.
        if shape.output == "softmax":
            encode_labels(table.truth, shape.labels, shape.sizes[-1], table.where)
        else:
            table.check_numbers()
        held_out = read_validation(validate, target, table.features, shape.sizes[0])
        with progress_bar("learning", quiet) as progress:
            result = device.learn(
                table.X,
                table.truth,
                learning_rate=learning_rate,
                epochs=epochs,
                batch_size=batch_size,
                optimizer=optimizer,
                progress=progress,
                momentum=momentum,
                weight_decay=weight_decay,
                clip_norm=clip_norm,
                schedule=schedule,
                last_layers=last_layers,
                class_weight=class_weight,
                validation=held_out,
                patience=patience,
            )
    if as_json:
        losses = {"loss": numbers(result.loss)}
        if validate is not None:
            losses["validation_loss"] = numbers(result.validation_loss)
        print_json(_model(result.model) | losses)
    else:
        note(f"loss by epoch: {', '.join(f'{loss:.4f}' for loss in result.loss)}", quiet)
        if patience is not None:
            note(f"the parameters of epoch {result.best + 1} are kept", quiet)
        note(f"what was learned serves as generation {result.model.generation}", quiet)


def pull(
    output: Annotated[
        Path, typer.Option("-o", "--output", readable=False, help="Where the model goes (.safetensors).")
    ],
    port: PortOption = None,
    like: Annotated[
        Path | None,
        typer.Option(
            "--like",
            metavar="MODEL",
            readable=False,
            help="A model file to take the names of features from; they do not travel.",
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch the model from the board and save it.

    \b
    Example:
      nnlite pull -o personal.safetensors --port /dev/ttyACM0
    """
    from nnlite.files import check_writable

    check_writable(output)
    named = _load_like(like)
    with _open(port) as device, progress_bar("pulling", quiet) as progress:
        net = device.pull(progress=progress)
    _check_like(like, named, net.sizes)
    net.features = None if named is None else named.features
    net.save(output)
    if as_json:
        print_json({"sizes": net.sizes, "output": net.output, "labels": net.labels, "model": str(output)})
    note(f"saved {output}: network {'-'.join(map(str, net.sizes))}", quiet)
