"""The cheapest and the dearest way through a function's machine code, in cycles as the simulator counts them.

Every loop is cut at one instruction, so that a run is a row of segments, each from a cut, or from the function's entry,
to the next cut or to the return. What a segment takes at least and at most is a shortest and a longest path in a graph
without circles, whether numbers exist that go that way or not; how often each begins is for others to count. Only loops
over the bits of a word, which touch no memory but the stack and call nothing, are bounded here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import capstone

from firmware_sim.cpu import slots
from firmware_sim.cpu.cycles import entries
from nnlite.profile import Profile

__all__ = ["Code", "Span"]

#: least and most
Span = tuple[float, float]
#: from an instruction to those that may follow it
Graph = dict[int, dict[int, Span]]

#: a significand of 24 bits and three below it to round by: no loop over bits turns more often
_BITS = 27
_EXIT = -1
_CALL = re.compile(r"^(bl|blx)(\.w)?$")
_BRANCH = re.compile(r"^(b|cbz|cbnz|b(eq|ne|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le))(\.w)?$")
_ALWAYS = ("b", "b.w")
_MEMORY = re.compile(r"^(ldr|str|ldm|stm|push|pop|vldm|vstm|vldr|vstr)")
#: bytes that are disassembled from one place on, if nothing ends it before
_WINDOW = 4096


@dataclass(frozen=True)
class _Step:
    """One instruction: where it may lead, and at which cost; functions that it calls; whether a loop with it may be
    more than one over bits."""

    to: tuple[tuple[int, Span], ...]
    calls: tuple[int, ...]
    touches: bool


@dataclass(frozen=True)
class _Function:
    """Cycles of each segment, by where it begins, the entry first; functions that it or its callees call whose segments
    are counted by themselves."""

    segments: dict[int, Span]
    apart: frozenset[int]


class Code:
    """The prebuilt firmware of a board.

    Parameters
    ----------
    left_out : names of functions that cost nothing where they are called.
    """

    def __init__(self, profile: Profile, left_out: Iterable[str] = ()) -> None:
        symbols = profile.firmware.symbols
        self._core, self._flash = profile.core, _flash(profile)
        self._decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
        self._addresses = {name: symbol.address for name, symbol in symbols.items()}
        self._sizes = {symbol.address: symbol.size for symbol in symbols.values()}
        self._left_out = {self._addresses[name] for name in left_out}
        self._known: dict[int, _Function] = {}

    def segments(self, name: str) -> dict[int, Span]:
        """Where the segments of a function begin, and of those that it calls and that have several; cycles of each. A
        function that has one only is counted where it is called.

        Raises
        ------
        NotImplementedError : it branches by a table.
        """
        start = self._addresses[name]
        found = self._function(start)
        return {at: span for of in (start, *found.apart) for at, span in self._function(of).segments.items()}

    def _function(self, start: int) -> _Function:
        if start not in self._known:
            self._known[start] = self._measure(start)
        return self._known[start]

    def _measure(self, start: int) -> _Function:
        steps = self._steps(start)
        apart: set[int] = set()
        graph: Graph = {}
        for at, step in steps.items():
            called = 0.0, 0.0
            for callee in set(step.calls) - self._left_out:
                function = self._function(callee)
                apart |= function.apart
                if len(function.segments) > 1 or function.apart:
                    apart.add(callee)
                else:
                    called = _plus(called, function.segments[callee])
            graph[at] = {}
            for to, cost in step.to:
                # a branch to another function calls it only if it is taken
                calls = not step.calls or len(step.to) == 1 or to == _EXIT
                span = _plus(cost, called) if calls else cost
                old = graph[at].get(to, span)
                graph[at][to] = min(old[0], span[0]), max(old[1], span[1])
        cuts = _cut(graph, {at for at, step in steps.items() if step.touches})
        ends = cuts | {start}
        rest = _rest(graph, ends)
        return _Function({at: rest[at] for at in sorted(ends, key=lambda at: (at != start, at))}, frozenset(apart))

    def _steps(self, start: int) -> dict[int, _Step]:
        """Every instruction that a function can reach; another function that begins inside it ends it."""
        end = min(
            [
                start + self._sizes[start],
                *(other for other in self._sizes if start < other < start + self._sizes[start]),
            ]
        )
        found: dict[int, _Step] = {}
        waiting = [start]
        while waiting:
            at = waiting.pop()
            if at in found:
                continue
            for address, entry in entries(memoryview(self._flash)[at : at + _WINDOW], at, self._core):
                if address in found or address >= end:
                    break
                found[address] = self._step(address, entry, start, end)
                waiting += [to for to, _ in found[address].to if to != _EXIT]
        return found

    def _step(self, at: int, entry: int, start: int, end: int) -> _Step:
        _, size, name, operands = next(self._decoder.disasm_lite(self._flash[at : at + 4], at))
        cycles, taken = entry & slots.BYTE, entry >> slots.TAKEN_SHIFT & slots.BYTE
        conditional = bool(entry >> slots.FLAG_SHIFT & slots.IN_IT)  # whose block has been counted at its beginning
        touches = bool(_MEMORY.match(name)) and "[sp" not in operands and "[pc" not in operands
        target = re.search(r"#(0x[0-9a-f]+)$", operands)

        def goes(to: int, low: float, high: float) -> tuple[int, Span]:
            return (to if start <= to < end else _EXIT), (low, high)

        behind = at + size
        if name.startswith("tb"):
            raise NotImplementedError(f"a table of branches at {at:#x}")
        if _CALL.match(name):
            assert target is not None, f"a call through a register at {at:#x}"
            return _Step((goes(behind, cycles + taken, cycles + taken),), (int(target[1], 16) & ~1,), True)
        if name.startswith("bx") or "pc" in operands.replace("[pc", ""):
            out = (_EXIT, (float(cycles + taken), float(cycles + taken)))
            return _Step((out, goes(behind, 0, 0)) if conditional else (out,), (), touches)
        if _BRANCH.match(name):
            assert target is not None
            there = int(target[1], 16)
            to = [goes(there, cycles + taken, cycles + taken)]
            if name not in _ALWAYS or conditional:
                to.append(goes(behind, 0 if conditional else cycles, cycles))
            calls = () if start <= there < end else (there,)
            return _Step(tuple(to), calls, touches or bool(calls))
        # what runs on into the function behind it calls that
        calls = () if behind < end else (behind,)
        return _Step((goes(behind, 0 if conditional else cycles, cycles),), calls, touches or bool(calls))


def _plus(a: Span, b: Span) -> Span:
    return a[0] + b[0], a[1] + b[1]


def _followers(graph: Graph, cuts: set[int]) -> dict[int, set[int]]:
    """Of each instruction, but for what a segment ends at."""
    return {at: {to for to in graph[at] if to != _EXIT and to not in cuts} for at in graph}


def _loop(graph: Graph, cuts: set[int]) -> set[int] | None:
    """All the instructions of a loop, with those that it is in and that are in it; None when there is none."""
    after = _followers(graph, cuts)
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        one = error.args[1][0]
    else:
        return None
    before: dict[int, set[int]] = {at: set() for at in after}
    for at, following in after.items():
        for to in following:
            before[to].add(at)
    return _reached(after, one) & _reached(before, one)


def _reached(after: dict[int, set[int]], start: int) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        new = after[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def _cut(graph: Graph, touching: set[int]) -> set[int]:
    """Where loops are cut; those over bits are taken out of the graph, and what enters one pays for its turns."""
    cuts: set[int] = set()
    while (loop := _loop(graph, cuts)) is not None:
        head = _head(graph, loop, touching)
        if loop & touching:
            cuts.add(head)
        else:
            _unroll(graph, loop, head)
    return cuts


def _head(graph: Graph, loop: set[int], touching: set[int]) -> int:
    """Where to cut a loop: best where nothing is left of it then but loops over bits."""
    entered = sorted({to for at in graph if at not in loop for to in graph[at] if to in loop})
    for head in entered:
        inner = {at: {to: cost for to, cost in graph[at].items() if to in loop - {head}} for at in loop}
        while (left := _loop(inner, set())) is not None and not left & touching:
            inner = {at: {to: cost for to, cost in inner[at].items() if to not in left} for at in set(inner) - left}
        if left is None:
            return head
    return entered[0]


def _unroll(graph: Graph, loop: set[int], head: int) -> None:
    """What enters a loop over bits pays for all turns but the one that it leaves in."""
    inner = {at: {to: cost for to, cost in graph[at].items() if to in loop} for at in loop}
    turn = _rest(inner, {head})[head][1]
    for at, following in graph.items():
        if head in following and at in loop:
            del following[head]
        elif head in following:
            following[head] = _plus(following[head], (0.0, (_BITS - 1) * turn))


def _rest(graph: Graph, ends: set[int]) -> dict[int, Span]:
    """From each instruction to the end of the segment that it is in. One that only leads back to where it must not is
    on no way."""
    rest: dict[int, Span] = {}
    for at in TopologicalSorter(_followers(graph, ends)).static_order():
        ways = []
        for to, cost in graph[at].items():
            ways.append(cost if to == _EXIT or to in ends else _plus(cost, rest[to]))
        rest[at] = (
            min((low for low, _ in ways), default=float("inf")),
            max((high for _, high in ways), default=-float("inf")),
        )
    return rest


def _flash(profile: Profile) -> bytes:
    """What the prebuilt image has, from address 0 on."""
    content, upper = bytearray(profile.flash_start + profile.firmware_reserve_bytes), 0
    for line in profile.firmware_hex().split():
        record = bytes.fromhex(line[1:])
        count, at, kind = record[0], int.from_bytes(record[1:3], "big"), record[3]
        if kind == 4:
            upper = int.from_bytes(record[4:6], "big") << 16
        elif kind == 0:
            content[upper + at : upper + at + count] = record[4 : 4 + count]
    return bytes(content)
