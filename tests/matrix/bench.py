"""What the cells work on: a folder of good and bad files, and a board in the states in which a verb can find it."""

from __future__ import annotations

from pathlib import Path

from firmware_sim import Board, Snapshot, open_board
from firmware_sim.state import keep_flash
from nnlite.cli import run
from nnlite.image import encode_image, image_digest
from nnlite.link.client import Client
from nnlite.link.port import open_port
from nnlite.network import load
from tests.matrix.files import MODELS, write_files
from tests.matrix.parties import OverheardBoard
from tests.matrix.protocol_staged import STAGE
from tests.matrix.verbs import FLASH

__all__ = ["Bench"]


class Bench:
    """A folder, which has to be the current one, and a board.

    Attributes
    ----------
    board : one simulated board.
    digests : of the models by name: "before" (kept for rollback), "old" (serves), "new", "wide"; those that learned;
        "none".
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_files(folder)
        self.board: Board = open_board("microbit2")
        with open_board("microbit") as other:
            keep_flash(other, folder / "other.state")
        keep_flash(self.board, folder / "board.state")
        (folder / "cut.state").write_bytes((folder / "board.state").read_bytes()[:-40])
        (folder / "out").write_bytes(b"what was there before")
        (folder / "out").chmod(0o666)
        self._files = self.files()
        self.digests: dict[str, bytes | None] = {
            name: image_digest(encode_image(load(folder / f"{name}.safetensors"))) for name in (*MODELS, "wide")
        } | {"none": None}
        self._states: dict[str, Snapshot] = {}
        self._make_states()
        self.enter("loaded")

    # ---- the board

    def enter(self, state: str) -> None:
        """Bring the board into a state."""
        self.board.restore(self._states[state])

    def serving(self) -> bytes | None:
        """Digest of the model that answers, made anew by the board; None when there is none."""
        client = Client(open_port(self.board.url))
        try:
            return None if client.hello().serving is None else client.verify().digest
        finally:
            client.close()

    def _keep(self, state: str, *verbs: str) -> None:
        """Carry out commands, and remember how the board is then."""
        for verb in verbs:
            assert run([*verb.split(), "--port", self.board.url, "-q"]) == 0
        self._states[state] = self.board.snapshot()

    def _boot(self) -> None:
        """Anew, until it listens."""
        self.board.boot()
        self.board.run(self.board.profile.clock_hz // 4)

    def _make_states(self) -> None:
        self._boot()
        self._keep("empty")
        self._keep("another shape", "flash wide.safetensors")
        self.enter("empty")
        self._keep("one model", "flash before.safetensors")
        self._keep("loaded", "flash old.safetensors")
        for data, name in (("good.csv", "learned"), ("plain.csv", "learned from plain.csv")):
            self.enter("loaded")
            self._keep(name, f"learn {data} --target state")
            self.digests[name] = self.serving()
        for before, state in (("empty", "not committed"), ("loaded", "the next one not committed")):
            self.enter(before)
            STAGE["cut"] = overheard = OverheardBoard(self.board, "silence", "request", len(FLASH))
            assert run(["flash", "new.safetensors", "--port", "staged://cut", "-q"]) == 5
            assert overheard.requests[-1] == "FLASH_COMMIT"
            self._boot()
            self._keep(state)
        self.enter("loaded")
        at = self.board.profile.slot_address(1) + self.board.profile.page_bytes + 200
        self.board.write_memory(at, bytes([self.board.read_memory(at, 1)[0] ^ 1]))
        self._keep("a bit of the model changed")

    # ---- files

    def files(self) -> dict[str, bytes]:
        """All that is in the folder, by name."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }

    def changed_files(self) -> set[str]:
        """Names of files that are not as they were, and puts them back."""
        now = self.files()
        changed = {name for name in {*now, *self._files} if now.get(name) != self._files.get(name)}
        for name in changed:
            if name in self._files:
                (self.folder / name).write_bytes(self._files[name])
            else:
                (self.folder / name).unlink()
        return changed
