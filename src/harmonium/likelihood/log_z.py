"""The result of estimating log Z, with its bracket and the reasons for trusting it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harmonium.core import notebook
from harmonium.core.numbers import fixed

__all__ = ["NORMALISED", "LogPartition", "second_opinion"]


@dataclass(frozen=True)
class LogPartition:
    """log Z of a model in nats.

    Attributes:
        value: the estimate (exact if ``method`` is "exact"; Bennett's from both directions; the forward one where
            there is no upper bound).  It lies within the bounds.
        lower: for annealing, the forward log-mean-weight minus 3 standard errors; for tempering, the lower end of a
            99 % confidence interval.
        upper: for annealing, the reverse log-mean-weight plus 3 standard errors, infinite without chains that pass the
            drift test and if it would be below the lower bound; for tempering, the upper end of the interval.
        ess: effective number of annealed chains, the smaller one of both directions; for tempering, the number of
            completed round trips of the ladder, each of which brings an independent state to its top.
        method: "exact", "ais", "tempering" or "integration".
        reliable: whether no reason was found to doubt the bracket.
        why: the reasons in words.
    """

    value: float
    lower: float
    upper: float
    ess: float
    method: str
    reliable: bool
    why: str

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        if self.method == "exact":
            return f"log Z = {fixed(self.value, 4)} nats (exact)"
        flag = "" if self.reliable else ", NOT reliable"
        bracket = f"[{fixed(self.lower, 3)}, {fixed(self.upper, 3)}]"
        return f"log Z = {fixed(self.value, 3)} nats, bracket {bracket} ({self.method}{flag}: {self.why})"

    def _repr_html_(self) -> str:
        """Show the estimate with its bracket and the reasons."""
        exact = self.method == "exact"
        return notebook.rows(
            "log Z, nats",
            [
                ("value", fixed(self.value, 4)),
                ("method", self.method),
                ("bracket", None if exact else f"[{fixed(self.lower, 3)}, {fixed(self.upper, 3)}]"),
                ("reliable", None if exact else "yes" if self.reliable else "NO"),
                ("why", self.why),
            ],
        )


NORMALISED = LogPartition(0.0, 0.0, 0.0, math.inf, "exact", True, "normalised by construction")
"""log Z of models that are normalised by construction."""


def second_opinion(annealed: LogPartition, tempered: LogPartition) -> LogPartition:
    """What to report of two estimates, the first of which is not reliable.

    Walkers on a ladder do not start from the chains that annealing doubts, so their estimate stands on its own; it must
    not contradict the lower bound by annealing, which holds whatever the chains are.
    """
    if not tempered.reliable:
        return replace(annealed, why=f"{annealed.why}; tempering is not reliable either: {tempered.why}")
    if annealed.lower > tempered.upper:
        why = f"{annealed.why}; tempering contradicts the lower bound: it ends at {fixed(tempered.upper, 3)}"
        return replace(annealed, why=why)
    return replace(tempered, why=f"{tempered.why}; annealing was not reliable: {annealed.why}")
