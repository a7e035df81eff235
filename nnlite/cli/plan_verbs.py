"""Verbs about boards that need no port: boards, plan, firmware."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnlite.cli import plan_view
from nnlite.cli.recipe_options import LastLayersOption, OptimizerOption
from nnlite.cli.screen import JsonOption, QuietOption, note, print_json, sizes_of
from nnlite.errors import DoesNotFitError, UsageError

if TYPE_CHECKING:
    from nnlite.planner import Plan
    from nnlite.profile import Profile

__all__ = ["boards", "firmware", "plan"]

BoardOption = Annotated[str, typer.Option("--board", help="A board's name, or the path of a profile.")]


def boards(as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """The boards that have a profile, and their limits.

    Where there is firmware, sizes are what it leaves for models: of flash, the largest model a slot holds (there are
    two); of RAM, what a network has for its work, and the widest layer that runs in it, inputs included. "proven"
    boards are those whose figures were held against the running firmware; "datasheet only" ones have none yet.

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
            memory += f"; layers of {row['largest_layer']:,} at most"
        print(f"{'':<12} bytes {memory}")


def _limits(profile: Profile) -> dict[str, Any]:
    """A row of `boards`; what is left for models is not known (None) before there is firmware that takes its share."""
    from nnlite.planner import largest_layer

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
        "largest_layer": largest_layer(profile) if there else None,
        "chip_flash_bytes": profile.flash_bytes,
        "chip_ram_bytes": profile.ram_bytes,
        "status": profile.status,
    }


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
    output = "linear" if regression else "softmax"
    return SimpleNamespace(sizes=numbers, hidden="relu", output=output, mean=None, labels=None)


def plan(
    model: Annotated[Path | None, typer.Argument(metavar="MODEL", readable=False, help="A model file.")] = None,
    board: Annotated[str | None, typer.Option(help="A board's name, or the path of a profile.")] = None,
    all_boards: Annotated[
        bool, typer.Option("--all-boards", help="Every board there is, a row each; time is that to flash, estimated.")
    ] = False,
    compare: Annotated[str | None, typer.Option(metavar="A,B", help="Two boards side by side.")] = None,
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

    Flash, RAM and stack are counted, every byte of them, from the network's sizes and the board's own firmware; the
    time to flash is an estimate. What does not fit is told with the nearest settings and networks that do. For a board
    without firmware the plan is not exact, and never says that a network fits: exit code 8 too. With --all-boards the
    exit code is 0 when one board takes it, with --compare when both do.

    \b
    Examples:
      nnlite plan m.safetensors --board microbit --learn --optimizer adam
      nnlite plan --sizes 64,32,10 --all-boards
      nnlite plan --sizes 64,32,10 --compare microbit,microbit2 --learn
      nnlite plan --sizes 64,32,10 --board boards/wristband.toml --json
    """
    from nnlite.planner import plan as make_plan

    if (board is not None) + all_boards + (compare is not None) != 1:
        raise UsageError("plan takes one of --board, --all-boards and --compare")
    if not learn and (batch_size, optimizer, last_layers, keep) != (1, "sgd", None, False):
        raise UsageError("--batch-size, --optimizer, --last-layers and --keep go with --learn")
    profiles = _profiles(board, compare)
    net = _planned(model, sizes, regression)
    plans = [make_plan(net, profile, learn, batch_size, optimizer, last_layers, keep) for profile in profiles]
    if as_json:
        print_json(plans[0].to_dict() if board is not None else [answer.to_dict() for answer in plans])
    elif board is not None:
        _print_plan(plans[0], net.sizes, quiet)
    else:
        print(plan_view.boards_table(plans) if all_boards else plan_view.comparison(*plans))
        if not quiet:
            for answer in plans:
                print(
                    "\n".join(plan_view.wrapped(f"{answer.board}: {reason}", "") for reason in answer.reasons), end=""
                )
                print(end="\n" if answer.reasons else "")
    enough = any if all_boards else all
    return 0 if enough(answer.fits for answer in plans) else DoesNotFitError.exit_code


def _profiles(board: str | None, compare: str | None) -> list[Profile]:
    from nnlite.profile import Profile, profile_names

    if compare is not None:
        names = [name.strip() for name in compare.split(",")]
        if len(names) != 2:
            raise UsageError(f"--compare takes two boards such as microbit,microbit2, not '{compare}'")
        return [Profile.load(name) for name in names]
    return [Profile.load(name) for name in ([board] if board is not None else profile_names())]


def _print_plan(answer: Plan, sizes: Sequence[int], quiet: bool) -> None:
    lines = [plan_view.verdict(answer)]
    if not quiet:
        lines = [
            plan_view.plan_title(answer),
            plan_view.plan_table(answer),
            "",
            *(plan_view.wrapped(line, "  ") for line in plan_view.estimates(answer)),
            *lines,
            *plan_view.advice(answer.suggest(), sizes),
        ]
    print("\n".join(lines))


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
