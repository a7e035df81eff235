"""Which exception a Cortex-M core takes next: pending, enabled, active, priorities (ARMv6-M and ARMv7-M, B1.5).

Numbers are exception numbers: 2 NMI, 3 HardFault, 11 SVCall, 14 PendSV, 15 SysTick, 16 + n interrupt n. The registers
of NVIC, SCB and SysTick write here; the core asks here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["HARD_FAULT", "IRQ", "NMI", "PEND_SV", "SV_CALL", "SYS_TICK", "Exceptions"]

NMI, HARD_FAULT, SV_CALL, PEND_SV, SYS_TICK, IRQ = 2, 3, 11, 14, 15, 16
#: those that nothing needs to enable
_ALWAYS = {NMI, HARD_FAULT, SV_CALL, PEND_SV, SYS_TICK}
_FIXED = {NMI: -2, HARD_FAULT: -1}
#: priority of a core that handles nothing
_THREAD = 256


@dataclass
class Exceptions:
    """The state, all of it plain so that a snapshot copies it.

    Attributes
    ----------
    pending, enabled : exception numbers.
    active : those that were entered and not left, the innermost last.
    priority : where it is not 0; 0 is the most urgent.
    group_bits : low bits of a priority that do not preempt (AIRCR.PRIGROUP + 1).
    vectors : address of the vector table.
    """

    pending: set[int] = field(default_factory=set)
    enabled: set[int] = field(default_factory=set)
    active: list[int] = field(default_factory=list)
    priority: dict[int, int] = field(default_factory=dict)
    group_bits: int = 0
    vectors: int = 0

    def of(self, number: int) -> int:
        """Priority of an exception."""
        return _FIXED.get(number, self.priority.get(number, 0))

    def _group(self, priority: int) -> int:
        return priority if priority < 0 else priority >> self.group_bits << self.group_bits

    def next(self, primask: int, basepri: int, faultmask: int) -> int | None:
        """The exception that the core takes now, if any.

        Parameters
        ----------
        primask, basepri, faultmask : the core's mask registers; the last two are 0 on ARMv6-M.
        """
        running = min((self._group(self.of(number)) for number in self.active), default=_THREAD)
        if primask:
            running = min(running, 0)
        if basepri:
            running = min(running, self._group(basepri))
        if faultmask:
            running = min(running, -1)
        ready = [n for n in self.pending if n in _ALWAYS or n in self.enabled]
        best = min(ready, key=lambda number: (self.of(number), number), default=None)
        return best if best is not None and self._group(self.of(best)) < running else None

    def pend_requests(self, requests: tuple[int, ...]) -> None:
        """Peripherals ask for these interrupts now (numbers of the NVIC, from 0)."""
        for request in requests:
            if IRQ + request not in self.active:
                self.pending.add(IRQ + request)

    def copy(self) -> Exceptions:
        """For a snapshot."""
        return Exceptions(
            set(self.pending),
            set(self.enabled),
            list(self.active),
            dict(self.priority),
            self.group_bits,
            self.vectors,
        )
