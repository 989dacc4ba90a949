from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

import harmonium as hm
from harmonium.sklearn import Density


class Coins(Density):
    """The least that a density needs."""

    def __init__(self, domain: str = "binarize") -> None:
        self.domain = domain  # type: ignore[assignment]

    def fit(self, X: Any, y: Any = None) -> Self:
        X = self._accept(X)
        self.model_ = hm.RBM(X.shape[1], 1, dtype=torch.float64)
        self.p_ = X.mean(0)
        return self

    def _log_prob(self, v: Tensor) -> Tensor:
        p = torch.from_numpy(self.p_)
        return (v * p.log() + (1 - v) * (1 - p).log()).sum(-1)


def test_a_log_probability_is_enough() -> None:
    coins = Coins().fit([[0, 1], [1, 1], [0, 0], [0, 1]])
    np.testing.assert_allclose(np.exp(coins.score_samples([[0, 1], [1, 0]])), [0.75 * 0.75, 0.25 * 0.25])
    assert coins.score([[0, 1]]) == np.log(0.75 * 0.75)
