"""A validation measure of trainings with missing values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

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
    variances of the training data, over all hidden values of columns that vary, of categories over all their states; 0
    is the score of the columns' means, 1 is perfect.  Where missing units are left out of a machine in training, they
    are left out here, one pass to the hidden units and back; and every value is hidden once, a share at a time.

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
        if training.validation is None or not is_due(self.every, row["epoch"], training.plan):
            return
        model = training.model
        index = evenly_spaced(len(training.validation), min(self.cases, len(training.validation)))
        raw = training.validation.rows(index, dtype=model.dtype, device=model.device)
        full = model.visible.encode(raw, "validation")
        assert model.data_mean is not None and model.data_variance is not None
        variance = model.data_variance.to(torch.float64)
        scale = variance.new_zeros(model.visible.columns).index_add(
            0, (of := model.visible.variable_of_column()), variance
        )
        place = uniforms(Stream(0, "gap monitor").advance(), len(raw), raw.shape[1], torch.float32, model.device)
        counts = torch.ones(len(raw)) if training.validation_weight is None else training.validation_weight[index]
        counts = counts.to(variance).unsqueeze(-1)
        mine = theirs = 0.0
        for hide in self._hidden(training, place):
            seen = model.visible.encode(torch.where(hide, torch.nan, raw), "validation")
            there = torch.isnan(seen) & ~torch.isnan(full) & (variance > LEAST_VARIANCE)
            if not bool(there.any()):
                continue
            if _omits(training):
                assert isinstance(model, RBM)
                found = pass_up_and_down(model, seen)
            else:
                found = conditional_means(model, seen, training.root.child("gap monitor"), self.sweeps, self.chains)
            mine, theirs = (
                total + float(((guess - full).double().square() * counts / scale[of])[there].sum())
                for total, guess in ((mine, found), (theirs, model.data_mean))
            )
        if theirs:
            row["gap_score"] = 1.0 - mine / theirs

    def _hidden(self, training: Training, place: Tensor) -> Iterator[Tensor]:
        """What is hidden, bool; where a measurement is one pass, everything once, because little is observed."""
        for part in range(round(1 / self.share) if _omits(training) else 1):
            yield (place >= part * self.share) & (place < (part + 1) * self.share)

    def columns(self, training: Training) -> set[str] | None:
        return set() if training.validation is None else {"gap_score"}


def _omits(training: Training) -> bool:
    return isinstance(training.plan.missing, OmitGaps) and isinstance(training.model, RBM)
