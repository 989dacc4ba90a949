"""How well a machine of inputs and their class predicts the class, measured in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harmonium.core.rows import weighted_mean
from harmonium.models.machine.conditional import variable_log_probs
from harmonium.models.machine.machine import Machine
from harmonium.training.callbacks import Callback, is_due

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["ClassMonitor"]


@dataclass
class ClassMonitor(Callback):
    """Adds "accuracy" and "class_log_likelihood", the mean of log p(y | x) in nats, of validation cases to the row.

    Args:
        every: epochs between measurements; None: where cycles of `harmonium.training.schedules.Cycles` end.
        column: of the class; -1 is the last.
    """

    every: int | None = None
    column: int = -1

    @torch.no_grad()
    def on_measure(self, training: Training, row: Row) -> None:
        if training.validation is None or not is_due(self.every, row["epoch"], training.plan):
            return
        model = training.model
        assert isinstance(model, Machine)
        column = self.column % model.visible.columns
        right, log_probs = [], []
        for _, raw in training.validation.chunks(1024, dtype=model.dtype, device=model.device):
            log_prob = variable_log_probs(model, model.visible.encode(raw, "validation"), column)
            label = raw[:, column].long()
            right.append((log_prob.argmax(-1) == label).double())
            log_probs.append(log_prob.gather(-1, label.unsqueeze(-1)).squeeze(-1).double())
        row["accuracy"] = weighted_mean(torch.cat(right), training.validation_weight)
        row["class_log_likelihood"] = weighted_mean(torch.cat(log_probs), training.validation_weight)

    def columns(self, training: Training) -> set[str] | None:
        return set() if training.validation is None else {"accuracy", "class_log_likelihood"}
