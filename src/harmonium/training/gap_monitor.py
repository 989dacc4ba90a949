"""A validation measure of trainings with missing values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.core.rows import evenly_spaced
from harmonium.kernels import uniforms
from harmonium.sampling.impute import conditional_means
from harmonium.training.callbacks import Callback
from harmonium.training.schedules import ends_cycle

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["GapMonitor"]

LEAST_VARIANCE = 1e-12  # of a column that varies: what is left of a constant one by rounding is less


@dataclass
class GapMonitor(Callback):
    """How well the model fills observed values of validation cases that are hidden from it.

    Adds "gap_score" to the row: 1 - (mean squared error of the conditional means) / (variance of the training data),
    over all hidden values of columns that vary, categories as one column for each; 0 is the score of the columns'
    means, 1 is perfect.
    A likelihood of cases with gaps would need their sum over all that could fill them.

    Args:
        every: epochs between measurements; None: where cycles of `harmonium.training.schedules.Cycles` end.
        share: of the observed values that are hidden, always the same ones.
        cases: number of validation cases, at most.
        sweeps: Gibbs sweeps that fill them.
        chains: of each case.
    """

    every: int | None = None
    share: float = 0.2
    cases: int = 300
    sweeps: int = 40
    chains: int = 10

    def __post_init__(self) -> None:
        check_int_fields(self, cases=1, sweeps=1, chains=1)

    @torch.no_grad()
    def on_measure(self, training: Training, row: Row) -> None:
        epoch, epochs = row["epoch"], training.plan.epochs
        due = ends_cycle(epoch, epochs) if self.every is None else epoch % self.every == 0
        if training.validation is None or not (due or epoch == epochs):
            return
        model = training.model
        index = evenly_spaced(len(training.validation), min(self.cases, len(training.validation)))
        raw = training.validation.rows(index, dtype=model.dtype, device=model.device)
        rows, columns = raw.shape
        hide = uniforms(Stream(0, "gap monitor").advance(), rows, columns, torch.float32, model.device) < self.share
        full, seen = (model.visible.encode(v) for v in (raw, torch.where(hide, torch.nan, raw)))
        assert model.data_mean is not None and model.data_variance is not None
        there = torch.isnan(seen) & ~torch.isnan(full) & (model.data_variance > LEAST_VARIANCE)
        if not bool(there.any()):
            return
        spread = model.data_variance.expand_as(full)[there]
        stream = training.root.child("gap monitor")
        found = conditional_means(model, seen, stream, self.sweeps, self.chains)
        error = (found[there] - full[there]).double().square()
        row["gap_score"] = 1.0 - float((error / spread).mean())

    def columns(self, training: Training) -> set[str] | None:
        return set() if training.validation is None else {"gap_score"}
