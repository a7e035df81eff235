"""Mixed traffic for a long time, with faults: what leaks, what drifts, whether a model gets lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from firmware_sim.faults import Faults
from nnlite.device import Device
from nnlite.errors import NNLiteError
from tests.proof.flash_content import OUTCOMES
from tests.proof.link_model import CLASSES, INPUTS, LinkModel
from tests.proof.nets import labelled

__all__ = ["Gauge", "Soaked", "soak"]

_ECHO = bytes(range(40))
_SAMPLE = np.zeros((1, INPUTS), np.float32)
#: share of messages that the line disturbs
_NOISY_MESSAGES = 0.05
_WHATS = ("flash", "learn", "trial", "rollback")


@dataclass(frozen=True)
class Gauge:
    """What must not grow or drift.

    Attributes
    ----------
    memory_kb : resident memory of this process, simulator included; 0 where /proc does not tell.
    stack_bytes : deepest stack of the board so far.
    arena_bytes : what its firmware leaves of RAM.
    echo_cycles, run_cycles : of one ECHO and one RUN on a good line, seen from the laptop.
    """

    memory_kb: int
    stack_bytes: int
    arena_bytes: int
    echo_cycles: int
    run_cycles: int


@dataclass(frozen=True)
class Soaked:
    """What was done, and the gauge after a tenth of it and at the end.

    Attributes
    ----------
    messages : requests that were carried out.
    commits : models that came to serve, one after the other.
    faults : power cuts, resets and noises.
    erased : how often each slot was erased, as the device counts.
    """

    messages: int
    commits: int
    faults: int
    erased: tuple[int, int]
    early: Gauge
    late: Gauge


def _memory_kb() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))


def _gauge(link: LinkModel) -> Gauge:
    """On a board that has just booted, so that what is measured does not depend on when."""
    link.reconnect("boot")
    device = link.device

    def cycles(do: Callable[[], object]) -> int:
        start = link.board.cycles
        do()
        return link.board.cycles - start

    link.flash(labelled([INPUTS, CLASSES], 1))
    device.decision_function(_SAMPLE)  # the shape is known from now on
    echo, run = cycles(lambda: device.echo(_ECHO)), cycles(lambda: device.decision_function(_SAMPLE))
    return Gauge(_memory_kb(), link.board.stack_high_water, device.info().arena_bytes, echo, run)


def soak(board: str, messages: int, commits: int, seed: int = 0) -> Soaked:
    """Go on until so many messages were carried out and so many commits.

    Raises
    ------
    AssertionError : board and model differ, or an echo is not what it should be.
    """
    chance = Random(seed)
    link = LinkModel(board)
    early: Gauge | None = None
    done = faults = 0
    while done < messages or link.commits < commits:
        # As many commits a message as there are to be in all.
        if chance.random() < commits / messages or link.serving is None:
            faults += _commit(link, chance)
        if chance.random() < _NOISY_MESSAGES:
            faults += 1
            link.board.line.expose_to(Faults(chance.randrange(1 << 30), flip=5e-4, drop=1e-4, double=1e-4))
            with suppress(NNLiteError):  # a named error is allowed, another answer is not
                _small(link.device, link, chance)
            link.board.line.restore()
        else:
            _small(link.device, link, chance)
        done += 1
        if early is None and done >= messages // 10:
            early = _gauge(link)
        if done % 100 == 0:
            link.check()
    late = _gauge(link)
    slots = link.device.known.slots
    erased = (slots[0].erase_count, slots[1].erase_count)
    counted = link.commits
    link.close()
    assert early is not None
    return Soaked(done, counted, faults, erased, early, late)


def _small(device: Device, link: LinkModel, chance: Random) -> None:
    """One message that changes nothing."""
    kind = chance.random()
    if kind < 0.6:
        data = chance.randbytes(chance.randrange(device.echo_bytes // 4))
        assert device.echo(data) == data
    elif kind < 0.9:
        link.run_rows()
    elif kind < 0.95:
        device.verify()
    else:
        link.pull()


def _commit(link: LinkModel, chance: Random) -> bool:
    """Let another model serve, perhaps in trouble. Gives whether there was any."""
    hidden = chance.choice(([], [8], [40]))
    net = labelled([INPUTS, *hidden, CLASSES], chance.randrange(1000))
    trouble = chance.random() if link.serving is not None else 1.0
    if trouble < 0.15:
        link.cut(chance.choice(_WHATS), net, chance.randrange(1, 100), chance.choice(OUTCOMES), chance.randrange(1000))
    elif trouble < 0.3:
        noise = Faults(seed=chance.randrange(1 << 30), flip=5e-4, drop=1e-4, double=1e-4, burst=1e-4, silence=1e-5)
        link.disturb(chance.choice(_WHATS[:3]), net, noise)
    elif trouble < 0.35:
        link.reconnect(chance.choice(("close", "reset", "boot", "break")))
    else:
        link.do(chance.choices(_WHATS, (6, 3, 1, 1))[0] if link.serving is not None else "flash", net)
        return False
    return True
