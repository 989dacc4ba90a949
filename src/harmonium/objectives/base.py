"""What training descends: the contract of an objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.described import Described
from harmonium.models.batch import Array, as_batch, as_matrix
from harmonium.models.machine import Machine, Moments
from harmonium.random import Stream, as_stream

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


class Objective(Described, ABC):
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


def gradient(
    model: Machine,
    v: Array,
    *,
    objective: Objective | None = None,
    sample_weight: Array | None = None,
    seed: int | Stream = 0,
) -> Gradient:
    """Both phases of the gradient of the mean log-likelihood on cases v, so that a bias can be *seen*.

    Args:
        model: any machine.
        v: cases (batch, n_visible) in the domain of the visible units.
        objective: how the negative phase is estimated (default: CD-1).
        sample_weight: weights of the cases, (batch,).
        seed: an int or a stream.

    Returns:
        a `Gradient` with ``positive``, ``negative`` and ``difference``: dicts of moments by parameter name, such as
        "weights" (n_visible, n_hidden), "visible_bias" (n_visible,), "hidden_bias" (n_hidden,).

    >>> import harmonium as hm
    >>> cd, exact = (hm.gradient(hm.RBM(4, 2), [[0, 1, 1, 0]], objective=o) for o in (hm.CD(k=1), hm.Exact()))
    >>> bias = cd.difference["weights"] - exact.difference["weights"]
    """
    if objective is None:
        from harmonium.objectives.contrastive import CD

        objective = CD()
    stream = as_stream(seed)
    batch = as_batch(v, model, "v", domain=True)
    weight = None if sample_weight is None else as_matrix(sample_weight, "sample_weight", model.dtype, model.device)
    state = objective.begin(model, stream.child("begin"))
    with torch.no_grad():
        return objective.phases(model, Batch(batch, weight), state, stream.child("objective"))
