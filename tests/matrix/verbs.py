"""The rows of the table: each verb as it is typed when all is well. A new verb is a new line here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FLASH", "ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """A verb.

    Attributes
    ----------
    verb, words : what is typed. DATA, MODEL, BOARD, OUTPUT, FOLDER and STATE stand for what can be wrong.
    port : whether it takes --port.
    messages : what it asks of the board that holds a model, when nothing goes wrong.
    stdin : a file that comes on standard input; the answers to it are printed as they come.
    more_answers : how many answers there are beyond one a message: READ is answered in pieces.
    needs_model : whether it is nothing without a model on the board.
    """

    verb: str
    words: str
    port: bool = False
    messages: tuple[str, ...] = ()
    more_answers: int = 0
    needs_model: bool = False
    stdin: str = ""

    @property
    def name(self) -> str:
        """What tells it from the other rows."""
        return f"{self.verb} -" if self.stdin else self.verb

    def takes(self, placeholder: str) -> bool:
        """Whether this is among its words."""
        return placeholder in self.words.split()


_SHAPE = ("HELLO", "READ", "READ", "READ")  # header, mean, labels
FLASH = ("HELLO", "PAGES", "FLASH_BEGIN", *("FLASH_DATA",) * 3, "FLASH_COMMIT")
_RUN = (*_SHAPE, "RUN", "RUN")
_LEARN = (*_SHAPE, "LEARN_BEGIN", "LEARN", "LEARN", "LEARN_COMMIT")

ROWS = (
    Row("demo", "--board BOARD --out FOLDER"),
    Row("train", "DATA --target state --hidden 4 --epochs 1 --board BOARD -o OUTPUT"),
    Row("evaluate", "MODEL DATA --target state"),
    Row("boards", ""),
    Row("plan", "MODEL --board BOARD"),
    Row("export", "MODEL --to c -o FOLDER"),
    Row("firmware", "--board BOARD -o OUTPUT"),
    Row("sim", "--board BOARD --state STATE"),
    Row("ports", ""),
    Row("info", "", True, ("HELLO",)),
    Row("flash", "MODEL", True, FLASH),
    Row("verify", "MODEL", True, ("HELLO", "VERIFY"), needs_model=True),
    Row("rollback", "", True, ("HELLO", "ROLLBACK"), needs_model=True),
    Row("run", "DATA --target state --like MODEL", True, _RUN, needs_model=True),
    Row("run", "- --target state --like MODEL", True, _RUN, needs_model=True, stdin="plain.csv"),
    Row("learn", "DATA --target state --like MODEL", True, _LEARN, needs_model=True),
    Row("pull", "-o OUTPUT --like MODEL", True, ("HELLO", "VERIFY", "READ"), 2, needs_model=True),
    Row("selftest", "--overwrite", True),
    Row("bench", "device --board BOARD"),
    Row("monitor", "", True),
)
