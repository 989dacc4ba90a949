"""The contract of an objective: what training maximises, and how its gradient is estimated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.likelihood.log_z import LogPartition
from harmonium.models.machine.machine import as_machine
from harmonium.models.state import Phase
from harmonium.objectives.many_updates import Batches, UpdateRule

__all__ = ["Batch", "Objective", "ObjectiveState", "Phases", "TwoPhase"]

ObjectiveState = dict[str, Tensor]
"""What an objective carries from update to update, as flat tensors, so that it can be checkpointed."""


class Batch(NamedTuple):
    """Cases of one update.

    Attributes:
        v: encoded visible states, (batch, size), in the precision of the model.
        weight: weights of the cases, (batch,), or None.
        observed: units that belong to the machine of each case, bool (batch, size); the others are 0 in v.  None: all.
    """

    v: Tensor
    weight: Tensor | None = None
    observed: Tensor | None = None


class Phases(NamedTuple):
    """The two sides of the gradient of the mean log-likelihood.

    Attributes:
        positive: expectations under the data.
        negative: expectations under the model.
    """

    positive: Phase
    negative: Phase


class Objective(Registered, ABC):
    """One way to estimate the gradient.

    Objectives are stateless: what changes lives in the `ObjectiveState` that `init_state` returns.
    """

    can_omit: ClassVar[bool] = False
    """Whether the objective takes batches in which units are left out of the machine (`Batch.observed`)."""

    learns_joint: ClassVar[bool] = True
    """Whether it learns the distribution of whole cases, so that their likelihood tells whether training went well."""

    def check(self, model: Any) -> None:
        """Refuse a model that this objective cannot train.

        Raises:
            TypeError: if it cannot.
        """

    def init_state(self, model: Any, stream: Stream) -> ObjectiveState:
        """Return the state before the first update."""
        return {}

    @abstractmethod
    def gradient(self, model: Any, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases | None:
        """Fill ``.grad`` of every parameter with minus the gradient, and update the state.

        Returns:
            Both phases, or None for an objective that has no phases.
        """

    def can_run_updates(self, model: Any, rows: int) -> bool:
        """Whether `run_updates` serves this model in batches of at most ``rows`` cases, and saves time."""
        return False

    def run_updates(
        self, model: Any, batches: Batches, rule: UpdateRule, state: ObjectiveState, stream: Stream
    ) -> None:
        """Make many updates in one compiled call.  They equal single updates up to rounding.

        Args:
            model: the model.
            batches: cases and learning rates of the updates.
            rule: what metric, penalties and optimizer make of the gradient.
            state: of the objective, changed in place.
            stream: of all draws; takes as many steps as in single updates.
        """
        raise NotImplementedError

    def after_update(self, model: Any, state: ObjectiveState) -> bool:
        """Look at the model after an update.

        Returns:
            False to have the update rejected: everything that it changed is restored.
        """
        return True

    @property
    def can_reject(self) -> bool:
        """Whether `after_update` may reject an update; the trainer then keeps a copy of all that an update changes."""
        return type(self).after_update is not Objective.after_update

    def snapshot(self, state: ObjectiveState) -> ObjectiveState:
        """Copy what a rejected update must restore.  Called before every update of an objective that may reject."""
        return {name: tensor.clone() for name, tensor in state.items()}

    def on_reject(self, state: ObjectiveState) -> None:
        """Change the restored state after a rejected update, so that the next one differs."""

    def rate(self, state: ObjectiveState) -> float:
        """Factor of the scheduled learning rate."""
        return 1.0

    def log_partition(self, model: Any, state: ObjectiveState) -> LogPartition | None:
        """log Z of the present model, if training estimates it on the way; otherwise None."""
        return None

    def model_chains(self, state: ObjectiveState) -> Tensor | None:
        """Packed states that represent the model, all of equal weight (see `Machine.pack`); None if there are none."""
        return state.get("chains")


class TwoPhase(Objective):
    """An objective for machines: the gradient is what the data say less what the model says."""

    def check(self, model: Any) -> None:
        as_machine(model, f"the objective {type(self).__name__}")

    @abstractmethod
    def phases(self, model: Any, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases:
        """Estimate both phases on a batch, and update the state."""

    @torch.no_grad()
    def gradient(self, model: Any, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases:
        phases = self.phases(model, batch, state, stream)
        model.fill_gradients(*phases)
        return phases
