"""Logical shards: how one computation is cut so that its bits do not depend on the number of processes.

Rows (cases of a batch, chains, replicas) are cut into a fixed number of consecutive blocks, the shards.  Every product
has the shape of a block, and sums over blocks are added in the order of a fixed binary tree over their numbers.  A
process has a run of consecutive shards; whether there is one process or as many as shards, the same numbers are added
in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from harmonium.core.checks import check_int
from harmonium.core.processes import ALONE, Processes, processes

if TYPE_CHECKING:
    from torch import Tensor

    from harmonium.core.random import Stream

__all__ = [
    "SHARDS", "Part", "Shards", "blocks_for", "divided", "division", "in_blocks", "in_turn", "rows_of", "shards_for",
]  # fmt: skip

SHARDS = 8
"""Number of shards where none is asked for: that of the processes must not matter."""


def rows_of(total: int, shard: int, shards: int) -> slice:
    """The rows of a shard, of ``total`` rows in all: blocks differ by one row at most.

    >>> [rows_of(10, k, 4) for k in range(4)]
    [slice(0, 2, None), slice(2, 5, None), slice(5, 7, None), slice(7, 10, None)]
    """
    return slice(total * shard // shards, total * (shard + 1) // shards)


class Part(NamedTuple):
    """Which part of an update a shard computes.

    Attributes:
        shard: its number.
        shards: their number.
        first: number of its first case among the cases of the update.
        cases: number of all cases of the update, or the sum of their weights.
    """

    shard: int
    shards: int
    first: int
    cases: float

    def rows(self, total: int) -> slice:
        """The rows of this shard, of ``total`` chains, say."""
        return rows_of(total, self.shard, self.shards)


@dataclass(frozen=True)
class Shards:
    """The shards of a computation, and which of them this process has.

    Args:
        count: number of shards.
        processes: among which they are divided.

    Raises:
        ValueError: for more processes than shards.
    """

    count: int
    processes: Processes = ALONE

    def __post_init__(self) -> None:
        if self.processes.size > self.count:
            raise ValueError(
                f"{self.processes.size} processes cannot divide {self.count} shards: start at most {self.count}, or "
                f"pass shards={self.processes.size} (results depend on the number of shards, not of processes)"
            )

    @property
    def own(self) -> range:
        """Numbers of the shards of this process."""
        return _run(self.count, self.processes)

    def rows(self, total: int) -> list[slice]:
        """The rows of each shard of this process, of ``total`` rows in all."""
        return [rows_of(total, shard, self.count) for shard in self.own]

    def sum(self, terms: Callable[[int], list[Tensor]]) -> list[Tensor]:
        """Add up tensors over all shards, in the order of the tree.

        Args:
            terms: the tensors of a shard, by its number; of one dtype, and of the same shapes for all shards.  They are
                overwritten.

        Returns:
            The sums, on every process.
        """
        import torch

        own = [self._subtotal(first, last, terms) for first, last, rank in self._nodes if rank == self.processes.rank]
        size = self.processes.size
        if size == 1:
            return own[0]
        # Every process adds a slice of all subtotals, and sends it to the others.
        shapes = [each.shape for each in own[0]]
        count = sum(shape.numel() for shape in shapes)
        width = -(-count // size)
        most = max(sum(rank == each for *_, rank in self._nodes) for each in range(size))
        sent = own[0][0].new_zeros(size, most, width)
        for place, tensors in enumerate(own):
            flat = torch.cat([each.reshape(-1) for each in tensors])
            flat = torch.nn.functional.pad(flat, (0, size * width - count))
            sent[:, place] = flat.view(size, width)
        received = self.processes.exchange(sent)
        found: dict[tuple[int, int], Tensor] = {}
        for rank in range(size):
            nodes = [(first, last) for first, last, owner in self._nodes if owner == rank]
            found |= {node: received[rank, place] for place, node in enumerate(nodes)}
        total = self._above(0, self.count, found)
        whole = self.processes.exchange(total.expand(size, width)).view(-1)[:count]
        parts = torch.split(whole, [shape.numel() for shape in shapes])
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]

    def gather(self, blocks: Sequence[Tensor], dim: int = 0) -> Tensor:
        """Join the rows of all shards in global order, on every process.

        Args:
            blocks: the rows of each shard of this process.
            dim: the dimension of the rows.
        """
        import torch

        joined = torch.cat(list(blocks), dim)
        if self.processes.size == 1:
            return joined
        return self.processes.gather(joined.movedim(dim, 0).contiguous()).movedim(0, dim).contiguous()

    @cached_property
    def _nodes(self) -> list[tuple[int, int, int]]:
        """The largest subtrees that lie in one process: first shard, last shard + 1, process."""
        size = self.processes.size
        owner = {shard: rank for rank in range(size) for shard in _run(self.count, Processes(rank, size))}

        def below(first: int, last: int) -> list[tuple[int, int, int]]:
            if owner[first] == owner[last - 1]:
                return [(first, last, owner[first])]
            half = (first + last) // 2
            return below(first, half) + below(half, last)

        return below(0, self.count)

    def _subtotal(self, first: int, last: int, terms: Callable[[int], list[Tensor]]) -> list[Tensor]:
        if last - first == 1:
            return terms(first)
        half = (first + last) // 2
        left, right = self._subtotal(first, half, terms), self._subtotal(half, last, terms)
        for mine, other in zip(left, right, strict=True):
            mine.add_(other)
        return left

    def _above(self, first: int, last: int, found: dict[tuple[int, int], Tensor]) -> Tensor:
        if (first, last) in found:
            return found[first, last]
        half = (first + last) // 2
        return self._above(first, half, found) + self._above(half, last, found)


def shards_for(shards: int | None) -> int | None:
    """The number of shards: what was asked for, else the usual number on several processes, else None."""
    if shards is not None:
        return check_int("shards", shards)
    return SHARDS if processes().size > 1 else None


LEAST = 100
"""Rows of a block of chains: smaller ones take as long as their calls."""

_division: ContextVar[Shards | None] = ContextVar("division", default=None)


@contextmanager
def divided(shards: int | None) -> Iterator[None]:
    """Let `in_blocks` and `in_turn` inside divide their work; the outermost call decides for those within it.

    Args:
        shards: number of shards; None: the usual number on several processes, and no division in one.

    Raises:
        ValueError: for more processes than shards.
    """
    count = shards_for(shards)
    chosen = _division.get() or (None if count is None else Shards(count, processes()))
    token = _division.set(chosen)
    try:
        yield
    finally:
        _division.reset(token)


def division() -> Shards | None:
    """The shards among which work is divided here, or None."""
    return _division.get()


def blocks_for(rows: int, least: int) -> int:
    """The number of blocks that pay: a power of two, of at least ``least`` rows each; 1 outside of `divided`."""
    shards = division()
    most = 1 if shards is None else min(shards.count, rows // least)
    return 1 << (most.bit_length() - 1) if most > 1 else 1


def in_blocks(rows: int, stream: Stream, act: Callable[[slice], list[Tensor]]) -> list[Tensor]:
    """Compute rows that do not depend on each other: at once, or inside `divided` in blocks, by all processes.

    Args:
        rows: their number; blocks have at least `LEAST` of them.
        stream: of all draws.  A row draws the same words in a block as among all.
        act: computes these rows: tensors with one entry per row in their first dimension.

    Returns:
        The tensors of all rows, on every process.
    """
    import torch

    count = blocks_for(rows, LEAST)
    if count == 1:
        return act(slice(0, rows))
    step = stream.step

    def block(number: int) -> list[Tensor]:
        part = rows_of(rows, number, count)
        stream.step = step
        with stream.shifted(part.start):
            found = act(part)
        return [*found, torch.tensor([stream.step])]

    *found, steps = in_turn(count, block)
    stream.step = int(steps.max())  # of all blocks, which may draw differently often; this process may have none
    return found


def in_turn(count: int, act: Callable[[int], list[Tensor]]) -> list[Tensor]:
    """Compute tasks that do not depend on each other, one after the other, or inside `divided` by all processes.

    Args:
        count: their number; processes may remain without any.
        act: computes a task by its number: tensors that are joined along their first dimension.

    Returns:
        The tensors of all tasks, in their order, on every process.
    """
    import torch

    shards = division()
    token = _division.set(None)  # what is in a block is not divided again
    try:
        together = ALONE if shards is None or count == 1 else shards.processes
        own = _run(count, together)
        found = [torch.cat(each) for each in zip(*map(act, own), strict=True)]
    finally:
        _division.reset(token)
    if together.size > count:
        kinds = [(str(each.dtype).removeprefix("torch."), list(each.shape[1:])) for each in found]
        known = next(each for each in together.everyones(kinds) if each)
        found = found or [torch.empty((0, *shape), dtype=getattr(torch, dtype)) for dtype, shape in known]
    return [together.gather(each.contiguous()) for each in found]


def _run(count: int, among: Processes) -> range:
    """The consecutive tasks of this process."""
    return range(count * among.rank // among.size, count * (among.rank + 1) // among.size)
