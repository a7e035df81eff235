"""Plans as people read them: bars like a linker's memory report, what each byte is for, boards side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nnlite.cli.screen import aligned, can_print, columns

if TYPE_CHECKING:
    from nnlite.planner import Cost, Plan, Suggestion

__all__ = ["advice", "boards_table", "comparison", "estimates", "plan_table", "plan_title", "verdict"]

_MEMORIES = (("flash", "flash"), ("ram", "RAM"), ("stack", "stack"))
_NAME = 32
_LONGEST_BAR = 32
_SHORTEST_BAR = 8
#: of lines that no terminal breaks
_UNSEEN = 100_000
#: of all boards' table, what a narrow terminal goes without, first to last
_LEFT_OUT = ("time", "stack", "status")


def plan_title(answer: Plan) -> str:
    """Which board, how sure its figures are, and what for."""
    return f"{answer.board} ({answer.status}), {_doing(answer)}; bytes:"


def plan_table(answer: Plan) -> str:
    """How full each memory is, then what each byte is for."""
    totals = [
        (title, _total(answer, memory), answer.limits[memory]) for memory, title in _MEMORIES if memory in answer.limits
    ]
    figures = [f"{_percent(total, limit):>8}  {total:>9,} of {limit:,}" for _, total, limit in totals]
    room = columns(80) - 9 - max(map(len, figures))
    length = max(_SHORTEST_BAR, min(_LONGEST_BAR, room))
    lines = [
        f"  {title:<6} {_bar(total, limit, length)}{text}"
        for (title, total, limit), text in zip(totals, figures, strict=True)
    ]
    for memory, title in _MEMORIES:
        parts = [part for part in answer.parts if part.memory == memory]
        lines += [""] if parts else []
        lines += [f"  {title:<6} {part.name:<{_NAME}} {part.bytes:>9,}" for part in parts]
    if not answer.exact:
        said = "not exact: these are the network's bytes alone; what a firmware would take is not known"
        lines += ["", wrapped(said, "  ")]
    return "\n".join(lines)


def estimates(answer: Plan) -> list[str]:
    """What is not counted in bytes."""
    costs = (("an inference", answer.inference), ("a training step", answer.training_step))
    lines = [f"{what}, estimated: {_cost(cost)}" for what, cost in costs if cost is not None]
    if answer.training_step is not None:
        lines.append("a step without sample weights, weight decay or a clipped gradient")
    if lines and answer.flash_wait_states != 0:
        waits = "an unknown number" if answer.flash_wait_states is None else f"up to {answer.flash_wait_states}"
        lines.append(f"cycles are counted without the flash's wait states, {waits} a fetch")
    if answer.flash_time is not None:
        time = answer.flash_time
        lines.append(
            f"to flash, estimated: {time.seconds:.1f} s at {time.baud:,} baud into an empty slot, {time.erasing:.1f} s "
            "of it erasing"
        )
    if answer.wear is not None:
        wear = answer.wear
        lines.append(
            f"a checkpoint erases {wear.pages:,} pages of one of two slots, {100 * wear.share:.2g} % of the flash's "
            f"endurance: enough for {wear.checkpoints:,}"
        )
    return lines


def verdict(answer: Plan) -> str:
    """Whether it fits, in a sentence, and why not."""
    said = {True: "It fits.", False: "It does not fit:", None: "Whether it fits is not known:"}[answer.fits]
    return "\n".join([said, *(wrapped(reason, "  ") for reason in answer.reasons)])


def advice(suggested: Sequence[Suggestion], asked: Sequence[int]) -> list[str]:
    """What to ask `plan` for instead, the nearest first."""
    lines = ["Nearest that fits:"] if suggested else []
    for number, suggestion in enumerate(suggested, 1):
        lines += [wrapped(f"{number}. {suggestion.description}", "  "), wrapped(_options(suggestion, asked), "     ")]
    return lines


def boards_table(plans: Sequence[Plan]) -> str:
    """A row for each board; time is that to flash, estimated."""
    heads = ["board", "fits", "flash", "", "RAM", "", "stack", "time", "status"]
    return _narrowed([heads, *map(_row, plans)], _LEFT_OUT)


def comparison(one: Plan, other: Plan) -> str:
    """Two boards in columns, and how much more the second takes where that is known."""
    both = (one, other)
    rows: list[Sequence[str]] = [("", "", one.board, other.board, "more")]
    for memory, title in _MEMORIES:
        shares = [{p.name: p.bytes for p in answer.parts if p.memory == memory} for answer in both]
        for name in dict.fromkeys([*shares[0], *shares[1]]):
            rows.append((title, name, *_pair(shares[0].get(name), shares[1].get(name))))
        totals = [_total(answer, memory) if memory in answer.limits else None for answer in both]
        more = _pair(*totals) if one.exact == other.exact else (*_pair(*totals)[:2], "")
        rows.append((title, "= together", *more))
        rows.append((title, "  of", *_pair(*(answer.limits.get(memory) for answer in both))))
        rows.append((title, "  used", *(_used(answer, memory) for answer in both), ""))
    for what, costs in (
        ("inference, estimated", [answer.inference for answer in both]),
        ("training step, estimated", [answer.training_step for answer in both]),
    ):
        if any(costs):
            rows.append(("", what, *("-" if cost is None else _time(cost.seconds) for cost in costs), ""))
    rows.append(("", "to flash, estimated", *map(_to_flash, both), ""))
    rows.append(("", "checkpoints", *_pair(*(None if a.wear is None else a.wear.checkpoints for a in both))))
    rows.append(("", "fits", *map(_fits, both), ""))
    boards = " and ".join(f"{answer.board} ({answer.status})" for answer in both)
    return f"{wrapped(f'{boards}, {_doing(one)}; bytes:', '')}\n{_narrowed(rows, ('more',))}"


def _narrowed(rows: Sequence[Sequence[str]], left_out: Sequence[str]) -> str:
    """A table whose head is its first row, without as many columns as a terminal has no room for."""
    for head in left_out:
        if max(map(len, aligned(rows, 2).splitlines())) <= columns(_UNSEEN):
            break
        at = rows[0].index(head)
        rows = [[*row[:at], *row[at + 1 :]] for row in rows]
    return aligned(rows, 2)


def wrapped(text: str, indent: str) -> str:
    """In lines that a terminal does not break; as one line where nobody sees it, but a program may."""
    width = columns(_UNSEEN)
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _doing(answer: Plan) -> str:
    return "inference and learning" if answer.learn else "inference"


def _total(answer: Plan, memory: str) -> int:
    return sum(part.bytes for part in answer.parts if part.memory == memory)


def _percent(total: int, limit: int) -> str:
    return f"{100 * total / limit:.1f} %"


def _used(answer: Plan, memory: str) -> str:
    return _percent(_total(answer, memory), answer.limits[memory]) if memory in answer.limits else "-"


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.1f} s"


def _cost(cost: Cost) -> str:
    cycles = cost.cycles
    spread = (
        "" if cycles.minimum == cycles.maximum else f" ({cycles.minimum:,} to {cycles.maximum:,} whatever the numbers)"
    )
    return f"{_time(cost.seconds)}, {cycles.estimate:,} cycles{spread}"


def _to_flash(answer: Plan) -> str:
    return "-" if answer.flash_time is None else f"{answer.flash_time.seconds:.1f} s"


def _bar(total: int, limit: int, length: int) -> str:
    full, empty = "\u2588\u2591" if can_print("\u2588\u2591") else "#."
    filled = min(length, -(-total * length // limit))
    return full * filled + empty * (length - filled)


def _fits(answer: Plan) -> str:
    return {True: "yes", False: "no", None: "?"}[answer.fits]


def _row(answer: Plan) -> list[str]:
    return [
        answer.board,
        _fits(answer),
        f"{answer.flash_bytes:,}",
        _used(answer, "flash"),
        f"{answer.ram_bytes:,}",
        _used(answer, "ram"),
        f"{answer.stack_bytes:,}" if "stack" in answer.limits else "-",
        _to_flash(answer),
        answer.status,
    ]


def _pair(first: int | None, second: int | None) -> tuple[str, str, str]:
    more = "" if first is None or second is None or first == second else f"{second - first:+,}"
    return "-" if first is None else f"{first:,}", "-" if second is None else f"{second:,}", more


def _options(suggestion: Suggestion, asked: Sequence[int]) -> str:
    how = suggestion.arguments
    words = [] if suggestion.sizes == tuple(asked) else ["--sizes", ",".join(map(str, suggestion.sizes))]
    if how["learn"]:
        words += ["--learn", "--batch-size", str(how["batch_size"]), "--optimizer", how["optimizer"]]
        words += ["--last-layers", str(how["last_layers"])] if how["last_layers"] is not None else []
        words += ["--keep"] if how["keep"] else []
    return " ".join(words) or "without --learn"
