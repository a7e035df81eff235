"""One way to compile every kernel: strict IEEE arithmetic, kept on disk between processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit

__all__ = ["kernel"]

P = ParamSpec("P")
R = TypeVar("R")


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


_DIGEST = _sources_digest()


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel on its first call and keep the machine code on disk where there is a writable place.

    Numba throws cached code away when the kernel's own file changes, but not when a kernel that it calls from
    another file does. So the digest of all of them goes into the name of the cache file, which Numba takes from
    the qualified name at this moment.
    """
    # Without fastmath nothing is fused or reassociated; division by zero gives what IEEE-754 says.
    compiled: Any = njit(fastmath=False, error_model="numpy")(function)
    name = function.__qualname__
    function.__qualname__ = f"{name}-{_DIGEST}"
    try:
        compiled.enable_caching()
    except RuntimeError as error:  # no folder at all that can be written: compiled anew by every process
        if "no locator available" not in str(error):
            raise
    finally:
        function.__qualname__ = name
    return cast(Callable[P, R], compiled)
