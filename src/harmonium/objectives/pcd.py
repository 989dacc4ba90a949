"""Persistent contrastive divergence."""

from __future__ import annotations

from dataclasses import dataclass

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives.base import Batch, ObjectiveState
from harmonium.objectives.many_updates import Batches, UpdateRule, pays, run
from harmonium.objectives.negative import SampledNegative, starting_chains, stored

__all__ = ["PCD"]


@dataclass(frozen=True)
class PCD(SampledNegative):
    """Persistent contrastive divergence: chains that go on from update to update (Younes 1989; Tieleman 2008).

    Args:
        k: Gibbs sweeps per update.
        chains: number of persistent chains, independent of the batch size.
        inference: how the states of coupled hidden layers are found given the data.
    """

    by_chain = ("chains",)

    k: int = 1
    chains: int = 256

    def __post_init__(self) -> None:
        check_int_fields(self, k=1, chains=1)

    def check_parts(self, model: Machine, shards: int) -> None:
        super().check_parts(model, shards)
        if self.chains < shards:
            raise ValueError(
                f"{type(self).__name__}(chains={self.chains}) cannot be cut into {shards} shards: take at least "
                f"{shards} chains, or pass shards={self.chains}"
            )

    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        chains = starting_chains(model, self.chains, stream)
        return {"chains": chains if self.can_run_updates(model, self.chains) else stored(model, chains)}

    def can_run_updates(self, model: Machine, rows: int) -> bool:
        return type(self) is PCD and pays(model, max(rows, self.chains))

    def run_updates(
        self, model: Machine, batches: Batches, rule: UpdateRule, state: ObjectiveState, stream: Stream
    ) -> None:
        state["chains"] = state["chains"].contiguous()
        run(model, batches, rule, state["chains"], self.sweeps(state), stream)

    def negative(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> LayerExpectations:
        part = batch.part
        with stream.shifted(0 if part is None else part.rows(self.chains).start - part.first):
            chains = model.sweep(model.unpack(state["chains"]), stream, self.sweeps(state))
        state["chains"] = model.pack(chains).to(state["chains"].dtype)
        return model.conditional_expectation(chains).weighted(None, None if part is None else self.chains)
