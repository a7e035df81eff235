"""Verbs about boards that need no port: boards, plan, firmware."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnlite.cli.recipe_options import LastLayersOption, OptimizerOption
from nnlite.cli.screen import JsonOption, QuietOption, note, print_json, sizes_of
from nnlite.errors import DoesNotFitError, UsageError

if TYPE_CHECKING:
    from nnlite.planner import Plan
    from nnlite.profile import Profile

__all__ = ["boards", "firmware", "plan", "plan_table"]

BoardOption = Annotated[str, typer.Option("--board", help="A board's name, or the path of a profile.")]


def boards(as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """The boards that have a profile, and their limits.

    Where there is firmware, sizes are what it leaves for models: of flash, the largest model a slot holds (there are
    two); of RAM, what a network has for its work. "proven" boards are those whose figures were held against the running
    firmware; "datasheet only" ones have none yet.

    \b
    Examples:
      nnlite boards
      nnlite boards --json
    """
    from nnlite.profile import Profile, profile_names

    rows = [_limits(Profile.load(name)) for name in profile_names()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(f"{row['name']:<12} {row['title']}; {row['status']}")
        print(f"{'':<12} {row['core']}, {'FPU' if row['fpu'] else 'no FPU'}, {row['clock_hz'] / 1e6:g} MHz")
        if row["flash_bytes"] is None:
            memory = f"in all: flash {row['chip_flash_bytes']:,}, RAM {row['chip_ram_bytes']:,}; no firmware yet"
        else:
            memory = f"for models: flash {row['flash_bytes']:,}, RAM {row['ram_bytes']:,}"
        print(f"{'':<12} bytes {memory}")


def _limits(profile: Profile) -> dict[str, Any]:
    """A row of `boards`; what is left for models is not known (None) before there is firmware that takes its share."""
    there = profile.has_firmware
    return {
        "name": profile.name,
        "title": profile.title,
        "chip": profile.chip,
        "core": profile.core,
        "fpu": profile.fpu,
        "clock_hz": profile.clock_hz,
        "flash_bytes": profile.slot_image_bytes if there else None,
        "ram_bytes": profile.firmware.arena_bytes if there else None,
        "chip_flash_bytes": profile.flash_bytes,
        "chip_ram_bytes": profile.ram_bytes,
        "status": profile.status,
    }


def plan_table(answer: Plan) -> str:
    """A plan as a person reads it: each byte, and how full each memory is."""
    lines = []
    for memory, title in (("flash", "flash"), ("ram", "RAM"), ("stack", "stack")):
        if memory not in answer.limits:
            continue
        parts = [part for part in answer.parts if part.memory == memory]
        total, limit = sum(part.bytes for part in parts), answer.limits[memory]
        lines += [f"  {title:<6} {part.name:<32} {part.bytes:>9,}" for part in parts]
        share = f"{100 * total / limit:.1f} %" if limit else ""
        lines.append(f"  {title:<6} {'= together, of ' + format(limit, ',') + ' (' + share + ')':<32} {total:>9,}")
    if not answer.exact:
        lines.append("  not exact: these are the network's bytes alone; what a firmware would take is not known")
    return "\n".join(lines)


def _planned(model: Path | None, sizes: str | None, regression: bool) -> Any:
    if (model is None) == (sizes is None):
        raise UsageError("plan takes either a model file or --sizes such as 64,32,10")
    if model is not None:
        if regression:
            raise UsageError("--regression goes with --sizes; a model file knows its own output")
        from nnlite.network import load

        return load(model)
    assert sizes is not None
    from nnlite.network import check_sizes

    numbers = check_sizes(sizes_of("--sizes", sizes))
    return SimpleNamespace(sizes=numbers, output="linear" if regression else "softmax", mean=None, labels=None)


def plan(
    board: BoardOption,
    model: Annotated[Path | None, typer.Argument(metavar="MODEL", readable=False, help="A model file.")] = None,
    sizes: Annotated[str | None, typer.Option(help="Instead of a model: inputs, hidden..., outputs.")] = None,
    learn: Annotated[bool, typer.Option("--learn", help="Plan for learning on the board as well.")] = False,
    batch_size: Annotated[int, typer.Option(help="Samples of one training step on the board.")] = 1,
    optimizer: OptimizerOption = "sgd",
    last_layers: LastLayersOption = None,
    keep: Annotated[bool, typer.Option("--keep", help="Learning with --patience, which keeps the best.")] = False,
    regression: Annotated[bool, typer.Option("--regression", help="With --sizes: a linear output.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Does a network fit a board, byte by byte. Exit code 8 when it does not.

    For a board without firmware the plan is not exact, and never says that a network fits: exit code 8 too.

    \b
    Examples:
      nnlite plan m.safetensors --board microbit --learn --optimizer adam
      nnlite plan --sizes 64,32,10 --board microbit2 --json
    """
    from nnlite.planner import plan as make_plan
    from nnlite.profile import Profile

    net = _planned(model, sizes, regression)
    answer = make_plan(net, Profile.load(board), learn, batch_size, optimizer, last_layers, keep)
    if as_json:
        print_json(answer.to_dict())
    elif not quiet:
        print(f"{answer.board} ({answer.status}), {'inference and learning' if learn else 'inference'}; bytes:")
        print(plan_table(answer))
    if not as_json:
        print({True: "It fits.", False: "It does not fit:", None: "Whether it fits is not known:"}[answer.fits])
        for reason in answer.reasons:
            print(f"  {reason}")
    return 0 if answer.fits else DoesNotFitError.exit_code


def firmware(
    board: BoardOption,
    output: Annotated[
        Path, typer.Option("-o", "--output", readable=False, help="Where the .hex goes, or the sketch's folder.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="hex or arduino.")] = "hex",
    quiet: QuietOption = False,
) -> None:
    """Write a board's firmware, as Intel HEX or an Arduino sketch.

    A sketch goes through the bootloader of an Arduino, which a .hex would replace. Its slots and its RAM are smaller
    than those that `plan` counts with; the board says in `info` what it has, and refuses what does not fit.

    \b
    Examples (then drag the file onto MICROBIT, or open the folder in the IDE):
      nnlite firmware --board microbit -o nnlite.hex
      nnlite firmware --board nano33ble --to arduino -o nnlite_firmware
    """
    from nnlite.files import write_all, write_whole
    from nnlite.profile import Profile

    if to not in ("hex", "arduino"):
        raise UsageError(f"firmware is written as hex or arduino, not as {to!r}")
    profile = Profile.load(board)
    profile.require_firmware()
    if to == "hex":
        write_whole(output, profile.firmware_hex().encode("ascii"))
        note(f"wrote {output} ({profile.title}, {profile.firmware.flash_bytes:,} bytes of code)", quiet)
        return
    from nnlite.firmware.sketch import sketch_files

    files = sketch_files(profile, output.absolute().name)
    write_all(output, {file: text.encode("ascii") for file, text in files.items()})
    note(f"wrote {output} (a sketch for {profile.title}, {len(files)} files)", quiet)
