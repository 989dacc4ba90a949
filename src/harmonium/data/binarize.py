"""Turning grey values into binary ones, in a way that has a name.

A likelihood of binary data depends on how they became binary: on MNIST by more than ten nats.  So the way is
chosen by word and travels with the data:

- ``"threshold"``: 1 where grey > 0.5.
- ``"fixed"``: each value is drawn once, 1 with the probability of its grey, and stays.
- ``"dynamic"``: training cases are drawn anew every epoch; validation and test cases are ``"fixed"``, so that
  likelihoods can be compared.
- ``"grey"``: not at all (for models of real values).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from harmonium import kernels
from harmonium.core.random import RandomAddress, Stream

from .summary import Summary

__all__ = ["CHOICES", "THRESHOLD", "Binarization", "RepeatedCases", "Sampler", "check_choice"]

Binarization = Literal["threshold", "fixed", "dynamic", "binary"]
CHOICES = ("threshold", "fixed", "dynamic", "grey")
THRESHOLD = 0.5


@dataclass(frozen=True)
class Sampler:
    """Draws binary values with the probabilities of a grey table.

    The word that decides a value is addressed by (case, feature) alone, so a case is drawn alike in whatever batch,
    chunk or process it turns up.
    """

    stream: Stream
    every_epoch: bool

    def draw(self, probability: Tensor, cases: Tensor, epoch: int) -> Tensor:
        """0/1 of the shape and dtype of ``probability`` (rows, features); ``cases`` (rows,) are case numbers."""
        drawn: Tensor = kernels.bernoulli_rows(probability, cases, self._address(epoch))
        return drawn

    def summary(self, grey: Summary) -> Summary:
        """What is drawn, given what the greys m are: means m and variances m (1 - m)."""
        mean = grey.mean
        return Summary(mean, mean * (1.0 - mean), 0.0, 1.0, grey.finite, grey.finite, grey.first_bad)

    def _address(self, epoch: int) -> RandomAddress:
        stream = self.stream.child(epoch) if self.every_epoch else self.stream.child()
        return stream.advance()


@dataclass(frozen=True)
class RepeatedCases:
    """Every value, or what is drawn from it, times a number: the sum of so many copies of a case.

    They are the cases of a layer of `Binomial` units, whose trials are tied copies of a unit.
    """

    count: int
    sampler: Sampler | None

    def draw(self, table: Tensor, cases: Tensor, epoch: int) -> Tensor:
        """The sums, of the shape and dtype of ``table`` (rows, features); ``cases`` (rows,) are case numbers."""
        return self.count * (table if self.sampler is None else self.sampler.draw(table, cases, epoch))

    def summary(self, one: Summary) -> Summary:
        """What the sums are, given what is stored."""
        one = one if self.sampler is None else self.sampler.summary(one)
        n = self.count
        return Summary(n * one.mean, n**2 * one.variance, n * one.low, n * one.high, one.finite, False, one.first_bad)


def check_choice(binarize: str | None) -> None:
    """Raise `ValueError` for a word that names no binarisation."""
    if binarize is None or binarize in CHOICES:
        return
    near = difflib.get_close_matches(str(binarize), CHOICES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"binarize={binarize!r} is not known: give None or one of {', '.join(map(repr, CHOICES))}{hint}")
