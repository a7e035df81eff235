"""What an export is to be: the network, its name in C, and how it learns, checked once."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from nnlite import layout
from nnlite.errors import UsageError
from nnlite.network import Network, check_network
from nnlite.planner import Learning, learning_bytes
from nnlite.recipe import Recipe, check_recipe

__all__ = ["Design", "Layer", "check_learning", "default_name", "identifier"]

_FLOAT_BYTES = 4
_MAX_NAME = 40
#: a header of this name would be taken for another one: of C and what its headers include, or of Arduino's core and the
#: libraries that come with it, on computers, too, to which Servo.h and servo.h are one file
_TAKEN = (
    "alloca arduino assert avr binary bits client complex cstdint ctype delay eeprom endian errno ethernet fcntl "
    "features fenv float hardwareserial inttypes ipaddress iso646 itoa keyboard limits locale main math memory mouse "
    "new newlib nn pins_arduino print printable pthread random sched sd server servo setjmp signal softwareserial spi "
    "stdalign stdarg stdatomic stdbool stddef stdfix stdint stdio stdlib stdnoreturn stepper stream string strings "
    "threads time uchar udp unistd variant wchar wctype wifi wire wiring wstring xlocale"
)
#: and a type of C or POSIX would be taken for one of an export's own, which end in _t
_TYPES = (
    "blkcnt blksize caddr char16 char32 char8 clock clockid comparison_fn daddr dev div double error fenv fexcept "
    "float fpos fpregset fsblkcnt fsfilcnt fsid gid greg gregset id imaxdiv ino intmax intptr key ldiv lldiv locale "
    "loff max_align mbstate mcontext mode nlink off pid ptrdiff quad register sig sig_atomic sigevent siginfo sigset "
    "sigval size socklen ssize stack suseconds time timer u_quad ucontext uid uintmax uintptr useconds wchar wctrans "
    "wctype wint"
)
_SIZED_TYPE = re.compile(r"(u_?)?int(_least|_fast)?(8|16|32|64)")


def identifier(text: str) -> str:
    """A name for C made of any text: letters without their accents, digits, and `_` for everything else.

    Raises
    ------
    UsageError : nothing is left of it, it is too long, or a header or a type of the name is there already: of C, POSIX,
        Arduino, or the runtime in the export.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    name = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
    if not name:
        raise UsageError(f"no name for C can be made of {text!a}; give one of letters and digits with --name")
    if name[0].isdigit():
        name = f"model_{name}"
    if len(name) > _MAX_NAME:
        raise UsageError(
            f"the name {name} has {len(name)} letters, {_MAX_NAME} are possible; give a shorter one with --name"
        )
    if name.lower() in _TAKEN.split():
        raise UsageError(f"there is a header {name.lower()}.h already; give another name with --name")
    if name.lower().startswith("nn_"):
        raise UsageError(
            f"names that begin with {name[:3]} are the runtime's in an export; give another one with --name"
        )
    if name in _TYPES.split() or name.startswith("pthread_") or _SIZED_TYPE.fullmatch(name):
        raise UsageError(f"C has a type {name}_t already; give another name with --name")
    return name


def default_name(path: Path) -> str:
    """The name that a file or folder has by itself."""
    return path.resolve().name.partition(".")[0] or path.name


def check_learning(
    optimizer: Any = "sgd",
    batch_size: Any = 1,
    momentum: Any = None,
    weight_decay: Any = 0.0,
    clip_norm: Any = None,
) -> Recipe:
    """How an export learns, checked as `train` does it. The rate is an argument of the exported function: 1 stands for
    it, and since no decay is 1 or more, each passes that stays below 1 with its rate.

    Raises
    ------
    UsageError : a value that cannot be.
    """
    return check_recipe(
        1, batch_size, 1.0, optimizer, momentum=momentum, weight_decay=weight_decay, clip_norm=clip_norm
    )


@dataclass(frozen=True)
class Layer:
    """Where things of a layer begin, counted in floats.

    Attributes
    ----------
    inputs, outputs : its sizes.
    weights, bias : among the parameters.
    x, out : of what it takes and gives, in a sample's record X.
    gradient : of dA of its outputs, in a sample's dA.
    """

    inputs: int
    outputs: int
    weights: int
    bias: int
    x: int
    out: int
    gradient: int


@dataclass(frozen=True)
class Design:
    """An export.

    Attributes
    ----------
    net : as `Network.checked` gives it.
    name : in C; every name that a user sees begins with it.
    learning : None for inference alone.
    """

    net: Network
    name: str
    learning: Recipe | None = None

    @classmethod
    def of(cls, net: Network, name: str, learning: Recipe | None = None) -> Design:
        """Check a network and its name.

        Raises
        ------
        UsageError : it is no network, or there can be no such name.
        DataError : a value of the network that is not finite.
        """
        check_network(net)
        return cls(net.checked(), identifier(name), learning)

    @property
    def macro(self) -> str:
        """What macros begin with."""
        return self.name.upper()

    @property
    def standardised(self) -> bool:
        """Whether samples are standardised."""
        return self.net.mean is not None

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return layout.parameter_count(self.net.sizes)

    @property
    def outputs(self) -> int:
        """Of the last layer."""
        return self.net.sizes[-1]

    @property
    def layers(self) -> list[Layer]:
        """From the first to the last."""
        found, at, x, gradient = [], 0, 0, 0
        for inputs, outputs in pairwise(self.net.sizes):
            bias = at + inputs * outputs
            found.append(Layer(inputs, outputs, at, bias, x, x + inputs, gradient))
            at, x, gradient = bias + outputs, x + inputs, gradient + outputs
        return found

    @property
    def buffers(self) -> dict[str, int]:
        """Floats in RAM by the name of the member of the struct. Without learning two buffers take turns: layers 0, 2,
        ... are in one, the others in the other; a sample that is not standardised stays where it is."""
        sizes = self.net.sizes
        if self.learning is None:
            even = sizes[0 if self.standardised else 2 :: 2]
            return {name: max(of) for name, of in (("even", even), ("odd", sizes[1::2])) if of}
        batch, outputs = self.learning.batch_size, sum(sizes[1:])
        members = {
            "parameters": self.parameters,
            "state": self.state,
            "records": batch * (sizes[0] + outputs),
            "gradients": batch * outputs,
        }
        return {name: count for name, count in members.items() if count}

    @property
    def state(self) -> int:
        """Floats that the optimiser keeps."""
        if self.learning is None:
            return 0
        optimizer = self.learning.optimizer
        planned = learning_bytes(self.net.sizes, self.net.output, Learning(optimizer=optimizer))
        return planned[f"state of {optimizer}"] // _FLOAT_BYTES

    @property
    def ram_bytes(self) -> int:
        """Of the struct."""
        counter = _FLOAT_BYTES if self.counts else 0
        return _FLOAT_BYTES * sum(self.buffers.values()) + counter

    @property
    def counts(self) -> bool:
        """Whether it has to know how full a batch is."""
        return self.learning is not None and self.learning.batch_size > 1
