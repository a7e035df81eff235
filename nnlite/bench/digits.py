"""Handwritten digits from the start of a process to its end: what a user waits for."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnlite.errors import IncompatibleError

__all__ = ["Digits", "digits_path", "time_digits"]

_SIZES, _EPOCHS = (64, 32, 10), 30
_PROGRAM = f"""
import sys
import numpy as np
from nnlite import Network, train
with np.load(sys.argv[1]) as data:
    X, y = data["X"], data["y"]
net = Network({list(_SIZES)}, seed=0)
train(net, X, y, epochs={_EPOCHS}, standardize=False, progress=False)
print(np.mean(net.predict(X) == y))
"""


@dataclass(frozen=True)
class Digits:
    """What the processes came to.

    Attributes
    ----------
    samples : all that scikit-learn has.
    accuracy : on what was trained on.
    seconds : of a whole process, the median; kernels are compiled before.
    """

    sizes: tuple[int, ...]
    epochs: int
    samples: int
    accuracy: float
    seconds: float


def digits_path() -> Path | None:
    """Where scikit-learn keeps its digits, 64 pixels from 0 to 16 and a class a line; None without it. It is not
    imported.
    """
    spec = importlib.util.find_spec("sklearn")
    folders = [] if spec is None else spec.submodule_search_locations or []
    paths = [Path(folder) / "datasets" / "data" / "digits.csv.gz" for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def time_digits(path: Path, rounds: int) -> Digits:
    """Train 64-32-10 on the digits, samples one by one, each time in a process of its own.

    Raises
    ------
    IncompatibleError : a process failed.
    """
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "digits.npz"
        np.savez(data, X=table[:, :-1] / 16, y=table[:, -1].astype(np.int64))
        _run(data)
        runs = [_run(data) for _ in range(rounds)]
    return Digits(_SIZES, _EPOCHS, table.shape[0], runs[0][1], statistics.median(seconds for seconds, _ in runs))


def _run(data: Path) -> tuple[float, float]:
    """Seconds and accuracy of one process."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _PROGRAM, data], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise IncompatibleError(f"the digits cannot be trained: {done.stderr.strip()[-400:]}")
    return seconds, float(done.stdout)
