"""Pseudo-likelihood: training without a partition function or a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations
from harmonium.objectives.base import Batch, ObjectiveState, Phases, TwoPhase

__all__ = ["PseudoLikelihood"]


@dataclass(frozen=True)
class PseudoLikelihood(TwoPhase):
    """Maximises sum_i log p(v_i | all other v) of machines without hidden units (Besag 1975; Hyvarinen 2006).

    With m_i = E[v_i | all other v], a lateral coupling has the gradient

        d / dW_ij = <v_i (v_j - m_j) + (v_i - m_i) v_j>,

    so its negative phase is <v_i m_j + m_i v_j> and its positive one 2 <v_i v_j>; other parameters have the gradients
    of their own conditionals.  Consistent: with enough data from the model, its maximum is the model.

    >>> import harmonium as hm
    >>> objective = PseudoLikelihood()
    >>> history = hm.fit(hm.BoltzmannMachine(4), [[0, 1, 1, 0], [1, 0, 0, 1]], objective=objective, epochs=2)
    """

    word = "pl"
    by_chain = ()

    def check(self, model: Any) -> None:
        super().check(model)
        if len(model.names) > 1:
            raise ValueError(
                f"PseudoLikelihood is for machines without hidden units, found the layers {', '.join(model.names)}: "
                "use PCD or CD"
            )

    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases:
        units, (coupling,) = model.visible, model.edges
        expected = units.expected_statistics(model.inputs(0, (batch.v,)))
        data = model.infer(batch.v).weighted(batch.weight, batch.total)
        conditional = LayerExpectations((expected[0],), (expected,), batch.weight, batch.total)
        total = LayerExpectations((data.means[0] + conditional.means[0],), data.statistics, batch.weight, batch.total)
        positive, negative, both = (model.moments(phase) for phase in (data, conditional, total))
        # <v m> + <m v> = <(v + m)(v + m)> - <v v> - <m m>, elementwise over pairs
        cross = both[coupling] - positive[coupling] - negative[coupling]
        return Phases(positive | {coupling: 2 * positive[coupling]}, negative | {coupling: cross})
