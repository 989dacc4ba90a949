"""Draws of NADE and MADE given any variables, against enumeration."""

from __future__ import annotations

import itertools

import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.sampling.resampling import draw_given

STATES = (3, 2, 4)
EVERY = torch.tensor(list(itertools.product(*map(range, STATES))), dtype=torch.float64)


def model(kind: str) -> hm.NADE | hm.MADE:
    units = hm.Mixed([hm.Categorical(1, states) for states in STATES])
    made = (
        hm.NADE(units, 5, ordering=[2, 0, 1], dtype=torch.float64)
        if kind == "nade"
        else hm.MADE(units, (6,), orderings=[2, 0, 1], dtype=torch.float64)
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(1.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return made


@pytest.mark.parametrize("kind", ["nade", "made"])
@pytest.mark.parametrize("given", [[0], [1], [0, 1], [2], []])
def test_draws_follow_the_conditional_distribution(kind: str, given: list[int]) -> None:
    nade = model(kind)
    n = 4_000
    v = nade.visible.encode(EVERY[9:10]).expand(n, -1)
    observed = torch.zeros(n, 3, dtype=torch.bool)
    observed[:, given] = True
    drawn = nade.visible.decode(draw_given(nade, v, observed, Stream(0)))
    held = EVERY[9]
    assert (drawn[:, given] == held[given]).all()
    fits = (EVERY[:, given] == held[given]).all(1)
    p = torch.softmax(torch.where(fits, nade.log_prob(EVERY), -torch.inf), 0)
    code = (drawn * torch.tensor([8.0, 4.0, 1.0])).sum(1).long()
    share = torch.bincount(code, minlength=24).double() / n
    # Four standard errors of 4,000 draws; after eight rounds of 17 states nothing of the start is left.
    assert ((share - p).abs() / (p * (1 - p) / n).sqrt().clamp(min=1 / n)).max() < 4.5


def test_a_single_proposal_is_weighed_against_the_state() -> None:
    """Many rounds of one proposal: without the weight of the present state they would end in the proposals."""
    nade = model("nade")
    n = 4_000
    v = nade.visible.encode(EVERY[9:10]).expand(n, -1)
    observed = torch.tensor([False, True, False]).expand(n, 3)
    drawn = nade.visible.decode(draw_given(nade, v, observed, Stream(1), rounds=60, proposals=1))
    p = torch.softmax(torch.where(EVERY[:, 1] == EVERY[9, 1], nade.log_prob(EVERY), -torch.inf), 0)
    share = torch.bincount((drawn * torch.tensor([8.0, 4.0, 1.0])).sum(1).long(), minlength=24).double() / n
    assert ((share - p).abs() / (p * (1 - p) / n).sqrt().clamp(min=1 / n)).max() < 4.5


def test_several_orderings_are_refused() -> None:
    made = hm.MADE(3, (4,), masks=2)
    with pytest.raises(ValueError, match="use masks=1"):
        draw_given(made, torch.zeros(1, 3), torch.tensor([[True, False, False]]), Stream(0))
