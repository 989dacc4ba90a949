"""Counter-based random streams.

Every random number of the library is a pure function of a *key* and a *counter* (Philox-4x32-10, Salmon et
al. 2011, "Parallel random numbers: as easy as 1, 2, 3").  The key is a 64-bit hash of a seed and a path of
names; the counter says which unit of which chain at which step is drawn.  So a draw never depends on threads, chunks
or the device, and consumers with different names draw independently.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Rows = np.ndarray[Any, np.dtype[np.int64]] | Tensor
    Step = int | Tensor

__all__ = ["RandomAddress", "Stream", "as_cursor", "as_stream", "stream_of"]


class RandomAddress(NamedTuple):
    """Address of an array of random words, one word per (row, unit).

    ``first`` is the global index of row 0 (a chain or a case), so that chains that are split over processes draw
    the same words as together; or the global indices of all rows, an int64 array, of which 32 bits count.  ``step``
    may be a scalar int64 tensor on the device that draws, so that a recorded graph draws new words at every replay.
    """

    key: int
    step: Step
    site: int = 0
    first: int | Rows = 0

    def at(self, site: int) -> RandomAddress:
        """Return the address at another site (a layer of a machine) of the same step: its words are independent."""
        return self._replace(site=site)


class Stream:
    """A cursor over random draws: `advance` moves it by a step; `child` names an independent stream.

    Args:
        seed: any integer.
        path: names that distinguish this stream from others of the same seed.
        step: position of the cursor (see `RandomAddress`).
        first: global index of the first row, or of each row (see `RandomAddress`).

    >>> Stream(0).child("ais", 3).key == Stream(0, "ais", 3).key
    True
    >>> stream = Stream(0)
    >>> stream.advance().step, stream.advance().step
    (0, 1)
    """

    __slots__ = ("first", "key", "path", "seed", "step")

    def __init__(self, seed: int, *path: str | Step, step: Step = 0, first: int | Rows = 0) -> None:
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise TypeError(f"seed must be an int or a harmonium.Stream, found {seed!r}")
        self.seed = operator.index(seed)
        # A NumPy integer names the same stream as the int it equals.
        self.path = tuple(name if isinstance(name, str) else operator.index(name) for name in path)
        self.step = step
        self.first = first
        self.key = _hash(self.seed, self.path)

    def child(self, *names: str | Step) -> Stream:
        """Return an independent stream named below this one, whatever the position of this cursor."""
        return Stream(self.seed, *self.path, *names, first=self.first)

    def of_rows(self, rows: Any, *names: str | int) -> Stream:
        """Return the stream for a part of the rows, an index of them.

        If rows have indices of their own, it is an independent one named below this one, so that their words depend
        neither on other parts nor on their places; otherwise it is the cursor itself.
        """
        if isinstance(self.first, int):
            return self
        return Stream(self.seed, *self.path, *names, step=self.step, first=self.first[rows])

    @contextmanager
    def shifted(self, rows: int) -> Iterator[None]:
        """In a block of code, number rows from this many further on: a part of the rows draws what it draws in all."""
        before, self.first = self.first, self.first + rows
        try:
            yield
        finally:
            self.first = before

    def advance(self, steps: int = 1) -> RandomAddress:
        """Move the cursor by ``steps`` and return the `RandomAddress` of the first of them."""
        draw = RandomAddress(self.key, self.step, first=self.first)
        self.step = self.step + steps  # not in place: the address keeps a step that is a tensor
        return draw

    def __repr__(self) -> str:
        path = "".join(f", {name!r}" for name in self.path)
        return f"Stream({self.seed}{path}, step={self.step})"


def as_stream(seed: int | Stream) -> Stream:
    """Return the root stream of a seed; a `Stream` is returned unchanged."""
    return seed if isinstance(seed, Stream) else Stream(seed)


def stream_of(seed: int | Stream, name: str) -> Stream:
    """Return the stream for one call of the function ``name``, from a seed or from the next step of a stream.

    Two functions with the same seed draw independently, and so do two calls with the same stream.
    """
    return seed.child(name, seed.advance().step) if isinstance(seed, Stream) else Stream(seed).child(name)


def as_cursor(stream: Stream) -> Stream:
    """Return the stream, or raise TypeError: with an int, every call of a loop would repeat the same words."""
    if not isinstance(stream, Stream):
        raise TypeError(f"stream must be a harmonium.Stream, found {stream!r}: make one, stream = harmonium.Stream(0)")
    return stream


def _hash(seed: int, path: tuple[str | int, ...]) -> int:
    # repr distinguishes 1 from "1", and escapes the separator inside strings.
    text = "\x1f".join(repr(part) for part in (seed, *path))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
