"""Binarisation: how grey levels become binary values.

The likelihood of binary data depends on how they became binary, on MNIST by more than ten nats.  So each way has a
name, which is kept with the data:

- ``"threshold"``: 1 where the grey level is above 0.5.
- ``"fixed"``: each value is drawn once, 1 with a probability equal to its grey level, and kept.
- ``"dynamic"``: training cases are drawn again in every epoch; validation and test cases are ``"fixed"``, so that
  their likelihoods can be compared.
- ``"grey"``: no binarisation, for models of real values.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import Stream
from harmonium.data.summary import Summary

__all__ = ["CHOICES", "THRESHOLD", "Binarization", "RepeatedCases", "Sampler", "check_choice"]

Binarization = Literal["threshold", "fixed", "dynamic", "binary"]
CHOICES = ("threshold", "fixed", "dynamic", "grey")
THRESHOLD = 0.5


@dataclass(frozen=True)
class Sampler:
    """Draws binary values whose probabilities are grey levels.

    The random number of a value depends on its case and feature alone, so a case is drawn alike in every batch, chunk
    and process.
    """

    stream: Stream
    every_epoch: bool

    def draw(self, probability: Tensor, cases: Tensor, epoch: int) -> Tensor:
        """Draw zeros and ones.

        Args:
            probability: (rows, features).
            cases: (rows,) case numbers.
            epoch: the epoch, which only matters if ``every_epoch``.

        Returns:
            The values, with the shape and dtype of ``probability``.
        """
        stream = self.stream.child(epoch) if self.every_epoch else self.stream.child()
        return kernels.bernoulli_rows(probability, cases, stream.advance())

    def summary(self, grey: Summary) -> Summary:
        """Return the summary of the distribution of the draws: for grey levels m, means m and variances m (1 - m)."""
        mean, missing = grey.mean, grey.missing
        low, high = (grey.column_low >= 1).double(), (grey.column_high > 0).double()
        return Summary(
            mean, mean * (1 - mean), low, high, torch.ones_like(grey.whole), 1 - float(mean.mean()), missing,
            grey.first_bad,
        )  # fmt: skip


@dataclass(frozen=True)
class RepeatedCases:
    """Multiplies every value, drawn or not, by a number of copies.

    Such cases suit a layer of `Binomial` units, whose trials are tied copies of one unit.
    """

    count: int
    sampler: Sampler | None

    def draw(self, table: Tensor, cases: Tensor, epoch: int) -> Tensor:
        """Draw the values and multiply them; arguments and result as in `Sampler.draw`."""
        return self.count * (table if self.sampler is None else self.sampler.draw(table, cases, epoch))

    def summary(self, one: Summary) -> Summary:
        """Return the summary of the products, given the summary of the stored values."""
        one = one if self.sampler is None else self.sampler.summary(one)
        n = self.count
        return replace(
            one, mean=n * one.mean, variance=n**2 * one.variance, column_low=n * one.column_low,
            column_high=n * one.column_high,
        )  # fmt: skip


def check_choice(binarize: str | None) -> None:
    """Raise `ValueError` for a name that is not one of `CHOICES`."""
    if binarize is None or binarize in CHOICES:
        return
    near = difflib.get_close_matches(str(binarize), CHOICES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"binarize={binarize!r} is not known: give None or one of {', '.join(map(repr, CHOICES))}{hint}")
