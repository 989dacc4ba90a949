"""Parallel tempering as the negative phase."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.core.rows import evenly_spaced
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives.base import Batch, ObjectiveState
from harmonium.objectives.negative import SampledNegative
from harmonium.sampling.ladder import Replicas, tempering_round
from harmonium.sampling.path import Path
from harmonium.sampling.temperatures import Temperatures, spaced
from harmonium.sampling.tempering import default_base

__all__ = ["PT"]

_MEMORY = 0.01  # weight of the newest round in the acceptance of each pair
_SPACE_EVERY = 100  # updates


@dataclass(frozen=True)
class PT(SampledNegative):
    """Persistent chains that exchange states with those of a ladder of temperatures, from the base-rate model upwards.

    At the bottom units are independent and drawn afresh, so that states reach the model from anywhere: chains do not
    get stuck as those of `PCD` do (Desjardins et al. 2010; Cho, Raiko & Ilin 2010; Fischer & Igel 2014).

    Args:
        rungs: temperatures t from 0 to 1.
        k: rounds of exchanges and Gibbs sweeps per update.
        chains: replicas of the ladder, of which the model's own chains are the top: rungs * chains states in all.
        adapt: whether the temperatures move to where exchanges are rejected equally often; else they stay equally far
            apart.
        inference: how the states of coupled hidden layers are found given the data.
    """

    rungs: int = 10
    k: int = 1
    chains: int = 100
    adapt: bool = True

    def __post_init__(self) -> None:
        check_int_fields(self, rungs=2, k=1, chains=1)

    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        t = torch.linspace(0, 1, self.rungs, dtype=torch.float64)
        walkers = Temperatures(Path(model, default_base(model)), t).start(self.chains, stream)
        chains = model.pack(walkers.state).clone()
        if model.chains is not None:  # a trained model is trained further
            index = evenly_spaced(model.chains.shape[-2], self.chains)
            chains[..., -self.chains :, :] = model.chains[..., index, :].to(chains)
        return {
            "chains": chains,
            "who": walkers.who,
            "rounds": torch.zeros((), dtype=torch.int64),
            "t": t,
            "acceptance": torch.full((self.rungs - 1,), 0.5, dtype=torch.float64),
        }

    def negative(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> LayerExpectations:
        ladder = Temperatures(Path(model, default_base(model)), state["t"])
        walkers = Replicas(model.unpack(state["chains"]), state["who"], int(state["rounds"]))
        sweeps = self.sweeps(state)
        for _ in range(sweeps):
            lower, up, down = tempering_round(ladder, walkers, stream)
            accepted = torch.exp((up + down).clamp(max=0)).transpose(-1, -2).flatten(0, -2).mean(0).cpu()
            state["acceptance"][lower] += _MEMORY * (accepted - state["acceptance"][lower])
        top = ladder.on(walkers, -1)
        state |= {"chains": model.pack(walkers.state), "who": walkers.who, "rounds": state["rounds"] + sweeps}
        if self.adapt and int(state["rounds"]) // sweeps % _SPACE_EVERY == 0:
            state["t"] = spaced(state["t"], state["acceptance"], self.rungs)
        return model.conditional_expectation(top)

    def model_chains(self, state: ObjectiveState) -> Tensor | None:
        """Those at the top."""
        count = state["who"].shape[-1]
        at = state["who"][..., -1, :] * count + torch.arange(count, device=state["who"].device)
        packed = state["chains"]
        return packed.gather(-2, at.unsqueeze(-1).expand(*at.shape, packed.shape[-1]))
