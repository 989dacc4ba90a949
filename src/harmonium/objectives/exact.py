"""The exact gradient, for machines with one small side."""

from __future__ import annotations

from dataclasses import dataclass

from harmonium.core.random import Stream
from harmonium.likelihood.exact import cheapest_enumeration, exact_clamped_moments, exact_moments
from harmonium.models.machine.machine import Machine
from harmonium.objectives.base import Batch, ObjectiveState, Phases, TwoPhase

__all__ = ["Exact"]


_MOST_BITS = 22


@dataclass(frozen=True)
class Exact(TwoPhase):
    """Both phases exactly, the negative one by enumerating the smaller side (Fischer & Igel 2014)."""

    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        bits, _ = cheapest_enumeration(model)
        if bits > _MOST_BITS:
            raise ValueError(
                f"Exact would enumerate 2^{bits:g} states for every update: use PCD, "
                f"or a side of up to {_MOST_BITS} units"
            )
        return {}

    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases:
        if model.hidden_couplings:
            return Phases(exact_clamped_moments(model, batch.v, batch.weight), exact_moments(model))
        return Phases(model.infer(batch.v).weighted(batch.weight), exact_moments(model))
