"""Replicas of a ladder in blocks, which processes divide among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from harmonium.core.random import Stream
from harmonium.core.shards import Shards, division, in_turn, rows_of

__all__ = ["ReplicaBlocks", "blocks_of"]


class ReplicaBlocks(NamedTuple):
    """Blocks of replicas.  Walkers of one ladder are one batch, so each block draws from a stream of its own.

    Attributes:
        sizes: replicas of each block.
        streams: of each block.
        shards: among which blocks are divided; None: there is one block, that of all.
    """

    sizes: list[int]
    streams: list[Stream]
    shards: Shards | None

    def sum(self, terms: Callable[[int], list[Tensor]]) -> list[Tensor]:
        """Add up tensors of the blocks (see `Shards.sum`)."""
        return terms(0) if self.shards is None else self.shards.sum(terms)

    def each(self, act: Callable[[int], list[Tensor]]) -> list[Tensor]:
        """Join tensors of the blocks along their first dimension, on every process."""
        return in_turn(len(self.sizes), act)


def blocks_of(replicas: int, stream: Stream) -> ReplicaBlocks:
    """One block, or inside `divided` as many as there are shards."""
    shards = division()
    if shards is None or replicas < shards.count:
        return ReplicaBlocks([replicas], [stream], None)
    parts = [rows_of(replicas, k, shards.count) for k in range(shards.count)]
    sizes = [part.stop - part.start for part in parts]
    return ReplicaBlocks(sizes, [stream.child("block", k) for k in range(shards.count)], shards)
