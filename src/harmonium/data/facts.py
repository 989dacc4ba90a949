"""What values look like, and which units take them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .cases import Cases

__all__ = ["SplitSummary", "facts"]

FEW_CODES = 32  # 0, 1, ... that are taken for codes, not for numbers


@dataclass(frozen=True)
class SplitSummary:
    """Of a split.

    Attributes:
        low: the least value.
        high: the greatest.
        missing: how many values are NaN.
        zeros: the share of zeros among the others.
        binary: columns of 0 and 1.
        codes: columns of the codes 0, 1, 2, ... up to 31.
        real: all other columns.
        constant: columns with one value only.
        units: which units take the values as they are, by name, the most fitting first.
    """

    low: float
    high: float
    missing: int
    zeros: float
    binary: int
    codes: int
    real: int
    constant: int
    units: tuple[str, ...]


def facts(cases: Cases) -> SplitSummary:
    """The facts of a split, by one pass.

    >>> from harmonium.data import as_cases
    >>> found = facts(as_cases([[0, 2], [1, 0]]))
    >>> found.zeros, found.binary, found.codes, found.units
    (0.5, 1, 1, ('Mixed', 'Categorical(states=3)', 'Binomial(trials=2)', 'Poisson', 'ReplicatedSoftmax', 'Gaussian'))
    """
    width = cases.shape[1]
    whole, sign = torch.ones(width, dtype=torch.bool), torch.ones(width, dtype=torch.bool)
    low, high = torch.full((width,), torch.inf), torch.full((width,), -torch.inf)
    low, high = low.double(), high.double()
    missing = zeros = 0
    for _, v in cases.chunks(max(1, (1 << 20) // width), dtype=torch.float64):
        gone = torch.isnan(v)
        missing, zeros = missing + int(gone.sum()), zeros + int((v == 0).sum())
        whole &= ((v == v.floor()) | gone).all(0)
        sign &= ((v.abs() == 1) | gone).all(0)
        low = torch.minimum(low, torch.where(gone, torch.inf, v).amin(0))
        high = torch.maximum(high, torch.where(gone, -torch.inf, v).amax(0))
    counts = whole & (low >= 0)
    binary = counts & (high <= 1)
    codes = counts & ~binary & (low == 0) & (high < FEW_CODES)
    kinds = (int(binary.sum()), int(codes.sum()), int((~binary & ~codes).sum()))
    top = float(high.max())
    fitting = []
    if kinds[0] == width:
        fitting.append("Bernoulli")
    elif bool(sign.all()):
        fitting.append("Spin")
    elif sum(kind > 0 for kind in kinds) > 1:
        fitting.append("Mixed")
    if bool(counts.all()) and kinds[0] < width:
        few = top < FEW_CODES
        fitting += ([f"Categorical(states={top + 1:.0f})"] if few else []) + [f"Binomial(trials={top:.0f})"]
        fitting += ["Poisson", "ReplicatedSoftmax"]
    if bool((low >= 0).all()) and not bool(whole.all()):
        fitting.append("ReLU")
    if kinds[0] < width:
        fitting.append("Gaussian")
    present = max(1, cases.shape[0] * width - missing)
    constant = int((low >= high).sum())
    return SplitSummary(float(low.min()), top, missing, zeros / present, *kinds, constant, tuple(fitting))
