"""The runtime as a library, built once."""

from __future__ import annotations

import pytest

from tests.runtime import native


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> native.Runtime:
    """The C runtime at -O2."""
    compiler = native.gcc() or native.clang()
    if compiler is None:
        pytest.skip("neither gcc nor ziglang is installed")
    files = [*native.sources(), *native.LOOPS]
    target = tmp_path_factory.mktemp("runtime") / "runtime.so"
    return native.Runtime(native.compile_c(compiler, ["-O2", "-shared", "-fPIC"], files, target))
