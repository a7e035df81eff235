"""How many cycles an inference and a training step take, from the sizes of a network alone: an estimate.

A sum over the functions of the runtime that are called, each with a few terms: so much a call, an output, a
multiply-add, an active unit. What a term takes scripts/fit_cycles measured on the board's prebuilt firmware in the
simulator: at least, usually, at most. Counted is computation, from a function's entry to its return; the link, looking
whether what came in is finite, and the firmware's bookkeeping are not.

A core with an FPU takes the same cycles for the same sizes but for ReLU's units at 0, whose gradients are not computed,
and for exp and what is made of it. Floats in software take as long as their numbers need: least and most hold for any
finite numbers, the most for such as networks hardly ever have (subnormal ones).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from math import ceil, floor, log2

import msgspec
import numpy as np
import numpy.typing as npt

from nnlite.profile import Profile

__all__ = [
    "Call",
    "Cycles",
    "Sample",
    "Table",
    "gradient_sums",
    "inference_calls",
    "inference_cycles",
    "load_table",
    "price",
    "step_calls",
    "step_cycles",
    "terms",
]

_WITH_FPU = "cortex-m4f"
Terms = dict[str, float]
Shares = npt.NDArray[np.float64]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What scripts/fit_cycles measured on a board.

    Attributes
    ----------
    firmware : digest of the image that it was measured on, as the script makes it.
    parts : of each function, by its name here: term -> cycles at least, usually, at most. A term that is not there
        takes none.
    """

    firmware: str
    parts: dict[str, dict[str, tuple[float, float, float]]]


@dataclass(frozen=True)
class Cycles:
    """Of one computation.

    Attributes
    ----------
    minimum, maximum : it takes no less and no more, whatever the numbers are, if all of them stay finite.
    estimate : with usual numbers, and as many units active as was said.
    """

    minimum: int
    estimate: int
    maximum: int

    def __add__(self, other: Cycles) -> Cycles:
        return Cycles(self.minimum + other.minimum, self.estimate + other.estimate, self.maximum + other.maximum)


#: how many of a layer's numbers are something, or, as a mask, which of them: exact where several things come together
Known = float | npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sample:
    """What is known of one sample.

    Attributes
    ----------
    active : of each hidden layer, how many units are active, or a mask; None for half of them. With ReLU and leaky ReLU
        those above 0, with tanh those whose sum is 0.7 or more in magnitude, and so whose output is 0.604. All units of
        sigmoid are alike, and this is not looked at.
    inputs : how many of the network's inputs are not 0, before they are standardised, or a mask; None for all.
    dead : every number that a layer is given is 0, and every slope: the least that there can be.
    """

    active: Sequence[Known] | None = None
    inputs: Known | None = None
    dead: bool = False


@dataclass(frozen=True)
class Call:
    """A call of a function of the runtime, without what other calls stand for.

    Attributes
    ----------
    part : the function's name in a table; it begins with "whole" where it only calls others.
    numbers : inputs, outputs; units; layers; samples of a batch; used, of the inputs: not 0; faint, of those: a
        hundredth by leaky ReLU; active, of the inputs or units; steering, of the numbers of dA: not 0. Of a batch's
        gradients, of weights and of biases: products that are not 0; sums touched by one; zeros: how often a sum is 0
        still when a product has been added.
    times : how often it is called.
    """

    part: str
    numbers: Mapping[str, float]
    times: int = 1


def terms(core: str, call: Call) -> Terms:
    """How many of which terms one such call takes on a core, "cortex-m0" or "cortex-m4f"."""
    part, n = call.part, call.numbers
    fpu = core == _WITH_FPU
    if part.startswith("whole"):
        return {"call": 1, "layer": n["layers"], "several layers": n["layers"] > 1}
    if part == "standardise":
        return {"call": 1, "input": n["inputs"], "used input": n["used"]}
    if part in ("relu", "leaky_relu", "sigmoid", "tanh"):
        return {"call": 1, "unit": n["units"], "active unit": n["active"]}
    if part.startswith(("loss", "probabilities")):
        return {"call": 1, "output": n["outputs"]}
    if part == "dense":
        return _blocks(n) if fpu else _soft_dense(n)
    if part.startswith("backward"):
        return _backward(n) if fpu else _soft_backward(n)
    if part == "sgd of one":
        return _blocks(n) | _turns("input", n["inputs"]) if fpu else _soft_sgd_of_one(n)
    return _batch(n) if fpu else _batch(n) | _soft_batch(n)


def _turns(name: str, count: float) -> Terms:
    """Of a loop with an FPU: four a turn, then one by one."""
    return {
        f"four {name}s or more": count >= 4,
        f"four {name}s": count // 4,
        f"{name}s left": count % 4 > 0,
        f"{name} left": count % 4,
    }


def _blocks(n: Mapping[str, float]) -> Terms:
    """Of a layer with an FPU: eight outputs are computed side by side, their inputs four a turn; then four outputs,
    then those that are left, their inputs one a turn."""
    inputs, outputs = n["inputs"], n["outputs"]
    eights, four, left = outputs // 8, outputs // 4 % 2, outputs % 4
    found = {"call": 1, "eights": eights > 0, "eight": eights, "four": four, "four x input": four * inputs}
    found |= {f"eight x {name}": eights * number for name, number in _turns("input", inputs).items()}
    for width in (1, 2, 3):
        found |= {f"last {width}": left == width, f"last {width} x input": (left == width) * inputs}
    return found


def _soft_dense(n: Mapping[str, float]) -> Terms:
    """Of an input that is 0 the products are left out. A sum that changes its sign or exponent takes more, which
    becomes rarer from term to term."""
    outputs, used = n["outputs"], n["used"]
    return {
        "call": 1,
        "input": n["inputs"],
        "output": outputs,
        "weight": n["inputs"] * outputs,
        "used weight": used * outputs,
        "faint weight": n["faint"] * outputs,
        "output x log used": outputs * log2(1 + used),
    }


def _backward(n: Mapping[str, float]) -> Terms:
    active = n["active"]
    turns = {f"active x {name}": active * number for name, number in _turns("output", n["outputs"]).items()}
    return {"call": 1, "input": n["inputs"], "active input": active} | turns


def _soft_backward(n: Mapping[str, float]) -> Terms:
    active, outputs, steering = n["active"], n["outputs"], n["steering"]
    return {
        "call": 1,
        "input": n["inputs"],
        "active input": active,
        "output": outputs,
        "weight": active * outputs,
        "steered weight": active * steering,
        "active x log steering": active * log2(1 + steering),
    }


def _soft_sgd_of_one(n: Mapping[str, float]) -> Terms:
    """Where dA is 0 nothing is done."""
    steering = n["steering"]
    return {
        "call": 1,
        "input": n["inputs"],
        "output": n["outputs"],
        "steering output": steering,
        "weight": steering * n["inputs"],
        "used weight": steering * n["used"],
    }


def _batch(n: Mapping[str, float]) -> Terms:
    samples, outputs, weights = n["samples"], n["outputs"], n["inputs"] * n["outputs"]
    return {
        "call": 1,
        "sample": samples,
        "input": n["inputs"],
        "output": outputs,
        "weight": weights,
        "sample x output": samples * outputs,
        "sample x weight": samples * weights,
    }


def _soft_batch(n: Mapping[str, float]) -> Terms:
    names = {"products": "product of {}", "touched": "touched {}", "zeros": "zero sum of {}"}
    return {
        name.format(of): n[f"{what}{number}"]
        for what, of in (("", "weight"), ("bias ", "output"))
        for number, name in names.items()
    }


def gradient_sums(part: str, samples: Sequence[tuple[Shares, Shares, int]]) -> Terms:
    """Numbers of a `Call` that says how the gradients of a batch come together.

    Parameters
    ----------
    samples : of each, how likely it is that a number of X (inputs,) and of dA (outputs,) is not 0, and how many there
        are like it, one behind the other.
    """
    X, dA, times = zip(*samples, strict=True)
    found: Terms = {}
    for what, left in (("", X), ("bias ", [np.ones(1)] * len(X))):
        (x, alike_x), (da, alike_da) = _alike(left), _alike(dA)
        counts = np.outer(alike_x, alike_da)
        products, zeros, untouched = 0.0, 0.0, np.ones(counts.shape)
        for n, often in enumerate(times):
            share = np.outer(x[n], da[n])
            products += often * float((share * counts).sum())
            if n == 0 and part == "sgd":  # whose sums begin with the first product, not with 0
                zeros -= float(((1 - share) * counts).sum())
            # untouched after one more, two more ...: a geometric series
            after = (1 - share) ** often
            series = np.divide(
                (1 - share) * (1 - after), share, out=np.full(share.shape, often, float), where=share > 0
            )
            zeros += float((untouched * series * counts).sum())
            untouched = untouched * after
        found |= {f"{what}products": products, f"{what}zeros": zeros}
        found[f"{what}touched"] = float(((1 - untouched) * counts).sum())
    return found


def _alike(shares: Sequence[Shares]) -> tuple[Shares, npt.NDArray[np.intp]]:
    """Columns that differ, (samples, columns), and how many numbers each stands for."""
    return np.unique(np.array(shares), axis=1, return_counts=True)


def _shares(size: int, known: Known) -> Shares:
    """By number: 1 or 0 with a mask, else the chance of each."""
    return known.astype(np.float64) if isinstance(known, np.ndarray) else np.full(size, known / size)


@dataclass(frozen=True)
class _Activity:
    """Of one sample: for the inputs and each hidden layer, which numbers are not 0, and which units are active."""

    raw: Shares
    used: list[Shares]
    active: list[Shares]

    def behind(self, layers: int) -> _Activity:
        """Without the first layers."""
        return _Activity(self.raw, self.used[layers:], self.active[layers:])


def _activity(sizes: Sequence[int], hidden: str, sample: Sample, standardised: bool) -> _Activity:
    units = sizes[1:-1]
    known = [size / 2 for size in units] if sample.active is None else sample.active
    active = [_shares(size, of_layer) for size, of_layer in zip(units, known, strict=True)]
    raw = np.ones(sizes[0]) if sample.inputs is None else _shares(sizes[0], sample.inputs)
    used = [np.ones(sizes[0]) if standardised else raw]
    used += active if hidden == "relu" else [np.ones(size) for size in units]
    if sample.dead:
        used = [np.zeros(size) for size in sizes[:-1]]
    return _Activity(raw, used, [np.ones(sizes[0]), *active])


def _forward(
    sizes: Sequence[int], hidden: str, of: _Activity, activated: int, faint: bool = False, times: int = 1
) -> Iterator[Call]:
    """Layers, the first of them with their activation; `faint`: an activation is in front of them."""
    for n in range(len(sizes) - 1):
        used = float(of.used[n].sum())
        small = used - float(of.active[n].sum()) if hidden == "leaky_relu" and (faint or n) else 0.0
        numbers = {"inputs": sizes[n], "outputs": sizes[n + 1], "used": used, "faint": max(0.0, small)}
        yield Call("dense", numbers, times)
        if n < activated:
            yield Call(hidden, {"units": sizes[n + 1], "active": float(of.active[n + 1].sum())}, times)


def inference_calls(
    sizes: Sequence[int], hidden: str, sample: Sample, standardised: bool = False, probabilities: str = ""
) -> Iterator[Call]:
    """What `inference_cycles` counts."""
    of = _activity(sizes, hidden, sample, standardised)
    if standardised:
        yield Call("standardise", {"inputs": sizes[0], "used": float(of.raw.sum())})
    layers = len(sizes) - 1
    yield Call("whole inference", {"layers": layers})
    yield from _forward(sizes, hidden, of, layers - 1)
    if probabilities:
        yield Call(f"probabilities {probabilities}", {"outputs": sizes[-1]})


def step_calls(
    sizes: Sequence[int],
    hidden: str,
    output: str,
    samples: Sequence[Sample],
    optimizer: str = "sgd",
    last_layers: int | None = None,
    standardised: bool = False,
) -> Iterator[Call]:
    """What `step_cycles` counts."""
    frozen = 0 if last_layers is None else len(sizes) - 1 - last_layers
    trained = sizes[frozen:]
    layers = len(trained) - 1
    learned: list[tuple[list[Shares], list[Shares], int]] = []
    for _, group in groupby(samples, id):
        sample, *others = group
        times = 1 + len(others)
        of = _activity(sizes, hidden, sample, standardised)
        if standardised:
            yield Call("standardise", {"inputs": sizes[0], "used": float(of.raw.sum())}, times)
        if frozen:
            yield Call("whole features", {"layers": frozen}, times)
            yield from _forward(sizes[: frozen + 1], hidden, of, frozen, times=times)
            of = of.behind(frozen)
        yield Call("whole record", {"layers": layers}, times)
        yield from _forward(trained, hidden, of, layers - 1, frozen > 0, times)
        yield Call(f"whole way back {output}", {"layers": layers}, times)
        yield Call(f"loss {output}", {"outputs": sizes[-1]}, times)
        steering = [np.zeros(sizes[-1]) if sample.dead else np.ones(sizes[-1])]
        for n in range(layers - 1, 0, -1):
            numbers = {"inputs": trained[n], "outputs": trained[n + 1], "active": float(of.used[n].sum())}
            yield Call(f"backward {hidden}", numbers | {"steering": float(steering[0].sum())}, times)
            # a unit that is not active gets no dA, and none gets any from a layer that has none
            steering.insert(0, of.used[n] * float(steering[0].any()))
        learned.append((of.used, steering, times))
    one = optimizer == "sgd" and len(samples) == 1
    name = "sgd of one" if one else optimizer
    yield Call(f"whole step {name}", {"layers": layers})
    for n in range(layers):
        numbers = {"inputs": trained[n], "outputs": trained[n + 1], "samples": len(samples)}
        X, dA, _ = learned[0]
        numbers |= {"used": float(X[n].sum()), "steering": float(dA[n].sum())}
        yield Call(name, numbers | gradient_sums(name, [(X[n], dA[n], times) for X, dA, times in learned]))


def price(core: str, table: Table, calls: Iterable[Call], column: int) -> float:
    """Cycles of some calls: at least (column 0), usually (1), at most (2)."""
    total = 0.0
    for call in calls:
        prices = table.parts[call.part]
        numbers = terms(core, call).items()
        total += call.times * sum(prices[name][column] * number for name, number in numbers if name in prices)
    return total


def _cycles(least: float, usual: float, most: float) -> Cycles:
    minimum, maximum = floor(least), ceil(most)
    return Cycles(minimum, min(max(minimum, round(usual)), maximum), maximum)


def load_table(profile: Profile) -> Table:
    """Of the prebuilt firmware of a board.

    Raises
    ------
    IncompatibleError : there is none.
    """
    return _decoded(profile.firmware_cycles())


@lru_cache
def _decoded(content: bytes) -> Table:
    return msgspec.json.decode(content, type=Table)


def _bounds(sizes: Sequence[int]) -> tuple[Sample, Sample]:
    """The samples that take the least and the most."""
    return Sample([0] * (len(sizes) - 2), 0, dead=True), Sample(sizes[1:-1], sizes[0])


def inference_cycles(
    profile: Profile,
    sizes: Sequence[int],
    hidden: str = "relu",
    *,
    standardised: bool = False,
    probabilities: str = "",
    sample: Sample | None = None,
) -> Cycles:
    """One inference: `nn_forward`, from its entry to its return with the logits.

    Parameters
    ----------
    profile : a board with firmware.
    sizes : inputs, hidden..., outputs.
    hidden : activation of the hidden layers: "relu", "leaky_relu", "sigmoid", "tanh".
    standardised : add `nn_standardize`.
    probabilities : add what makes probabilities of the logits: "softmax", or "sigmoid"; "" for none.
    sample : what is known of the sample, for the estimate.

    Raises
    ------
    IncompatibleError : there is no firmware for the board.
    """
    table = load_table(profile)
    least, most = _bounds(sizes)

    def of(sample: Sample, column: int) -> float:
        calls = inference_calls(sizes, hidden, sample, standardised, probabilities)
        return price(profile.core, table, calls, column)

    return _cycles(of(least, 0), of(sample or Sample(), 1), of(most, 2))


def step_cycles(
    profile: Profile,
    sizes: Sequence[int],
    hidden: str = "relu",
    output: str = "softmax",
    *,
    optimizer: str = "sgd",
    batch_size: int = 1,
    last_layers: int | None = None,
    standardised: bool = False,
    samples: Sequence[Sample] | None = None,
) -> Cycles:
    """One training step with a batch: of each sample `nn_forward_record` and `nn_backward`, then `nn_apply`.

    Frozen layers are counted by `nn_features`, a standardiser by `nn_standardize`. Sample weights, weight decay, a
    clipped gradient, and setting the best parameters aside are not counted. Of an optimiser that keeps a state the
    estimate is for a step that is not the first.

    Parameters
    ----------
    profile, sizes, hidden, standardised : as of `inference_cycles`.
    output : "softmax", "sigmoid" or "linear"; cross-entropy, binary cross-entropy or squared error goes with it.
    optimizer : "sgd", "momentum" or "adam".
    batch_size : samples of the batch.
    last_layers : how many layers are trained, counted from the output; None for all.
    samples : what is known of each sample of the batch, for the estimate.

    Raises
    ------
    IncompatibleError : there is no firmware for the board.
    """
    table = load_table(profile)
    least, most = _bounds(sizes)

    def of(samples: Sequence[Sample], column: int) -> float:
        calls = step_calls(sizes, hidden, output, samples, optimizer, last_layers, standardised)
        return price(profile.core, table, calls, column)

    return _cycles(of([least] * batch_size, 0), of(samples or [Sample()] * batch_size, 1), of([most] * batch_size, 2))
