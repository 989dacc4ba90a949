"""Machine code on disk, safe where several processes compile at once."""

# mypy: disable-error-code="no-untyped-call"
# Numba has no type hints.

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import IndexDataCacheFile

__all__ = ["compiled"]


# Loops inline functions of other files of this floor: machine code belongs to all of them as they are.
_FLOOR = hashlib.blake2b(b"".join(p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


class _Files(IndexDataCacheFile):
    """A file for each key, found by the key alone.

    Numba numbers the files by an index that it reads, changes and writes without a lock.  All loops of one factory
    share an index, so that two processes with an empty cache give one number to two loops, and a third process then
    runs the one in the place of the other.
    """

    def save(self, key: Any, data: Any) -> None:
        self._save_data(self._name(key), data)

    def load(self, key: Any) -> Any:
        try:
            return self._load_data(self._name(key))
        except OSError:  # not there: compile
            return None

    def flush(self) -> None:
        """Nothing to forget: there is no index."""

    def _name(self, key: Any) -> str:
        told = repr((self._version, self._source_stamp, key))
        return str(self._data_name_pattern).replace("{number:d}", hashlib.blake2b(told.encode()).hexdigest()[:32])


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` that keeps the machine code on disk where a folder for it can be found.

    >>> compiled(nogil=True)(lambda x: x + 1)(2)
    3
    """

    def compile_(function: Callable[..., Any]) -> Any:
        try:
            loop = njit(**options, cache=True)(function)
        except RuntimeError:  # a read-only installation without a writable home
            return njit(**options)(function)
        own = loop._cache._cache_file
        loop._cache._cache_file = _Files(
            own._cache_path, own._index_name.removesuffix(".nbi"), source_stamp=(own._source_stamp, _FLOOR)
        )
        return loop

    return compile_
