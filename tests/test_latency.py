"""The spread of latencies against numbers counted by hand."""

from __future__ import annotations

import pytest

from nnlite import latency
from nnlite.latency import Latencies, Latency
from nnlite.link.protocol import Times


def test_ticks_become_seconds_and_requests_add_up() -> None:
    first = Latency.of(Times(16_000, 32_000), 16_000_000, 0.5)
    assert first == Latency(0.001, 0.002, 0.5)
    assert first + Latency(1, 2, 3) == Latency(1.001, 2.002, 3.5)


def test_percentiles_are_answers_that_were() -> None:
    log = Latencies()
    assert log.spread() == {}
    for n in range(100, 0, -1):
        log.add(Latency(n, 2 * n, 3 * n))
    assert log.spread() == {
        "computing": {"p50": 50, "p95": 95, "max": 100},
        "device": {"p50": 100, "p95": 190, "max": 200},
        "round_trip": {"p50": 150, "p95": 285, "max": 300},
    }


def test_an_endless_stream_keeps_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "_KEPT", 10)
    log = Latencies()
    for n in range(1_000):
        log.add(Latency(n, n, n))
    assert log.count == 1_000
    assert log.spread()["computing"] == {"p50": 994, "p95": 999, "max": 999}
