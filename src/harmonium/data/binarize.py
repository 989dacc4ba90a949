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
from harmonium.random import Draw, Stream

__all__ = ["CHOICES", "THRESHOLD", "Binarization", "Sampler", "check_choice"]

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

    def _address(self, epoch: int) -> Draw:
        stream = self.stream.child(epoch) if self.every_epoch else self.stream.child()
        return stream.advance()


def check_choice(binarize: str | None) -> None:
    """Raise `ValueError` for a word that names no binarisation."""
    if binarize is None or binarize in CHOICES:
        return
    near = difflib.get_close_matches(str(binarize), CHOICES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"binarize={binarize!r} is not known: give None or one of {', '.join(map(repr, CHOICES))}{hint}")
