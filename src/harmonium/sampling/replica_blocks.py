"""Replicas of a ladder in blocks, which processes divide among them."""

from __future__ import annotations

from typing import NamedTuple

from harmonium.core.random import Stream
from harmonium.core.shards import blocks_for, rows_of

__all__ = ["ReplicaBlocks", "blocks_of"]

LEAST = 8  # replicas of a block: each has a walker on every rung


class ReplicaBlocks(NamedTuple):
    """Blocks of replicas.  Walkers of one ladder are one batch, so each block draws from a stream of its own.

    Attributes:
        sizes: replicas of each block.
        streams: of each block.
    """

    sizes: list[int]
    streams: list[Stream]


def blocks_of(replicas: int, stream: Stream) -> ReplicaBlocks:
    """One block with the stream itself, or inside `divided` several."""
    count = blocks_for(replicas, LEAST)
    if count == 1:
        return ReplicaBlocks([replicas], [stream])
    parts = [rows_of(replicas, k, count) for k in range(count)]
    sizes = [part.stop - part.start for part in parts]
    return ReplicaBlocks(sizes, [stream.child("block", k) for k in range(count)])
