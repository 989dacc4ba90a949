"""Averages of the parameters along training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.core.checks import check_int_fields, check_number
from harmonium.core.registry import Registered

__all__ = ["Average", "check_average"]


@dataclass(frozen=True)
class Average(Registered):
    """A running mean of the parameters, which is judged and kept in place of the last ones.

    Parameters that wander around an optimum, because each gradient is noisy, are on average nearer to it than the last
    ones are (Polyak & Juditsky 1992).  The k-th look at the parameters counts by

        m += (1 + c) / (k + c) (theta - m),    c = 1 / share - 1

    (Shamir & Zhang 2013, polynomial decay), so that about the last ``share`` of the training counts, wherever it ends:
    1 is the mean of all.  With ``updates`` older looks are forgotten at a constant pace instead.

    Monitors and what a training keeps and leaves see the averaged model; gradients and persistent chains are those of
    the last parameters.  Where the chains of the averaged model are asked for, they make some sweeps under it first.

    Args:
        share: of the updates, from 0 to 1.
        updates: about how many of the last updates count, in place of a share; None: a share.
        every: updates between looks.

    Raises:
        ValueError: for a share outside (0, 1], or numbers below 1.

    >>> import harmonium as hm
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, epochs=2, average=hm.training.Average(0.2))
    """

    share: float = 0.1
    updates: int | None = None
    every: int = 10

    def __post_init__(self) -> None:
        check_number("Average(share=...)", self.share, "a number in (0, 1]", lambda share: 0 < share <= 1)
        check_int_fields(self, every=1)
        if self.updates is not None:
            check_int_fields(self, updates=1)

    def until_look(self, update: int) -> int:
        """The number of updates after this one until the next look."""
        return self.every - update % self.every

    def look(self, parameters: Mapping[str, Tensor], state: dict[str, Tensor]) -> None:
        """Let the parameters count.

        Args:
            parameters: by name.
            state: the number of looks, and by name the mean in float64; empty before the first look; changed in place.
        """
        looks = state.setdefault("looks", torch.zeros((), dtype=torch.int64)).add_(1)
        k, c = int(looks), 1 / self.share - 1
        weight = (1 + c) / (k + c) if self.updates is None else max(1 / k, min(1.0, self.every / self.updates))
        for name, parameter in parameters.items():
            now = parameter.detach().double()
            if k == 1:
                state[f"mean.{name}"] = now.clone()
            else:
                state[f"mean.{name}"].lerp_(now, weight)

    def mean(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean by name of the parameter; empty before the first look."""
        return {name.removeprefix("mean."): value for name, value in state.items() if name.startswith("mean.")}


def check_average(average: object) -> None:
    """Raise TypeError unless it is an average or None."""
    if average is not None and not isinstance(average, Average):
        raise TypeError(f"average must be a harmonium.training.Average, such as Average(share=0.1), found {average!r}")
