"""Contrastive divergence and persistent chains: the negative phase from short Gibbs runs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.objectives.base import Batch, Gradient, ObjectiveState, TwoPhase, WeightedPhase
from harmonium.objectives.inference import Inference, MeanField
from harmonium.sampling.path import independent_sample

__all__ = ["CD", "PCD", "positive", "starting_chains"]

_MEAN_FIELD = MeanField()


@dataclass(frozen=True)
class CD(TwoPhase):
    """Contrastive divergence: k sweeps starting at the data (Hinton 2002; Fischer & Igel 2014, algorithm 1).

    Biased: the chain has not forgotten the data.  The likelihood can fall while reconstructions improve.

    Args:
        k: Gibbs sweeps per update.
        inference: of coupled hidden layers given the data.
    """

    k: int = 1
    inference: Inference = _MEAN_FIELD

    def __post_init__(self) -> None:
        positive("CD", "k", self.k)

    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Gradient:
        dream = model.sweep(model.state_from_visible(batch.v, stream), stream, self.k)
        return Gradient(
            WeightedPhase(model, self.inference(model, batch.v, stream), batch.weight),
            WeightedPhase(model, model.conditional_expectation(dream), batch.weight),
        )


@dataclass(frozen=True)
class PCD(TwoPhase):
    """Persistent contrastive divergence: chains that go on from update to update (Younes 1989; Tieleman 2008).

    Args:
        k: Gibbs sweeps per update.
        chains: number of persistent chains, independent of the batch size.
        inference: of coupled hidden layers given the data.
    """

    k: int = 1
    chains: int = 256
    inference: Inference = _MEAN_FIELD

    def __post_init__(self) -> None:
        positive("PCD", "k", self.k)
        positive("PCD", "chains", self.chains)

    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        return {"chains": starting_chains(model, self.chains, stream)}

    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Gradient:
        chains = model.sweep(model.unpack(state["chains"]), stream, self.k)
        state["chains"] = model.pack(chains)
        return Gradient(
            WeightedPhase(model, self.inference(model, batch.v, stream), batch.weight),
            WeightedPhase(model, model.conditional_expectation(chains)),
        )


def starting_chains(model: Machine, chains: int, stream: Stream) -> Tensor:
    """Packed states where persistent chains begin, (..., chains, columns) (see `Machine.pack`)."""
    if model.chains is None:
        return independent_sample(model, chains, stream)
    # A trained model is trained further: its chains are nearer to it than any fresh ones.
    index = torch.linspace(0, model.chains.shape[-2] - 1, chains, device=model.device).round().long()
    return model.chains[..., index, :].to(model.dtype)


def positive(who: str, name: str, value: int) -> None:
    """Raise ValueError for a setting that is no positive integer."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{who}({name}=...) must be a positive integer, found {value!r}")
