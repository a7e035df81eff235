"""Intel HEX -> bytes at addresses."""

from __future__ import annotations

from firmware_sim.errors import SimulatorError

__all__ = ["parse_hex"]

#: kind of record -> bytes of its content: the end, the upper half of addresses and where to start, in two forms each
_LENGTHS = {1: 0, 2: 2, 3: 4, 4: 2, 5: 4}


def parse_hex(text: str) -> list[tuple[int, bytes]]:
    """Records of an Intel HEX file as (address, data), in the order they stand.

    Raises
    ------
    SimulatorError : a malformed record or one of an unknown kind, with its line.
    """
    upper = 0
    pieces: list[tuple[int, bytes]] = []
    for number, line in enumerate(text.split(), start=1):
        try:
            record = bytes.fromhex(line.removeprefix(":"))
        except ValueError as error:
            raise SimulatorError(f"line {number} of the firmware is not an Intel HEX record") from error
        if not line.startswith(":") or len(record) < 5 or len(record) != record[0] + 5 or sum(record) & 0xFF:
            raise SimulatorError(f"line {number} of the firmware is not an Intel HEX record, or its checksum is wrong")
        address, kind, data = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind and kind not in _LENGTHS:
            raise SimulatorError(
                f"line {number} of the firmware is a record of kind {kind:#04x}, which Intel HEX has not; a universal "
                "hex of the micro:bit holds an image for each board, give the one of this board"
            )
        if kind and len(data) != _LENGTHS[kind]:
            raise SimulatorError(f"line {number} of the firmware has {len(data)} bytes, its kind {_LENGTHS[kind]}")
        if kind == 0:
            pieces.append((upper + address, data))
        elif kind == 1:
            return pieces
        elif kind == 2:
            upper = int.from_bytes(data, "big") << 4
        elif kind == 4:
            upper = int.from_bytes(data, "big") << 16
    raise SimulatorError("the firmware has no end record; it is cut short")
