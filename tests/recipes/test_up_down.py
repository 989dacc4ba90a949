"""Up-down training: its gradients against automatic differentiation, and that it helps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as surprise

import harmonium as hm
from harmonium.models import DBN, RBM
from harmonium.recipes.up_down import gradients

Make = Callable[..., RBM]
PATTERNS = hm.data.load("bars-and-stripes").train


def test_gradients_climb_the_conditionals(make_rbm: Make) -> None:
    dbn = DBN.from_rbms([make_rbm(5, 4, seed=1), make_rbm(4, 3, seed=2), make_rbm(3, 2, seed=3)])
    dbn.untie()
    v = torch.as_tensor(np.random.default_rng(0).integers(0, 2, (20, 5)), dtype=torch.float64)
    wake, sleep, dream = gradients(dbn, v, stream := hm.Stream(0), k=2)
    # The same draws again, from a stream of the same name.
    again = hm.Stream(0)
    states = [v, *dbn.sample_up(v, again)]
    expected = dbn.top.sweep(dbn.top.visible_only_state(states[-1]), again, 2)[0]
    assert torch.equal(dream, expected)
    fantasies = [dream, *dbn.sample_down(dream, again)][::-1]
    assert stream.step == again.step

    total = torch.zeros(())
    for rbm, below, above in zip(dbn.machines, states, states[1:], strict=False):
        loss = surprise(above @ rbm.weights.T + rbm.visible_bias, below, reduction="sum") / 20
        total = total - loss.detach()
        for parameter, grad in zip(
            (rbm.weights, rbm.visible_bias), torch.autograd.grad(loss, (rbm.weights, rbm.visible_bias)), strict=True
        ):
            torch.testing.assert_close(parameter.grad, grad)
    assert wake == pytest.approx(float(total))

    total = torch.zeros(())
    for rbm, below, above in zip(dbn.encoders[:-1], fantasies, fantasies[1:], strict=False):
        loss = surprise(below @ rbm.weights + rbm.hidden_bias, above, reduction="sum") / 20
        total = total - loss.detach()
        for parameter, grad in zip(
            (rbm.weights, rbm.hidden_bias), torch.autograd.grad(loss, (rbm.weights, rbm.hidden_bias)), strict=True
        ):
            torch.testing.assert_close(parameter.grad, grad)
    assert sleep == pytest.approx(float(total))

    top, h = dbn.top, states[-1]
    loss = top.log_weight((dream, None)).mean() - top.log_weight((h, None)).mean()  # contrastive divergence
    for parameter, grad in zip(top.parameters(), torch.autograd.grad(loss, list(top.parameters())), strict=True):
        torch.testing.assert_close(parameter.grad, grad)


def test_up_down_raises_the_likelihood() -> None:
    dbn = DBN([16, 8, 8], dtype=torch.float64)
    hm.greedy(dbn, PATTERNS, epochs=100, batch_size=8, learning_rate=0.1, objective=hm.PCD(chains=50))
    before = hm.evaluate(dbn, PATTERNS, samples=500)
    rows = hm.up_down(dbn, PATTERNS, epochs=300, batch_size=8, learning_rate=0.1, persistent=True)
    after = hm.evaluate(dbn, PATTERNS, samples=500)
    assert after.mean > before.mean + 0.5
    assert after.bound is not None and before.bound is not None and after.bound > before.bound + 0.5
    assert len(rows) == 300 and rows[-1]["wake"] > rows[0]["wake"]
    assert dbn.recognition is not None
    assert not torch.equal(dbn.encoders[0].weights, dbn.machines[0].weights)
    assert dbn.top.chains is not None and dbn.top.chains.shape == (8, 8)


def test_repeatable_and_careful() -> None:
    results = []
    for _ in range(2):
        dbn = DBN([16, 4, 3])
        hm.up_down(dbn, PATTERNS, epochs=2, seed=5)
        results.append(torch.cat([parameter.detach().flatten() for parameter in dbn.parameters()]))
    assert torch.equal(*results)
    for wrong in ({"epochs": 0}, {"k": 0}, {"momentum": 1.0}, {"batch_size": True}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            hm.up_down(DBN([16, 4, 3]), PATTERNS, **wrong)
    with pytest.raises(ValueError, match="columns"):
        hm.up_down(DBN([5, 4, 3]), PATTERNS)
    with pytest.raises(ValueError, match="Bernoulli units take"):
        hm.up_down(DBN([2, 4, 3]), [[0.5, 1.0]])
