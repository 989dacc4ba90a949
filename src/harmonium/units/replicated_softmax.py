"""Word counts of documents."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import RandomAddress
from harmonium.kernels.groups import sample_words
from harmonium.kernels.philox import split
from harmonium.units.biased import Biased
from harmonium.units.contract import FusedKernels, Natural
from harmonium.units.layer import Interpolation

__all__ = ["ReplicatedSoftmax"]

_LONGEST = 1 << 20
_KEPT = 256  # lengths of training documents that are stored
_GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, cover [0, 1) evenly however many they are


class ReplicatedSoftmax(Biased):
    """Word counts of documents (Salakhutdinov & Hinton 2009, "Replicated softmax: an undirected topic model").

    A document is a row v of K counts whose sum is its length D, and the model is one of documents *given their length*:

        p(v | x) = D! / prod_k v_k!  prod_k p_k^{v_k},     p = softmax(b + x),     A(x) = D log sum_k exp(b_k + x_k),

    which is D draws from one softmax with shared weights.  Gibbs sampling never changes the length of a row, and log Z
    belongs to one length (see `harmonium.models.at_length`; `harmonium.evaluate` uses the length of each document).

    In an RBM the energy is E(v, h) = -v.W.h - b.v - c.h.  The paper multiplies the hidden biases by the length; that is
    a special case: D c.h = v.(1 c').h, so its model has weights W + 1 c' and no hidden biases.

    Probabilities are those of counts.  A sequence of words in one particular order is less probable, by
    log D! / prod v_k! nats; the perplexities of the literature are those of sequences.  Adding a constant to all biases
    changes nothing.

    Args:
        shape: K, the number of words in the vocabulary.
        lengths: lengths of rows that have no counts yet, such as the chains that training starts; rows take them in
            turn.  `harmonium.fit` stores evenly spaced quantiles of the lengths of its documents here.
        dtype: float32 or float64.

    A draw takes one random 32-bit word for each word of the document, and time K + D log K.

    Raises:
        ValueError: if a length is not between 1 and 2^20.

    >>> import torch, harmonium as hm
    >>> hm.ReplicatedSoftmax(4, lengths=[20]).mean(torch.zeros(1, 4)).tolist()
    [[5.0, 5.0, 5.0, 5.0]]
    """

    finite = True
    conditions_on_total = True
    loops = FusedKernels(sample_words, None, None)
    lengths: Tensor

    def __init__(
        self, shape: int | tuple[int, ...], lengths: Sequence[int] = (), *, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(shape, dtype=dtype)
        self._totals: Tensor | None = None
        self.register_buffer("lengths", torch.zeros(0, dtype=torch.int64))
        self.set_totals(torch.as_tensor(np.asarray(lengths, dtype=np.float64)))

    # Lengths -----------------------------------------------------------------------------------------------------

    @property
    def fixed_total(self) -> int | None:
        known = self.lengths.unique()
        return int(known[0]) if len(known) == 1 else None

    def set_totals(self, totals: Tensor, weight: Tensor | None = None) -> None:
        """Remember evenly spaced quantiles of these lengths, (documents,), of documents with these weights.

        Raises:
            ValueError: if a length is not between 1 and 2^20, as that of a document without words.
        """
        wrong = ~((totals >= 1) & (totals <= _LONGEST) & (totals == totals.floor()))
        if bool(wrong.any()):
            row = int(wrong.nonzero()[0])
            raise ValueError(
                f"document {row} has {float(totals[row]):g} words; lengths are integers from 1 to 2^20: "
                "remove documents without words, and split very long ones"
            )
        sorted_totals, order = totals.double().sort()
        share = torch.ones_like(sorted_totals) if weight is None else weight.double()[order]
        below, kept = share.cumsum(0), min(_KEPT, len(totals))
        if kept:
            at = (torch.arange(kept, dtype=torch.float64) + 0.5) / kept * below[-1]
            sorted_totals = sorted_totals[torch.searchsorted(below, at).clamp(max=len(totals) - 1)]
        self.lengths = sorted_totals.long().to(self.bias.device)

    def conditioned_on_total(self, s: Tensor) -> Self:
        other = copy.copy(self)
        other._totals = s.sum(-1)
        return other

    def at_length(self, length: int) -> Self:
        """Return the same units, sharing their parameters, for documents of one length."""
        other = copy.copy(self)
        other._buffers, other._totals = dict(self._buffers), None
        other.set_totals(torch.tensor([float(length)]))
        return other

    @property
    def length(self) -> int:
        """The length of all documents.

        Raises:
            ValueError: if the units know no length, or several.
        """
        if self.fixed_total is not None:
            return self.fixed_total
        lengths = self.lengths.unique().tolist()
        found = f"{len(lengths)}, from {lengths[0]} to {lengths[-1]}" if lengths else "none"
        raise ValueError(
            f"sums over all documents (log Z, exact gradients) belong to one length, and these units know {found}: "
            "use harmonium.models.at_length(model, length); harmonium.evaluate uses the length of each document"
        )

    def _length_of(self, x: Tensor, first: int = 0) -> Tensor:
        """The length of every row of x: (..., batch), int64."""
        if self._totals is not None:
            return self._totals.to(x.device).expand(x.shape[:-1]).long()
        if not len(self.lengths):
            raise ValueError(
                "these units know no length of documents: train the model, or give lengths, such as "
                f"ReplicatedSoftmax({self.columns}, lengths=[100])"
            )
        rows = torch.arange(first, first + x.numel() // self.size, dtype=torch.float64, device=x.device)
        place = torch.remainder((rows + 0.5) * _GOLDEN, 1.0) * len(self.lengths)
        return self.lengths[place.long()].view(x.shape[:-1])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # New units know no lengths: make room for those that are loaded.
        if f"{prefix}lengths" in state_dict:
            self.lengths = torch.empty_like(state_dict[f"{prefix}lengths"])
        super()._load_from_state_dict(state_dict, prefix, *rest)

    # The contract ------------------------------------------------------------------------------------------------

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        share = (mean * cases + 1 / self.size) / (mean.sum(-1, keepdim=True) * cases + 1)
        return (torch.log(share).to(self.bias),)

    def invalid(self, s: Tensor) -> Tensor:
        return ~((s >= 0) & (s <= _LONGEST) & (s == s.floor()))

    def invalid_hint(self, value: float) -> str:
        return "ReplicatedSoftmax units take word counts 0, 1, 2, ...: pass raw counts, not frequencies or tf-idf"

    def log_measure(self, s: Tensor) -> Tensor:
        s = s.double()
        return torch.lgamma(s.sum(-1, keepdim=True) + 1) / self.size - torch.lgamma(s + 1)

    def variable(self, i: int) -> tuple[slice, Tensor]:
        return slice(0, self.size), _documents(self.size, self.length).to(self.bias)

    def radices(self) -> list[int]:
        return [math.comb(self.length + self.size - 1, self.size - 1)]

    def _mean(self, eta: Natural) -> Tensor:
        return self._length_of(eta[0]).unsqueeze(-1) * torch.softmax(eta[0], -1)

    def _variance(self, eta: Natural) -> Tensor:
        p = torch.softmax(eta[0], -1)
        return self._length_of(eta[0]).unsqueeze(-1) * p * (1 - p)

    def _mode(self, eta: Natural) -> Tensor:
        # The most probable counts have v_k > D p_k - 1: from there, words are added where p_k / (v_k + 1) is largest.
        p, length = torch.softmax(eta[0].double(), -1), self._length_of(eta[0])
        v = torch.ceil(length.unsqueeze(-1) * p - 1).clamp(min=0)
        while bool((short := v.sum(-1) < length).any()):
            best = (p / (v + 1)).argmax(-1, keepdim=True)
            v = v.scatter_add(-1, best, short.unsqueeze(-1).to(v))
        return v.to(eta[0].dtype)

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        raise NotImplementedError("the number of uniforms depends on the length of each row: see sample_")

    def mean_(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        return self._mean(self._eta(x, line))

    def sample_(self, x: Tensor, draw: RandomAddress, line: Interpolation | None = None) -> Tensor:
        totals = self._length_of(x, draw.first if isinstance(draw.first, int) else 0)
        if kernels.is_fused(x):
            counts = totals.reshape(-1).numpy()
            return self._fused(sample_words, x, line, counts, draw.first, *split(draw.key, draw.step, draw.site))
        fields = self._eta(x, line)[0].detach()
        sums = torch.exp(fields - fields.amax(-1, keepdim=True)).cumsum(-1, dtype=torch.float64)
        longest = int(totals.max())
        u = kernels.uniforms(draw, totals.numel(), longest, torch.float64, x.device).view(*x.shape[:-1], longest)
        drawn = torch.searchsorted(sums, u * sums[..., -1:], right=True).clamp(max=self.size - 1)
        within = torch.arange(longest, device=x.device) < totals.unsqueeze(-1)
        return torch.zeros_like(fields).scatter_add(-1, drawn, within.to(fields.dtype))

    def log_normalizer(self, x: Tensor, line: Interpolation | None = None) -> Tensor:
        if line is not None and line.t is not None and line.t.dim() == x.dim():
            return torch.stack([self.log_normalizer(x, line._replace(t=t)) for t in line.t.unbind(-1)], -1)
        length = self.length if self._totals is None else self._length_of(x)
        return length * torch.logsumexp(self._eta(x, line)[0].double(), -1)


@functools.lru_cache(maxsize=4)
def _documents(words: int, length: int) -> Tensor:
    """All counts of ``words`` words whose sum is ``length``, (documents, words), float64.

    Stars and bars: a document is a choice of words - 1 bars among length + words - 1 places.
    """
    places = length + words - 1
    edges = [(-1, *bars, places) for bars in itertools.combinations(range(places), words - 1)]
    return torch.from_numpy(np.diff(np.array(edges, dtype=np.float64), axis=1) - 1)
