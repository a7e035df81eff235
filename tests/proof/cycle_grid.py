"""Networks whose inference and training step are run in the simulator, beside what `nnlite.cycles` says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

import nnlite
from nnlite.cycles import Cycles, Sample, inference_cycles, step_cycles
from nnlite.kernels import step
from nnlite.planner import plan
from nnlite.profile import Profile
from tests.proof.cycle_parts import biases, is_active, usual_inputs, weights
from tests.proof.runtime_calls import ACTIVATIONS, Chip, Floats, Network, floats

__all__ = ["KINDS", "PROMISED", "Outcome", "Trial", "draw", "run"]

_ACTIVATIONS = ("relu", "relu", "relu", "leaky_relu", "sigmoid", "tanh")
_OUTPUTS = ("softmax", "softmax", "linear", "sigmoid")
_RATE = 0.01
#: weights of a network here: as many as the simulator runs in a moment
_LARGEST = {"cortex-m0": 6_000, "cortex-m4f": 60_000}
#: by how much an estimate may differ from what is measured, as a share, once it is known which units are active
PROMISED = {"cortex-m0": 0.05, "cortex-m4f": 0.03}
#: a sum of fewer products is more chance than mean, where floats are computed in software
_SMALLEST = 16
#: how numbers are drawn that are not usual
KINDS = ("zeros", "subnormal", "cancelling", "mixed", "huge and tiny")


@dataclass(frozen=True)
class Trial:
    """A network, and how it learns.

    Attributes
    ----------
    trained : it went through some epochs on the laptop.
    kind : of its numbers: "usual", or one of KINDS.
    """

    net: Network
    optimizer: str
    batch_size: int
    last_layers: int | None
    standardised: bool
    trained: bool
    kind: str
    seed: int


@dataclass(frozen=True)
class Outcome:
    """Of a trial: what was measured, and what the model says.

    Attributes
    ----------
    inference_model, step_model : given which units were active.
    by_number : both, given only how many of each layer were.
    """

    trial: Trial
    inference: int
    step: int
    inference_model: Cycles
    step_model: Cycles
    by_number: tuple[Cycles, Cycles]

    @property
    def errors(self) -> tuple[float, float]:
        """Of the two estimates, as shares of what was measured."""
        return self._errors(self.inference_model, self.step_model)

    @property
    def errors_by_number(self) -> tuple[float, float]:
        """The same where only the number of active units is known."""
        return self._errors(*self.by_number)

    def _errors(self, inference: Cycles, step: Cycles) -> tuple[float, float]:
        return inference.estimate / self.inference - 1, step.estimate / self.step - 1

    @property
    def enclosed(self) -> bool:
        """Whether both are between least and most."""
        pairs = (self.inference_model, self.inference), (self.step_model, self.step)
        return all(model.minimum <= measured <= model.maximum for model, measured in pairs)


@dataclass(frozen=True)
class _Planned:
    """What a plan asks of a network."""

    sizes: tuple[int, ...]
    hidden: str
    output: str
    mean = None
    labels = None


def _fits(profile: Profile, trial: Trial) -> bool:
    net = _Planned(trial.net.sizes, trial.net.hidden, trial.net.output)
    answer = plan(net, profile, True, trial.batch_size, trial.optimizer, trial.last_layers)
    return bool(answer.fits)


def draw(profile: Profile, seed: int, kind: str = "usual") -> Trial:
    """A network that fits the board, from 2 to 5 layers of sizes, each of one out of a geometric row."""
    rng = np.random.default_rng([seed, len(kind)])
    while True:
        layers = int(rng.choice([1, 2, 2, 2, 3, 4]))
        sizes = (*(int(2 ** rng.uniform(1, 7.5)) for _ in range(layers)), int(rng.integers(2, 17)))
        weights_there = sum(i * o for i, o in pairwise(sizes))
        net = Network(sizes, str(rng.choice(_ACTIVATIONS)), str(rng.choice(_OUTPUTS)))
        trial = Trial(
            net=net,
            optimizer=str(rng.choice(["sgd", "sgd", "momentum", "adam"])),
            batch_size=int(rng.choice([1, 1, 2, 4, 8])),
            last_layers=int(rng.integers(1, layers + 1)) if rng.random() < 0.3 else None,
            standardised=bool(rng.random() < 0.5),
            trained=kind == "usual" and bool(rng.random() < 0.4),
            kind=kind,
            seed=seed,
        )
        if _SMALLEST <= weights_there <= _LARGEST[profile.core] and _fits(profile, trial):
            return trial


def _parameters(trial: Trial, rng: np.random.Generator) -> Floats:
    sizes = trial.net.sizes
    pairs = list(pairwise(sizes))
    count = sum(i * o + o for i, o in pairs)
    if trial.kind == "cancelling":
        return floats(np.where(np.arange(count) % 2, 0.5, -0.5))
    if trial.kind == "subnormal":
        return floats(rng.uniform(-1e-38, 1e-38, count))
    if trial.kind == "huge and tiny":
        return floats(rng.choice([1e-30, -1e-30, 1e-3, 1.0, -1.0], count))
    if trial.trained:
        return _trained(trial, rng)
    values = np.concatenate([v for i, o in pairs for v in (weights(rng, i, o).ravel(), biases(rng, o))])
    return floats(np.where(rng.random(count) < 0.3, 0, values) if trial.kind == "mixed" else values)


def _trained(trial: Trial, rng: np.random.Generator) -> Floats:
    inputs, outputs = trial.net.sizes[0], trial.net.sizes[-1]
    centres = rng.normal(size=(outputs, inputs))
    classes = np.concatenate([np.arange(outputs), rng.integers(outputs, size=60)])
    X = floats(centres[classes] + 0.5 * rng.normal(size=(classes.size, inputs)))
    truth = classes if trial.net.output == "softmax" else np.eye(outputs, dtype=np.float32)[classes]
    net = nnlite.Network(list(trial.net.sizes), trial.net.hidden, trial.net.output, seed=trial.seed)
    nnlite.train(net, X, truth, epochs=3, learning_rate=min(0.05, 0.5 / max(trial.net.sizes[:-1])), progress=False)
    return floats(net.parameters)


def _samples(trial: Trial, rng: np.random.Generator) -> Floats:
    count = trial.batch_size, trial.net.sizes[0]
    if trial.kind == "zeros":
        return floats(np.zeros(count))
    if trial.kind == "subnormal":
        return floats(rng.uniform(1e-40, 1e-38, count))
    if trial.kind == "cancelling":
        return floats(np.ones(count))
    if trial.kind == "mixed":
        return floats(rng.choice([0.0, 1e-40, 1e-20, 0.3, 1.0, -2.0], count))
    if trial.kind == "huge and tiny":
        return floats(rng.choice([1e-35, 1e-10, 1.0, 100.0], count))
    return np.stack([usual_inputs(rng, count[1]) for _ in range(count[0])])


def _targets(trial: Trial, rng: np.random.Generator) -> Floats:
    outputs = trial.net.sizes[-1]
    if trial.net.output == "linear":
        return floats(rng.normal(size=outputs))
    return floats(rng.random(outputs) < 0.5)


class _Bench:
    """One trial's numbers on a chip."""

    def __init__(self, chip: Chip, trial: Trial) -> None:
        rng = np.random.default_rng(trial.seed)
        self.chip, self.trial, self.sizes = chip, trial, trial.net.sizes
        self.parameters = _parameters(trial, rng)
        self.raw = _samples(trial, rng)
        self.labels = rng.integers(self.sizes[-1], size=trial.batch_size)
        self.targets = _targets(trial, rng)
        spread = 1.0 if trial.kind == "usual" else 0.0
        self.mean = floats(rng.normal(size=self.sizes[0]) * 0.3 * spread)
        self.scale = floats(np.exp(rng.normal(size=self.sizes[0]) * 0.3 * spread))

    def _standardised(self, at: int) -> int:
        if not self.trial.standardised:
            return 0
        mean, scale = self.chip.put(self.mean), self.chip.put(self.scale)
        return self.chip.run("nn_standardize", at, mean, scale, at, self.sizes[0])[0]

    def inference(self) -> int:
        """Of the first sample, with probabilities where there are any."""
        chip, widest, outputs = self.chip, max(self.sizes), self.sizes[-1]
        chip.clear()
        shape, parameters = chip.shape(self.trial.net), chip.put(self.parameters)
        a = chip.put(floats(np.concatenate([self.raw[0], np.zeros(widest - self.sizes[0])])))
        b = chip.put(floats(np.zeros(widest)))
        cycles = self._standardised(a)
        more, logits = chip.run("nn_forward", shape, parameters, a, b, returns=int)
        cycles += more
        if self.trial.net.output != "linear":
            function = {"softmax": "nn_softmax", "sigmoid": "nn_sigmoid"}[self.trial.net.output]
            cycles += chip.run(function, logits, b if logits == a else a, outputs)[0]
        return cycles

    def step(self) -> int:
        """Of the batch."""
        chip, trial, sizes = self.chip, self.trial, self.sizes
        chip.clear()
        layers = len(sizes) - 1
        frozen = 0 if trial.last_layers is None else layers - trial.last_layers
        trained = sizes[frozen:]
        whole, image = chip.shape(trial.net), chip.put(self.parameters)
        shape = chip.shape(Network(trained, trial.net.hidden, trial.net.output))
        learned = image + 4 * _count(sizes[: frozen + 1])
        record, errors = sum(trained), sum(trained[1:])
        X = chip.put(floats(np.zeros((trial.batch_size, record))))
        dA = chip.put(floats(np.zeros((trial.batch_size, errors))))
        targets = chip.put(self.targets)
        a, b = (chip.put(floats(np.zeros(max(sizes)))) for _ in range(2))
        cycles = 0
        for k, raw in enumerate(self.raw):
            x, da = X + 4 * k * record, dA + 4 * k * errors
            at = a if frozen else x
            chip.write(at, raw)
            cycles += self._standardised(at)
            if frozen:
                more, features = chip.run("nn_features", whole, image, a, b, frozen, returns=int)
                cycles += more
                chip.write(x, chip.get(features, trained[0]))
            cycles += chip.run("nn_forward_record", shape, learned, x)[0]
            truth = int(self.labels[k]), targets
            cycles += chip.run("nn_backward", shape, learned, x, *truth, 1.0, da, returns=float)[0]
        state = chip.put(self._state(trial.optimizer, _count(trained)))
        rule = chip.rule(trial.optimizer, _RATE)
        more, good = chip.run("nn_apply", shape, learned, X, dA, rule, state, trial.batch_size, returns=bool)
        if not good:
            raise ValueError(f"{trial} ends with numbers that are not finite, which the model is not for")
        return cycles + more

    def _state(self, optimizer: str, count: int) -> Floats:
        """What the optimiser kept from some steps before."""
        rng, spread = np.random.default_rng(self.trial.seed + 1), float(self.trial.kind in ("usual", "mixed"))
        moment = rng.normal(size=count) * 0.05 * spread
        kept = {"sgd": [], "momentum": moment, "adam": [0.9**5, 0.999**5, *moment, *(0.1 * moment) ** 2]}
        return floats(kept[optimizer])

    def samples(self) -> list[Sample]:
        """What is known of each sample once it has run; on the laptop, which has the same bits."""
        net = self.trial.net
        shape = step.Shape(np.array(self.sizes, np.int64), ACTIVATIONS[net.hidden], step.LINEAR)
        found = []
        for raw in self.raw:
            X = floats(np.zeros(sum(self.sizes)))
            X[: raw.size] = (raw - self.mean) * self.scale if self.trial.standardised else raw
            step.forward_record(shape, self.parameters, X)
            layers = np.split(X, np.cumsum(self.sizes)[:-1])
            found.append(Sample([is_active(net.hidden, x) for x in layers[1:-1]], raw != 0))
        return found


def _count(sizes: Sequence[int]) -> int:
    """Parameters."""
    return sum(i * o + o for i, o in pairwise(sizes))


def run(profile: Profile, chip: Chip, trial: Trial) -> Outcome:
    """Measure both, and ask the model."""
    bench = _Bench(chip, trial)
    samples = bench.samples()
    models = [_models(profile, trial, known) for known in (samples, [_numbers(sample) for sample in samples])]
    return Outcome(trial, bench.inference(), bench.step(), *models[0], models[1])


def _numbers(sample: Sample) -> Sample:
    """How many units of each layer are active, not which."""
    assert sample.active is not None
    assert sample.inputs is not None
    return Sample([int(np.sum(active)) for active in sample.active], int(np.sum(sample.inputs)))


def _models(profile: Profile, trial: Trial, samples: Sequence[Sample]) -> tuple[Cycles, Cycles]:
    net = trial.net
    inference = inference_cycles(
        profile,
        net.sizes,
        net.hidden,
        standardised=trial.standardised,
        probabilities="" if net.output == "linear" else net.output,
        sample=samples[0],
    )
    step = step_cycles(
        profile,
        net.sizes,
        net.hidden,
        net.output,
        optimizer=trial.optimizer,
        batch_size=trial.batch_size,
        last_layers=trial.last_layers,
        standardised=trial.standardised,
        samples=samples,
    )
    return inference, step
