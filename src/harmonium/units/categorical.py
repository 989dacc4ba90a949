"""Variables with several states, encoded one-hot."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from harmonium.core.checks import check_int
from harmonium.kernels.columns import draw_group_columns
from harmonium.kernels.graph_groups import walk_groups
from harmonium.kernels.groups import log_normalizer_groups, mean_groups, sample_groups
from harmonium.units.biased import Biased
from harmonium.units.contract import FusedKernels, Natural

__all__ = ["Categorical"]


class Categorical(Biased):
    """Variables with states 0 ... q - 1: Potts variables, softmax units (Salakhutdinov, Mnih & Hinton 2007).

    A raw state has one code per variable, (batch, n).  Encoded, it is one-hot, (batch, n q): variable i has the units
    i q ... (i + 1) q - 1, of which the one of its state is 1; the energy is -b . s.  Couplings, biases and means have
    one entry per state, so p(s_i = k | x) is the softmax of the group's fields.

    Adding a constant to the biases of a group changes nothing: parameters are unique up to that.

    Args:
        shape: number of variables or a shape.
        states: number of states q of each variable, at least 2.
        dtype: float32 or float64.

    Raises:
        ValueError: if there are fewer than two states.

    >>> import torch, harmonium as hm
    >>> units = hm.Categorical(2, 3)
    >>> units.encode(torch.tensor([[2.0, 0.0]])).tolist()
    [[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]]
    """

    finite = True
    uniforms_in = torch.float64
    loops = FusedKernels(
        sample_groups, mean_groups, log_normalizer_groups, columns=draw_group_columns, graph=walk_groups
    )

    def __init__(self, shape: int | tuple[int, ...], states: int, *, dtype: torch.dtype = torch.float32) -> None:
        states = check_int("Categorical(states=...)", states, least=2)
        super().__init__(shape, width=states, dtype=dtype)
        self.constant = states

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        return (torch.log((mean * cases + 1 / self.constant) / (cases + 1)).to(self.bias),)

    def invalid(self, s: Tensor) -> Tensor:
        wrong = (s != 0) & (s != 1)
        return wrong | self.repeat_per_column(self._groups(s).sum(-1) != 1)

    def invalid_hint(self, value: float) -> str:
        return (
            f"Categorical units take the codes 0 ... {self.constant - 1} (encoded: one-hot groups of {self.constant}): "
            "number the categories from 0, or give the layer more states"
        )

    def not_encodable(self, raw: Tensor) -> Tensor:
        return (raw < 0) | (raw >= self.constant) | (raw != raw.floor()) & ~torch.isnan(raw)

    def _encode(self, raw: Tensor) -> Tensor:
        missing = torch.isnan(raw)
        encoded = functional.one_hot(raw.nan_to_num(0).long(), self.constant).to(self.bias)
        if bool(missing.any()):
            encoded[missing] = torch.nan
        return encoded.flatten(-2)

    def decode(self, encoded: Tensor) -> Tensor:
        """Codes from one-hot states; from means, the most probable codes; NaN from NaN."""
        groups = self._groups(encoded)
        codes = groups.argmax(-1).to(encoded.dtype)
        return torch.where(torch.isnan(groups).any(-1), torch.nan, codes)

    def repeat_per_column(self, values: Tensor) -> Tensor:
        return values.repeat_interleave(self.constant, -1)

    def variable(self, i: int) -> tuple[slice, Tensor]:
        return slice(i * self.constant, (i + 1) * self.constant), torch.eye(self.constant).to(self.bias)

    def _groups(self, s: Tensor) -> Tensor:
        return s.view(*s.shape[:-1], self.columns, self.constant)

    def _mean(self, eta: Natural) -> Tensor:
        return torch.softmax(self._groups(eta[0]), -1).flatten(-2)

    def _variance(self, eta: Natural) -> Tensor:
        p = self._mean(eta)
        return p * (1 - p)

    def _mode(self, eta: Natural) -> Tensor:
        return self._one_hot(self._groups(eta[0]).argmax(-1), eta)

    def _log_normalizer(self, eta: Natural) -> Tensor:
        return torch.logsumexp(self._groups(eta[0]), -1)

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        fields = self._groups(eta[0].detach())
        sums = torch.exp(fields - fields.amax(-1, keepdim=True)).cumsum(-1, dtype=torch.float64)
        below = (sums <= u.unsqueeze(-1) * sums[..., -1:]).sum(-1)
        return self._one_hot(below.clamp(max=self.constant - 1), eta)

    def _one_hot(self, codes: Tensor, eta: Natural) -> Tensor:
        return functional.one_hot(codes, self.constant).to(eta[0].dtype).flatten(-2)

    def config(self) -> dict[str, Any]:
        return super().config() | {"states": self.constant}

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, states={self.constant}"
