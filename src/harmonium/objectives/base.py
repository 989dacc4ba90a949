"""What training descends: the contract of an objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream, stream_of
from harmonium.core.registry import Registered
from harmonium.models.arrays import Array, as_batch, as_weights
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.models.state import LayerExpectations, Moments

__all__ = ["Batch", "WeightedPhase", "Gradient", "LogZ", "Objective", "ObjectiveState", "TwoPhase", "gradient"]

ObjectiveState = dict[str, Tensor]
"""What an objective carries from update to update, as flat tensors, so that it can be checkpointed."""


class Batch(NamedTuple):
    """Cases (batch, n_visible) in the model's precision, with optional weights (batch,)."""

    v: Tensor
    weight: Tensor | None = None


class LogZ(NamedTuple):
    """log Z by an estimate, and its standard error, both in nats."""

    value: float
    stderr: float


class WeightedPhase(NamedTuple):
    """One phase before its moments are taken: a batch of (expected) states of a model, with optional weights."""

    model: Machine
    phase: LayerExpectations
    weight: Tensor | None = None


class Gradient:
    """Both phases of the gradient of the mean log-likelihood, each a dict of moments (nats per case).

    Args:
        positive: what the data say: moments, or an `WeightedPhase` whose moments are taken when they are asked for.
        negative: what the model says, likewise.
    """

    def __init__(self, positive: Moments | WeightedPhase, negative: Moments | WeightedPhase) -> None:
        self._phases = positive, negative

    @cached_property
    def positive(self) -> Moments:
        """Moments under the data, by parameter name."""
        return _moments(self._phases[0]) | self.layers

    @cached_property
    def negative(self) -> Moments:
        """Moments under the model, by parameter name."""
        return _moments(self._phases[1]) | self._layers_below

    @cached_property
    def _layers_below(self) -> Moments:
        return _layer_moments(self._phases[1])

    @property
    def negative_sample(self) -> WeightedPhase | None:
        """The negative phase as the batch of states it is taken over, where it is one."""
        negative = self._phases[1]
        return negative if isinstance(negative, WeightedPhase) else None

    @property
    def difference(self) -> Moments:
        """Positive minus negative: the direction of ascent."""
        return {name: self.positive[name] - self.negative[name] for name in self.positive}

    @cached_property
    def layers(self) -> Moments:
        """The positive moments of the layers alone ("visible_bias", "hidden_bias", ...): no large product."""
        return _layer_moments(self._phases[0])

    def fill(self, model: Machine) -> None:
        """Write minus the difference into ``.grad`` of every parameter, reusing its memory."""
        for name, parameter in model.parameters_by_name().items():
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            grad = parameter.grad
            if name not in model.edges:
                torch.sub(self._layers_below[name], self.layers[name], out=grad)
                continue
            data, dream = self._phases
            if isinstance(data, WeightedPhase) and isinstance(dream, WeightedPhase):
                parameter.grad = model.coupling_difference(grad, name, dream[1:], data[1:])
            else:
                torch.sub(self.negative[name], self.positive[name], out=grad)


def _moments(phase: Moments | WeightedPhase) -> Moments:
    return phase.model.moments(phase.phase, phase.weight) if isinstance(phase, WeightedPhase) else phase


def _layer_moments(phase: Moments | WeightedPhase) -> Moments:
    return phase.model.layer_moments(phase.phase, phase.weight) if isinstance(phase, WeightedPhase) else phase


class Objective(Registered, ABC):
    """One way to estimate the gradient.  Stateless: what changes lives in the `ObjectiveState` that `begin` returns."""

    def check(self, model: Any) -> None:
        """Raise TypeError or ValueError for a model that this objective cannot train."""

    def init_state(self, model: Any, stream: Stream) -> ObjectiveState:
        """The state before the first update."""
        return {}

    @abstractmethod
    def gradient(self, model: Any, batch: Batch, state: ObjectiveState, stream: Stream) -> Gradient | None:
        """Fill ``.grad`` of every parameter with minus the gradient; return both phases where there are two."""

    def after_update(self, model: Any, state: ObjectiveState) -> bool:
        """After the update: False asks the trainer to undo it."""
        return True

    @property
    def can_reject(self) -> bool:
        """Whether `settle` may ask for that: the trainer then keeps a copy of all that an update changes."""
        return type(self).after_update is not Objective.after_update

    def snapshot(self, state: ObjectiveState) -> ObjectiveState:
        """What an undone update restores, asked for before every update of an objective that may undo."""
        return {name: tensor.clone() for name, tensor in state.items()}

    def on_reject(self, state: ObjectiveState) -> None:
        """After an update was undone: change the restored state, so that the next one turns out otherwise."""

    def rate(self, state: ObjectiveState) -> float:
        """What the scheduled learning rate is multiplied by."""
        return 1.0

    def log_partition(self, model: Any, state: ObjectiveState) -> LogZ | None:
        """log Z of the model as it is, where training estimates it by the way."""
        return None

    def model_chains(self, state: ObjectiveState) -> Tensor | None:
        """Packed states that represent the model, all of one weight (see `Machine.pack`); None where there are none."""
        return state.get("chains")


class TwoPhase(Objective):
    """An objective of machines: the gradient is what the data say less what the model says."""

    def check(self, model: Any) -> None:
        as_machine(model, f"the objective {type(self).__name__}")

    @abstractmethod
    def phases(self, model: Any, batch: Batch, state: ObjectiveState, stream: Stream) -> Gradient:
        """Estimate both phases on a batch, moving the state on."""

    @torch.no_grad()
    def gradient(self, model: Any, batch: Batch, state: ObjectiveState, stream: Stream) -> Gradient:
        phases = self.phases(model, batch, state, stream)
        phases.fill(model)
        return phases


def gradient(
    model: Machine,
    v: Array,
    *,
    objective: TwoPhase | None = None,
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
    as_machine(model, "gradient")
    stream = stream_of(seed, "gradient")
    batch = as_batch(v, model, "v", domain=True)
    weight = None if sample_weight is None else as_weights(sample_weight, len(batch)).to(model.device, model.dtype)
    state = objective.init_state(model, stream.child("begin"))
    with torch.no_grad():
        phases = objective.phases(model, Batch(batch, weight), state, stream.child("objective"))
        return Gradient(phases.positive, phases.negative)  # now: the model and v may change later
