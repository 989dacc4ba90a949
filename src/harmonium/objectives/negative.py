"""What objectives share whose negative phase is a batch of sampled states."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.core.rows import evenly_spaced
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives.base import Batch, ObjectiveState, Phases, TwoPhase
from harmonium.objectives.inference import Inference, MeanField
from harmonium.sampling.path import independent_sample

__all__ = ["SampledNegative", "starting_chains", "stored"]

LARGE = 1 << 26
"""Numbers in chains from which on they are kept as bytes: fewer take less memory than the rest of a training, and
turning them into floats and back takes time, a few nanoseconds each."""


@dataclass(frozen=True)
class SampledNegative(TwoPhase):
    """An objective that samples its negative phase: a subclass writes `negative`, and `init_state` if it keeps chains.

    Args:
        inference: how the states of coupled hidden layers are found given the data (keyword only).
    """

    inference: Inference = field(default=MeanField(), kw_only=True)

    def sweeps(self, state: ObjectiveState) -> int:
        """Gibbs sweeps of the next update: ``k``, unless training has found that the chains need more."""
        return int(state["sweeps"]) if "sweeps" in state else int(getattr(self, "k", 1))

    @abstractmethod
    def negative(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> LayerExpectations:
        """Draw states that represent the model, and update the state.

        Returns:
            The states, with one layer in expectation (`Machine.conditional_expectation`), and their weights if any.
        """

    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases:
        negative = self.negative(model, batch, state, stream)
        return Phases(self.inference(model, batch.v, stream).weighted(batch.weight, batch.total), negative)


def starting_chains(model: Machine, chains: int, stream: Stream) -> Tensor:
    """Packed states where persistent chains begin, (..., chains, columns) (see `Machine.pack`).

    They are draws from the base rate, or evenly spaced ones of the chains that an earlier training left in the model.
    """
    if model.chains is None:
        return independent_sample(model, chains, stream)
    index = evenly_spaced(model.chains.shape[-2], chains)
    return model.chains[..., index, :].to(model.dtype)


def stored(model: Machine, chains: Tensor) -> Tensor:
    """Packed states as chains are kept between updates: as bytes if they are many and all states small whole numbers.

    Their values are the same (`Machine.sweep` takes both), and so are all draws.
    """
    if chains.numel() < LARGE or chains.dtype != torch.float32:
        return chains
    low, high = 0.0, 0.0
    for layer in model.sampled_layers:
        for part, _ in model.units(layer).by_type():
            if not part.finite or part.conditions_on_total:  # documents: too many states to look through
                return chains
            states = part.variable(0)[1]
            low, high = min(low, float(states.min())), max(high, float(states.max()))
    for dtype in (torch.uint8, torch.int8):
        if torch.iinfo(dtype).min <= low and high <= torch.iinfo(dtype).max:
            return chains.to(dtype)
    return chains
