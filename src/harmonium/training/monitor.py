"""Measurements during training.  They draw from child streams only: switching them on changes no parameter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from harmonium.core.checks import check_int_fields, finite_or_none
from harmonium.core.random import Stream
from harmonium.core.rows import some_rows, weighted_mean
from harmonium.likelihood.exact import cheapest_enumeration
from harmonium.likelihood.independent import Gain, independent_log_prob
from harmonium.likelihood.log_z import NORMALISED, LogPartition
from harmonium.likelihood.partition import EXACT_BITS, log_partition
from harmonium.likelihood.pseudo import pseudo_log_likelihood
from harmonium.models.model import Model
from harmonium.training.callbacks import Callback, is_due

if TYPE_CHECKING:
    from harmonium.data import Cases
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["LikelihoodMonitor", "Monitor", "default_monitor"]

OFTEN_EXACT_BITS = 14  # log2 of the states that are enumerated at every measurement


@dataclass
class Monitor(Callback):
    """Free-energy gap and pseudo-likelihood at the end of epochs.

    Adds to the row, in nats per case: "free_energy_gap", the mean free energy of validation cases minus that of
    training cases (log Z cancels; a growing gap is overfitting: Hinton 2010, section 6; by the variational bound where
    hidden layers are coupled), and "pseudo_log_likelihood" of validation cases where the units have finitely many
    states and hidden layers can be summed out.  Always the same evenly spaced subsets.

    Args:
        every: epochs between measurements.
        cases: size of the subsets.
    """

    every: int = 1
    cases: int = 500

    def __post_init__(self) -> None:
        check_int_fields(self, every=1, cases=1)

    @torch.no_grad()
    def on_measure(self, training: Training, row: Row) -> None:
        if row["epoch"] % self.every and row["epoch"] != training.plan.epochs:
            return
        model = training.model
        if training.validation is None or model.energy_part is not model:
            return
        valid, train = (_subset(split, self.cases, training) for split in (training.validation, training.cases))
        valid, train = (split[~torch.isnan(split).any(-1)] for split in (valid, train))
        if not len(valid):
            return
        if len(train):
            row["free_energy_gap"] = _log_weight(model, train) - _log_weight(model, valid)
        z = _tracked(training)
        if z is not None:
            log_jacobian = training.validation.log_jacobian
            row["log_likelihood_tracked"] = _log_weight(model, valid) + log_jacobian - z.value
            row["log_likelihood_tracked_stderr"] = (z.upper - z.value) / 3 if math.isfinite(z.upper) else None
        if _pseudo(model):
            row["pseudo_log_likelihood"] = float(pseudo_log_likelihood(model, valid).mean())

    def columns(self, training: Training) -> set[str] | None:
        if type(self).on_measure is not Monitor.on_measure:
            return None
        if training.validation is None or training.model.energy_part is not training.model:
            return set()
        tracked = _tracked(training) is not None
        return (
            {"free_energy_gap"}
            | ({"pseudo_log_likelihood"} if _pseudo(training.model) else set())
            | ({"log_likelihood_tracked", "log_likelihood_tracked_stderr"} if tracked else set())
        )


@dataclass
class LikelihoodMonitor(Callback):
    """Validation log-likelihood with its bracket, every few epochs.

    Adds "log_likelihood" (nats per case, from the value of log Z; a variational bound where hidden layers are coupled),
    "log_likelihood_lower" (from the upper log Z; None where there is none), "log_likelihood_upper", and
    "log_likelihood_gained", what the first is above independent columns with the means of the training data.  The
    reverse chains start from the objective's persistent chains.  Where `harmonium.fit` held cases out of weighted ones,
    means are by their weights.

    Args:
        every: epochs between measurements; the last epoch is always measured.  None: after 1/32, 1/16, ..., 1/2 of all
            epochs, where cycles of `harmonium.training.schedules.Cycles` end.
        chains: AIS chains in each direction.
        temperatures: AIS temperatures.
        start: first epoch to measure.
        samples: of the hidden states of every case, for directed models with latent variables.
        cases: largest number of validation cases, evenly spaced; None: all.
        second_opinion: with ``every=None``, ask tempering where annealing is not reliable, which takes longer.

    Directed models are normalised: "log_likelihood" is exact, or by importance sampling a bound in expectation, the one
    of a VAE for ``samples=1`` (its ELBO); "log_likelihood_lower" is the same number.  That of a model whose prior is a
    machine is less the upper log Z of it.
    """

    former_names: ClassVar[tuple[str, ...]] = ("Likelihood",)

    every: int | None = 10
    chains: int = 100
    temperatures: int = 1000
    start: int = 1
    samples: int = 50
    cases: int | None = None
    second_opinion: bool = True

    def __post_init__(self) -> None:
        check_int_fields(self, chains=1, temperatures=1, start=1, samples=1)
        if self.every is not None:
            check_int_fields(self, every=1)
        if self.cases is not None:
            check_int_fields(self, cases=1)

    @torch.no_grad()
    def on_measure(self, training: Training, row: Row) -> None:
        model, epochs = training.model, training.plan.epochs
        early = row["epoch"] < min(self.start, epochs)
        if (
            training.validation is None
            or early
            or not is_due(self.every, row["epoch"], training.plan)
            or _many_lengths(model)
        ):
            return
        z = self._log_z(training)
        found, base = [], []
        cases, weight = training.validation, training.validation_weight
        if self.cases is not None and self.cases < len(cases):
            index = some_rows(len(cases), self.cases)
            cases, weight = cases.select(index.numpy()), None if weight is None else weight[index]
        for start, v in cases.chunks(1000, dtype=model.dtype, device=model.device):
            v = model.visible.encode(v)
            stream = training.root.child("likelihood", row["epoch"], start)
            found.append(model.log_weight_bound(v, stream, self.samples))
            base.append(independent_log_prob(model, v))
        log_weight = torch.cat(found)
        mean = weighted_mean(log_weight, weight) + training.validation.log_jacobian
        row["log_likelihood"] = mean - z.value
        independent = torch.cat([each for each in base if each is not None])
        row["log_likelihood_gained"] = Gain.of(log_weight - z.value, independent, weight=weight).nats
        row["log_likelihood_lower"] = finite_or_none(mean - z.upper)
        # What is a bound already has no upper end.
        row["log_likelihood_upper"] = None if model.likelihood_is_estimated else mean - z.lower

    def _log_z(self, training: Training) -> LogPartition:
        part = training.model.energy_part
        if part is None:
            return NORMALISED
        bits, _ = cheapest_enumeration(part)
        if bits <= OFTEN_EXACT_BITS:
            return log_partition(part, "exact")
        # A ladder, or the enumeration that "auto" begins with, costs too much to be asked every time.
        twice = self.second_opinion and self.every is None and bits > EXACT_BITS
        return log_partition(
            part,
            "auto" if twice else "ais",
            chains=self.chains,
            temperatures=self.temperatures,
            sweeps=max(4, self.temperatures // 2),  # about as long as annealing
            chains_from=training.model_chains(),
            seed=training.root.child("likelihood", training.position.epoch),
        )

    def columns(self, training: Training) -> set[str] | None:
        if type(self).on_measure is not LikelihoodMonitor.on_measure:
            return None
        names = {"log_likelihood", "log_likelihood_gained", "log_likelihood_lower", "log_likelihood_upper"}
        return set() if training.validation is None or _many_lengths(training.model) else names


def _tracked(training: Training) -> LogPartition | None:
    """log Z that the objective estimates on the way; it is not that of averaged parameters."""
    if training.plan.average is not None:
        return None
    return training.plan.objective.log_partition(training.model, training.objective_state)


def _many_lengths(model: Model) -> bool:
    """Whether log Z is one number for each length of documents: `harmonium.evaluate` takes them all, at the end."""
    return model.visible.conditions_on_total and model.visible.fixed_total is None


def default_monitor(model: Model, every: int = 1) -> Monitor | LikelihoodMonitor:
    """Return the monitor that `harmonium.fit` adds for validation cases, with its epochs between measurements.

    Free energies for machines; for normalised models the likelihood itself, of 500 cases and by one draw if it has to
    be estimated.
    """
    return Monitor(every) if model.energy_part is model else LikelihoodMonitor(every=every, samples=1, cases=500)


def _log_weight(model: Model, v: torch.Tensor) -> float:
    """Mean log-weight of cases, which for machines needs no draws."""
    return float(model.log_weight_bound(v, Stream(0)).mean())


def _pseudo(model: Any) -> bool:
    """Whether the pseudo-likelihood exists and is cheap enough to be measured often."""
    units = model.visible
    return (
        units.finite and not units.conditions_on_total and model.sampled_layers == [0] and sum(units.radices()) <= 5000
    )


def _subset(cases: Cases, count: int, training: Training) -> torch.Tensor:
    index, model = some_rows(len(cases), count), training.model
    return model.visible.encode(cases.rows(index, dtype=model.dtype, device=model.device))
