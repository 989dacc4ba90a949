"""After training: an error if it diverged, a warning if the model is no better than independent columns."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harmonium.core.errors import DivergedError
from harmonium.core.random import Stream
from harmonium.core.rows import some_rows
from harmonium.likelihood.independent import Gain, independent_log_prob
from harmonium.models.baselines.independent import Independent
from harmonium.models.machine.machine import Machine
from harmonium.training.convergence import Convergence
from harmonium.training.gap_monitor import LEAST_SCORE

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["check_outcome"]

_CASES, _CHAINS, _SWEEPS = 500, 100, 20
_USELESS = 10.0  # times what independent columns take, or what the means of columns miss


def check_outcome(training: Training) -> None:
    """Say so if a finished training diverged, went wrong, or planned itself and learned nothing.

    Raises:
        DivergedError: if the model is useless although its parameters are finite; it keeps them.

    Warns:
        UserWarning: that says what was found and what to do.
    """
    found = _failure(training)
    if found is not None:
        warnings.warn(found, UserWarning, stacklevel=3)


@torch.no_grad()
def _failure(training: Training) -> str | None:
    plan, history = training.plan, training.history
    if not plan.objective.learns_joint or (isinstance(training.model, Machine) and training.model.batched):
        return None
    planned = any(isinstance(each, Convergence) for each in training.callbacks)
    planned = planned and not isinstance(training.model, Independent)  # which has nothing else to learn
    advice = (
        f"Lower the learning rate, which began at {plan.learning_rate(0.0):g}{'' if planned else ', or leave it out'}"
    )
    if any(units.real_valued for units in training.model.unit_layers()):
        advice += ", and standardise real columns"
    row = history.best or (history.rows[-1] if history.rows else {})
    score = row.get("gap_score")
    if score is not None and score < -_USELESS:
        raise DivergedError(f"training diverged: the model fills gaps far worse than the means of columns do. {advice}")
    if planned and score is not None and score <= LEAST_SCORE:
        return f"fit learned nothing: it fills gaps no better than the means of the columns do. {_REMEDY}"
    if plan.missing is not None:
        return None
    gain, measured = _gain(training, row)
    if gain is None:
        return None
    loose = training.model.energy_part is None and training.model.likelihood_is_estimated  # a bound, far below at first
    if gain.far_below and training.fresh and plan.learning_rate(0.0) > 0 and not loose:
        found = (
            f"cases are {'' if measured else 'at least '}{_amount(-gain.nats)} nats per case less probable than under "
            f"independent columns. {advice}"
        )
        if gain.nats < -_USELESS * max(1.0, gain.scale):
            raise DivergedError(f"training diverged: {found}. The model keeps the parameters that it ended with")
        return f"training went wrong: {found}"
    where = "on the training cases" if training.validation is None else "on cases held out"
    return f"fit {gain}, {where}. {_REMEDY}" if planned and measured and gain.nothing else None


def _amount(nats: float) -> str:
    return f"{nats:,.0f}" if nats < 1e6 else f"{nats:.0e}"


_REMEDY = (
    "Either the columns are independent of each other, or the model needs more cases, other units or another learning "
    "rate"
)


def _gain(training: Training, row: Row) -> tuple[Gain | None, bool]:
    """What the model gained over independent columns, or an upper bound of it; and whether it was measured."""
    model = training.model
    cases, weight = training.cases, training.weight
    if training.validation is not None:
        cases, weight = training.validation, training.validation_weight
    index = some_rows(len(cases), _CASES)
    weight = None if weight is None else weight[index]
    v = model.visible.encode(cases.rows(index, dtype=model.dtype, device=model.device))
    independent = independent_log_prob(model, v)
    if independent is None or not (model.energy_part is None or model.energy_part is model):
        return None, False
    log_p = model.log_weight_bound(v, training.root.child("failure"))
    if row.get("log_likelihood_gained") is not None and row["log_likelihood_lower"] is not None:
        measured = Gain.of(log_p, independent, cases.log_jacobian, weight)  # for its error, to which log Z adds nothing
        return measured._replace(nats=row["log_likelihood_gained"]), True
    if isinstance(model, Machine):
        if model.visible.conditions_on_total:  # log Z depends on the row
            return None, False
        log_p = log_p - _least_log_z(model, v, training.root.child("failure", "chains"))
    return Gain.of(log_p, independent, cases.log_jacobian, weight), not isinstance(model, Machine)


@torch.no_grad()
def _least_log_z(machine: Machine, v: Tensor, stream: Stream) -> float:
    """A lower bound of log Z, close to it where a few states have all the weight, as after a rate that was too high.

    Of finitely many states: the largest log-weight of any.  Otherwise by Gibbs' inequality, log Z >= E_q[log w] + H(q),
    with q the distribution of short chains, whose entropy is at least that of v given the other layers.
    """
    units, state = machine.visible, machine.state_from_visible(v[:_CHAINS], stream)
    state = machine.sweep(state, stream.child("sweep"), _SWEEPS)
    if units.finite:
        return float(machine.log_weight(state).max())
    if 0 in machine.lateral:  # units that are drawn one after the other have no simple entropy
        return -math.inf
    x = machine.layer_input(0, machine.neighbours(0), state)
    drawn = units.sample(x, stream.child("draw").advance())
    entropy = -units.log_density(x, drawn).sum(-1)
    return float((machine.log_weight((drawn, *state[1:])) + entropy).mean())
