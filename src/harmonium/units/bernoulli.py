"""Binary units."""

from __future__ import annotations

import torch
from numba.extending import register_jitable
from torch import Tensor, nn
from torch.nn import functional

from harmonium.kernels import scalar
from harmonium.kernels.fused import mapper, sampler, summer, walker
from harmonium.units.base import Loops, Natural, Units

__all__ = ["Bernoulli"]


@register_jitable
def _draw(field, curvature, word):  # type: ignore[no-untyped-def]
    u = scalar.uniform(field, word)
    # u < sigmoid(-|x|) multiplied out: no division, and full relative precision however small the probability.
    t = scalar.exp(-abs(field))
    return (u * (scalar.like(field, 1.0) + t) < t) != (field > 0)


@register_jitable
def _mean(field, curvature):  # type: ignore[no-untyped-def]
    t = scalar.exp(-abs(field))
    one = scalar.like(field, 1.0)
    return (t if field < 0 else one) / (one + t)


@register_jitable
def _split(field, curvature):  # type: ignore[no-untyped-def]
    return max(field, scalar.like(field, 0.0)), scalar.like(field, 1.0) + scalar.exp(-abs(field))


class Bernoulli(Units):
    """Units with states 0 and 1 and energy -b s (Smolensky 1986; Fischer & Igel 2014, section 4).

    Args:
        shape: number of units or a shape.
        dtype: float32 or float64.

    >>> import torch, harmonium as hm
    >>> hm.Bernoulli(3).mean(torch.zeros(1, 3)).tolist()
    [[0.5, 0.5, 0.5]]
    """

    finite = True
    loops = Loops(sampler(_draw), mapper(_mean), summer(_split), walker(_draw))

    def __init__(self, shape: int | tuple[int, ...], *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(shape)
        self.bias = nn.Parameter(torch.zeros(self.size, dtype=dtype))

    def natural(self) -> Natural:
        return (self.bias,)

    def statistics(self, s: Tensor) -> Natural:
        return (s,)

    def pull(self, moments: Natural) -> dict[str, Tensor]:
        return {"bias": moments[0]}

    def rest(self) -> Natural:
        return (torch.zeros_like(self.bias),)

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        p = (mean * cases + 0.5) / (cases + 1)
        return (torch.logit(p).to(self.bias),)

    @torch.no_grad()
    def set_natural(self, natural: Natural) -> None:
        self.bias.copy_(natural[0])

    def check(self, s: Tensor, name: str) -> None:
        wrong = (s != 0) & (s != 1)
        if bool(wrong.any()):
            row, unit = (int(i) for i in wrong.nonzero()[0][-2:])
            value = float(s[..., row, unit].flatten()[0])
            if value != value:
                raise ValueError(
                    f"{name} is not finite (NaN) in row {row}, column {unit}: remove or impute such values first"
                )
            grey = 0 <= value <= 1
            raise ValueError(
                f"{name} has the value {value:g} in row {row}, column {unit}, but Bernoulli units take 0 and 1: "
                + ("name a binarisation (binarize='threshold', 'fixed' or 'dynamic')" if grey else "rescale it")
                + ", or use Gaussian units"
            )

    def unit_states(self) -> Tensor:
        return torch.tensor([0.0, 1.0]).to(self.bias)

    def _mean(self, field: Tensor, curvature: Tensor) -> Tensor:
        return torch.sigmoid(field)

    def _variance(self, field: Tensor, curvature: Tensor) -> Tensor:
        p = torch.sigmoid(field)
        return p * torch.sigmoid(-field)

    def _mode(self, field: Tensor, curvature: Tensor) -> Tensor:
        return (field > 0).to(field.dtype)

    def _cumulant(self, field: Tensor, curvature: Tensor) -> Tensor:
        return functional.softplus(field, threshold=40)

    def _draw(self, field: Tensor, curvature: Tensor, u: Tensor) -> Tensor:
        t = torch.exp(-field.abs())
        return ((u * (1 + t) < t) ^ (field > 0)).to(field.dtype)
