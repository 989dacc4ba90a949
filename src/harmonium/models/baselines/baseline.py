"""Base of baselines: models estimated in closed form or by EM rather than by gradient descent."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from harmonium.data import Cases, as_cases
from harmonium.models.arrays import Array, check_columns, checked_chunks
from harmonium.models.directed import Tractable
from harmonium.models.model import as_dtype
from harmonium.units import Units

__all__ = ["Baseline", "pick"]


class Baseline(Tractable):
    """A tractable model with an estimator of its own; `harmonium.fit` would reach the same optimum, slowly."""

    units: Units

    def __init__(self, units: Units, dtype: torch.dtype) -> None:
        super().__init__()
        units.require_independent_columns(type(self).__name__)
        self.units = units.to(as_dtype(dtype))

    @property
    def visible(self) -> Units:
        return self.units

    def __repr__(self) -> str:
        rest = [f"{key}={value}" for key, value in self.config().items() if key not in ("type", "visible", "dtype")]
        return f"{type(self).__name__}({', '.join([repr(self.units), *rest])})"

    @abstractmethod
    def estimate(self, data: Array, *, smoothing: float = 1.0) -> Any:
        """Estimate the parameters from data, (n, n_visible), smoothed by ``smoothing`` uninformative cases."""

    @abstractmethod
    def log_marginal(self, v: Tensor, observed: Tensor) -> Tensor:
        """log p(v_observed), (batch,), float64, with the other variables summed out.

        Args:
            v: encoded states, (batch, size); those of other variables are ignored.
            observed: bool (batch, columns).
        """

    def log_conditional(self, v: Tensor, asked: Tensor, given: Tensor) -> Tensor:
        return self.log_marginal(v, asked | given) - self.log_marginal(v, given)

    def config(self) -> dict[str, Any]:
        return super().config() | {"visible": self.units.config()}

    def _begin(self, data: Array, smoothing: float) -> Cases:
        """Check the cases, and store their moments like training does."""
        if isinstance(smoothing, bool) or not isinstance(smoothing, (int, float)) or not 0 < smoothing < math.inf:
            raise ValueError(f"smoothing must be a positive number of cases, found {smoothing!r}: without any, states "
                             "that never occurred would be impossible")  # fmt: skip
        cases = as_cases(data)
        check_columns(cases, self.units)
        total = torch.zeros(self.units.size, dtype=torch.float64)
        square = torch.zeros_like(total)
        shift: Tensor | None = None
        for _, encoded in checked_chunks(cases, self.units, "data", torch.float64):
            v = encoded.double()
            shift = v[0].clone() if shift is None else shift  # against cancellation with large means
            total += (v - shift).sum(0)
            square += ((v - shift) ** 2).sum(0)
        assert shift is not None
        mean = total / len(cases)
        self.data_mean = (mean + shift).to(self.device)
        self.data_variance = (square / len(cases) - mean**2).clamp(min=0.0).to(self.device)
        self.data_cases = torch.tensor(float(len(cases)), dtype=torch.float64)
        self._set_base_rate(smoothing)
        return cases

    @torch.no_grad()
    def _set_base_rate(self, smoothing: float = 1.0) -> None:
        """Set the biases of the units from the stored moments."""
        assert self.data_mean is not None and self.data_variance is not None and self.data_cases is not None
        cases = float(self.data_cases) / smoothing  # base_rate adds one pseudo-case to this number
        self.units.set_natural(self.units.base_rate(self.data_mean, self.data_variance, cases))

    def _batches(self, cases: Cases) -> Iterator[Tensor]:
        """Encoded states, (at most 1024, size), in the model's precision."""
        for _, v in cases.chunks(1024, dtype=self.dtype, device=self.device):
            yield self.units.encode(v)


def pick(log_prob: Tensor, u: Tensor) -> Tensor:
    """Draw a state from each row of unnormalised log-probabilities (batch, states), with uniforms u (batch,)."""
    p = torch.softmax(log_prob.double(), -1).cumsum(-1)
    return (p <= u.double().unsqueeze(-1) * p[:, -1:]).sum(-1).clamp(max=log_prob.shape[1] - 1)
