"""Learning a conditional distribution, alone or together with the joint one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.likelihood.conditional import refuse_coupled_hidden
from harmonium.models.machine.conditional import variable_log_probs
from harmonium.models.machine.machine import Machine
from harmonium.objectives.base import Batch, ObjectiveState, Phases, TwoPhase
from harmonium.objectives.pcd import PCD

__all__ = ["Discriminative", "Hybrid"]


@dataclass(frozen=True)
class Discriminative(TwoPhase):
    """Maximises log p(v_y | all other v) of one visible variable, such as a label (Larochelle & Bengio 2008, sec. 3.2).

    The gradient is exact: expectations with the true label, less expectations with every label weighed by its
    probability given the rest.

    Args:
        column: of the variable outside; -1 is the last.
    """

    learns_joint = False
    column: int = -1

    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        refuse_coupled_hidden(model, "Discriminative")
        model.visible.require_independent_columns("Discriminative")
        if not -model.visible.columns <= self.column < model.visible.columns:
            raise ValueError(
                f"Discriminative(column={self.column}): there are {model.visible.columns} visible variables"
            )
        return {}

    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases:
        v, column = batch.v, self.column % model.visible.columns
        where, values = model.visible.variable(column)
        p = variable_log_probs(model, v, column).exp().to(v.dtype)
        every = v.repeat(len(values), 1)
        every[:, where] = values.to(v.dtype).repeat_interleave(len(v), 0)
        weight = p.T.flatten() if batch.weight is None else (p * batch.weight.unsqueeze(-1)).T.flatten()
        return Phases(model.infer(v).weighted(batch.weight), model.infer(every).weighted(weight))


@dataclass(frozen=True)
class Hybrid(TwoPhase):
    """(1 - share) of `Discriminative` and ``share`` of a generative objective (Larochelle & Bengio 2008, section 3.3).

    Their alpha is share / (1 - share): the generative part regularises the discriminative one.

    Args:
        share: of the generative objective, between 0 and 1.
        generative: its objective.
        column: of the label, as in `Discriminative`.
    """

    learns_joint = False
    share: float = 0.01
    generative: TwoPhase = PCD(k=1, chains=100)  # noqa: RUF009 - frozen
    column: int = -1

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"Hybrid(share=...) must be between 0 and 1, found {self.share!r}")
        if type(self.generative).gradient is not TwoPhase.gradient:
            raise ValueError(
                f"Hybrid(generative={self.generative!r}) learns from its own gradient, of which Hybrid takes a share: "
                "use PCD"
            )

    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        Discriminative(self.column).init_state(model, stream)
        return self.generative.init_state(model, stream)

    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases:
        label = Discriminative(self.column).phases(model, batch, state, stream)
        joint = self.generative.phases(model, batch, state, stream)
        pairs = (tuple(map(model.moments, pair)) for pair in zip(label, joint, strict=True))
        return Phases(*({name: torch.lerp(a[name], b[name], self.share) for name in a} for a, b in pairs))

    def after_update(self, model: Machine, state: ObjectiveState) -> bool:
        return self.generative.after_update(model, state)

    @property
    def can_reject(self) -> bool:
        return self.generative.can_reject

    def model_chains(self, state: ObjectiveState) -> Tensor | None:
        return self.generative.model_chains(state)
