"""Updates computed in shards, by one process or by several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from harmonium.core.processes import processes
from harmonium.core.shards import Part, Shards
from harmonium.objectives import ObjectiveState, Phases

if TYPE_CHECKING:
    from harmonium.training.loop import Training

__all__ = ["Sharding"]


class Sharding:
    """What this process computes of every update: the shards that it has, of the cases and of the chains.

    Parameters and the state of the optimizer are the same on all processes, since all of them take the same step.

    Args:
        training: the training; its objective state has the chains of all shards, in global order.
        count: number of shards.

    Raises:
        ValueError: for more processes than shards, or an objective or a metric that is not computed in shards.
    """

    def __init__(self, training: Training, count: int) -> None:
        self.shards = Shards(count, processes())
        training.plan.objective.check_parts(training.model, count)
        training.plan.metric.check_parts()
        if training.plan.missing is not None:
            training.plan.missing.check_parts(training.plan.objective)
        self._states: list[ObjectiveState] = []
        self.scatter(training)

    def scatter(self, training: Training) -> None:
        """Take the own part of the objective's state, which is in global order."""
        by_chain = training.plan.objective.by_chain or ()
        self._states = []
        for shard in self.shards.own:
            own = dict(training.objective_state)
            for name in by_chain:
                part = Part(shard, self.shards.count, 0, 0.0).rows(own[name].shape[-2])
                own[name] = own[name][..., part, :].clone()
            self._states.append(own)

    def gather(self, training: Training) -> None:
        """Put the objective's state together in global order, on every process."""
        state = dict(self._states[0])
        for name in training.plan.objective.by_chain or ():
            state[name] = self.shards.gather([own[name] for own in self._states], -2)
        training.objective_state = state

    def fill_gradients(self, training: Training, index: Tensor) -> Phases | None:
        """Fill ``.grad`` from the cases of these numbers.

        Returns:
            Both phases, as the averages that belong to layers alone; None for an objective that has no phases.
        """
        parameters = list(training.parameters.values())
        cases = float(len(index) if training.weight is None else training.weight[index].sum())
        names: list[list[str]] = []
        stream = training.stream
        step = stream.step

        def terms(shard: int) -> list[Tensor]:
            stream.step = step  # all shards draw from the same steps, in rows of their own
            rows = Part(shard, self.shards.count, 0, cases).rows(len(index))
            batch = training.batch(index[rows] if rows.stop > rows.start else index[:1])
            if rows.stop == rows.start:  # of a last batch that is smaller than the number of shards
                batch = batch._replace(weight=batch.v.new_zeros(len(batch.v)))
            batch = batch._replace(part=Part(shard, self.shards.count, rows.start, cases))
            for parameter in parameters:
                parameter.grad = None  # each shard in memory of its own
            state = self._states[shard - self.shards.own.start]
            with stream.shifted(rows.start):
                phases = training.plan.objective.gradient(training.model, batch, state, stream)
            averages = [] if phases is None else _averages(training.model, phases)
            names[:] = [list(each) for each in averages]
            return [*(_grad(p) for p in parameters), *(value for each in averages for value in each.values())]

        sums = self.shards.sum(terms)
        for parameter, total in zip(parameters, sums, strict=False):
            parameter.grad = total
        if not names:
            return None
        rest = iter(sums[len(parameters) :])
        positive, negative = ({name: next(rest) for name in each} for each in names)
        return Phases(positive, negative)


def _averages(model: Any, phases: Phases) -> list[dict[str, Tensor]]:
    return [{name: value.clone() for name, value in model.layer_moments(phase).items()} for phase in phases]


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad.contiguous()
