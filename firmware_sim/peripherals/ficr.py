"""FICR, what the factory wrote (nRF51 Reference Manual 7, PS 4.4 of the nRF52), of a specimen made up from its id."""

from __future__ import annotations

import numpy as np

from firmware_sim.peripherals.base import Constants, Timeline, numbered
from nnlite.profile import Profile

__all__ = ["Ficr"]

_CODEPAGESIZE, _CODESIZE, _DEVICEID, _ER, _IR, _DEVICEADDRTYPE, _DEVICEADDR = 0x10, 0x14, 0x60, 0x80, 0x90, 0xA0, 0xA4
_TEMP, _TEMP_WORDS = 0x404, 17
_RANDOM_ADDRESS = 0xFFFFFFFF
_ERASED = 0xFFFFFFFF
_NRF51 = {0x028: "CLENR0", 0x02C: "PPFC", 0x034: "NUMRAMBLOCK", 0x038: "SIZERAMBLOCKS"}
_RAM_BLOCK = 8_192
_NRF52 = {
    0x100: "INFO.PART",
    0x10C: "INFO.RAM",
    0x110: "INFO.FLASH",
    0x130: "0x10000130 (undocumented: part)",
    0x134: "0x10000134 (undocumented: revision)",
    **numbered("TEMP", _TEMP, _TEMP_WORDS),
}


class Ficr(Constants):
    """Sizes, identity and calibration.

    Parameters
    ----------
    part : what an undocumented word calls the chip; None where FICR does not name it.
    revision : of the silicon, which has its word beside that one.
    unique_id : DEVICEID, the low word first; keys and the radio's address are made of it, too.
    """

    def __init__(
        self, base: int, time: Timeline, profile: Profile, part: int | None, revision: int, unique_id: int
    ) -> None:
        names = {_CODEPAGESIZE: "CODEPAGESIZE", _CODESIZE: "CODESIZE", **numbered("DEVICEID", _DEVICEID, 2)}
        names |= {**numbered("ER", _ER, 4), **numbered("IR", _IR, 4)}
        names |= {_DEVICEADDRTYPE: "DEVICEADDRTYPE", **numbered("DEVICEADDR", _DEVICEADDR, 2)}
        values = {_CODEPAGESIZE: profile.page_bytes, _CODESIZE: profile.flash_bytes // profile.page_bytes}
        values |= {_DEVICEID: unique_id & 0xFFFFFFFF, _DEVICEID + 4: unique_id >> 32, _DEVICEADDRTYPE: _RANDOM_ADDRESS}
        chance = np.random.Generator(np.random.PCG64(unique_id)).integers(0, 1 << 32, 10).tolist()
        made_up = [*range(_ER, _ER + 16, 4), *range(_IR, _IR + 16, 4), *range(_DEVICEADDR, _DEVICEADDR + 8, 4)]
        values |= dict(zip(made_up, chance, strict=True))
        if part is not None:
            names |= _NRF52
            values |= {0x100: int(profile.chip.removeprefix("nrf"), 16)}
            values |= {0x10C: profile.ram_bytes >> 10, 0x110: profile.flash_bytes >> 10}
            values |= {0x130: part, 0x134: revision}
            values |= {_TEMP + 4 * n: 0x300 + n for n in range(_TEMP_WORDS)}  # the specimen's calibration
        else:
            names |= _NRF51
            blocks = profile.ram_bytes // _RAM_BLOCK
            values |= {0x028: _ERASED, 0x02C: _ERASED, 0x034: blocks, 0x038: _RAM_BLOCK}
        super().__init__("FICR", base, time, names, values)
