"""The contract of an objective: what training maximises, and how its gradient is estimated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.core.shards import Part
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
        part: which part of an update these cases are, when it is computed in shards; None: all of it.
    """

    v: Tensor
    weight: Tensor | None = None
    observed: Tensor | None = None
    part: Part | None = None

    @property
    def total(self) -> float | None:
        """Number of cases (or sum of the weights) of the whole update, if these are a part of it."""
        return None if self.part is None else self.part.cases


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

    by_chain: ClassVar[tuple[str, ...] | None] = None
    """Names of the tensors of its state that have one row per chain, (..., chains, n), if an update can be computed in
    shards: by `gradient` of one part of the cases and of the chains after the other.  None: it cannot."""

    learns_joint: ClassVar[bool] = True
    """Whether it learns the distribution of whole cases, so that their likelihood tells whether training went well."""

    def check(self, model: Any) -> None:
        """Refuse a model that this objective cannot train.

        Raises:
            TypeError: if it cannot.
        """

    def check_parts(self, model: Any, shards: int) -> None:
        """Refuse to be computed in this number of shards.

        Raises:
            ValueError: if it cannot.
        """
        if self.by_chain is None:
            raise ValueError(
                f"{type(self).__name__} is not computed in shards, which several processes need: use PCD(), CD() or, "
                "for directed models, MaximumLikelihood(); or start one process, without shards="
            )

    def init_state(self, model: Any, stream: Stream) -> ObjectiveState:
        """Return the state before the first update."""
        return {}

    @abstractmethod
    def gradient(self, model: Any, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases | None:
        """Fill ``.grad`` of every parameter with minus the gradient, and update the state.

        Of a part of an update (`Batch.part`), it is the share of this part: sums over its rows, divided by the number
        of all rows of the update.

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

    def on_go_back(self, state: ObjectiveState) -> None:
        """Change the state after its chains were replaced by those of an earlier model."""

    def restored(self, model: Any, state: ObjectiveState, stream: Stream) -> ObjectiveState:
        """Return the state of a checkpoint as `gradient` takes it: those of earlier versions may need a change."""
        return state

    def rate(self, state: ObjectiveState) -> float:
        """Factor of the scheduled learning rate."""
        return 1.0

    def report(self, state: ObjectiveState) -> dict[str, float]:
        """What a row of the history says of the objective, by column."""
        return {}

    def log_partition(self, model: Any, state: ObjectiveState) -> LogPartition | None:
        """log Z of the present model, if training estimates it on the way; otherwise None."""
        return None

    def model_chains(self, state: ObjectiveState) -> Tensor | None:
        """Packed states that represent the model, all of equal weight (see `Machine.pack`); None if there are none."""
        chains = state.get("chains")
        return chains if chains is None or chains.is_floating_point() else chains.float()


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
