"""Verbs that need no board: train, evaluate."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated

import typer

from nnlite.cli.recipe_options import (
    BatchSizeOption,
    ClassWeightOption,
    ClipNormOption,
    LearningRateOption,
    MomentumOption,
    OptimizerOption,
    PatienceOption,
    ScheduleOption,
    ValidateOption,
    WeightDecayOption,
    read_validation,
)
from nnlite.cli.screen import JsonOption, QuietOption, note, numbers, print_json, sizes_of
from nnlite.errors import DataError, DoesNotFitError

if TYPE_CHECKING:
    from nnlite.data import Table
    from nnlite.planner import PlannedNetwork
    from nnlite.training import Epoch

__all__ = ["evaluate", "train"]


def train(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A CSV file with a header, an .npz file with X and y, or 'shoulder'.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", readable=False, help="Where the model goes (.safetensors).")
    ],
    target: Annotated[str | None, typer.Option(help="The column to predict; not needed for .npz and shoulder.")] = None,
    hidden: Annotated[str, typer.Option(help="Sizes of the hidden layers, such as 32,16.")] = "16",
    activation: Annotated[
        str, typer.Option(metavar="NAME", help="Of the hidden layers: relu, leaky_relu, sigmoid or tanh.")
    ] = "relu",
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 30,
    batch_size: BatchSizeOption = 1,
    learning_rate: LearningRateOption = 0.05,
    optimizer: OptimizerOption = "sgd",
    momentum: MomentumOption = None,
    weight_decay: WeightDecayOption = 0.0,
    clip_norm: ClipNormOption = None,
    schedule: ScheduleOption = "constant",
    class_weight: ClassWeightOption = None,
    validate: ValidateOption = None,
    patience: PatienceOption = None,
    seed: Annotated[int, typer.Option(help="Of the first weights and of the order of samples.")] = 0,
    regression: Annotated[bool, typer.Option("--regression", help="Predict the target's value, not a class.")] = False,
    board: Annotated[str | None, typer.Option(help="Refuse what this board cannot hold, before training.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a network and save it. Every column but the target is a feature.

    \b
    Examples:
      nnlite train shoulder --target exercise --hidden 16 -o m.safetensors
      nnlite train readings.csv --target state --hidden 32,16 -o m.safetensors
      nnlite train readings.csv --target state --optimizer adam \\
        --learning-rate 0.003 --validate test.csv --patience 5 -o m.safetensors
    """
    from nnlite.data import read_table
    from nnlite.files import check_writable
    from nnlite.network import Network, check_sizes
    from nnlite.training import train as train_network

    table = read_table(data, target, labelled=True)
    classes = None if regression else _classes(table)
    outputs = _target_width(table) if classes is None else len(classes)
    sizes = check_sizes([table.X.shape[1], *sizes_of("--hidden", hidden), outputs])
    output_function = "softmax" if classes else "linear"
    if board is not None:
        planned = SimpleNamespace(
            sizes=sizes, hidden=activation, output=output_function, mean=table.X[0], labels=classes
        )
        _check_board(planned, board)
    check_writable(output)
    net = Network(sizes, hidden=activation, output=output_function, seed=seed)
    net.features = table.features

    def show(number: int, total: int, epoch: Epoch) -> None:
        accuracy = "" if epoch.accuracy is None else f"  accuracy {epoch.accuracy:.3f}"
        note(f"epoch {number:>{len(str(total))}}/{total}  loss {epoch.loss:.4f}{accuracy}", quiet=False)

    held_out = read_validation(validate, target, table.features, table.X.shape[1])
    note(f"{table.X.shape[0]} samples of {table.X.shape[1]} features; network {'-'.join(map(str, net.sizes))}", quiet)
    history = train_network(
        net,
        table.X,
        table.truth,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        optimizer=optimizer,
        seed=seed,
        validation=held_out,
        progress=False if quiet else show,
        momentum=momentum,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
        schedule=schedule,
        class_weight=class_weight,
        patience=patience,
    )
    if patience is not None:
        note(f"the parameters of epoch {history.best + 1} are kept", quiet)
    net.save(output)
    if as_json:
        accuracy = history.accuracy if classes else None
        losses = {"loss": numbers(history.loss)}
        if held_out is not None:
            losses["validation_loss"] = numbers(epoch.validation_loss for epoch in history.epochs)
        print_json({"sizes": net.sizes} | losses | {"accuracy": accuracy, "model": str(output)})
    note(f"saved {output}", quiet)


def _classes(table: Table) -> tuple[str | int, ...]:
    import numpy as np

    classes = np.unique(table.truth)
    if classes.size < 2:
        raise DataError(f"{table.source}: the target has one class only ('{classes[0]}'); add samples of another")
    if classes.dtype.kind == "f" and not np.all(classes == np.rint(classes)):
        raise DataError(f"{table.source}: the target is not whole numbers or text; --regression predicts its value")
    return tuple(classes.tolist())


def _target_width(table: Table) -> int:
    """Outputs of a regression."""
    try:
        table.check_numbers()
    except DataError as error:
        raise DataError(f"{error}. Without --regression the target's values are classes") from error
    return 1 if table.truth.ndim == 1 else int(table.truth.shape[1])


def _check_board(net: PlannedNetwork, board: str) -> None:
    from nnlite.planner import plan
    from nnlite.profile import Profile

    answer = plan(net, Profile.load(board))
    if not answer.fits:
        what = "the network does not fit" if answer.fits is False else "it is not known whether the network fits"
        raise DoesNotFitError(
            f"{what} {board}: {'; '.join(answer.reasons)}. Without --board it is trained all the same"
        )


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", readable=False, help="A model file.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="Data as for train.")],
    target: Annotated[
        str | None, typer.Option(help="The column with the truth; not needed for .npz and shoulder.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """How right a model is on data with known answers. Its features are picked from the columns by their names.

    \b
    Example:
      nnlite evaluate m.safetensors test.csv --target state
    """
    import numpy as np

    from nnlite.data import read_table
    from nnlite.network import load
    from nnlite.targets import encode_labels, encode_targets

    net = load(model)
    table = read_table(data, target, net.features, labelled=True)
    table.check_inputs(net.sizes[0])
    outputs = net.decision_function(table.X)
    result: dict[str, float | int] = {"samples": int(table.X.shape[0])}
    if net.output == "softmax":
        truth = encode_labels(table.truth, net.labels, net.sizes[-1], table.where)
        result["accuracy"] = float(np.mean(np.argmax(outputs, axis=1) == truth))
    elif net.output == "sigmoid":
        right = (outputs > 0) == (encode_targets(table.truth, net.sizes[-1]) > 0.5)
        result["accuracy"] = float(np.mean(right))
    else:
        table.check_numbers()
        errors = outputs.astype(np.float64) - encode_targets(table.truth, net.sizes[-1])
        result["root_mean_squared_error"] = float(np.sqrt(np.mean(errors**2)))
    if as_json:
        print_json(result)
    else:
        for name, value in result.items():
            sys.stdout.write(f"{name.replace('_', ' ')}: {value if isinstance(value, int) else f'{value:.4f}'}\n")
