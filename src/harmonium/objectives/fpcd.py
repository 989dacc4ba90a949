"""Fast PCD: extra, quickly decaying weights drive the persistent chains out of their present mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives.base import Batch, ObjectiveState, Phases
from harmonium.objectives.negative import SampledNegative, starting_chains, stored

__all__ = ["FPCD"]

_FAST = "fast."


@dataclass(frozen=True)
class FPCD(SampledNegative):
    """Persistent contrastive divergence with fast weights (Tieleman & Hinton 2009; Fischer & Igel 2014).

    The chains take their sweeps at theta + theta_fast, theta being the regular parameters.  With g the estimate of the
    gradient at theta, all fast parameters follow it at a rate of their own and fade:

        theta_fast <- decay theta_fast + fast_rate g.

    Where chains linger, g lowers the probability of that place at once, so that they mix faster than the model alone
    would let them.  Their distribution is that of theta + theta_fast: near the model's where theta_fast is small.
    The regular parameters come back bit for bit after each sweep.

    Args:
        k: Gibbs sweeps per update.
        chains: number of persistent chains.
        fast_rate: learning rate of the fast parameters, constant; about the regular rate at its start.
        decay: what is left of the fast parameters after each update.
        inference: how the states of coupled hidden layers are found given the data.

    >>> import harmonium as hm
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, objective=hm.FPCD(k=1, chains=20, fast_rate=0.05), epochs=2)
    """

    k: int = 1
    chains: int = 256
    fast_rate: float = 0.05
    decay: float = 19 / 20

    def __post_init__(self) -> None:
        check_int_fields(self, k=1, chains=1)
        if not self.fast_rate >= 0:
            raise ValueError(f"FPCD(fast_rate=...) must not be negative, found {self.fast_rate!r}")
        if not 0 <= self.decay < 1:
            raise ValueError(f"FPCD(decay=...) must be at least 0 and below 1, found {self.decay!r}")

    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        fast = {_FAST + name: torch.zeros_like(p.detach()) for name, p in model.parameters_by_name().items()}
        return {"chains": stored(model, starting_chains(model, self.chains, stream))} | fast

    def negative(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> LayerExpectations:
        with _moved(model, {name: state[_FAST + name] for name in model.parameters_by_name()}):
            chains = model.sweep(model.unpack(state["chains"]), stream, self.sweeps(state))
        state["chains"] = model.pack(chains).to(state["chains"].dtype)
        return model.conditional_expectation(chains)

    @torch.no_grad()
    def gradient(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases:
        phases = super().gradient(model, batch, state, stream)
        for name, parameter in model.parameters_by_name().items():
            assert parameter.grad is not None
            state[_FAST + name].mul_(self.decay).sub_(parameter.grad, alpha=self.fast_rate)
        return phases


@contextmanager
def _moved(model: Machine, steps: dict[str, Tensor]) -> Iterator[None]:
    """The model with steps added to its parameters; afterwards, whatever happens, with what it had before."""
    parameters = model.parameters_by_name()
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    try:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.add_(steps[name])
        model.constrain()
        yield
    finally:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(before[name])
