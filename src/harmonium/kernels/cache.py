"""Machine code on disk, safe where several processes compile at once."""

# mypy: disable-error-code="no-untyped-call"
# Numba has no type hints.

from __future__ import annotations

import contextlib
import functools
import hashlib
import linecache
import os
import pickle
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit

from harmonium.core.files import write_atomically
from harmonium.core.version import __version__
from harmonium.kernels.announcement import Announcement

__all__ = ["SOURCES", "compiled"]

# Loops inline functions of other files of this package: machine code belongs to all of them as they are now.
SOURCES = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]


ANNOUNCEMENT = Announcement()  # of the process
PATIENCE = 60.0  # seconds that another process may take to compile a loop


class _Files:
    """One file of machine code for each key, found by the key alone: the last part of Numba's cache, replaced.

    Numba numbers the files of a loop by an index that it reads, changes and writes without a lock.  Two processes with
    an empty cache, or processes that compile in different orders, then give one number to two pieces of machine code,
    and a later process runs one of them in the place of the other.
    """

    def __init__(self, folder: str, function: Callable[..., Any], dumps: Callable[[Any], bytes]) -> None:
        source = linecache.getlines(function.__code__.co_filename, function.__globals__)
        self._stamp = _digest(numba.__version__, sys.version, __version__, SOURCES, source)
        self._path = Path(folder) / re.sub(r"[^\w.]+", "", f"{function.__module__}.{function.__qualname__}")
        self._dumps = dumps

    def load(self, key: Any) -> Any:
        """Return the data of a key, or None where there is none or its file is damaged: Numba then compiles.

        Where another process compiles the same loop just now, its code is waited for: compiling takes seconds of a
        core, and parallel workers begin with the same loops.
        """
        found = self._find(key)
        if found is None:
            ANNOUNCEMENT.begin(self._path.parent)
        return found

    def _find(self, key: Any) -> Any:
        path = self._path_of(key)
        lock = path.with_suffix(".compiling")
        while (found := _read(path)) is None:
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
                if (found := _read(path)) is not None:  # saved since it was looked for
                    lock.unlink(missing_ok=True)
                return found
            except FileExistsError:
                with contextlib.suppress(OSError):
                    if time.time() - lock.stat().st_mtime > PATIENCE:  # left by a process that was killed
                        return None
                time.sleep(0.05)
            except OSError:  # a folder that cannot be written
                return None
        return found

    def save(self, key: Any, data: Any) -> None:
        """Write the data of a key; where that fails, the code stays in memory alone."""
        ANNOUNCEMENT.end()
        path = self._path_of(key)
        with contextlib.suppress(OSError):
            write_atomically(path, self._dumps(data))
        with contextlib.suppress(OSError):
            path.with_suffix(".compiling").unlink()

    def flush(self) -> None:
        """Do nothing: there is no index to forget."""

    def _path_of(self, key: Any) -> Path:
        return self._path.with_name(f"{self._path.name}.{_digest(self._stamp, key)}.nbc")


def _read(path: Path) -> Any:
    """The data of a file in Numba's own format, in Numba's own folder; None if it is missing or damaged."""
    try:
        return pickle.loads(path.read_bytes())
    except (OSError, EOFError, pickle.UnpicklingError):
        return None


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a decorator like `numba.njit` that keeps the machine code on disk.

    Without a writable folder for it, or with a release of Numba that has rebuilt its cache (which warns), every process
    compiles for itself.

    Args:
        options: of `numba.njit`.

    Returns:
        The decorator.

    >>> compiled(nogil=True)(lambda x: x + 1)(2)
    3
    """

    def compile_(function: Callable[..., Any]) -> Any:
        try:
            loop = njit(**options, cache=True)(function)
        except RuntimeError:  # a read-only installation without a writable home
            return njit(**options)(function)
        try:
            _replace_files(loop, function)
        except (AttributeError, ImportError) as error:
            _warn(str(error))
            return njit(**options)(function)
        return loop

    return compile_


def _replace_files(loop: Any, function: Callable[..., Any]) -> None:
    """Put `_Files` into the cache of a compiled loop.

    Raises:
        AttributeError: where this release of Numba has no such place.
        ImportError: where it serialises in another way.
    """
    from numba.core.serialize import dumps

    files = loop._cache._cache_file
    for method in ("load", "save", "flush"):
        getattr(files, method)
    loop._cache._cache_file = _Files(loop.stats.cache_path, function, dumps)


@functools.cache  # once a process
def _warn(reason: str) -> None:
    warnings.warn(
        f"Numba {numba.__version__} keeps machine code in a way that harmonium does not know ({reason}): every process "
        "now compiles its loops, which takes a minute or two. Install another release of Numba or a newer harmonium",
        stacklevel=4,
    )


def _digest(*parts: Any) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
