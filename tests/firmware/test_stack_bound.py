"""The bound on the stack comes from machine code: what cannot be bounded is refused, and literals are no code."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from nnlite.errors import IncompatibleError
from nnlite.firmware.build import TARGETS, compiler
from nnlite.firmware.elf import UNUSED, stack_depth
from nnlite.profile import Profile, profile_names

HEAD = "#define KEEP __attribute__((noinline, used))\nvolatile unsigned sink;\nvoid startup_reset(void) {}\n"
ROOT = "void startup_run(void) { sink = work(sink); }\n"


def depth(folder: Path, source: str, core: str = "cortex-m0", without: Sequence[str] = ()) -> int:
    """Compile and bound the stack from `startup_run` on."""
    file, elf = folder / "probe.c", folder / "probe.elf"
    file.write_text(HEAD + source + ROOT, encoding="ascii")
    flags = "-std=c99 -O2 -ffreestanding -fomit-frame-pointer -Wl,--entry=startup_run"
    subprocess.run(
        [*compiler(), *TARGETS[core], *flags.split(), str(file), "-o", str(elf)],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    return stack_depth(elf, without)


def test_a_chain_of_calls_adds_up(tmp_path: Path) -> None:
    leaf = "KEEP unsigned leaf(unsigned n) { volatile unsigned room[8]; room[n & 7] = n; return room[0]; }\n"
    one = depth(tmp_path, "KEEP unsigned work(unsigned n) { return n + sink; }\n")
    two = depth(tmp_path, leaf + "KEEP unsigned work(unsigned n) { return leaf(n) + sink; }\n")
    assert two >= one + 32 + 8, "eight words of room, and where to return to"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("KEEP unsigned work(unsigned n) { return n < 2 ? n : n * work(n - 1) + work(n - 2); }\n", "recursive"),
        (
            (
                "unsigned work(unsigned n);\n"
                "KEEP unsigned other(unsigned n) { return sink + work(n + 1) + sink; }\n"
                "KEEP unsigned work(unsigned n) { return n == 9 ? n : other(n) + sink; }\n"
            ),
            "recursive",
        ),
        (
            "unsigned (*volatile pointer)(unsigned);\nKEEP unsigned work(unsigned n) { return pointer(n) + sink; }\n",
            "calls through the register",
        ),
        (
            "KEEP unsigned work(unsigned n) { volatile unsigned char room[n + 1]; room[n] = 1; return room[n]; }\n",
            "moves its stack pointer by a computed amount",
        ),
    ],
)
def test_what_has_no_bound_is_refused(tmp_path: Path, source: str, says: str) -> None:
    with pytest.raises(IncompatibleError, match=says):
        depth(tmp_path, source)


def test_literals_that_look_like_calls_are_no_calls(tmp_path: Path) -> None:
    """0x4780 is blx r0, 0xb5f0 pushes five registers."""
    literals = "KEEP unsigned work(unsigned n) { return (n ^ 0x47804780u) * 0xb5f0b5f1u + sink; }\n"
    assert depth(tmp_path, literals) == depth(
        tmp_path, "KEEP unsigned work(unsigned n) { return (n ^ 5u) * 3u + sink; }\n"
    )


ROOM = "KEEP unsigned {name}(unsigned n) {{ volatile unsigned room[{words}]; room[n & 7] = n; return room[0]; }}\n"


ASSEMBLY = 'KEEP __attribute__((naked)) unsigned work(unsigned n) {{ __asm volatile("{}"); }}\n'
LEAVES = ROOM.format(name="deep", words=40) + ROOM.format(name="flat", words=8)
#: a call, and another one on a way that branches off in front of it
DEEP = "push {r5, lr}\\n bl deep\\n pop {r5, pc}\\n"
FLAT = "push {r4, lr}\\n sub sp, #64\\n bl flat\\n add sp, #64\\n pop {r4, pc}\\n"


@pytest.mark.parametrize("core", list(TARGETS))
def test_only_what_is_in_use_at_a_call_counts(tmp_path: Path, core: str) -> None:
    """What one way through a function takes of the stack is no burden of a call on another one."""
    deep = depth(tmp_path, LEAVES + ASSEMBLY.format(DEEP), core)
    flat = depth(tmp_path, LEAVES + ASSEMBLY.format(FLAT), core)
    both = f"cmp r0, #0\\n beq 1f\\n {FLAT} 1: {DEEP}"
    assert flat < deep == depth(tmp_path, LEAVES + ASSEMBLY.format(both), core)


def test_what_an_instruction_gives_back_is_in_use_no_more(tmp_path: Path) -> None:
    deep = depth(tmp_path, LEAVES + ASSEMBLY.format(DEEP))
    before = "push {r4, lr}\\n sub sp, #64\\n bl flat\\n add sp, #64\\n pop {r4}\\n pop {r1}\\n mov lr, r1\\n"
    assert depth(tmp_path, LEAVES + ASSEMBLY.format(before + DEEP)) == deep


def test_a_stack_that_grows_in_a_loop_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match="without an end"):
        depth(tmp_path, ASSEMBLY.format("1: push {r4, lr}\\n subs r0, #1\\n bne 1b\\n bx lr\\n"))


@pytest.mark.parametrize("core", list(TARGETS))
def test_what_a_jump_into_a_table_leads_to_counts(tmp_path: Path, core: str) -> None:
    leaves = ROOM.format(name="deep", words=40) + "".join(ROOM.format(name=f"flat_{i}", words=8) for i in range(7))
    cases = "".join(f"    case {i}: return flat_{i}(n) + sink;\n" for i in range(7))
    without = f"KEEP unsigned work(unsigned n) {{ switch (n) {{\n{cases}    default: return 1; }} }}\n"
    with_deep = without.replace("default:", "case 7: return deep(n) + sink;\n    default:")
    assert depth(tmp_path, leaves + with_deep, core) == depth(tmp_path, leaves + without, core) + 4 * 32


def test_a_function_that_is_not_called_does_not_count(tmp_path: Path) -> None:
    source = (
        ROOM.format(name="deep", words=40) + "KEEP unsigned work(unsigned n) { return (n ? deep(n) : n) + sink; }\n"
    )
    assert depth(tmp_path, source) - depth(tmp_path, source, without=["deep"]) == 4 * 40
    assert depth(tmp_path, source) == depth(tmp_path, source, without=["nothing of this name"])


@pytest.mark.parametrize("board", [b for b in profile_names() if Profile.load(b).status == "proven"])
def test_the_firmware_has_what_it_is_bounded_without(board: str) -> None:
    """A function that got another name, or was inlined, would count again; and learning is deeper than inference."""
    firmware = Profile.load(board).firmware
    for activity, unused in UNUSED.items():
        assert set(unused) <= set(firmware.symbols), activity
    assert set(firmware.stack_bytes_of) == set(UNUSED)
    assert max(firmware.stack_bytes_of.values()) == firmware.stack_bytes
    assert min(firmware.stack_bytes_of, key=firmware.stack_bytes_of.__getitem__) == "inference"
