"""How deep a stack may become: a sum over the call graph of the machine code.

Works on the machine code, so its figures hold for the image that ships. The firmware has no recursion, no calls through
pointers and no arrays of a size not known at build time, and what has is refused. Needs capstone, which only a build
needs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import capstone

from nnlite.errors import IncompatibleError
from nnlite.profile import Symbol

__all__ = ["stack_bound"]

#: jumps to the first function by its address, before there is a stack
_ENTRY = "startup_reset"
#: bl and blx, also with a condition; blo, bls, blt and ble are branches
_CALL = re.compile(r"blx?(\.w)?|blx?[a-z]{2}")
_CONDITIONS = "eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le"
#: pushes and pops, with the condition of an IT block
_PUSH = re.compile(rf"v?push({_CONDITIONS})?(\.w)?")
_POP = re.compile(rf"v?pop({_CONDITIONS})?(\.w)?")
#: a branch within the function or out of it
_BRANCH = re.compile(rf"b({_CONDITIONS})?(\.w)?|cbn?z")
#: a jump into a table, whose targets are not looked for: what nothing else reaches is one of them
_TABLE = re.compile(r"tb[bh]|add pc, .*|mov pc, .*|ldr(\.w)? pc, \[(?!sp).*")
#: str r0, [sp, #-8]! and ldr r0, [sp], #8
_INDEXED = re.compile(r"\[sp,#(-(?:0x[0-9a-f]+|\d+))\]!|\[sp\],#(0x[0-9a-f]+|\d+)")
_MOVED = re.compile(r"(?P<what>sub|add)w?(\.w)? sp,(sp,)?#(?P<by>0x[0-9a-f]+|\d+)")
#: no stack of a chip is as large
_ENDLESS = 1 << 16


@dataclass(frozen=True)
class _Function:
    """A function's own share: its deepest stack, and how deep it is at each call, or jump, out of it."""

    name: str
    deepest: int
    calls: Mapping[int, int]


def stack_bound(
    functions: Mapping[str, Symbol], code: Sequence[tuple[int, bytes]], root: str, without: Collection[str] = ()
) -> int:
    """Bytes of the deepest stack from a function on, its own share counted.

    Parameters
    ----------
    functions : where each lies.
    code : the stretches of machine code, each with its address, that hold instructions and no literals.
    root : name of the function.
    without : functions that are not called: what the bound is for has no use for them. They need not be there.

    Raises
    ------
    IncompatibleError : the stack has no bound that the machine code tells, or there is no such function.
    """
    if root not in functions:
        raise IncompatibleError(f"the image has no function {root}, so its stack cannot be bounded")
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    shares: dict[int, _Function] = {}
    for name, symbol in functions.items():
        instructions = _instructions(decoder, name, symbol, code)
        if instructions:
            shares[symbol.address] = _share(name, symbol, instructions)
    left_out = {functions[name].address for name in without if name in functions}

    def depth(address: int, path: tuple[int, ...]) -> int:
        function = shares.get(address)
        if function is None:
            raise IncompatibleError(f"{shares[path[-1]].name} calls {address:#x}, which is no function that is known")
        if address in path:
            raise IncompatibleError(f"{function.name} is recursive, so its stack has no bound")
        below = (
            at + depth(callee, (*path, address)) for callee, at in function.calls.items() if callee not in left_out
        )
        return max(function.deepest, *below, 0)

    return depth(functions[root].address, ())


def _instructions(
    decoder: capstone.Cs, name: str, symbol: Symbol, code: Sequence[tuple[int, bytes]]
) -> list[capstone.CsInsn]:
    """Of one function, in the order of their addresses."""
    instructions: list[capstone.CsInsn] = []
    for start, stretch in code:
        first = max(symbol.address, start)
        end = min(symbol.address + symbol.size, start + len(stretch))
        found = list(decoder.disasm(stretch[first - start : end - start], first)) if first < end else []
        if first < end and (not found or found[-1].address + found[-1].size != end):
            raise IncompatibleError(f"{name} does not decode behind {first:#x}; its stack cannot be bounded")
        instructions += found
    return instructions


def _share(name: str, symbol: Symbol, instructions: Sequence[capstone.CsInsn]) -> _Function:
    """Follow the stack pointer along every way through one function."""
    code = {at.address: at for at in instructions}
    calls = _targets_of_calls(name, symbol, instructions)
    before: dict[int, int] = {}  # the deepest that the stack is on any way to an instruction
    deepest_at: dict[int, int] = {}
    tables: list[int] = []
    deepest = 0
    waiting = [(symbol.address, 0)]
    while waiting:
        address, depth = waiting.pop()
        while address in code and before.get(address, -1) < depth:
            at = code[address]
            before[address] = depth
            depth += _pushed(name, at)
            if not 0 <= depth < _ENDLESS:
                raise IncompatibleError(f"{name} moves its stack pointer without an end at {address:#x}")
            deepest = max(deepest, depth)
            if address in calls:
                callee = calls[address]
                deepest_at[callee] = max(deepest_at.get(callee, 0), depth)
            elif _BRANCH.fullmatch(at.mnemonic):
                waiting.append((_target(at), depth))
            elif _TABLE.match(f"{at.mnemonic} {at.op_str}"):
                tables.append(depth)
            if _never_goes_on(at):
                break
            address += at.size
        unreached = [a for a in code if a not in before]
        if not waiting and tables and unreached:
            waiting.append((min(unreached), max(tables)))
    return _Function(name, deepest, deepest_at)


def _targets_of_calls(name: str, symbol: Symbol, instructions: Sequence[capstone.CsInsn]) -> dict[int, int]:
    """Which instruction calls, or jumps to, what outside of the function."""
    targets: dict[int, int] = {}
    far = 0  # what a veneer, the linker's jump between flash and RAM, puts into ip
    for at in instructions:
        if at.mnemonic.startswith(("movw", "movt")) and at.op_str.startswith("ip, #"):
            half = int(at.op_str.partition("#")[2], 0)
            far = half if at.mnemonic.startswith("movw") else half << 16 | far
        elif at.mnemonic == "bx" and at.op_str == "ip" and far:
            targets[at.address] = far & ~1
        elif _CALL.fullmatch(at.mnemonic) and at.op_str.startswith("#"):
            targets[at.address] = _target(at)
        elif _BRANCH.fullmatch(at.mnemonic):
            if not symbol.address <= _target(at) < symbol.address + symbol.size:
                targets[at.address] = _target(at)  # a tail call
        elif at.mnemonic.startswith(("blx", "bx")) and at.op_str != "lr" and name != _ENTRY:
            raise IncompatibleError(f"{name} calls through the register {at.op_str} at {at.address:#x}")
    return targets


def _target(at: capstone.CsInsn) -> int:
    return int(at.op_str.rpartition("#")[2], 0) & ~1


def _never_goes_on(at: capstone.CsInsn) -> bool:
    """Whether the instruction behind it is reached from elsewhere only; what has a condition goes on."""
    returns = at.mnemonic in ("pop", "pop.w") and "pc" in at.op_str
    jumps = at.mnemonic in ("b", "b.w", "bx", "udf") or _TABLE.match(f"{at.mnemonic} {at.op_str}") is not None
    return returns or jumps


def _pushed(name: str, at: capstone.CsInsn) -> int:
    """By how many bytes one instruction lets the stack grow; below 0 when it gives back."""
    operands = at.op_str.replace(" ", "")
    if match := _PUSH.fullmatch(at.mnemonic) or _POP.fullmatch(at.mnemonic):
        size = (8 if "d" in operands else 4) * _registers(operands)
        if "push" in at.mnemonic:
            return size
        return 0 if match.group(1) else -size  # under a condition it may not give back, and mostly returns
    if match := _INDEXED.search(operands):
        return -int(match.group(1) or match.group(2), 0)
    if operands.startswith(("sp,", "sp!,")):
        match = _MOVED.fullmatch(f"{at.mnemonic} {operands}")
        if match is None:
            raise IncompatibleError(f"{name} moves its stack pointer by a computed amount at {at.address:#x}")
        return int(match.group("by"), 0) * (1 if match.group("what") == "sub" else -1)
    return 0


def _registers(operands: str) -> int:
    """How many registers a list such as {r4, r5, r7, lr} or {d8-d11} names."""
    count = 0
    for part in operands.strip("{}").split(","):
        ends = [int(re.sub(r"\D", "", end) or 0) for end in part.split("-")]
        count += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return count
