"""Which units take the values of a table as they are."""

from __future__ import annotations

from harmonium.data.summary import FEW_CODES, Summary

__all__ = ["fitting_units", "is_spin"]


def is_spin(summary: Summary) -> bool:
    """Return whether every value is -1 or 1.

    >>> from harmonium.data import as_cases
    >>> is_spin(as_cases([[1, -1], [-1, -1]]).statistics())
    True
    """
    return summary.finite and bool(summary.whole.all()) and (summary.low, summary.high) == (-1, 1) and not summary.zeros


def fitting_units(summary: Summary) -> list[str]:
    """Return the units that take the values of a table as they are, by name, the best fitting ones first.

    >>> from harmonium.data import as_cases
    >>> fitting_units(as_cases([[0, 2], [1, 0]]).statistics())
    ['Mixed', 'Categorical(states=3)', 'Binomial(trials=2)', 'Poisson', 'ReplicatedSoftmax', 'Gaussian']
    """
    binary, codes, whole = summary.binary_columns, summary.code_columns, bool(summary.whole.all())
    kinds = bool(binary.any()) + bool(codes.any()) + bool((~binary & ~codes).any())
    found = []
    if binary.all():
        found.append("Bernoulli")
    elif is_spin(summary):
        found.append("Spin")
    elif kinds > 1:
        found.append("Mixed")
    elif whole and summary.low == 1 and summary.high <= FEW_CODES:
        found.append("Mixed")  # categories from 1 on
    if whole and summary.low >= 0 and not binary.all():
        found += [f"Categorical(states={summary.high + 1:.0f})"] if summary.high < FEW_CODES else []
        found += [f"Binomial(trials={summary.high:.0f})", "Poisson", "ReplicatedSoftmax"]
    if summary.low >= 0 and not whole:
        found.append("ReLU")
    if not binary.all():
        found.append("Gaussian")
    return found
