"""Who trains beside nnlite, and what each needs."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

__all__ = ["OURS", "PEERS", "TWO_THREADS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """Where a trainer is.

    Attributes
    ----------
    title : as a table's head.
    module, trainer : by its full name, and the class in it.
    package : that it takes; None when there is nothing to install from PyPI.
    install : the distribution's name.
    same_bits : whether it must come to the same parameters in every bit.
    """

    title: str
    module: str
    trainer: str
    package: str | None = None
    install: str = ""
    same_bits: bool = False

    @property
    def is_installed(self) -> bool:
        """Without importing it."""
        return self.package is None or importlib.util.find_spec(self.package) is not None


OURS = Peer("nnlite", f"{__package__}.ours", "Ours", same_bits=True)
TWO_THREADS = Peer("nnlite with two threads", f"{__package__}.ours", "TwoThreads", same_bits=True)
#: by the names that the command line knows them by
PEERS = {
    "c": Peer("C", f"{__package__}.in_c", "Plain", same_bits=True),
    "runtime": Peer("runtime", f"{__package__}.in_c", "Runtime", same_bits=True),
    "jax": Peer("jax", f"{__package__}.in_jax", "Jax", "jax", "jax"),
    "torch": Peer("torch", f"{__package__}.in_torch", "Torch", "torch", "torch"),
    "sklearn": Peer("sklearn", f"{__package__}.in_sklearn", "Sklearn", "sklearn", "scikit-learn"),
}
