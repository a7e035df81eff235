"""Train small neural networks on a laptop, run and go on training them on a microcontroller, bit for bit the same.

The public names load what they need on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnlite.device import Device
    from nnlite.network import Network, load
    from nnlite.planner import Plan, plan
    from nnlite.profile import Profile
    from nnlite.training import History, train

__version__ = "0.1.0"

__all__ = ["Device", "History", "Network", "Plan", "Profile", "__version__", "load", "plan", "train"]

_HOME = {
    "Device": "device",
    "History": "training",
    "Network": "network",
    "Plan": "planner",
    "Profile": "profile",
    "load": "network",
    "plan": "planner",
    "train": "training",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'nnlite' has no attribute '{name}'")
    return getattr(importlib.import_module(f"nnlite.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
