"""A validation measure of trainings with missing values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.core.rows import evenly_spaced
from harmonium.kernels import uniforms
from harmonium.models.machine.rbm import RBM
from harmonium.sampling.impute import conditional_means, pass_up_and_down
from harmonium.training.callbacks import Callback, is_due
from harmonium.training.gaps import OmitGaps

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["LEAST_SCORE", "GapMonitor"]

LEAST_SCORE = 0.01  # that is more than nothing
LEAST_VARIANCE = 1e-12  # of a column that varies: what is left of a constant one by rounding is less


@dataclass
class GapMonitor(Callback):
    """How well the model fills observed values of validation cases that are hidden from it.

    Adds "gap_score" to the row: 1 - (squared error of the conditional means) / (that of the columns' means), each in
    variances of the training data, over all hidden values of columns that vary, categories as one column for each; 0 is
    the score of the columns' means, 1 is perfect.  Where missing units are left out of a machine in training, they are
    left out here: one pass to the hidden units and back.

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
        if training.validation is None or not is_due(self.every, row["epoch"], training.plan.epochs):
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
        if isinstance(training.plan.missing, OmitGaps) and isinstance(model, RBM):
            found = pass_up_and_down(model, seen)
        else:
            found = conditional_means(model, seen, training.root.child("gap monitor"), self.sweeps, self.chains)
        scale = model.data_variance.sqrt()
        weight = there.double()
        if training.validation_weight is not None:
            weight *= training.validation_weight[index].to(weight).unsqueeze(-1)
        mine, theirs = (
            (torch.where(there, (guess - full) / scale, 0.0).double().square() * weight).sum()
            for guess in (found, model.data_mean)
        )
        row["gap_score"] = 1.0 - float(mine / theirs)

    def columns(self, training: Training) -> set[str] | None:
        return set() if training.validation is None else {"gap_score"}
