"""Training that leaves the oddest cases out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from harmonium.core.checks import check_number
from harmonium.data import Cases
from harmonium.models.machine.machine import Machine
from harmonium.training.callbacks import Callback
from harmonium.training.gaps import OmitGaps

if TYPE_CHECKING:
    from harmonium.training.history import Row
    from harmonium.training.loop import Training

__all__ = ["Trim"]

NEXT_TO_NOTHING = 1e-30  # the weight of a case that is left out: the mean over a batch of such cases is still a number
CHUNK = 1024


@dataclass
class Trim(Callback):
    """Leave the cases of lowest probability out of each pass: a maximum of the trimmed likelihood.

    Before the first pass and after every one, the share of the training cases that the machine, as it then is, finds
    least probable gets a weight of nothing for the next pass (Neykov & Mueller 2003; the concentration steps of
    Rousseeuw & Van Driessen 1999).  A machine begins with independent columns and becomes more complex, so that
    odd cases are left out before it could learn them.  Measurements leave out the same share of the validation cases.

    Args:
        share: of the cases that are left out, from 0 to 0.5.

    Raises:
        TypeError: when training begins, for a model that is not a machine.
        ValueError: likewise, with ``missing="omit"``: probabilities of different columns are not compared.

    >>> import harmonium as hm
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, epochs=2, callbacks=[hm.training.Trim(0.1)])
    """

    everywhere = True

    share: float = 0.1
    out: list[int] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        check_number("Trim(share=...)", self.share, "a number between 0 and 0.5", lambda share: 0 <= share <= 0.5)

    def on_begin(self, training: Training) -> None:
        self._given, self._validation = training.weight, (training.validation, training.validation_weight)
        if not isinstance(training.model, Machine):
            raise TypeError(f"Trim takes a machine such as an RBM, found {type(training.model).__name__}")
        if isinstance(training.plan.missing, OmitGaps):
            raise ValueError("Trim compares whole cases: use missing='draw'")
        if training.position.update == 0:
            self.out = []
            if training.plan.missing is None:  # gaps are drawn when the first pass begins
                self._choose(training)
        self._leave_out(training)

    def on_measure(self, training: Training, row: Row) -> None:
        cases, weight = self._validation
        if cases is not None and training.plan.missing is None:
            kept = np.setdiff1d(np.arange(len(cases)), self._lowest(_log_weights(training, cases)))
            training.validation = cases.select(kept)
            training.validation_weight = None if weight is None else weight[kept]

    def on_epoch(self, training: Training, row: Row) -> None:
        self._choose(training)
        self._leave_out(training)

    def on_close(self, training: Training) -> None:
        training.validation, training.validation_weight = self._validation

    def state(self) -> dict[str, Any]:
        return {"out": self.out}

    def restore(self, state: dict[str, Any]) -> None:
        self.out = state["out"]

    def config(self) -> dict[str, Any]:
        return super().config() | {"share": self.share}

    def _choose(self, training: Training) -> None:
        self.out = self._lowest(_log_weights(training, training.cases)).tolist()

    def _lowest(self, log_weights: Tensor) -> np.ndarray:
        count = round(self.share * len(log_weights))
        return np.sort(np.argsort(log_weights.numpy(), kind="stable")[:count])

    def _leave_out(self, training: Training) -> None:
        weight = torch.ones(len(training.cases)) if self._given is None else self._given.clone()
        weight[self.out] = 0.0
        weight = (weight / weight.mean()).clamp(min=NEXT_TO_NOTHING)
        training.weight = weight.to(training.model.device, training.model.dtype)


@torch.no_grad()
def _log_weights(training: Training, cases: Cases) -> Tensor:
    """log p(v) + log Z of cases, gaps of training cases as they were drawn last, in nats, (cases,)."""
    model, missing = training.model, training.plan.missing
    assert isinstance(model, Machine)
    found = []
    for first in range(0, len(cases), CHUNK):
        index = torch.arange(first, min(first + CHUNK, len(cases)))
        v = model.visible.encode(cases.rows(index, dtype=model.dtype, device=model.device), "data")
        if missing is not None:
            v = missing.fill(training, v, index, training.gaps_state).v
        found.append(model.log_weight((v, None)).double().cpu())
    return torch.cat(found)
