"""Proximal steps of penalties, by their conditions of optimality."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.registry import build
from harmonium.training.proximal import L1, GroupLasso, L1Squared, MaxNorm

from .helpers import one_thread as one_thread
from .helpers import patterns

RATE, STRENGTH = 0.3, 0.7


def weights(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).normal(size=shape))


def l1(X: torch.Tensor) -> torch.Tensor:
    return STRENGTH * X.abs().sum()


def group_lasso(X: torch.Tensor) -> torch.Tensor:
    return STRENGTH * X.norm(dim=-2).sum()


def l1_squared(X: torch.Tensor) -> torch.Tensor:
    return STRENGTH / 2 * X.abs().sum(-2).square().sum()


PENALTIES: dict[str, tuple[Any, Callable[[torch.Tensor], torch.Tensor]]] = {
    "L1": (L1(STRENGTH), l1),
    "GroupLasso": (GroupLasso(STRENGTH), group_lasso),
    "L1Squared": (L1Squared(STRENGTH), l1_squared),
}


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("scale", [0.05, 0.5, 5.0])  # all zero or nearly so, some, none or nearly so
def test_the_step_ends_at_a_minimum(name: str, scale: float) -> None:
    """The problem is convex: where no small change in any direction is better, there is no better point."""
    penalty, value = PENALTIES[name]
    W = scale * weights(6, 4)
    X = W.clone()
    penalty.proximal_(X, RATE)

    def cost(Y: torch.Tensor) -> float:
        return float((Y - W).square().sum() / (2 * RATE) + value(Y))

    least = cost(X)
    for seed in range(200):
        for size in (1e-1, 1e-3):
            change = weights(6, 4, seed=seed + 1) * (
                1.0 if seed % 2 else (torch.arange(24).view(6, 4) == seed // 2 % 24)
            )
            assert cost(X + size * scale * change) >= least - 1e-12
    # Where weights are left, the slope of the cost is zero.
    Y = X.clone().requires_grad_()
    loss = (Y - W).square().sum() / (2 * RATE) + value(Y)
    (slope,) = torch.autograd.grad(loss, Y)
    assert float(slope[X != 0].abs().max() if bool((X != 0).any()) else 0.0) < 1e-10


@pytest.mark.parametrize("name", PENALTIES)
def test_weights_at_zero_are_held_there_by_a_subgradient(name: str) -> None:
    penalty, _ = PENALTIES[name]
    W = (0.1 if name == "GroupLasso" else 0.5) * weights(6, 4)
    X = W.clone()
    penalty.proximal_(X, RATE)
    pull = (W - X) / RATE  # must be a subgradient of the penalty at X
    zero = X == 0
    assert zero.any()
    if name == "L1":
        assert bool((pull[zero].abs() <= STRENGTH + 1e-12).all())
    elif name == "L1Squared":
        limit = STRENGTH * X.abs().sum(0, keepdim=True).expand_as(X)
        assert bool((pull.abs() <= limit + 1e-12).all()) and bool((X.abs().sum(0) > 0).all())
    else:
        gone = zero.all(0)
        assert gone.any() and bool((pull[:, gone].norm(dim=0) <= STRENGTH + 1e-12).all())


def test_the_bound_is_a_projection() -> None:
    W = weights(6, 4)
    X = W.clone()
    MaxNorm(2.0).proximal_(X, RATE)
    norm = W.norm(dim=0)
    assert bool((norm > 2.0).any()) and bool((norm < 2.0).any())
    torch.testing.assert_close(X, W * torch.where(norm > 2.0, 2.0 / norm, 1.0), rtol=1e-12, atol=0)


@pytest.mark.parametrize("penalty", [L1(0.0), GroupLasso(0.0), L1Squared(0.0), MaxNorm(1e6)])
def test_nothing_to_do(penalty: Any) -> None:
    W = weights(6, 4)
    X = W.clone()
    penalty.proximal_(X, RATE)
    torch.testing.assert_close(X, W, rtol=1e-14, atol=0)
    zeros = torch.zeros(6, 4)
    PENALTIES["GroupLasso"][0].proximal_(zeros, RATE)
    PENALTIES["L1Squared"][0].proximal_(zeros, RATE)
    MaxNorm(1.0).proximal_(zeros, RATE)
    assert not zeros.any()


@pytest.mark.parametrize("penalty", [L1(0.3), GroupLasso(0.3), L1Squared(0.3), MaxNorm(0.02)])
def test_stacks_of_matrices(penalty: Any) -> None:
    stack = 0.1 * weights(3, 6, 4)
    single = [matrix.clone() for matrix in stack]
    penalty.proximal_(stack, RATE)
    for one, other in zip(stack, single, strict=True):
        penalty.proximal_(other, RATE)
        torch.testing.assert_close(one, other, rtol=1e-12, atol=0)


@pytest.mark.parametrize("metric", ["plain", "centered"])
def test_one_update(metric: str) -> None:
    """The step of a training without the penalty, then the proximal step at its learning rate."""
    data, found = patterns(), {}
    for name, penalties in {"with": [L1(0.02)], "without": []}.items():
        rbm = hm.RBM(12, 5, dtype=torch.float64)
        hm.fit(rbm, data, epochs=1, batch_size=60, learning_rate=0.4, metric=metric, penalties=penalties)
        found[name] = rbm
    W = found["without"].weights.detach().clone()
    expected = torch.sign(W) * (W.abs() - 0.4 * 0.02).clamp(min=0.0)
    torch.testing.assert_close(found["with"].weights.detach(), expected, rtol=1e-9, atol=1e-12)
    assert (expected == 0).any()
    moved = (found["with"].visible.bias - found["without"].visible.bias).detach()
    change = found["with"].weights.detach() - W
    if metric == "centered":  # b + W l stays, with the offsets l: hidden means of a model whose weights are small
        torch.testing.assert_close(moved, -0.5 * change.sum(1), rtol=0.1, atol=1e-4)
        assert float(moved.abs().max()) > 1e-3
    else:
        assert float(moved.abs().max()) < 1e-12  # the compiled loop rounds otherwise


def test_small_models_obey_them_too() -> None:
    """What the compiled loop of small models cannot say is not left out."""
    data = patterns()
    rbm = hm.RBM(12, 20)
    hm.fit(rbm, data, epochs=40, batch_size=20, learning_rate=0.3, penalties=[MaxNorm(0.5)])
    norms = rbm.weights.detach().norm(dim=0)
    assert float(norms.max()) == pytest.approx(0.5, rel=1e-5)
    rbm = hm.RBM(12, 20)
    hm.fit(rbm, data, epochs=200, batch_size=20, learning_rate=0.3, penalties=[GroupLasso(0.003)])
    gone = (rbm.weights == 0).all(0)
    assert 0 < int(gone.sum()) < 20  # three prototypes need few of 20 units
    assert hm.evaluate(rbm, data).gained > 0.8  # nats; all gone: 0


def test_refused() -> None:
    for kind in (L1, GroupLasso, L1Squared):
        with pytest.raises(ValueError, match=rf"{kind.__name__}\(strength=...\) must be "):
            kind(-1.0)
    with pytest.raises(ValueError, match=r"MaxNorm\(bound=...\) must be "):
        MaxNorm(0.0)
    with pytest.raises(ValueError, match=r"MaxNorm is about .*the coupling \w+ couples a layer to itself: use L1"):
        hm.fit(hm.BoltzmannMachine(12, 3), patterns(), epochs=1, penalties=[MaxNorm(1.0)])
    with pytest.raises(TypeError, match=r"the penalty GroupLasso takes a model that is a machine"):
        hm.fit(hm.NADE(12, 4), patterns(), epochs=1, penalties=[GroupLasso(1.0)])


def test_descriptions() -> None:
    for penalty in (L1(0.1), GroupLasso(0.1), L1Squared(0.1), MaxNorm(2.0)):
        assert build(penalty.config()) == penalty
