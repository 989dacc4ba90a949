"""Memory-mapped tables: finding the mapping behind an array, and releasing the pages that were read.

Pages of a mapped file count as memory of the process until they are released.  Without that, a batch system or the
out-of-memory killer of the kernel would see training on a file larger than memory as if it had read it all.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Pages", "find_mapping"]

RELEASE_BYTES = 64 * 2**20
# With a page that is read, the kernel maps those around it that are in its cache, up to a huge page of the file.
AROUND_BYTES = 2 * 2**20


class Pages:
    """Counts the bytes read from the mappings of a table, and releases their pages every `RELEASE_BYTES`.

    This is safe at any time: mappings are read-only, and a page that is needed again is read again.
    """

    __slots__ = ("_mappings", "_row_bytes", "_touched")

    def __init__(self, mappings: Sequence[mmap.mmap], row_bytes: int) -> None:
        self._mappings = mappings
        self._row_bytes = row_bytes
        self._touched = 0

    @property
    def rows_at_once(self) -> int:
        """The number of scattered rows that may be read before `touch` must be called again."""
        return max(1, RELEASE_BYTES // (self._row_bytes + AROUND_BYTES))

    def touch(self, index: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Count rows that are about to be read, and release the pages if they are many."""
        span = int(index[-1] - index[0]) if len(index) else 0
        scattered = not 0 <= span <= 4 * len(index)
        self._touched += len(index) * (self._row_bytes + (AROUND_BYTES if scattered else 0))
        if self._touched >= RELEASE_BYTES:
            self._touched = 0
            if hasattr(mmap, "MADV_DONTNEED"):
                for mapping in self._mappings:
                    mapping.madvise(mmap.MADV_DONTNEED)


def find_mapping(array: np.ndarray[Any, Any]) -> mmap.mmap | None:
    """Return the mapping of a file opened read-only that ``array`` is a view of, or None.

    Other modes do not count: releasing the pages of a copy-on-write mapping would undo the user's changes.
    """
    view: object = array
    while isinstance(view, np.ndarray):
        if isinstance(view, np.memmap):
            mapping = getattr(view, "_mmap", None)
            return mapping if view.mode == "r" and isinstance(mapping, mmap.mmap) else None
        view = view.base
    return None
