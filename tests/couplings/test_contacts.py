"""Contact scores against their formula, entry by entry, and on a machine whose contacts are known."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm

from .helpers import F64, scattered


def test_scores_by_their_formula() -> None:
    potts = hm.couplings.zero_sum(scattered(hm.BoltzmannMachine(hm.Categorical(4, 3), dtype=F64)))
    W = potts.couplings["visible_visible"].detach().view(4, 3, 4, 3)
    F = [[float(W[i, 1:, j, 1:].pow(2).sum()) ** 0.5 for j in range(4)] for i in range(4)]
    mean = [sum(row) / 3 for row in F]
    couplings = hm.couplings.effective_couplings(potts)
    norms = hm.couplings.contact_scores(couplings, gap=0, correction=False)
    scores = hm.couplings.contact_scores(couplings, gap=0)
    for i in range(4):
        for j in range(4):
            assert float(norms[i, j]) == pytest.approx(F[i][j])
            corrected = F[i][j] - mean[i] * mean[j] / (sum(mean) / 4) if i != j else 0
            assert float(scores[i, j]) == pytest.approx(corrected)


def test_the_gauge_does_not_matter() -> None:
    potts = scattered(hm.BoltzmannMachine(hm.Categorical(4, 3), dtype=F64))
    raw = potts.couplings["visible_visible"].detach().view(4, 3, 4, 3).permute(0, 2, 1, 3)
    couplings = hm.couplings.effective_couplings(potts)
    torch.testing.assert_close(hm.couplings.contact_scores(raw), hm.couplings.contact_scores(couplings))


def test_coupled_sites_come_first() -> None:
    potts = scattered(hm.BoltzmannMachine(hm.Categorical(6, 4), edges=[[0, 3], [1, 5]], dtype=F64))
    scores = hm.couplings.contact_scores(hm.couplings.effective_couplings(potts))
    best = torch.triu(scores).flatten().topk(2).indices
    assert sorted(best.tolist()) == [3, 11]


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"couplings have shape \(3, 3\)"):
        hm.couplings.contact_scores(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="pass correction=False"):
        hm.couplings.contact_scores(torch.zeros(2, 2, 3, 3))
    with pytest.raises(ValueError, match="gap must be"):
        hm.couplings.contact_scores(torch.zeros(3, 3, 4, 4), gap=4)
