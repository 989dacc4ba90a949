"""Sweeps of many chains, divided among processes where there are several."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from harmonium.core.random import Stream
from harmonium.core.shards import in_blocks
from harmonium.models.machine.machine import Machine
from harmonium.models.state import Clamp, State

__all__ = ["part_of_clamp", "swept"]


def swept(
    machine: Machine,
    state: State,
    stream: Stream,
    sweeps: int,
    clamp: Clamp | None = None,
    still: Collection[int] = (),
) -> Tensor:
    """Packed states after sweeps of all chains (see `GibbsSampling.sweep`), (chains, columns)."""

    def of_rows(part: slice) -> list[Tensor]:
        own = tuple(None if s is None else s[part] for s in state)
        return [machine.pack(machine.sweep(own, stream, sweeps, clamp=part_of_clamp(clamp, part), still=still))]

    return in_blocks(max(len(s) for s in state if s is not None), stream, of_rows)[0]


def part_of_clamp(clamp: Clamp | None, part: slice) -> Clamp | None:
    """The clamp of some rows; one of all rows stays."""
    if clamp is None:
        return None
    mask, values = (each if each.dim() == 1 else each[part] for each in clamp)
    return mask, values
