"""The TOML files that a profile is read from: one's own, what it extends, and on which line of which each field stands.

Knows tables and lines; what a profile must have in them is `nnlite.profile`'s business.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from nnlite.errors import PathError, UsageError
from nnlite.files import check_path

__all__ = ["EXTENDS", "ProfileText", "ProfileTexts", "profile_names", "read_profile"]

Field = tuple[str, ...]

#: names the profile whose fields hold where a file has none of its own
EXTENDS = "extends"
#: of a board itself: what another one says of itself is never true of it
_OWN = ("name", "title", "status")
_SUFFIX = ".toml"


def profile_names() -> tuple[str, ...]:
    """Names of the bundled profiles, sorted."""
    folder = resources.files("nnlite") / "profiles"
    return tuple(sorted(p.name.removesuffix(_SUFFIX) for p in folder.iterdir() if p.name.endswith(_SUFFIX)))


@dataclass(frozen=True)
class ProfileText:
    """One file.

    Attributes
    ----------
    where : its path, or the name of a bundled profile.
    folder : where its own `extends` is looked for; None for a bundled one, which extends bundled ones alone.
    text : its content, with newlines alone.
    table : the same, parsed.
    """

    where: str
    folder: Path | None
    text: str
    table: dict[str, Any]

    def has(self, field: Field) -> bool:
        """Whether it sets a field, given by the names of its tables and its own."""
        return _has(self.table, field)

    def line(self, field: Field) -> int:
        """Line on which the statement begins that sets a field; it must be there."""
        lines = self.text.split("\n")

        def before(end: int) -> tuple[int, dict[str, Any]]:
            """How many of the first `end` lines are whole statements, and what these set."""
            for count in range(end, 0, -1):
                with suppress(ValueError):
                    return count, tomllib.loads("\n".join(lines[:count]))
            return 0, {}

        # A file cut behind a whole statement is a file itself: tomllib tells where a field begins to be there.
        end = bisect_left(range(len(lines)), True, key=lambda count: _has(before(count)[1], field))
        return before(end - 1)[0] + 1

    def sets(self, table: str | None) -> set[str]:
        """Names of the fields in a table of it; None for those outside of any."""
        content = self.table if table is None else self.table.get(table, {})
        return set(content) if isinstance(content, dict) else set()


@dataclass(frozen=True)
class ProfileTexts:
    """A profile's own file, and behind it those that it extends, the nearest first."""

    texts: tuple[ProfileText, ...]

    def merged(self) -> dict[str, Any]:
        """All fields. The nearest file's hold; in tables by name. A field that is set anew drops the source that an
        extended file gives for it, and what a board says of itself is not passed on.
        """
        result: dict[str, Any] = {}
        for text in reversed(self.texts):
            inherited = {name: value for name, value in result.items() if name not in _OWN}
            sources = inherited.get("sources")
            if isinstance(sources, dict):
                anew = text.sets(None) | text.sets("firmware")
                inherited["sources"] = {name: source for name, source in sources.items() if name not in anew}
            result = {**inherited, **text.table}
            for name, value in text.table.items():
                base = inherited.get(name)
                if isinstance(value, dict) and isinstance(base, dict):
                    result[name] = {**base, **value}
        result.pop(EXTENDS, None)
        return result

    def error(self, message: str, *fields: Field) -> UsageError:
        """A message about fields, with the nearest file that sets one of them and the line there."""
        for text in self.texts:
            for field in fields:
                if field and text.has(field):
                    behind = "" if text is self.texts[0] else f" (which {self.texts[0].where} extends)"
                    return UsageError(f"the profile {text.where}, line {text.line(field)}{behind}: {message}")
        return UsageError(f"the profile {self.texts[0].where}: {message}")


def read_profile(name_or_path: str | Path) -> ProfileTexts:
    """A bundled profile by name, or one's own by the path of a TOML file, with all that it extends.

    Raises
    ------
    UsageError : no bundled profile of that name, a file that is not TOML, or one that extends itself, also by others.
    PathError : the file is missing or cannot be read.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, str) and not text.endswith(_SUFFIX):
        if text not in profile_names():
            raise UsageError(_unknown(text))
        texts = [_bundled(text)]
    else:
        texts = [_file(check_path(name_or_path))]
    while EXTENDS in texts[-1].table:
        base = _base(texts[-1])
        if any(_same(base, text) for text in texts):
            circle = " -> ".join(text.where for text in [*texts, base])
            raise ProfileTexts((texts[-1],)).error(f"{EXTENDS} goes round in a circle: {circle}", (EXTENDS,))
        texts.append(base)
    return ProfileTexts(tuple(texts))


def _base(text: ProfileText) -> ProfileText:
    """What a file extends."""
    name = text.table[EXTENDS]
    what = f"{EXTENDS} takes the name of a bundled profile or the path of a {_SUFFIX} file"
    if not isinstance(name, str):
        raise ProfileTexts((text,)).error(f"{what}, not {name!r}", (EXTENDS,))
    if name in profile_names():
        return _bundled(name)
    if text.folder is None or not name.endswith(_SUFFIX):
        raise ProfileTexts((text,)).error(f"{EXTENDS}: {_unknown(name)}", (EXTENDS,))
    try:
        return _file(text.folder / check_path(name))
    except PathError as error:
        raise ProfileTexts((text,)).error(f"{EXTENDS}: {error}", (EXTENDS,)) from error


def _unknown(name: str) -> str:
    boards = ", ".join(profile_names())
    return f"there is no board '{name}'; boards are {boards}, or give the path of a {_SUFFIX} profile"


def _same(one: ProfileText, other: ProfileText) -> bool:
    if one.folder is None or other.folder is None:
        return one.folder is other.folder and one.where == other.where
    return Path(one.where).resolve() == Path(other.where).resolve()


def _bundled(name: str) -> ProfileText:
    content = (resources.files("nnlite") / "profiles" / f"{name}{_SUFFIX}").read_bytes()
    return _parsed(name, None, content)


def _file(path: Path) -> ProfileText:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PathError(f"cannot read the profile {path}: {error.strerror}; name a file that can be read") from error
    return _parsed(str(path), path.parent, content)


def _parsed(where: str, folder: Path | None, content: bytes) -> ProfileText:
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
        return ProfileText(where, folder, text, tomllib.loads(text))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"the profile {where}, line {line}, is not a TOML file: byte {error.start} is not UTF-8 text"
        ) from error
    except RecursionError as error:
        raise UsageError(f"the profile {where} is not a TOML file: its values are nested too deeply") from error
    except ValueError as error:  # which names the line, or a number of too many digits
        raise UsageError(f"the profile {where} is not a TOML file: {error}") from error


def _has(table: Mapping[str, Any], field: Field) -> bool:
    value: Any = table
    for name in field:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True
