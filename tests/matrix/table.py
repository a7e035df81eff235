"""The columns of the table, and its cells: which failure can befall which verb, and with which exit code it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.matrix.verbs import ROWS, Row

__all__ = ["CELLS", "Cell", "Failure"]


@dataclass(frozen=True, eq=False)
class Failure:
    """A column.

    Attributes
    ----------
    name : what goes wrong.
    code : the exit code.
    words : what is typed in place of a placeholder; the failure befalls the verbs that take it.
    port : what is behind the port, by its name in `situations`; the failure befalls the verbs with a port.
    state : of the board, see `bench`; other than "loaded", the failure befalls the verbs that need a model.
    codes : exit codes of verbs for which it is another one; None where there is nothing to fail.
    circumstances : further ones, by their names in `situations`.
    """

    name: str
    code: int
    words: dict[str, str] = field(default_factory=dict)
    port: str = ""
    state: str = "loaded"
    codes: dict[str, int | None] = field(default_factory=dict)
    circumstances: str = ""

    def code_for(self, row: Row) -> int | None:
        """The exit code, or None when this cannot befall a verb."""
        possible = (
            all(map(row.takes, self.words))
            and (row.port or not self.port)
            and (row.needs_model or self.state == "loaded")
            and (self.words or self.port or self.state != "loaded")
        )
        return self.codes.get(row.name, self.codes.get(row.verb, self.code)) if possible else None


@dataclass(frozen=True, eq=False)
class Cell:
    """A verb and a failure; for one that comes at a message, the side that sends it and its number from 1."""

    row: Row
    failure: Failure
    code: int
    side: str = ""
    number: int = 0

    @property
    def name(self) -> str:
        """Of the verb, and of the message if the failure comes at one."""
        return f"{self.row.name} {self.side} {self.number}" if self.side else self.row.name


# What is not in the table, and why:
# - demo and train on a full disk or with Ctrl-C: the disk is met when the work is done, in the same function as for
#   pull and firmware; test_init.py has Ctrl-C in training.
# - sim and monitor where nothing is wrong: they end by Ctrl-C only, see test_sim_verbs.py and test_port_verbs.py.
# - selftest at each message: it takes a hundred of them and seconds; tests/test_selftest.py has what can fail in it.
# - run - of a board that is unplugged: it waits for the board to come back, see tests/cli/test_live.py.
# - run and learn with Ctrl-C or silence in the midst of a frame: tests/sim/test_faults.py, tests/test_device.py.

FILES = (
    # ---- models
    Failure("model missing", 2, {"MODEL": "gone.safetensors"}),
    Failure("model is a directory", 2, {"MODEL": "folder"}),
    Failure("model unreadable", 2, {"MODEL": "locked/m.safetensors"}, circumstances="nobody"),
    Failure("model empty", 9, {"MODEL": "empty.safetensors"}),
    Failure("model cut short", 9, {"MODEL": "cut.safetensors"}),
    Failure("model of five bytes", 9, {"MODEL": "short.safetensors"}),
    Failure("model of another program", 9, {"MODEL": "foreign.safetensors"}),
    Failure("model is a CSV file", 9, {"MODEL": "good.csv"}),
    Failure("model with a NaN", 9, {"MODEL": "nan.safetensors"}),
    Failure("model of a future version", 9, {"MODEL": "future.safetensors"}),
    Failure(
        "model of another shape",
        8,
        {"MODEL": "wide.safetensors"},
        codes={"evaluate": 9, "plan": None, "export": None, "flash": None, "verify": 6},
    ),
    Failure(
        "model too large for the board",
        8,
        {"MODEL": "big.safetensors"},
        codes=dict.fromkeys(("evaluate", "plan", "export", "run", "learn", "pull")) | {"verify": 6},
    ),
    Failure(
        "model is not the one on the board",
        6,
        {"MODEL": "new.safetensors"},
        codes=dict.fromkeys(("evaluate", "plan", "export", "flash", "run", "learn", "pull")),
    ),
    # ---- data
    Failure("data missing", 2, {"DATA": "gone.csv"}),
    Failure("data is a directory", 2, {"DATA": "folder"}),
    Failure("data unreadable", 2, {"DATA": "locked/data.csv"}, circumstances="nobody"),
    Failure("data empty", 9, {"DATA": "empty.csv"}),
    Failure("data blank", 9, {"DATA": "blank.csv"}),
    Failure("data with a header only", 9, {"DATA": "no rows.csv"}),
    Failure("data binary", 9, {"DATA": "binary.csv"}),
    Failure("data with NULs at the end", 9, {"DATA": "null.csv"}),
    Failure("data in Latin-1", 9, {"DATA": "latin1.csv"}),
    Failure("data is a model", 9, {"DATA": "old.safetensors"}),
    Failure("a short row", 9, {"DATA": "short row.csv"}),
    Failure("a long row", 9, {"DATA": "long row.csv"}),
    Failure("text among numbers", 9, {"DATA": "text.csv"}),
    Failure("NaN", 9, {"DATA": "nan.csv"}),
    Failure("infinite", 9, {"DATA": "infinite.csv"}),
    Failure("beyond float32", 9, {"DATA": "huge.csv"}),
    Failure("a cell without a value", 9, {"DATA": "hole.csv"}),
    Failure("a row without an answer", 9, {"DATA": "no answer.csv"}),
    Failure(
        "one class", 9, {"DATA": "one class.csv"}, codes={"evaluate": 0, "run": 0, "learn": None}
    ),  # may be learned
    Failure("an unseen label", 9, {"DATA": "unseen.csv"}, codes={"train": 0, "run": 0}),
    Failure("a column too few", 9, {"DATA": "narrow.csv"}, codes={"train": 0}),
    Failure("columns of other names, one too many", 9, {"DATA": "wide.csv"}, codes={"train": 0}),
    Failure("two columns of one name", 9, {"DATA": "twice.csv"}),
    Failure("no such target", 9, {"DATA": "other target.csv"}),
    Failure("semicolons", 9, {"DATA": "semicolons.csv"}),
    Failure("tabs", 9, {"DATA": "tabs.csv"}),
    Failure("decimal commas", 9, {"DATA": "decimal commas.csv"}),
    Failure("no header", 9, {"DATA": "no header.csv"}),
    Failure("no header, labels at the end", 9, {"DATA": "no header, with labels.csv"}),
    Failure("a byte-order mark", 0, {"DATA": "byte-order mark.csv"}),
    Failure("CRLF", 0, {"DATA": "crlf.csv"}),
    Failure("quotes", 0, {"DATA": "quoted.csv"}),
    Failure("blank lines", 0, {"DATA": "blank lines.csv"}),
    Failure("columns in another order", 0, {"DATA": "turned.csv"}),
    Failure("an archive cut short", 9, {"DATA": "cut.npz", "state": "y"}),
    Failure("an archive empty", 9, {"DATA": "empty.npz"}),
    Failure("an archive of other arrays", 9, {"DATA": "foreign.npz", "state": "y"}),
    Failure("an archive of objects", 9, {"DATA": "pickle.npz", "state": "y"}),
    Failure("an archive with a NaN", 9, {"DATA": "nan.npz", "state": "y"}),
    Failure("an archive with fewer answers than samples", 9, {"DATA": "ragged.npz", "state": "y"}),
    # ---- where results go
    Failure("output into a folder that is not there", 2, {"OUTPUT": "gone/out"}),
    Failure("output is a directory", 2, {"OUTPUT": "folder"}),
    Failure("output into a folder that this user may not write", 2, {"OUTPUT": "locked/out"}, circumstances="nobody"),
    Failure("output write-protected", 2, {"OUTPUT": "protected"}, circumstances="nobody"),
    Failure("output beyond what a file may hold", 2, {"OUTPUT": "out"}, circumstances="no room"),
    Failure("output on a full device", 2, {"OUTPUT": "/dev/full"}),
    Failure("folder is a file", 2, {"FOLDER": "good.csv"}),
    Failure("folder in one that this user may not write", 2, {"FOLDER": "locked/demo"}, circumstances="nobody"),
    # ---- boards without a port
    Failure("no such board", 2, {"BOARD": "nano"}),
    Failure("a board without firmware", 8, {"BOARD": "uno"}, codes={"plan": None}),  # its answer is a plan
    Failure("profile missing", 2, {"BOARD": "gone.toml"}),
    Failure("profile is a directory", 2, {"BOARD": "folder.toml"}),
    Failure("profile unreadable", 2, {"BOARD": "locked/p.toml"}, circumstances="nobody"),
    Failure("profile empty", 2, {"BOARD": "empty.toml"}),
    Failure("profile binary", 2, {"BOARD": "binary.toml"}),
    Failure("profile is a table", 2, {"BOARD": "text.toml"}),
    Failure("profile of a future version", 2, {"BOARD": "future.toml"}),
    # ---- the simulated board's flash
    Failure("state of another board", 9, {"STATE": "other.state"}),
    Failure("state is a model", 9, {"STATE": "old.safetensors"}),
    Failure("state empty", 9, {"STATE": "empty.csv"}),
    Failure("state cut short", 9, {"STATE": "cut.state"}),
    Failure("state is a directory", 2, {"STATE": "folder"}),
    Failure("state in a folder that is not there", 2, {"STATE": "gone/board.state"}),
    Failure("state in one that this user may not write", 2, {"STATE": "locked/board.state"}, circumstances="nobody"),
    Failure("state beyond what a file may hold", 2, {"STATE": "new.state"}, circumstances="no room"),
)

_ENDLESS = {"monitor": None}

PORTS = (
    Failure("no port plugged in", 3, port="none"),
    Failure("two boards, no choice", 3, port="two"),
    Failure("no board of that id", 3, port="other id"),
    Failure("ports, but no board", 3, port="no board"),
    Failure("no such port", 3, port="/dev/there-is-none"),
    Failure("not a serial port", 3, port="/dev/null"),
    Failure("not the name of a port", 3, port="bogus://x"),
    Failure("nobody listens", 3, port="socket://127.0.0.1:1"),
    Failure("a simulated board of no such name", 2, port="sim://nano"),
    Failure("a simulated board with an unknown option", 2, port="sim://microbit?sate=board.state"),
    Failure("a simulated board with a foreign state", 9, port="sim://microbit?state=old.safetensors"),
    Failure("busy: this program has it", 4, port="opened"),
    Failure("busy: another client of a TCP port", 4, port="connected"),
    Failure("busy: locked by another process", 4, port="locked"),
    Failure("not permitted", 4, port="forbidden", circumstances="nobody"),
    Failure("silent from the start", 5, port="silent", codes=_ENDLESS),
    Failure("answers as a shell", 5, port="shell", codes=_ENDLESS),
    Failure("answers as a satellite receiver", 5, port="satellites", codes=_ENDLESS),
    Failure("answers as an echo", 5, port="echo", codes=_ENDLESS),
    Failure("sends zeros", 5, port="zeros", codes=_ENDLESS),
    Failure("older protocol", 8, port="older", codes=_ENDLESS),
    Failure("newer protocol", 8, port="newer", codes=_ENDLESS),
    Failure("firmware that does not tell all", 8, port="lacking", codes=_ENDLESS),
    Failure("firmware that tells of a slot more than is known", 8, port="strange slot", codes=_ENDLESS),
    Failure("firmware that tells more", 0, port="telling", codes=_ENDLESS | {"selftest": None}),
    Failure(
        "a board that is not known",
        0,
        port="unknown board",
        codes=_ENDLESS | {"selftest": None, "flash": 8, "learn": 8},
    ),
)

STATES = (
    Failure("no model on the board", 8, state="empty"),
    Failure("a model that was not committed, none before", 8, state="not committed"),
    Failure("a model that was not committed, one before", 0, state="the next one not committed", codes={"rollback": 8}),
    Failure("one model only", 8, state="one model", codes=dict.fromkeys(("verify", "run", "learn", "pull"))),
    Failure(
        "a bit of the model changed",
        6,
        state="a bit of the model changed",
        codes={"rollback": None, "run": None, "learn": None},
    ),
    Failure("a model of another shape on the board", 8, state="another shape", codes={"verify": 6, "rollback": None}),
)

SILENT = Failure("falls silent", 5)
UNPLUGGED = Failure("unplugged", 3)
HUNG_UP = Failure("the network goes", 3)
INTERRUPTED = Failure("Ctrl-C", 130)
KILLED = Failure("kill -9", -9)


def _at_messages(row: Row) -> Iterator[Cell]:
    count = {"request": len(row.messages), "answer": len(row.messages) + row.more_answers}
    for failure in (SILENT, UNPLUGGED, HUNG_UP, INTERRUPTED, KILLED):
        if failure is KILLED and row.verb not in ("flash", "learn", "pull"):
            continue
        if row.stdin and failure in (UNPLUGGED, HUNG_UP):
            continue
        for side, messages in count.items():
            if failure is HUNG_UP and side == "answer":
                continue  # to the laptop it is the same as before the next request
            for number in range(1, messages + 1):
                # Who hangs up before a word was said is taken for one that serves another client.
                busy = failure is HUNG_UP and number == 1
                yield Cell(row, failure, 4 if busy else failure.code, side, number)


def _cells() -> Iterator[Cell]:
    for failure in (*FILES, *PORTS, *STATES):
        for row in ROWS:
            code = failure.code_for(row)
            if code is not None:
                yield Cell(row, failure, code)
    for row in ROWS:
        yield from _at_messages(row)


CELLS = tuple(_cells())
