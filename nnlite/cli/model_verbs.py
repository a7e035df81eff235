"""Verbs that need no board: train, evaluate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnlite.cli.screen import JsonOption, QuietOption, note, print_json
from nnlite.errors import DataError, DoesNotFitError, PathError, UsageError

if TYPE_CHECKING:
    from nnlite.data import Table
    from nnlite.network import Network
    from nnlite.training import Epoch

__all__ = ["evaluate", "train"]


def _sizes(hidden: str) -> list[int]:
    try:
        return [int(size) for size in hidden.split(",") if size.strip()]
    except ValueError:
        raise UsageError(f"--hidden takes sizes such as 32,16, not '{hidden}'") from None


def _check_target_folder(path: Path) -> None:
    """Say now, not after the training, that the result cannot be written."""
    if path.is_dir():
        raise PathError(f"cannot write the model to {path}: it is a directory")
    if not path.absolute().parent.is_dir():
        raise PathError(f"cannot write the model to {path}: the folder {path.absolute().parent} does not exist")


def train(
    data: Annotated[str, typer.Argument(help="A CSV file with a header, an .npz file with X and y, or 'shoulder'.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the model goes (.safetensors).")],
    target: Annotated[str | None, typer.Option(help="The column to predict; not needed for .npz.")] = None,
    hidden: Annotated[str, typer.Option(help="Sizes of the hidden layers, such as 32,16.")] = "16",
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 30,
    batch_size: Annotated[int, typer.Option(help="Samples of one step.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Step size.")] = 0.05,
    optimizer: Annotated[str, typer.Option(help="sgd.")] = "sgd",
    seed: Annotated[int, typer.Option(help="Of the first weights and of the order of samples.")] = 0,
    regression: Annotated[bool, typer.Option("--regression", help="Predict the target's value, not a class.")] = False,
    board: Annotated[str | None, typer.Option(help="Refuse what this board cannot hold, before training.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Train a network and save it.

    \b
    Examples:
      nnlite train shoulder --target exercise --hidden 16 -o m.safetensors
      nnlite train readings.csv --target state --hidden 32,16 --epochs 50 -o m.safetensors
    """
    from nnlite.data import read_table
    from nnlite.network import Network
    from nnlite.training import train as train_network

    sizes = _sizes(hidden)
    _check_target_folder(output)
    table = read_table(data, _default_target(data, target))
    if table.y is None:
        raise UsageError("name the column to predict with --target")
    outputs = _outputs(table, regression)
    net = Network([table.X.shape[1], *sizes, outputs], output="linear" if regression else "softmax", seed=seed)
    net.features = table.features
    if board is not None:
        _check_board(net, board)

    def show(number: int, total: int, epoch: Epoch) -> None:
        accuracy = "" if epoch.accuracy is None else f"  accuracy {epoch.accuracy:.3f}"
        note(f"epoch {number:>{len(str(total))}}/{total}  loss {epoch.loss:.4f}{accuracy}", quiet)

    note(f"{table.X.shape[0]} samples of {table.X.shape[1]} features; network {'-'.join(map(str, net.sizes))}", quiet)
    train_network(
        net,
        table.X,
        table.y,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        optimizer=optimizer,
        seed=seed,
        progress=show,
    )
    net.save(output)
    note(f"saved {output}", quiet)


def _default_target(data: str, target: str | None) -> str | None:
    return "exercise" if data == "shoulder" and target is None else target


def _outputs(table: Table, regression: bool) -> int:
    import numpy as np

    assert table.y is not None
    if regression:
        if table.y.dtype.kind not in "fiu":
            raise DataError("the target is text; without --regression its values are classes")
        return 1 if table.y.ndim == 1 else int(table.y.shape[1])
    classes = np.unique(table.y)
    if classes.size < 2:
        raise DataError(f"the target has one class only ('{classes[0]}'); two are needed to tell apart")
    if classes.dtype.kind == "f":
        raise DataError("the target is not whole numbers or text; use --regression to predict its value")
    return int(classes.size)


def _check_board(net: Network, board: str) -> None:
    from nnlite.planner import plan
    from nnlite.profile import Profile

    answer = plan(net, Profile.load(board))
    if not answer.fits:
        raise DoesNotFitError(f"the network does not fit {board}: " + "; ".join(answer.reasons))


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    data: Annotated[str, typer.Argument(help="Data as for train.")],
    target: Annotated[str | None, typer.Option(help="The column with the truth; not needed for .npz.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """How right a model is on data with known answers.

    \b
    Example:
      nnlite evaluate m.safetensors test.csv --target state
    """
    import numpy as np

    from nnlite.data import read_table
    from nnlite.network import load
    from nnlite.training import encode_labels, encode_targets

    net = load(model)
    table = read_table(data, _default_target(data, target), net.features)
    if table.y is None:
        raise UsageError("name the column with the truth with --target")
    outputs = net.decision_function(table.X)
    result: dict[str, float | int] = {"samples": int(table.X.shape[0])}
    if net.output == "softmax":
        truth = encode_labels(table.y, net.labels, net.sizes[-1])
        result["accuracy"] = float(np.mean(np.argmax(outputs, axis=1) == truth))
    else:
        errors = outputs.astype(np.float64) - encode_targets(table.y, net.sizes[-1])
        result["root_mean_squared_error"] = float(np.sqrt(np.mean(errors**2)))
    if as_json:
        print_json(result)
    else:
        for name, value in result.items():
            sys.stdout.write(f"{name.replace('_', ' ')}: {value if isinstance(value, int) else f'{value:.4f}'}\n")
