"""docs/PLAN.md names every part and key of a plan, and its example does what it says."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from nnlite import Network, train
from nnlite.errors import DoesNotFitError
from nnlite.planner import plan
from nnlite.profile import Profile, profile_names

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "PLAN.md").read_text(encoding="utf-8")
TITLES = {"flash": "flash", "ram": "RAM", "stack": "stack"}


def every_part() -> set[tuple[str, str]]:
    """Of plans for all that memory depends on."""
    found = set()
    for board, output, learn, optimizer, last, keep in itertools.product(
        profile_names(), ("softmax", "linear"), (False, True), ("sgd", "momentum", "adam"), (None, 1), (False, True)
    ):
        net = Network([3, 4, 2], output=output)
        net.mean, net.scale = np.zeros(3, np.float32), np.ones(3, np.float32)
        net.labels = ("a", "b") if output == "softmax" else None
        parts = plan(net, Profile.load(board), learn, 1, optimizer, last, keep).parts
        found |= {(TITLES[part.memory], part.name) for part in parts}
    return found


def test_the_table_names_every_part_and_no_other() -> None:
    rows = re.findall(r"(?m)^\| (flash|RAM|stack) \| (.+?) \| ", PAGE)
    told = {(memory, name) for memory, names in rows for name in re.findall(r"`(.+?)`", names)}
    assert told == every_part()


def test_the_table_names_every_key() -> None:
    answer = plan(Network([3, 2]), Profile.load("microbit")).to_dict()
    keys = PAGE[PAGE.index("## In JSON") :]
    for key in (*answer, *answer["estimates"]):
        assert f"`{key}`" in keys, key


def test_what_learning_takes_is_what_is_planned() -> None:
    """And no more than was promised: 9,976 and 360 bytes, and 256 of the stack."""
    rows = re.findall(
        r"(?m)^\| (\d[\d-]+\d) \| (\w+) \| ([\d,]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE
    )
    assert len(rows) == 2 * 3
    for sizes, board, most, *told in rows:
        profile = Profile.load(board)
        p = plan(Network([int(size) for size in sizes.split("-")]), profile, learn=True)
        ram, flash = (p.to_dict()["parts"][memory] for memory in ("ram", "flash"))
        counted = ram["parameters"] + ram["activations X"] + ram["gradients dA"]
        assert f"{counted:,}" == most
        assert counted <= {"64-32-10": 9_976, "4-8-3": 360}[sizes]
        shares = [
            ram["inputs"],
            ram["context"],
            flash["image header"],
            profile.firmware.step_stack_bytes,
            p.stack_bytes,
        ]
        assert [str(share) for share in shares] == told
        assert profile.firmware.step_stack_bytes <= 256


@pytest.mark.filterwarnings("error")
def test_the_example_does_what_it_says() -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    data = {"X": np.zeros((2, 64), np.float32), "y": [0, 1]}
    names: dict[str, object] = {**data, "Network": Network}
    exec(compile(code.replace("train(net, X, y", "lambda: train(net, X, y"), "PLAN.md", "exec"), names)
    p = names["p"]
    assert isinstance(p, type(plan(Network([3, 2]), Profile.load("microbit"))))
    assert p.fits is False
    assert "too many" in p.reasons[0]
    nearest = p.suggest()[0]
    assert plan(Network(nearest.sizes), Profile.load("microbit"), **nearest.arguments).fits
    with pytest.raises(DoesNotFitError, match="nothing was trained"):
        train(Network([64, 4000, 10]), data["X"], data["y"], profile=Profile.load("microbit"))
