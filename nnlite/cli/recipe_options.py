"""Options of how to train, which train, learn and plan share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "BatchSizeOption",
    "ClassWeightOption",
    "ClipNormOption",
    "LastLayersOption",
    "LearningRateOption",
    "MomentumOption",
    "OptimizerOption",
    "PatienceOption",
    "ScheduleOption",
    "ValidateOption",
    "WeightDecayOption",
    "read_validation",
]

BatchSizeOption = Annotated[int, typer.Option(help="Samples of one step.")]
LearningRateOption = Annotated[float, typer.Option(help="Step size.")]
OptimizerOption = Annotated[str, typer.Option(metavar="NAME", help="sgd, momentum or adam.")]
MomentumOption = Annotated[float | None, typer.Option(help="Of the optimizer momentum; 0.9 if not given.")]
WeightDecayOption = Annotated[float, typer.Option(help="Share of each weight that a step takes away, times the rate.")]
ClipNormOption = Annotated[float | None, typer.Option(help="Longest gradient of a step.")]
ScheduleOption = Annotated[str, typer.Option(metavar="NAME", help="Of the rate: constant, step or cosine.")]
LastLayersOption = Annotated[int | None, typer.Option(help="Train only so many layers, counted from the output.")]
ClassWeightOption = Annotated[
    str | None, typer.Option(metavar="balanced", help="'balanced' weighs rare classes as much as frequent ones.")
]
ValidateOption = Annotated[
    str | None, typer.Option(metavar="DATA", help="Data to measure on after each epoch, with the same columns.")
]
PatienceOption = Annotated[
    int | None,
    typer.Option(help="Stop after so many epochs without a lower loss on --validate, and keep the best."),
]


def read_validation(
    data: str | None, target: str | None, features: tuple[str, ...] | None, inputs: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]] | None:
    """Samples and truth of --validate."""
    from nnlite.data import read_table

    if data is None:
        return None
    table = read_table(data if data == "shoulder" else Path(data), target, features, labelled=True)
    table.check_inputs(inputs)
    return table.X, table.truth
