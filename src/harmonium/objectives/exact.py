"""The exact gradient, for machines with one small side."""

from __future__ import annotations

from dataclasses import dataclass

from harmonium.models.machine import Machine
from harmonium.objectives.base import Batch, Expectation, Gradient, Objective, ObjectiveState
from harmonium.paths.exact import exact_moments
from harmonium.random import Stream

__all__ = ["Exact"]


@dataclass(frozen=True)
class Exact(Objective):
    """Both phases exactly, the negative one by enumerating the smaller side (Fischer & Igel 2014, section 4)."""

    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Gradient:
        return Gradient(Expectation(model, model.infer(batch.v), batch.weight), exact_moments(model))
