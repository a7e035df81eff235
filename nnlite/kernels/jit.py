"""One way to compile every kernel: strict IEEE arithmetic, kept on disk between processes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit
from numba.core import event, sigutils

from nnlite.kernels.constants import Specializing
from nnlite.kernels.inside import STRICT, inside

__all__ = ["compiler", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")


def _digest_of(folders: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _check_what_is_loaded(files: Any) -> None:
    """Do without machine code that is for other types than those it was asked for.

    Two processes that compile at the same time may both write under the name that the index has for one of them, and
    Numba calls whatever it finds there.
    """
    load = files.load_overload

    def load_overload(signature: Any, context: Any) -> Any:
        found = load(signature, context)
        asked = sigutils.normalize_signature(signature)[0]
        return found if found is not None and tuple(found.signature.args) == tuple(asked) else None

    files.load_overload = load_overload


class _Starts(event.Listener):  # type: ignore[misc]
    """Hears from Numba what it begins to compile."""

    def __init__(self, hear: Callable[[Any], None]) -> None:
        self._hear = hear

    def on_start(self, start: Any) -> None:
        self._hear(start.data["dispatcher"])

    def on_end(self, end: Any) -> None:
        """Of no interest."""


class compiler:  # noqa: N801  used as a decorator
    """Compiles functions of the given folders on their first call and keeps the machine code on disk where there is a
    writable place.

    Numba throws cached code away when the function's own file changes, but not when one that it calls from
    another file does. So the digest of all of them goes into the name of the cache file, which Numba takes from
    the qualified name at this moment.

    Attributes
    ----------
    digest : of the sources.
    keeps_code : whether there is a place on disk for it.
    """

    def __init__(self, *folders: Path, **options: bool) -> None:
        self.digest = _digest_of(folders)
        self._options = options
        self.keeps_code = True
        self._kernels: list[Any] = []

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        # no C program calls a kernel, so none needs a door for that, which takes time to compile
        compiled: Any = njit(pipeline_class=Specializing, no_cfunc_wrapper=True, **STRICT, **self._options)(function)
        within: Any = inside(function)
        # what Numba asks for when another kernel calls this one
        compiled.get_call_template, compiled.get_overload = within.get_call_template, within.get_overload
        compiled.within = within
        self._kernels.append(compiled)
        name = function.__qualname__
        function.__qualname__ = f"{name}-{self.digest}"
        try:
            compiled.enable_caching()
            _check_what_is_loaded(compiled._cache)
        except RuntimeError as error:  # no folder at all that can be written: compiled anew by every process
            if "no locator available" not in str(error):
                raise
            self.keeps_code = False
        finally:
            function.__qualname__ = name
        return cast(Callable[P, R], compiled)

    def named(self, function: Callable[P, R], *name: str | int) -> Callable[P, R]:
        """The same for one of many functions made from one text, by a name of its own in the files."""
        function.__name__ = function.__qualname__ = "_".join(map(str, name))
        return self(function)

    @contextmanager
    def announced(self, announce: Callable[[], None]) -> Iterator[None]:
        """Meanwhile calls `announce` before this thread compiles one of its functions, if it does, and once."""
        waiting, thread = [announce], get_ident()

        def hear(dispatcher: Any) -> None:
            if waiting and dispatcher in self._kernels and get_ident() == thread:
                waiting.pop()()

        with event.install_listener("numba:compile", _Starts(hear)):
            yield

    def where(self, compiled: Any) -> str:
        """Where the machine code of one of its functions is: "loaded" by this process, "on disk" or "nowhere"."""
        if compiled.signatures:
            return "loaded"
        folder, name = compiled.stats.cache_path, compiled.py_func.__name__
        version = "py{}{}".format(*sys.version_info)
        found = folder is not None and any(Path(folder).glob(f"*.{name}-{self.digest}-*.{version}.nbi"))
        return "on disk" if found else "nowhere"


#: how every kernel of this folder is compiled
kernel = compiler(Path(__file__).parent)
