"""`nnlite run -`: samples from standard input as they come, answers as they are there, and what they took."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from nnlite.cli.screen import note, one_line
from nnlite.errors import PortError
from nnlite.link.timing import BAUD

if TYPE_CHECKING:
    from nnlite.device import Answer, Device
    from nnlite.latency import Latencies
    from nnlite.network import Floats

__all__ = ["run_live"]

#: how long a board may be away before the stream is given up
_AWAY_SECONDS = 30.0
_PARTS = {"computing": "computing", "device": "device", "round_trip": "round trip"}


def run_live(device: Device, target: str | None, features: tuple[str, ...] | None, as_json: bool, quiet: bool) -> None:
    """Answer every sample of standard input, and say at the end, however it comes, how long the answers took."""
    from nnlite.data import read_stream
    from nnlite.latency import Latencies

    latencies = Latencies()
    inputs = device.shape().sizes[0]
    if sys.stdin.isatty():
        note(f"{inputs} numbers a line, with commas between; Ctrl-D ends it", quiet)
    try:
        for sample in read_stream(_lines(), inputs, target, features):
            answer = _answer(device, sample, quiet)
            latencies.add(answer.latency)
            print(_json(answer) if as_json else _words(answer), flush=True)
    finally:
        if latencies.count:
            _conclude(device, latencies, as_json, quiet)


def _lines() -> Iterator[str]:
    """Standard input line by line; what is no UTF-8 becomes a cell that is no number."""
    yield from io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", errors="replace", newline="")


def _answer(device: Device, sample: Floats, quiet: bool) -> Answer:
    """Ask, and once more when the board comes back after its port vanished; inference does no harm twice."""
    try:
        return device.answer(sample)
    except PortError as error:
        if type(error) is not PortError:
            raise
        note(f"the port vanished; waiting up to {_AWAY_SECONDS:g} s for board id:{device.known.unique_id}", quiet)
        note(f"the board is back at {device.reopen(_AWAY_SECONDS)}", quiet)
        return device.answer(sample)


def _words(answer: Answer) -> str:
    return ",".join(map(str, answer.outputs.tolist())) if answer.label is None else str(answer.label)


def _json(answer: Answer) -> str:
    key = "probabilities" if answer.squashed else "outputs"
    return one_line({"label": answer.label, key: answer.outputs.tolist(), "seconds": asdict(answer.latency)})


def _conclude(device: Device, latencies: Latencies, as_json: bool, quiet: bool) -> None:
    about = device.known
    spread = latencies.spread()
    where = {"board": about.board, "baud": BAUD, "simulated": about.simulated}
    if as_json:
        print(one_line({"samples": latencies.count, "seconds": spread} | where), flush=True)
    parts = "; ".join(
        f"{_PARTS[part]} {' / '.join(f'{1e3 * seconds:.2f}' for seconds in of.values())} ms"
        for part, of in spread.items()
    )
    simulated = "simulated " if about.simulated else ""
    samples = "1 sample" if latencies.count == 1 else f"{latencies.count:,} samples"
    note(f"{samples}, p50 / p95 / max: {parts} ({simulated}{about.board}, {BAUD:,} baud)", quiet)
