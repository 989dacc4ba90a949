"""The likelihood of validation rows with gaps, during training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from harmonium.core.rows import evenly_spaced
from harmonium.models.directed import Directed
from harmonium.training.callbacks import Callback, is_due
from harmonium.training.history import Row
from harmonium.training.loop import Training

__all__ = ["ObservedLikelihood"]


@dataclass
class ObservedLikelihood(Callback):
    """Adds "observed_log_prob" to the row: the mean of log p of what is there of validation cases, in nats.

    It is for models that sum the other variables out, such as an `OrderlessNADE`, and is measured where cycles of the
    learning rate end.

    Args:
        cases: validation cases, at most.
    """

    cases: int = 400

    @torch.no_grad()
    def on_measure(self, training: Training, row: Row) -> None:
        if training.validation is None or not is_due(None, row["epoch"], training.plan):
            return
        model = training.model
        assert isinstance(model, Directed)
        index = evenly_spaced(len(training.validation), min(self.cases, len(training.validation)))
        v = model.visible.encode(training.validation.rows(index, dtype=model.dtype, device=model.device), "validation")
        asked = model.visible.one_per_column((~torch.isnan(v)).to(v.dtype)) > 0
        log_p = model.log_conditional(v.nan_to_num(0.0), asked, torch.zeros_like(asked))
        row["observed_log_prob"] = float(log_p.mean())

    def columns(self, training: Training) -> set[str] | None:
        return set() if training.validation is None else {"observed_log_prob"}
