"""What would fit instead: settings for the same network, then smaller networks, the nearest first.

Whether something fits is asked of whoever calls; here is only what to ask for, and in which order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

from nnlite.memory import Learning

__all__ = ["Suggestion", "suggestions"]

Sizes = tuple[int, ...]
#: whether a network of these sizes fits, run or learning so
Fits = Callable[[Sizes, Learning | None], bool]

#: optimisers that keep less
_LIGHTER: dict[str, tuple[str, ...]] = {"adam": ("momentum", "sgd"), "momentum": ("sgd",), "sgd": ()}
#: what can be changed for the same network, easiest to do without first
_AXES = ("batch_size", "keep", "optimizer", "last_layers")


@dataclass(frozen=True)
class Suggestion:
    """Something near to what was asked for that fits the board.

    Attributes
    ----------
    description : for people.
    sizes : of the network; those that were asked for where other settings are enough.
    arguments : for `plan`, beside a network of these sizes and the profile.
    """

    description: str
    sizes: Sizes
    arguments: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"description": self.description, "sizes": list(self.sizes), **self.arguments}


def suggestions(sizes: Sizes, learning: Learning | None, fits: Fits) -> tuple[Suggestion, ...]:
    """What fits and is nearest to a network that does not, learning so or only run.

    First the same network with as few other settings as are enough, each the least change that is: the largest batch,
    the next lighter optimiser, the most layers. Then the largest hidden layers in the same proportions: with the
    settings asked for, with batches of 1, and with the lightest settings, each where it allows a larger network than
    the one before.
    """
    found = [] if learning is None else [_settings(sizes, learning, way) for way in _ways(sizes, learning, fits)]
    seen: Sizes = ()
    for way in _lighter_and_lighter(learning):
        if fits(sizes, way):  # told above
            break
        smaller = _largest(sizes, way, fits)
        if smaller is not None and sum(smaller) > sum(seen):
            seen = smaller
            found.append(_network(smaller, learning, way))
    if not found and learning is not None and fits(sizes, None):
        found.append(Suggestion("running it, without learning on the board", sizes, _arguments(None)))
    return tuple(found)


def _ways(sizes: Sizes, learning: Learning, fits: Fits) -> Iterator[Learning]:
    enough: list[set[str]] = []
    for count in range(1, len(_AXES) + 1):
        for axes in combinations(_AXES, count):
            if any(other <= set(axes) for other in enough):
                continue
            way = _least_change(sizes, learning, axes, fits)
            if way is not None:
                enough.append(set(axes))
                yield way


def _least_change(sizes: Sizes, learning: Learning, axes: Sequence[str], fits: Fits) -> Learning | None:
    """These settings changed, all of them, as little as is enough; None where it is not enough."""
    layers = len(sizes) - 1
    choices: dict[str, Sequence[Any]] = {
        "batch_size": (1,) if learning.batch_size > 1 else (),
        "keep": (False,) if learning.keep else (),
        "optimizer": _LIGHTER[learning.optimizer],
        "last_layers": range((learning.last_layers or layers) - 1, 0, -1),
    }
    for values in product(*(choices[axis] for axis in axes)):
        way = replace(learning, **dict(zip(axes, values, strict=True)))
        if fits(sizes, way):
            if "batch_size" not in axes:
                return way
            return _largest_batch(sizes, way, learning.batch_size, fits)
    return None


def _largest_batch(sizes: Sizes, way: Learning, below: int, fits: Fits) -> Learning:
    """With batches of 1 it fits, with `below` it does not."""

    def is_too_large(batch_size: int) -> bool:
        return not fits(sizes, replace(way, batch_size=batch_size))

    return replace(way, batch_size=1 + bisect_left(range(2, below), True, key=is_too_large))


def _lighter_and_lighter(learning: Learning | None) -> Iterator[Learning | None]:
    yield learning
    if learning is not None:
        yield replace(learning, batch_size=1)
        yield Learning(last_layers=1)


def _largest(sizes: Sizes, way: Learning | None, fits: Fits) -> Sizes | None:
    """The largest smaller hidden layers, in the same proportions, that fit; None where the smallest do not."""
    inputs, *hidden, outputs = sizes
    widest = max(hidden, default=1)

    def shrunk(width: int) -> Sizes:
        return (inputs, *(max(1, size * width // widest) for size in hidden), outputs)

    def is_too_large(width: int) -> bool:
        return not fits(shrunk(width), way)

    first_too_large = bisect_left(range(1, widest), True, key=is_too_large)
    return shrunk(first_too_large) if first_too_large else None


def _settings(sizes: Sizes, asked: Learning, way: Learning) -> Suggestion:
    only_batch = replace(way, batch_size=asked.batch_size) == asked
    return Suggestion(f"batches of {way.batch_size}" if only_batch else way.description, sizes, _arguments(way))


def _network(sizes: Sizes, asked: Learning | None, way: Learning | None) -> Suggestion:
    settings = "" if way is None or way == asked else f", {way.description}"
    return Suggestion(f"{'-'.join(map(str, sizes))}{settings}", sizes, _arguments(way))


def _arguments(way: Learning | None) -> dict[str, Any]:
    if way is None:
        return {"learn": False}
    return {
        "learn": True,
        "batch_size": way.batch_size,
        "optimizer": way.optimizer,
        "last_layers": way.last_layers,
        "keep": way.keep,
    }
