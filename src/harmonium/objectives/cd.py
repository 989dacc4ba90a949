"""Contrastive divergence."""

from __future__ import annotations

from dataclasses import dataclass

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives.base import Batch, ObjectiveState
from harmonium.objectives.many_updates import Batches, UpdateRule, pays, run
from harmonium.objectives.negative import SampledNegative

__all__ = ["CD"]


@dataclass(frozen=True)
class CD(SampledNegative):
    """Contrastive divergence: k sweeps starting at the data (Hinton 2002; Fischer & Igel 2014, algorithm 1).

    Biased: the chain has not forgotten the data.  The likelihood can fall while reconstructions improve.

    Args:
        k: Gibbs sweeps per update.
        inference: how the states of coupled hidden layers are found given the data.
    """

    can_omit = True
    by_chain = ()

    k: int = 1

    def __post_init__(self) -> None:
        check_int_fields(self, k=1)

    def can_run_updates(self, model: Machine, rows: int) -> bool:
        return type(self) is CD and pays(model, rows)

    def run_updates(
        self, model: Machine, batches: Batches, rule: UpdateRule, state: ObjectiveState, stream: Stream
    ) -> None:
        run(model, batches, rule, None, self.k, stream)

    def negative(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> LayerExpectations:
        clamp = None if batch.observed is None else (~batch.observed, batch.v)
        ends = model.sweep(model.state_from_visible(batch.v, stream), stream, self.k, clamp=clamp)
        return model.conditional_expectation(ends).weighted(batch.weight, batch.total)
