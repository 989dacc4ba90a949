"""Persistent chains that carry weights, so that they represent the model however fast it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives.base import Batch, ObjectiveState
from harmonium.objectives.negative import SampledNegative, starting_chains
from harmonium.sampling.path import Path

__all__ = ["Jarzynski"]


@dataclass(frozen=True)
class Jarzynski(SampledNegative):
    """Persistent chains, reweighted at every update by Jarzynski's equality (Carbone, Hua, Coste & Vanden-Eijnden
    2023).

    p*(s; theta) being the unnormalised probability of a chain's state s, its log-weight A takes up

        A <- A + log p*(s; theta_new) - log p*(s; theta_old)

    whenever the parameters change; sweeps leave it alone.  Then, along any path of parameters that does not depend on
    the chains, for every function f and however few the sweeps,

        E[exp(A) f(s)] = Z / Z_0 E_model[f],

    so that weighted means tend to those of the model as the number of chains grows, and the mean of exp(A) tracks the
    partition function: annealed importance sampling (Neal 2001) along the training itself.  Chains start at the
    base-rate model, whose Z_0 is known; those of a trained model start with equal weights and unknown Z.  Chains are
    drawn again by their weights (systematic resampling) where the effective sample size falls too low.

    Chains that drive the parameters lower the probability of the very states on which they stand.  The estimate of
    log Z is therefore too low, by about learning rate * tr Cov(phi) / chains per update of plain gradient descent, phi
    being the statistics of a chain in the negative phase: take many chains, or few updates.

    Args:
        k: Gibbs sweeps per update.
        chains: number of persistent chains.
        resample_below: the effective sample size over ``chains`` below which they are drawn again, in [0, 1].
        inference: how the states of coupled hidden layers are found given the data.

    >>> import harmonium as hm
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, objective=hm.Jarzynski(k=1, chains=50), epochs=2)
    """

    k: int = 1
    chains: int = 256
    resample_below: float = 0.5

    def __post_init__(self) -> None:
        check_int_fields(self, k=1, chains=1)
        if not 0 <= self.resample_below <= 1:
            raise ValueError(f"Jarzynski(resample_below=...) must be between 0 and 1, found {self.resample_below!r}")

    @torch.no_grad()
    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        model.refuse_batched("Jarzynski")
        if model.chains is not None:
            chains = starting_chains(model, self.chains, stream)
            log_weight = torch.zeros(self.chains, dtype=torch.float64, device=model.device)
            log_partition = math.nan
        else:
            path = Path(model)
            state = path.start(self.chains, stream.advance())
            ends = torch.tensor([0.0, 1.0], dtype=model.dtype, device=model.device).expand(self.chains, 2)
            log_weight = path.log_ratio(state, path.inputs(state), ends)
            chains, log_partition = model.pack(state), path.log_partition_at_start()
        return {
            "chains": chains,
            "log_weight": log_weight,
            "log_density": model.log_weight(model.unpack(chains)),
            "log_partition": torch.tensor(log_partition, dtype=torch.float64, device=model.device),
        }

    def negative(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> LayerExpectations:
        if effective_share(state["log_weight"]) < self.resample_below:
            # The mean weight goes into log Z, all chains then weigh one.
            state["log_partition"] = self.log_mean_weight(state)
            offset = float(kernels.uniforms(stream.advance(), 1, 1, torch.float64, torch.device("cpu")))
            state["chains"] = state["chains"][_systematic(state["log_weight"], offset)]
            state["log_weight"] = torch.zeros_like(state["log_weight"])
        chains = model.sweep(model.unpack(state["chains"]), stream, self.sweeps(state))
        state["chains"] = model.pack(chains)
        state["log_density"] = model.log_weight(chains)
        weight = torch.softmax(state["log_weight"], -1).to(model.dtype)
        return model.conditional_expectation(chains).weighted(weight)

    @torch.no_grad()
    def after_update(self, model: Machine, state: ObjectiveState) -> bool:
        density = model.log_weight(model.unpack(state["chains"]))
        state["log_weight"] = state["log_weight"] + (density - state["log_density"])
        state["log_density"] = density
        return True

    @property
    def can_reject(self) -> bool:
        return False

    def log_mean_weight(self, state: ObjectiveState) -> Tensor:
        """The estimate of log Z of the model as it is, in nats, float64: log Z_0 plus the log of the mean weight.

        NaN where training went on from the chains of a trained model, whose log Z nobody knew.  No likelihood is
        tracked by it: in training it drifts low (see above) by far more than its spread shows.
        """
        log_weight = state["log_weight"]
        return state["log_partition"] + torch.logsumexp(log_weight, -1) - math.log(len(log_weight))

    def model_chains(self, state: ObjectiveState) -> Tensor:
        log_weight = state["log_weight"]
        if bool((log_weight == log_weight[0]).all()):
            return state["chains"]
        return state["chains"][_systematic(log_weight, 0.5)]


def effective_share(log_weight: Tensor) -> float:
    """Effective sample size over the number of samples: 1 for equal weights, 1 / n where one has them all."""
    weight = torch.softmax(log_weight, -1)
    return float(1 / (weight * weight).sum(-1) / weight.shape[-1])


def _systematic(log_weight: Tensor, offset: float) -> Tensor:
    """Indices in which i occurs n w_i times, rounded up or down; so often on average over offsets in [0, 1)."""
    n = len(log_weight)
    edges = torch.softmax(log_weight, -1).cumsum(-1)
    points = (torch.arange(n, dtype=edges.dtype, device=edges.device) + offset) / n * edges[-1]
    return torch.searchsorted(edges, points, right=True).clamp(max=n - 1)
