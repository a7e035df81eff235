"""UICR, the user's configuration (nRF51 Reference Manual 8, nRF52833 PS 4.5): flash of its own page."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.peripherals.base import Refused, Timeline, Words, numbered
from firmware_sim.peripherals.nvmc import Nvmc

__all__ = ["NRF51", "NRF52", "Uicr"]

_ERASED = 0xFFFFFFFF
_WRITE_ENABLED = 1  # NVMC.CONFIG
_COMMON = {**numbered("NRFHW", 0x050, 12), **numbered("CUSTOMER", 0x080, 32)}
#: the last of the words that are left to the board's maker; this one says that it is simulated ("SIMU")
_CUSTOMER_LAST, _SIMULATED = 0x0FC, 0x554D4953

NRF51: Mapping[int, str] = {
    0x000: "CLENR0",
    0x004: "RBPCONF",
    0x008: "XTALFREQ",
    0x010: "FWID",
    **numbered("NRFFW", 0x014, 15),
    **_COMMON,
}
NRF52: Mapping[int, str] = {
    **numbered("NRFFW", 0x014, 13),
    **_COMMON,
    **numbered("PSELRESET", 0x200, 2),
    0x208: "APPROTECT",
    0x20C: "NFCPINS",
    0x210: "DEBUGCTRL",
    0x304: "REGOUT0",
}


class Uicr(Words):
    """Words that are programmed while NVMC allows it, and outlive the power."""

    WIRING = Words.WIRING | {"_nvmc"}

    def __init__(self, base: int, time: Timeline, nvmc: Nvmc, names: Mapping[int, str]) -> None:
        super().__init__("UICR", base, time, names, dict.fromkeys(names, _ERASED))
        self.values[_CUSTOMER_LAST] = _SIMULATED
        self._nvmc = nvmc

    def power_on(self) -> None:
        """Keeps its bits: it is flash."""

    def write(self, offset: int, value: int) -> None:
        name = self.register(offset)
        if self._nvmc.config != _WRITE_ENABLED:
            raise Refused(f"a store to {name} without NVMC.CONFIG = WEN")
        self.values[offset] = self._nvmc.program(self.values[offset], value)
