"""Which source line an instruction came from.

Read from an image's DWARF, or from the table that is committed beside a prebuilt image. That table has a line of text
for every stretch of code from one file:

    1a4 firmware/frame.c 31+4 33+10

from address 0x1a4 on, 4 bytes of line 31 of that file, then 10 bytes of line 33.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

__all__ = ["LineTable"]

#: a file and a line of it
_Place = tuple[str, int]
#: first address, place
_Row = tuple[int, _Place]


@dataclass(frozen=True)
class LineTable:
    """Lines by address.

    Attributes
    ----------
    addresses : where the code of a line begins or a stretch ends, rising.
    places : file and line from there on; None behind a stretch.
    """

    addresses: list[int]
    places: list[_Place | None]

    def at(self, pc: int) -> str | None:
        """The line of an instruction, as "src/main.c:42"."""
        index = bisect_right(self.addresses, pc) - 1
        place = self.places[index] if index >= 0 else None
        return None if place is None else f"{place[0]}:{place[1]}"

    @classmethod
    def of_dwarf(cls, elf: bytes, root: str | None = None, functions: Iterable[int] = ()) -> LineTable:
        """From the line programs of an ELF file, DWARF 2 to 5; empty when it has none or they are damaged.

        Parameters
        ----------
        elf : the whole file.
        root : an absolute folder: only files in it are kept, named from there on. By default all files are, named
            from the folder they were compiled in, those outside of it by their own folder and name.
        functions : addresses where functions begin. The linker leaves the lines of a function that it threw away at
            address 0, so a stretch from there is believed only when a function begins there.
        """
        starts = set(functions)
        try:
            found = [s for s in _stretches(elf, root) if s[0][0][0] or 0 in starts]
        except Exception:  # pyelftools asserts, divides by and looks up what the file says: no lines, then
            found = []
        return cls._of_stretches(sorted(found))

    @classmethod
    def parse(cls, text: str) -> LineTable:
        """From the text that `text` made."""
        found = []
        for line in text.splitlines():
            start, name, *items = line.split(" ")
            address = int(start, 16)
            rows = []
            for item in items:
                number, _, size = item.partition("+")
                rows.append((address, (name, int(number))))
                address += int(size)
            found.append((rows, address))
        return cls._of_stretches(found)

    @classmethod
    def _of_stretches(cls, stretches: Iterable[tuple[list[_Row], int]]) -> LineTable:
        """From rows and the address behind the last, in the order of addresses."""
        table = cls([], [])
        for rows, end in stretches:
            if table.addresses and rows[0][0] < table.addresses[-1]:
                continue  # one that overlaps is of code that is not there
            for address, place in (*rows, (end, None)):
                if table.addresses and table.addresses[-1] == address:
                    table.places[-1] = place  # the last row of an address counts
                elif not table.places or table.places[-1] != place:
                    table.addresses.append(address)
                    table.places.append(place)
        return table

    def text(self) -> str:
        """As `parse` reads it."""
        out: list[str] = []
        file = None
        for (start, end), place in zip(pairwise(self.addresses), self.places, strict=False):
            if place is None:
                file = None
                continue
            if place[0] != file:
                file = place[0]
                out.append(f"{start:x} {file}")
            out[-1] += f" {place[1]}+{end - start}"
        return "\n".join([*out, ""])


def _stretches(content: bytes, root: str | None) -> Iterator[tuple[list[_Row], int]]:
    """Each run of instructions without a gap: its rows, and where it ends."""
    from elftools.elf.elffile import ELFFile  # takes longer to import than a board to boot

    elf = ELFFile(BytesIO(content))
    if not elf.has_dwarf_info():
        return
    dwarf = elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        top = unit.get_top_DIE().attributes
        compiled_in = top["DW_AT_comp_dir"].value.decode(errors="replace") if "DW_AT_comp_dir" in top else ""
        names: dict[int, str | None] = {}
        rows: list[_Row] = []
        for state in (entry.state for entry in program.get_entries()):
            if state is None:
                continue
            if state.end_sequence:
                if rows:
                    yield rows, state.address
                rows = []
            elif state.line:  # line 0 is the compiler's own: it goes to the line before
                if state.file not in names:
                    names[state.file] = _name(program.header, state.file, compiled_in, root)
                name = names[state.file]
                if name is not None:
                    rows.append((state.address, (name, state.line)))


def _name(header: Any, file: int, compiled_in: str, root: str | None) -> str | None:
    """What a file of a line program is called; None for one that is not in the root.

    DWARF 5, 6.2.4: files and directories count from 0, directory 0 is where it was compiled. Before, both count from 1.
    """
    version, folders = header["version"], header["include_directory"]
    entry = header["file_entry"][file if version >= 5 else file - 1]
    index = entry["dir_index"]
    folder = (b"" if index == 0 else folders[index - 1]) if version < 5 else folders[index]
    kind = PureWindowsPath if ":" in compiled_in[:2] else PurePosixPath
    base = kind(compiled_in if root is None else root)
    path = kind(compiled_in, folder.decode(errors="replace"), entry["name"].decode(errors="replace"))
    path = _without_dots(path)
    if path.is_relative_to(base):
        return path.relative_to(base).as_posix()
    return None if root is not None else "/".join(path.parts[-2:])


def _without_dots(path: PurePosixPath | PureWindowsPath) -> PurePosixPath | PureWindowsPath:
    """The same file without "..", as a compiler writes ../src/main.c."""
    kept: list[str] = []
    for part in path.parts:
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        else:
            kept.append(part)
    return type(path)(*kept)
