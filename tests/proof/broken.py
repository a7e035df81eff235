"""Firmware that is broken on purpose, each variant by a few lines: harnesses that do not catch it prove nothing.

Most faults are covered by a second line of defence, the digest of every image that the boot rule makes. Where that is
so, the variant comes with it switched off, too (`TRUSTING`), and `TRUSTING` alone is the control: it must pass.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import nnlite

__all__ = ["TRUSTING", "VARIANTS", "Patch", "Variant", "build"]

_PACKAGE = Path(nnlite.__file__).resolve().parent
_BUILD = (
    "import sys; from pathlib import Path; from nnlite.firmware.build import build_elf; "
    "from nnlite.profile import Profile; build_elf(Profile.load(sys.argv[1]), Path(sys.argv[2]))"
)


@dataclass(frozen=True)
class Patch:
    """In a file of the package, text that is there once becomes another."""

    file: str
    old: str
    new: str

    def apply(self, package: Path) -> None:
        """Change a copy of the package.

        Raises
        ------
        AssertionError : the text is not there, or more than once: the source has changed, and this patch must follow.
        """
        path = package / self.file
        content = path.read_text(encoding="utf-8")
        found = content.count(self.old)
        assert found == 1, f"{self.file} has {found} times, not once:\n{self.old}"
        path.write_text(content.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Variant:
    """A firmware with one fault.

    Attributes
    ----------
    what : the fault, in words.
    patches : that make it.
    """

    name: str
    what: str
    patches: tuple[Patch, ...]


_SLOTS, _MESSAGES = "firmware/slots.c", "firmware/messages.c"
_TRUST = (
    Patch(_SLOTS, "return same_digest(room->h, record->digest) ? SLOT_STATE_VALID", "return true ? SLOT_STATE_VALID"),
    Patch(
        _SLOTS,
        "if (image_parse(slots_image(slot), record->length, image) != 0) {",
        "if (image_parse(slots_image(slot), record->length, image) != 0 && record->length == 0) {",
    ),
)
#: the record alone decides at boot
TRUSTING = Variant("trusting", "the boot rule believes a committed record without looking at the image", _TRUST)

_EARLY = "0x8000u"
_BEGIN = """    slots_erase_spare(&device.slots, &sent);
    incoming_begin(&device.incoming, length, request->payload + 4, &sent);
    put_credit();
"""
_COMMIT_FIRST = (
    Patch(
        _SLOTS,
        """    refusal_t refusal = check_image(spare, length, &image);
    if (refusal.status != STATUS_OK) {
        return refusal;
    }

    for (""",
        f"""    bool early = flags == {_EARLY};
    refusal_t refusal = early ? accept() : check_image(spare, length, &image);
    if (refusal.status != STATUS_OK) {{
        return refusal;
    }}
    if (slots_record(spare)->commit != FLASH_ERASED) {{
        read_info(slots, spare, record_state(spare));
        slots->active = (uint8_t)spare;
        slots->model = image;
        return accept();
    }}

    for (""",
    ),
    Patch(
        _SLOTS,
        "    /* What flash holds decides, not what was meant",
        "    if (early) { return accept(); }\n    /* What flash holds decides, not what was meant",
    ),
    Patch(
        _MESSAGES,
        _BEGIN,
        f"{_BEGIN}    (void)slots_commit(&device.slots, length, device.incoming.digest, {_EARLY});\n",
    ),
)
_NO_CRC = (Patch("firmware/frame.c", "decoder->crc == CRC_OF_WHOLE;", "CRC_OF_WHOLE != 0;"),)
_NO_READ_BACK = (
    Patch(
        _MESSAGES,
        "if (!incoming_digest_matches(&device.incoming, &device.slots)) {",
        "if (device.incoming.length == 0) {",
    ),
)
_ERASE_RECORD = """    board_flash_erase_page(address);
    journal_begin(address, info->erase_count, pages);
"""
_ERASE_IMAGE = """        if (pages_have(pages, page) && !pages_have(&erased, page)) {
            board_flash_erase_page(image_address(spare) + page * PAGE_BYTES);
        }
    }
"""
_RECORD_LAST = (Patch(_SLOTS, _ERASE_RECORD, ""), Patch(_SLOTS, _ERASE_IMAGE, _ERASE_IMAGE + _ERASE_RECORD))
_SET_RATE = "void uart_set_rate(uint32_t baud)\n{"
_PUT = "void uart_put(uint8_t byte);\n"
_FLUSH = "void uart_flush(void)\n{\n    while (sending.busy) {\n        uart_poll();\n    }\n}\n"
_CREDIT_FIRST = (
    Patch("firmware/uart.c", _SET_RATE, _FLUSH + _SET_RATE),
    Patch("firmware/uart.h", _PUT, f"{_PUT}void uart_flush(void);\n"),
    Patch(
        _MESSAGES,
        _BEGIN,
        """    incoming_begin(&device.incoming, length, request->payload + 4, &sent);
    put_credit();
    reply_transmit();
    uart_flush();
    slots_erase_spare(&device.slots, &sent);
""",
    ),
)
_ALL = (
    Variant("commit first", "record and commit word are written before the data", _COMMIT_FIRST),
    Variant("record last", "the record page is erased behind the pages of the image", _RECORD_LAST),
    Variant("no read-back", "what was programmed is not digested before the commit", _NO_READ_BACK),
    Variant("no CRC", "frames are taken whatever their CRC-32", _NO_CRC),
    Variant("early credit", "credit is given before pages are erased", _CREDIT_FIRST),
)
VARIANTS = {variant.name: variant for variant in _ALL}


@lru_cache(maxsize=1)
def _builds() -> Path:
    return Path(mkdtemp(prefix="nnlite-broken-"))


@lru_cache(maxsize=32)
def build(board: str, variants: tuple[Variant, ...]) -> Path:
    """An ELF file of a board's firmware with the faults of some variants; built once a process."""
    folder = Path(mkdtemp(dir=_builds()))
    shutil.copytree(_PACKAGE, folder / "nnlite", ignore=shutil.ignore_patterns("__pycache__", "prebuilt", "datasets"))
    for variant in variants:
        for patch in variant.patches:
            patch.apply(folder / "nnlite")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", _BUILD, board, str(folder)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / f"{board}.elf"
