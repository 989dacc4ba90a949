"""Maximum likelihood by backpropagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.directed import Directed, Tractable
from harmonium.objectives.base import Batch, Objective, ObjectiveState

__all__ = ["MaximumLikelihood", "descend"]


@dataclass(frozen=True)
class MaximumLikelihood(Objective):
    """The gradient of the mean log-likelihood of models that know it (NADE), or an unbiased estimate of that.

    Args:
        bfloat16: multiply with factors rounded to 8 bits and sums in float32, which takes half the time on processors
            that can; for models whose layers are `torch.nn` modules.  Parameters and likelihoods stay as they are.

    Raises:
        TypeError: for models that do not: a machine wants `PCD` or another two-phase objective, a VAE `ELBO`.
    """

    word = "ml"
    can_omit = True
    by_chain = ()

    bfloat16: bool = False

    def check(self, model: Any) -> None:
        if not isinstance(model, Tractable):
            other = "ELBO()" if isinstance(model, Directed) else "PCD(), or Exact() where a side is small"
            raise TypeError(
                f"MaximumLikelihood needs log p(v), which a {type(model).__name__} does not know: use {other}"
            )

    def gradient(self, model: Tractable, batch: Batch, state: ObjectiveState, stream: Stream) -> None:
        with torch.enable_grad():
            with torch.autocast(batch.v.device.type, torch.bfloat16, enabled=self.bfloat16):
                log_prob = model.training_log_prob(batch.v, stream, batch.observed)
            descend(model, log_prob, batch)


def descend(model: Directed, log_prob: Tensor, batch: Batch) -> None:
    """Fill ``.grad`` with minus the gradient of the mean of log_prob (batch,), by weights where there are any."""
    weight, total = batch.weight, batch.total
    if weight is not None:
        mean = (weight * log_prob).sum() / (weight.sum() if total is None else total)
    else:
        mean = log_prob.mean() if total is None else log_prob.sum() / total
    model.zero_grad(set_to_none=True)
    (-mean).backward()  # type: ignore[no-untyped-call]
    for parameter in model.parameters():
        if parameter.grad is None:  # one that this batch does not depend on
            parameter.grad = torch.zeros_like(parameter)
