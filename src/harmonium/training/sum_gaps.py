"""Missing values that are summed out exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harmonium.models.machine.conditional import variable_log_probs
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.objectives import Batch, Objective
from harmonium.training.gaps import Gaps

if TYPE_CHECKING:
    from harmonium.training.loop import Training

__all__ = ["SumGaps"]


@dataclass(frozen=True)
class SumGaps(Gaps, word="sum"):
    """One missing value of a case is summed out exactly, such as the class of a case without a label.

    The gradient of log p(observed) is the mean of the gradients of log p(v) over the states of the missing variable,
    each weighed by its probability given the others (Larochelle & Bengio 2008, section 4).  A case without its class
    teaches a `ClassificationRBM` p(inputs); to p(class | inputs) it adds nothing.

    Cases may lack one variable with finitely many states.  For more gaps in a case, or real values: "draw".

    >>> import harmonium as hm
    >>> import numpy as np
    >>> cases = hm.models.with_labels([[0, 1], [1, 0], [1, 1]], [0, 1, np.nan])
    >>> history = hm.fit(hm.ClassificationRBM(2, 2, classes=2), cases, missing="sum", epochs=1)
    """

    def check(self, model: Model, objective: Objective) -> None:
        if not isinstance(model, Machine) or model.hidden_couplings:
            raise TypeError(
                f"missing='sum' takes a machine whose hidden units can be summed out, such as an RBM, found "
                f"{type(model).__name__}: use missing='draw'"
            )
        model.refuse_batched("fit(missing='sum')")
        model.visible.require_independent_columns("fit(missing='sum')")

    def check_parts(self, objective: Objective) -> None:
        if objective.by_chain == ():  # its draws are numbered by the rows of the batch, of which there are more here
            raise ValueError(
                f"missing='sum' cannot be computed in shards, which several processes need, by "
                f"{type(objective).__name__}, whose draws belong to the rows of a batch: use PCD()"
            )

    def fill(self, training: Training, v: Tensor, index: Tensor, state: dict[str, Tensor]) -> Batch:
        model: Any = training.model
        weight = v.new_ones(len(v)) if training.weight is None else training.weight[index]
        missing = torch.isnan(v)
        gaps = missing.any(-1)
        if not bool(gaps.any()):
            return Batch(v, weight)
        which = _missing_variable(model, missing, training, index)
        rows, weights = [v[~gaps]], [weight[~gaps]]
        for variable in sorted(set(which[gaps].tolist())):
            here = which == variable
            where, values = model.visible.variable(variable)
            known = torch.where(missing[here], 0.0, v[here])
            p = variable_log_probs(model, known, variable).exp().to(v.dtype)
            every = known.repeat(len(values), 1)
            every[:, where] = values.to(v.dtype).repeat_interleave(len(known), 0)
            rows.append(every)
            weights.append((p * weight[here].unsqueeze(-1)).T.flatten())
        return Batch(torch.cat(rows), torch.cat(weights))


def _missing_variable(model: Machine, missing: Tensor, training: Training, index: Tensor) -> Tensor:
    """The variable that each case lacks, (rows,), int64; -1: none."""
    of_column = model.visible.variable_of_column().to(missing.device)
    first = torch.where(missing, of_column, len(of_column)).amin(-1)
    last = torch.where(missing, of_column, -1).amax(-1)
    gaps = last >= 0
    for wrong, why in (
        (gaps & (first != last), "lacks several values"),
        (gaps & ~_finite(model, missing.device)[last], "lacks the value of a variable without finitely many states"),
    ):
        if bool(wrong.any()):
            row = training.cases.row_name(int(index[wrong.nonzero()[0, 0]]))
            raise ValueError(f"{row} {why}, and missing='sum' sums one such value out: use missing='draw'")
    return last


def _finite(model: Machine, device: torch.device) -> Tensor:
    units = model.visible
    return torch.tensor([units.units_of_column(j, encoded=False).finite for j in range(units.columns)], device=device)
