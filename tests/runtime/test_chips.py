"""The runtime's C on the cores themselves: floats in software on the M0, in hardware on the M4."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden.vectors import ELEMENTARY, Record, compute, parse, training_of, words
from tests.golden.vectors import PATH as GOLDEN
from tests.runtime.emulated import BUILDS, Core, core_of
from tests.runtime.native import Floats

RECORDS = parse(GOLDEN.read_text(encoding="ascii"))


def _sample() -> Floats:
    """Every 400,009th number, and whatever stands in the golden vectors; NaN left out, whose bits are nobody's."""
    golden = [record.inputs[0] for record in RECORDS if record.name in ELEMENTARY]
    everywhere = np.arange(0, 1 << 32, 400_009, np.uint64).astype(np.uint32)
    x = np.concatenate([everywhere, *golden]).view(np.float32)
    return x[~np.isnan(x)]


@pytest.fixture(scope="module", params=BUILDS)
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Core:
    return core_of(request.param, tmp_path_factory.mktemp("core"))


@pytest.mark.parametrize("name", ELEMENTARY)
def test_a_core_computes_the_laptop_s_bits(core: Core, name: str) -> None:
    x = _sample()
    np.testing.assert_array_equal(core.sweep(name, x), compute(name, (words(x),))[0])


@pytest.mark.parametrize("record", [record for record in RECORDS if record.name == "train"], ids=lambda _: "train")
def test_a_core_learns_the_laptop_s_bits(core: Core, record: Record) -> None:
    """Losses, parameters and what the optimiser keeps."""
    run = training_of(*record.inputs)
    got = core.train_rows(
        run.shape,
        run.parameters,
        run.X,
        run.labels,
        run.targets,
        run.weights,
        run.rule,
        run.state,
        run.batch,
        run.epochs,
    )
    for mine, wanted in zip(got, record.expected, strict=False):
        np.testing.assert_array_equal(mine, wanted)
