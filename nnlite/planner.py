"""Does a network fit a board: flash, RAM and stack, byte by byte, before anything is sent.

What the network takes is summed in `nnlite.memory`; the sizes of the firmware itself come from its prebuilt image. For
a board that has none, image and arena are held against the datasheet's totals, and the plan says that it is not exact.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import asdict, dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from nnlite import layout
from nnlite.checks import check_batch_size, check_integer
from nnlite.cycles import Cycles, inference_cycles, step_cycles
from nnlite.errors import DoesNotFitError, UsageError
from nnlite.link.estimate import FlashTime, flash_time
from nnlite.memory import Learning, Need, PlannedNetwork, image_parts, inference_bytes, learning_bytes, need
from nnlite.profile import FirmwareMetadata, Profile
from nnlite.recipe import check_optimizer
from nnlite.suggestions import Suggestion, suggestions

__all__ = [
    "Asked",
    "Cost",
    "FlashTime",
    "Learning",
    "Part",
    "Plan",
    "PlannedNetwork",
    "Suggestion",
    "Wear",
    "image_parts",
    "inference_bytes",
    "largest_layer",
    "learning_bytes",
    "plan",
]

#: the widest layer that an image can name (FORMAT.md)
_MAX_NODES = 65_535
#: in which a network's parameters lie in its image
_FORMAT = "float32"
_BYTE_ORDER = "little"
#: the firmware's static memory by purpose: its objects, by the names that the linker has; what is left is "other"
_STATIC = {
    "receive buffer": ("receiving",),
    "frame buffers": ("link", "reply", "sending"),
    "context": ("device",),
    "code that runs in RAM": ("ram_code",),
}
#: listed although they take nothing: whoever looks for them is to find them
_TOLD_AT_ZERO = ("gradients dW",)
#: a checkpoint goes into the slot that does not serve, so that each slot is written at every second one
_SLOTS = 2


@dataclass(frozen=True)
class Part:
    """One named share of a memory.

    Attributes
    ----------
    memory : "flash", "ram" or "stack".
    name : what the bytes are for.
    bytes : how many.
    """

    memory: str
    name: str
    bytes: int


@dataclass(frozen=True)
class Wear:
    """What a checkpoint, the commit of a flash or of learning, takes of the flash's endurance.

    Attributes
    ----------
    pages : that it erases, once each: the record's and at most all of the image's.
    endurance_cycles : how often a page may be erased.
    """

    pages: int
    endurance_cycles: int

    @property
    def checkpoints(self) -> int:
        """How many there may be before a page has been erased that often."""
        return _SLOTS * self.endurance_cycles

    @property
    def share(self) -> float:
        """Of the endurance, used by one checkpoint, 0 to 1."""
        return 1 / self.checkpoints


@dataclass(frozen=True)
class Cost:
    """What a computation takes, by the tables of the cores' manuals, without wait states of the flash.

    Attributes
    ----------
    cycles : at least, usually and at most (`nnlite.cycles`).
    clock_hz : of the board.
    """

    cycles: Cycles
    clock_hz: int

    @property
    def seconds(self) -> float:
        """The estimate as time."""
        return self.cycles.estimate / self.clock_hz

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"cycles": asdict(self.cycles), "seconds": self.seconds}


@dataclass(frozen=True)
class Asked:
    """What a plan was made for.

    Attributes
    ----------
    net, profile, learning : the network, the board, and how it is to learn; None for inference alone.
    """

    net: PlannedNetwork
    profile: Profile
    learning: Learning | None


@dataclass(frozen=True)
class Plan:
    """The answer to "does it fit".

    Attributes
    ----------
    board : the profile's name.
    status : the profile's, "proven" or "datasheet only".
    exact : whether every byte is counted. False for a board without firmware: the firmware's own share of flash, RAM
        and stack is not known, so the totals are the least that is needed.
    learn : whether learning on the board was asked for.
    parts : what each byte is for; the totals are their sums.
    limits : bytes there are, by memory; a board without firmware has no limit of the stack.
    reasons : what does not fit and by how much, or why that is not known; empty when everything fits.
    fits : whether the network can be flashed, and trained when that was asked for. None where a board without firmware
        has more bytes than image and arena take: whether the rest is enough is not known.
    flash_time : estimate of how long it takes to flash; None without firmware, or where it does not fit.
    wear : of a checkpoint; None likewise, or where no source says how much the flash endures.
    flash_wait_states : the profile's.
    asked : what was planned; None without firmware. The cycles are estimated from it when they are asked for.
    """

    board: str
    status: str
    exact: bool
    learn: bool
    parts: tuple[Part, ...]
    limits: dict[str, int]
    reasons: tuple[str, ...]
    fits: bool | None
    flash_time: FlashTime | None = None
    wear: Wear | None = None
    flash_wait_states: int | None = None
    suggested: tuple[Suggestion, ...] = ()
    asked: Asked | None = field(default=None, repr=False, compare=False)

    @cached_property
    def inference(self) -> Cost | None:
        """Estimate for one sample, standardised and run up to the logits. None where it does not fit."""
        if self.asked is None or not self.fits:
            return None
        net, profile = self.asked.net, self.asked.profile
        cycles = inference_cycles(profile, net.sizes, net.hidden, standardised=net.mean is not None)
        return Cost(cycles, profile.clock_hz)

    @cached_property
    def training_step(self) -> Cost | None:
        """Estimate for one step with a whole batch. None where it does not fit, or no learning was asked for."""
        if self.asked is None or self.asked.learning is None or not self.fits:
            return None
        net, profile, learning = self.asked.net, self.asked.profile, self.asked.learning
        cycles = step_cycles(
            profile,
            net.sizes,
            net.hidden,
            net.output,
            optimizer=learning.optimizer,
            batch_size=learning.batch_size,
            last_layers=learning.last_layers,
            standardised=net.mean is not None,
        )
        return Cost(cycles, profile.clock_hz)

    @property
    def flash_bytes(self) -> int:
        """Bytes of flash: firmware, slot record, image."""
        return self._sum("flash")

    @property
    def ram_bytes(self) -> int:
        """Bytes of RAM without the stack: the firmware's own and the arena's part in use."""
        return self._sum("ram")

    @property
    def stack_bytes(self) -> int:
        """Bytes of the deepest stack."""
        return self._sum("stack")

    def _sum(self, memory: str) -> int:
        return sum(part.bytes for part in self.parts if part.memory == memory)

    def suggest(self) -> tuple[Suggestion, ...]:
        """Settings and networks that fit, the nearest first. Empty where the plan fits or nothing does, and for a board
        without firmware, of which no plan can say that it fits.
        """
        return self.suggested

    def require(self, otherwise: str) -> None:
        """Go on only with what surely fits.

        Parameters
        ----------
        otherwise : what has not been done then, for the message.

        Raises
        ------
        DoesNotFitError : it does not fit, or whether it does is not known; with all reasons.
        """
        if not self.fits:
            raise DoesNotFitError("; ".join([*self.reasons, otherwise]))

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, as `nnlite plan --json` prints it."""
        return {
            "board": self.board,
            "status": self.status,
            "exact": self.exact,
            "learn": self.learn,
            "fits": self.fits,
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "stack_bytes": self.stack_bytes,
            "limits": self.limits,
            "reasons": list(self.reasons),
            "suggestions": [suggestion.to_dict() for suggestion in self.suggest()],
            "parts": {m: {p.name: p.bytes for p in self.parts if p.memory == m} for m in ("flash", "ram", "stack")},
            "estimates": self._estimates(),
        }

    def _estimates(self) -> dict[str, Any]:
        time, wear = self.flash_time, self.wear
        return {
            "inference": None if self.inference is None else self.inference.to_dict(),
            "training_step": None if self.training_step is None else self.training_step.to_dict(),
            "flash_seconds": None if time is None else time.seconds,
            "flash_baud": None if time is None else time.baud,
            "checkpoint_pages": None if wear is None else wear.pages,
            "checkpoint_wear": None if wear is None else wear.share,
            "flash_wait_states": self.flash_wait_states,
        }


def plan(
    net: PlannedNetwork,
    profile: Profile,
    learn: bool = False,
    batch_size: int = 1,
    optimizer: str = "sgd",
    last_layers: int | None = None,
    keep: bool = False,
) -> Plan:
    """Plan a network on a board.

    Parameters
    ----------
    net : the network; its standardiser and labels count.
    profile : the board.
    learn : plan for training on the board as well.
    batch_size : samples of a training batch on the board.
    optimizer : of that training: "sgd", "momentum" or "adam".
    last_layers : train only so many layers, counted from the output.
    keep : early stopping, which sets the best parameters aside.

    Raises
    ------
    UsageError : a batch size below 1 or above 65,535, an unknown optimiser, more layers than there are; no profile.
    """
    if not isinstance(profile, Profile):
        raise UsageError(f"a plan is for a Profile, not {profile!r}; Profile.load gives one by a board's name")
    layers = len(net.sizes) - 1
    if last_layers is not None:
        last_layers = check_integer("the last layers to train", last_layers, 1, layers)
    how = Learning(check_batch_size(batch_size), check_optimizer(optimizer), last_layers, keep)
    learning = how if learn else None
    needed = need(net, learning)
    if profile.has_firmware:
        return _exact_plan(net, profile, learning, needed)
    return _least_plan(net, profile, learn, needed)


def largest_layer(profile: Profile) -> int:
    """Nodes of the widest layer, inputs included, that a board's firmware can run, next to one of a single node.

    Raises
    ------
    IncompatibleError : there is no firmware for the board.
    """
    arena_bytes = profile.firmware.arena_bytes
    wider = range(2, _MAX_NODES + 1)
    return 1 + bisect_left(wider, True, key=lambda nodes: inference_bytes((nodes, 1)) > arena_bytes)


def _parts(memory: str, shares: dict[str, int]) -> list[Part]:
    return [Part(memory, name, size) for name, size in shares.items() if size or name in _TOLD_AT_ZERO]


def _static_parts(firmware: FirmwareMetadata) -> dict[str, int]:
    """The firmware's .data and .bss by purpose."""
    shares = {
        name: sum(firmware.symbols[symbol].size for symbol in symbols if symbol in firmware.symbols)
        for name, symbols in _STATIC.items()
    }
    return {**shares, "other static data": firmware.static_bytes - sum(shares.values())}


def _impossible(net: PlannedNetwork, profile: Profile) -> list[str]:
    """What no memory would help: an image that cannot be made, or numbers that a board cannot read."""
    reasons = []
    layers, metadata_bytes = len(net.sizes) - 1, len(layout.encode_metadata(net.labels))
    if layers > layout.MAX_LAYERS:
        reasons.append(
            f"layers: there are {layers}, an image holds {layout.MAX_LAYERS}: {layers - layout.MAX_LAYERS} too many"
        )
    if metadata_bytes > layout.MAX_METADATA_BYTES:
        reasons.append(
            f"labels: they take {metadata_bytes:,} bytes, an image has room for {layout.MAX_METADATA_BYTES:,}: "
            f"{metadata_bytes - layout.MAX_METADATA_BYTES:,} too many"
        )
    if _FORMAT not in profile.formats:
        reasons.append(
            f"format: the network's parameters are {_FORMAT}, {profile.name} takes {', '.join(profile.formats)}"
        )
    if profile.endianness != _BYTE_ORDER:
        reasons.append(
            f"byte order: a network lies in flash {_BYTE_ORDER}-endian and is read in place, {profile.name} is "
            f"{profile.endianness}-endian"
        )
    return reasons


def _too_much(profile: Profile, needed: Need) -> list[str]:
    """What of a board with firmware is not enough, and by how much."""
    reasons = []
    if needed.image_bytes > profile.slot_image_bytes:
        over = needed.image_bytes - profile.slot_image_bytes
        reasons.append(
            f"flash: the image takes {needed.image_bytes:,} bytes, a slot of {profile.name} holds "
            f"{profile.slot_image_bytes:,}: {over:,} too many"
        )
    arena_bytes = profile.firmware.arena_bytes
    if needed.arena_bytes > arena_bytes:
        reasons.append(
            f"RAM: {needed.doing} takes {needed.arena_bytes:,} bytes, {profile.name} has {arena_bytes:,} left "
            f"beside its firmware: {needed.arena_bytes - arena_bytes:,} too many"
        )
    return reasons


def _suggestions(net: PlannedNetwork, profile: Profile, learning: Learning | None) -> tuple[Suggestion, ...]:
    def fits(sizes: tuple[int, ...], way: Learning | None) -> bool:
        other = SimpleNamespace(sizes=sizes, hidden=net.hidden, output=net.output, mean=net.mean, labels=net.labels)
        return not _too_much(profile, need(other, way))

    return suggestions(tuple(net.sizes), learning, fits)


def _exact_plan(net: PlannedNetwork, profile: Profile, learning: Learning | None, needed: Need) -> Plan:
    """Every byte, beside the firmware that there is."""
    firmware = profile.firmware
    activity = "inference" if learning is None else learning.optimizer
    slot_pages = profile.slot_image_bytes // profile.page_bytes
    image_pages = -(-needed.image_bytes // profile.page_bytes)
    reasons = _impossible(net, profile)
    suggested: tuple[Suggestion, ...] = ()
    if not reasons:
        reasons = _too_much(profile, needed)
        if reasons:
            suggested = _suggestions(net, profile, learning)
            reasons.append(
                f"what would fit: {suggested[0].description}"
                if suggested
                else "of what was tried nothing fits: fewer inputs, other layers or a larger board are needed"
            )
    endurance = profile.flash_endurance_cycles
    return Plan(
        board=profile.name,
        status=profile.status,
        exact=True,
        learn=learning is not None,
        parts=(
            Part("flash", "code", firmware.flash_bytes),
            Part("flash", "slot record", layout.RECORD_BYTES),
            Part("flash", "slot journal", layout.journal_bytes(slot_pages, image_pages)),
            *_parts("flash", needed.image),
            *_parts("ram", _static_parts(firmware)),
            *_parts("ram", needed.arena),
            Part("stack", "deepest call", firmware.stack_bytes_of[activity]),
        ),
        limits={
            "flash": firmware.flash_bytes
            + layout.RECORD_BYTES
            + layout.journal_bytes(slot_pages, slot_pages)
            + profile.slot_image_bytes,
            "ram": firmware.static_bytes + firmware.arena_bytes,
            "stack": profile.stack_reserve_bytes,
        },
        reasons=tuple(reasons),
        fits=not reasons,
        flash_time=None if reasons else flash_time(needed.image_bytes, profile),
        wear=None if endurance is None or reasons else Wear(1 + image_pages, endurance),
        flash_wait_states=profile.flash_wait_states,
        suggested=suggested,
        asked=Asked(net, profile, learning),
    )


def _least_plan(net: PlannedNetwork, profile: Profile, learn: bool, needed: Need) -> Plan:
    """The least that is needed, against all that the board has: there is no firmware whose share could be counted."""
    reasons = _impossible(net, profile)
    for memory, doing, taken, there in (
        ("flash", "the image", needed.image_bytes, profile.flash_bytes),
        ("RAM", needed.doing, needed.arena_bytes, profile.ram_bytes),
    ):
        if taken > there:
            over = taken - there
            reasons.append(
                f"{memory}: {doing} takes {taken:,} bytes, {profile.name} has {there:,} in all: {over:,} too many"
            )
    fits = False if reasons else None
    if not reasons:
        reasons.append(
            f"there is no firmware for {profile.name} yet: how much of its memory that would take, and so whether the "
            "rest is enough, is not known"
        )
    return Plan(
        board=profile.name,
        status=profile.status,
        exact=False,
        learn=learn,
        parts=(*_parts("flash", needed.image), *_parts("ram", needed.arena)),
        limits={"flash": profile.flash_bytes, "ram": profile.ram_bytes},
        reasons=tuple(reasons),
        fits=fits,
        flash_wait_states=profile.flash_wait_states,
    )
