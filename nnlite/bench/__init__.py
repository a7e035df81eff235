"""What computing on a board costs, and what its serial line is used for."""

from nnlite.bench.device import Row, bench_device
from nnlite.bench.link import LATENCY_SECONDS, Delta, Use, measure_delta, measure_use, rates

__all__ = ["LATENCY_SECONDS", "Delta", "Row", "Use", "bench_device", "measure_delta", "measure_use", "rates"]
