"""What training descends: the contract of an objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.models.machine import Machine, Moments
from harmonium.random import Stream

__all__ = ["Batch", "Gradient", "Objective", "ObjectiveState", "gradient"]

ObjectiveState = dict[str, Tensor]
"""What an objective carries from update to update, as flat tensors, so that it can be checkpointed."""


class Batch(NamedTuple):
    """Cases (batch, n_visible) in the model's precision, with optional weights (batch,)."""

    v: Tensor
    weight: Tensor | None = None


@dataclass(frozen=True)
class Gradient:
    """Both phases of the gradient of the mean log-likelihood (nats per case), each a dict of moments.

    ``difference`` = ``positive`` - ``negative`` is the direction of ascent.
    """

    positive: Moments
    negative: Moments

    @property
    def difference(self) -> Moments:
        return {name: self.positive[name] - self.negative[name] for name in self.positive}


class Objective(ABC):
    """One way to estimate the gradient.  Stateless: what changes lives in the `ObjectiveState` that `begin` returns."""

    def begin(self, model: Machine, stream: Stream) -> ObjectiveState:
        """The state before the first update."""
        return {}

    @abstractmethod
    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Gradient:
        """Estimate both phases on a batch, moving the state on."""

    @torch.no_grad()
    def gradient(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Gradient:
        """Fill ``.grad`` of every parameter with minus the gradient of the log-likelihood; return both phases."""
        phases = self.phases(model, batch, state, stream)
        for name, parameter in model.parameters_by_name().items():
            parameter.grad = torch.sub(phases.negative[name], phases.positive[name])
        return phases

    def settle(self, model: Machine, state: ObjectiveState) -> bool:
        """After the update: False asks the trainer to undo it."""
        return True

    def config(self) -> dict[str, Any]:
        """JSON-able description, from which a stored run is resumed."""
        return {"type": type(self).__name__} | (asdict(self) if is_dataclass(self) else {})
