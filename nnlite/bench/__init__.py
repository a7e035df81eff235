"""What computing costs: instructions and cycles on a board."""

from nnlite.bench.device import Row, bench_device

__all__ = ["Row", "bench_device"]
