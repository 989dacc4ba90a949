"""What layers of units and output layers compute, as tensor code that `torch.export` can follow.

States and inputs are (batch, columns), in float32.  A unit type needs nothing here, because its own tensor formulas are
traced.  One whose formulas torch cannot follow, because they branch on values or call compiled code, registers others
with `encode`, `mean`, `log_normalizer` or `neg_energy`, which are `functools.singledispatch` functions:

    @harmonium.exchange.formulas.mean.register
    def _(units: MyUnits, x: Tensor) -> Tensor:
        return torch.tanh(x + units.bias)
"""

from __future__ import annotations

from functools import singledispatch

import torch
from torch import Tensor
from torch.nn import functional

from harmonium.models.conditionals import Conditional, UnitConditional
from harmonium.units import Categorical, Mixed, ReplicatedSoftmax, Units

__all__ = ["conditional_mean", "encode", "log_normalizer", "log_prob", "mean", "neg_energy"]


@singledispatch
def encode(units: Units, raw: Tensor) -> Tensor:
    """Encoded states, (batch, size), from raw ones, (batch, columns), without a check."""
    return units._encode(raw)


@encode.register
def _(units: Categorical, raw: Tensor) -> Tensor:
    return functional.one_hot(raw.long(), units.constant).to(raw.dtype).flatten(-2)


@encode.register
def _(units: Mixed, raw: Tensor) -> Tensor:
    return torch.cat([encode(part, raw[:, columns]) for part, columns in units._each_raw()], -1)


@singledispatch
def mean(units: Units, x: Tensor) -> Tensor:
    """E[s | x], (batch, size)."""
    return units._mean(units._eta(x, None)).to(x.dtype)


@mean.register
def _(units: Mixed, x: Tensor) -> Tensor:
    return units._joined(lambda part, columns: mean(part, x[:, columns]))


@mean.register
def _(units: ReplicatedSoftmax, x: Tensor) -> Tensor:
    """The shares of the words: the length of a document is an input of the graph."""
    return torch.softmax(units._eta(x, None)[0], -1)


@singledispatch
def log_normalizer(units: Units, x: Tensor) -> Tensor:
    """A(x), summed over the units, (batch,)."""
    return units._log_normalizer(units._eta(x, None)).to(x.dtype).sum(-1)


@log_normalizer.register
def _(units: Mixed, x: Tensor) -> Tensor:
    return torch.stack([log_normalizer(part, x[:, columns]) for part, columns in units.by_type()]).sum(0)


@singledispatch
def neg_energy(units: Units, s: Tensor) -> Tensor:
    """log m(s) + sum_k eta_k . T_k(s), (batch,), of encoded states."""
    terms = torch.stack([eta * statistic for eta, statistic in zip(units.natural(), units.statistics(s), strict=True)])
    measure = units.log_measure(s)
    return terms.sum((0, -1)) + (0 if measure is None else measure.to(s.dtype).sum(-1))


@singledispatch
def conditional_mean(outputs: Conditional, x: Tensor) -> Tensor:
    """E[s | x], (batch, size)."""
    return outputs.mean(x)


@conditional_mean.register
def _(outputs: UnitConditional, x: Tensor) -> Tensor:
    return mean(outputs.units, x)


@singledispatch
def log_prob(outputs: Conditional, x: Tensor, s: Tensor) -> Tensor:
    """log p(s | x), (batch,), of encoded states."""
    return outputs.log_prob(x, s).to(x.dtype).sum(-1)


@log_prob.register
def _(outputs: UnitConditional, x: Tensor, s: Tensor) -> Tensor:
    return (x * s).sum(-1) + neg_energy(outputs.units, s) - log_normalizer(outputs.units, x)
