"""Interrupts and exceptions, on firmware of C that uses them; both cores."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_sim import Board, open_board
from firmware_sim.cpu.exceptions import Exceptions
from tests.sim.built import elf

BOTH = pytest.mark.parametrize("name", ["microbit", "microbit2"])
ENTER, LEAVE = 0x100, 0x200
SVC, PENDSV, TIMER0, TIMER1, SWI0 = 11, 14, 16 + 8, 16 + 9, 16 + 20


def booted(name: str, checks: bool = True) -> Board:
    board = open_board(name, elf(name, "interrupts.c"), checks=checks)
    board.run_until("main")
    return board


def notes(board: Board) -> list[int]:
    count = int.from_bytes(board.read_memory(board.symbol("noted"), 4), "little")
    return np.frombuffer(board.read_memory(board.symbol("notes"), 4 * min(count, 512)), "<u4").tolist()


def ticks(board: Board) -> int:
    return int.from_bytes(board.read_memory(board.symbol("ticks"), 4), "little")


def around(*numbers: int) -> list[int]:
    return [mark | number for number in numbers for mark in (ENTER, LEAVE)]


@BOTH
@pytest.mark.parametrize("checks", [True, False])
def test_a_timer_interrupts_at_its_rate(name: str, checks: bool) -> None:
    board = booted(name, checks)
    board.call("start_timer", 0, 1000, 0, returns=None)
    before = board.cycles
    board.run(board.profile.clock_hz // 100)
    assert ticks(board) in (9, 10)
    assert board.cycles - before < board.profile.clock_hz // 100 + 50
    assert notes(board) == around(TIMER0) * ticks(board)


@BOTH
@pytest.mark.parametrize("urgent", [0, 3])
def test_the_more_urgent_one_interrupts_the_other(name: str, urgent: int) -> None:
    board = booted(name)
    board.call("start_timer", 1, 4000, 1, returns=None)
    board.call("start_timer", 0, 40, urgent, returns=None)
    board.run(board.profile.clock_hz * 6 // 1000)
    seen = notes(board)
    inside = seen[seen.index(ENTER | TIMER1) + 1 :]
    inside = inside[: inside.index(LEAVE | TIMER1)]
    assert (inside == around(TIMER0) * (len(inside) // 2) and len(inside) >= 2) if urgent == 0 else inside == []


@BOTH
def test_a_call_of_the_supervisor_and_what_it_pends(name: str) -> None:
    board = booted(name)
    board.call("supervisor_call", returns=None)
    assert notes(board) == [*around(SVC, PENDSV), 0]


@BOTH
def test_what_is_masked_comes_when_it_is_unmasked(name: str) -> None:
    board = booted(name)
    board.call("masked", returns=None)
    assert notes(board) == [1, ENTER | SWI0, 2]


@BOTH
def test_a_masked_interrupt_wakes_a_sleeper(name: str) -> None:
    board = booted(name)
    board.call("start_timer", 0, 1000, 0, returns=None)
    assert board.call("sleep_masked") == 1


@BOTH
@pytest.mark.parametrize("function", ["sleep_until", "wait_for_events"])
def test_a_sleeper_executes_nothing_and_time_goes_on(name: str, function: str) -> None:
    board = booted(name)
    board.call("start_timer", 0, 1000, 0, returns=None)
    began, instructions = board.seconds, board.instructions
    board.call(function, 20, returns=None)
    assert board.seconds - began == pytest.approx(0.020, abs=0.0002)
    slept = board.instructions - instructions
    board.call("spin_until", 40)
    assert board.instructions - instructions - slept > 5 * slept


@BOTH
def test_registers_come_back_from_an_interrupt(name: str) -> None:
    a, b = np.float32(1), np.float32(0.5)
    for _ in range(200):
        a, b = np.float32(a + b), np.float32(b * np.float32(0.999))
    board = booted(name)
    assert board.call("sum_of_floats", 200, returns=np.float32) == a
    number = np.float32(0)
    for _ in range(25):
        number = np.float32(np.float32(number * np.float32(3)) + np.float32(1))
    assert np.frombuffer(board.read_memory(board.symbol("number"), 4), np.float32)[0] == number
    assert notes(board) == around(PENDSV) * 25


@BOTH
def test_a_thread_on_its_own_stack_is_interrupted(name: str) -> None:
    board = booted(name)
    board.call("start_timer", 0, 100, 0, returns=None)
    assert board.call("on_process_stack", 5) == 512
    assert notes(board) == around(TIMER0) * 5
    assert board.cpu.sp > 0x20003F00  # the main stack is in use again


def test_systick_counts_cycles() -> None:
    board = booted("microbit2")
    board.call("start_systick", 6400, returns=None)
    board.run(640_000)
    assert ticks(board) in (99, 100)


@BOTH
def test_the_firmware_resets_itself(name: str) -> None:
    board = booted(name)
    board.write_memory(board.symbol("ticks"), b"\7\0\0\0")
    cycles = board.cycles
    board.cpu.call(board.symbol("request_reset"), board.cpu.place((), False, None))
    board.run_until("main")
    assert board.cycles > cycles
    assert ticks(board) == 0  # start-up cleared it


@BOTH
def test_a_handler_stands_in_the_backtrace_with_what_it_interrupted(name: str) -> None:
    board = booted(name)
    board.call("start_timer", 0, 1000, 0, returns=None)
    board.run_until("timer0_handler")
    handler, interrupted, start = board.backtrace()
    assert handler.startswith("timer0_handler (interrupts.c:")
    assert interrupted.startswith("interrupted: main (interrupts.c:")
    assert start.startswith("start (start.c:")
    board.run(board.profile.clock_hz // 2000)
    assert [call.split(" ")[0] for call in board.backtrace()] == ["main", "start"]


@BOTH
def test_a_handler_is_measured(name: str) -> None:
    board = booted(name)
    board.call("start_timer", 0, 1000, 0, returns=None)
    with board.measure("timer0_handler") as cost, board.profile_functions() as rows:
        board.run(board.profile.clock_hz // 200)
    assert cost.calls == ticks(board) in (4, 5)
    own = {row.function: row for row in rows}
    assert own["timer0_handler"].calls == cost.calls
    assert cost.instructions == sum(row.instructions for row in rows if row.function not in ("main", "start"))
    assert cost.cycles >= cost.instructions
    before = board.instructions
    with board.measure("masked") as cost:
        board.call("masked", returns=None)
    assert (cost.calls, cost.instructions) == (1, board.instructions - before)


@BOTH
def test_a_snapshot_taken_inside_a_handler_goes_on_the_same(name: str) -> None:
    board = booted(name)
    board.call("start_timer", 0, 500, 0, returns=None)
    board.call("start_timer", 1, 700, 1, returns=None)
    board.run_until("timer1_handler")
    state = board.snapshot()
    runs = []
    for _ in range(2):
        board.restore(state)
        board.run(board.profile.clock_hz // 100)
        runs.append((board.cycles, board.instructions, notes(board), board.where(), board.registers()))
    assert runs[0] == runs[1]


def test_priorities_follow_the_manual() -> None:
    state = Exceptions(enabled={16, 17, 18}, priority={16: 0x40, 17: 0x80, 18: 0x40})
    assert state.next(0, 0, 0) is None
    state.pending = {17, 18, 16}
    assert state.next(0, 0, 0) == 16  # as urgent as 18, and its number is lower
    assert state.next(1, 0, 0) is None
    assert state.next(0, 0x40, 0) is None
    assert state.next(0, 0x80, 0) == 16
    state.active = [17]
    assert state.next(0, 0, 0) == 16
    state.active = [17, 16]
    assert state.next(0, 0, 0) is None  # 18 is not more urgent than 16
    state.group_bits = 8
    state.active = [17]
    assert state.next(0, 0, 0) is None  # all in one group
    state.pending.add(2)
    assert state.next(1, 0, 1) == 2
