"""Distributions of single variables given others, against enumeration of all states."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.likelihood.marginals import DRAWS, marginals
from harmonium.models.model import Model

STATES = (3, 2, 4)
UNITS = [hm.Categorical(1, states) for states in STATES]
EVERY = torch.tensor(list(itertools.product(*map(range, STATES))), dtype=torch.float64)


def strong(model: Model) -> Model:
    """Random parameters that make variables depend on each other."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(1.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model.double()


def models() -> dict[str, Model]:
    units = hm.Mixed(UNITS)
    return {
        "mixture": strong(hm.baselines.BernoulliMixture(units, 3, dtype=torch.float64)),
        "nade": strong(hm.NADE(units, 5, ordering=[2, 0, 1], dtype=torch.float64)),
        "made": strong(hm.MADE(units, (6,), orderings=[2, 0, 1], dtype=torch.float64)),
        "rbm": strong(hm.RBM(units, 2, dtype=torch.float64)),
    }


def expected(model: Model, v: Tensor, observed: Tensor) -> Tensor:
    """Means of encoded states under p(v | observed), from the probabilities of all states."""
    every = model.visible.encode(EVERY)
    log_p = model.log_weight(model.visible_only_state(every)) if isinstance(model, hm.RBM) else model.log_prob(EVERY)
    seen = model.visible.repeat_per_column(observed)
    found = []
    for row, own in zip(v, seen, strict=True):
        fits = ((every == row) | ~own).all(1)
        p = torch.softmax(torch.where(fits, log_p, -torch.inf), 0)
        found.append(p @ every)
    return torch.stack(found)


@pytest.mark.parametrize("name", ["mixture", "nade", "made", "rbm"])
def test_one_unknown_variable_is_exact(name: str) -> None:
    model = models()[name]
    v = model.visible.encode(EVERY)
    for hidden in range(3):
        observed = torch.ones(len(v), 3, dtype=torch.bool)
        observed[:, hidden] = False
        torch.testing.assert_close(
            marginals(model, v, observed, Stream(0)), expected(model, v, observed), atol=1e-6, rtol=0
        )


@pytest.mark.parametrize("name", ["mixture", "nade", "made", "rbm"])
@pytest.mark.parametrize("given", [[], [0], [1], [2]])
def test_several_unknown_variables(name: str, given: list[int]) -> None:
    model = models()[name]
    rows = 200 if name != "mixture" else 1  # of the same question: their mean has a small error
    v = model.visible.encode(EVERY[5:6]).expand(rows, -1)
    observed = torch.zeros(rows, 3, dtype=torch.bool)
    observed[:, given] = True
    found = marginals(model, v, observed, Stream(1))
    # Weighted draws have a bias of the order 1 / draws, and chains start from other states than they end in.
    tolerance = 1e-6 if name == "mixture" else 4 * (rows * DRAWS / 8) ** -0.5 * 0.5 + 2 / DRAWS
    assert (found.mean(0) - expected(model, v[:1], observed[:1])[0]).abs().max() < tolerance


def test_order_agnostic_models_answer_in_one_pass() -> None:
    model = hm.OrderlessNADE(hm.Mixed(UNITS), hidden=(8,), dtype=torch.float64)
    strong(model)
    v = model.visible.encode(EVERY)
    observed = torch.tensor([True, False, False]).expand(len(v), 3)
    found = marginals(model, v, observed, Stream(0))
    for column, states in ((1, 2), (2, 4)):
        asked = torch.zeros(len(v), 3, dtype=torch.bool)
        asked[:, column] = True
        log_p = model.log_conditional(v, asked, observed)
        own = (found * v)[:, model.visible.variable(column)[0]].sum(1)
        torch.testing.assert_close(own, log_p.exp(), atol=1e-9, rtol=0)
        assert found[:, model.visible.variable(column)[0]].shape[1] == states
    assert torch.equal(found[:, :3], v[:, :3])


def test_other_models_are_refused() -> None:
    with pytest.raises(TypeError, match="a DBN does not know"):
        marginals(hm.DBN([2, 2]), torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool), Stream(0))
