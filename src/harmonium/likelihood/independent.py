"""What every likelihood is compared with: columns that are independent of each other."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.numbers import fixed, nats
from harmonium.core.rows import weighted_mean
from harmonium.models.model import Model
from harmonium.units.layer import Interpolation

__all__ = ["Gain", "independent_log_prob"]

_LITTLE = 0.005  # of the nats of independent columns: what is hardly seen in samples, imputations or probabilities
_PRINTED = 0.005  # nats: less is printed as 0.00


class Gain(NamedTuple):
    """What a model knows beyond the means (and variances) of its columns, in nats per case.

    Attributes:
        nats: mean log-likelihood less that of independent columns, of the same cases.
        stderr: standard error over cases of this mean difference.
        independent: mean log-likelihood of independent columns.
        scale: the same as a positive number, of the values as the model sees them (standardised ones, for instance).
    """

    nats: float
    stderr: float
    independent: float
    scale: float

    @classmethod
    def of(cls, log_p: Tensor, independent: Tensor, log_jacobian: float = 0.0, weight: Tensor | None = None) -> Gain:
        """Compare log-likelihoods of the same cases, (cases,) each, both without the ``log_jacobian``.

        Means are by the weights of the cases, (cases,), if they have any.
        """
        difference = (log_p - independent).double()
        mean, base = weighted_mean(difference, weight), weighted_mean(independent.double(), weight)
        if len(difference) == 1:
            stderr = 0.0
        elif weight is None:
            stderr = float(difference.std()) / math.sqrt(len(difference))
        else:
            share = (weight / weight.sum()).to(difference)
            stderr = float((share * (difference - mean)).square().sum().sqrt())
        return cls(mean, stderr, base + log_jacobian, abs(base))

    @property
    def nothing(self) -> bool:
        """Whether the model is no better than independent columns by more than the standard error."""
        return not self.nats > max(self.stderr, _PRINTED)

    @property
    def worse(self) -> bool:
        """Whether the model is worse than independent columns by more than the standard error."""
        return self.nats < -max(self.stderr, _PRINTED)

    @property
    def little(self) -> bool:
        """Whether the gain is less than half a per cent of what independent columns take."""
        return self.nats < _LITTLE * self.scale

    @property
    def far_below(self) -> bool:
        """Whether the model is so much worse than independent columns that its training went wrong."""
        return self.nats < -max(1.0, 3 * self.stderr, 0.1 * self.scale)

    @property
    def text(self) -> str:
        """The size of the difference, with the decimals of its error."""
        return nats(abs(self.nats), self.stderr)

    def __str__(self) -> str:
        amount = f"{self.text} nats per case (+- {nats(self.stderr, self.stderr)})"
        than = f"than independent columns ({fixed(self.independent)})"
        if self.worse:
            return f"learned nothing: {amount} worse {than}"
        if self.nothing:
            return f"learned nothing: no better {than}"
        return f"learned {amount} more {than}{': next to nothing' if self.little else ''}"


@torch.no_grad()
def independent_log_prob(model: Model, v: Tensor) -> Tensor | None:
    """log p(v) of independent columns with the means (and variances) of the training data that are stored in a model.

    Args:
        model: any model; of a deep belief network, its first machine stores them.
        v: encoded cases, (batch, size).

    Returns:
        (batch,), float64, in nats; None for a model that was not trained here and stores none.

    >>> import torch, harmonium as hm
    >>> model = hm.RBM(2, 1)
    >>> history = hm.fit(model, [[0, 1], [1, 1], [0, 1], [1, 1]], epochs=1)
    >>> independent_log_prob(model, torch.tensor([[1.0, 1.0]])).exp().numpy().round(2)
    array([0.45])
    """
    own = next(
        (
            part
            for part in model.modules()
            if isinstance(part, Model) and part.visible is model.visible and part.data_mean is not None
        ),
        None,
    )
    if own is None or own.data_mean is None or own.data_variance is None or own.data_cases is None:
        return None
    units = own.visible.conditioned_on_total(v)
    natural = units.base_rate(own.data_mean, own.data_variance, float(own.data_cases))
    line = Interpolation(None, tuple(torch.zeros_like(eta) for eta in natural), natural, {})
    rows = v if units.conditions_on_total else v[:1]  # else the normaliser is the same for all
    return units.neg_energy(v, natural) - units.log_normalizer(torch.zeros_like(rows), line)
