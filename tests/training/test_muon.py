"""Descent along orthogonal matrices."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.runs.checkpoint import Checkpoint
from harmonium.training import muon
from harmonium.training.muon import Muon, polar
from harmonium.training.optimizers import make_optimizer, set_learning_rate

from .helpers import Break, patterns, same, tensors, trained
from .helpers import one_thread as one_thread


def matrix(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5), (3, 6, 4)])
def test_the_polar_factor_is_that_of_a_singular_value_decomposition(shape: tuple[int, ...]) -> None:
    g = matrix(*shape)
    u, _, vt = torch.linalg.svd(g, full_matrices=False)
    torch.testing.assert_close(polar(g), u @ vt, rtol=0, atol=1e-10)
    assert polar(g.float()).dtype == torch.float32
    torch.testing.assert_close(polar(g.float()).double(), u @ vt, rtol=0, atol=1e-3)


@pytest.mark.parametrize("spread", [1.0, 10.0, 100.0])
def test_newton_schulz_steps_find_the_same(spread: float) -> None:
    u, _, vt = torch.linalg.svd(matrix(8, 5), full_matrices=False)
    g = u @ torch.diag(torch.logspace(0, -math.log10(spread), 5, dtype=torch.float64)) @ vt
    # Coarse steps leave singular values in [0.6, 1.3], of which fine ones leave less than 1e-3.
    torch.testing.assert_close(muon._by_newton_schulz(g), u @ vt, rtol=0, atol=1e-3)


def test_no_direction_where_there_is_no_gradient() -> None:
    for found in (polar(torch.zeros(4, 3)), muon._by_newton_schulz(torch.zeros(4, 3))):
        assert torch.equal(found, torch.zeros(4, 3))
    u, _, vt = torch.linalg.svd(matrix(6, 4), full_matrices=False)
    of_rank_two = u[:, :2] @ torch.diag(torch.tensor([3.0, 1.0], dtype=torch.float64)) @ vt[:2]
    # Rounding leaves singular values of about 1e-8, the root of the precision of squares.
    torch.testing.assert_close(polar(of_rank_two), u[:, :2] @ vt[:2], rtol=0, atol=1e-6)


def test_steps_by_the_formula() -> None:
    W, b = torch.nn.Parameter(matrix(5, 3)), torch.nn.Parameter(matrix(5, seed=1))
    start, bias, mean = W.detach().clone(), b.detach().clone(), matrix(5, 3, seed=10)  # the mean begins at the first
    optimizer = Muon([W, b], 0.3, momentum=0.8, every=1)
    for step in range(4):
        W.grad, b.grad = matrix(5, 3, seed=10 + step), matrix(5, seed=20 + step)
        mean = 0.8 * mean + 0.2 * W.grad
        ahead = 0.8 * mean + 0.2 * W.grad
        u, s, vt = torch.linalg.svd(ahead, full_matrices=False)
        change = 0.3 * s.square().sum().sqrt() / math.sqrt(3) * (u @ vt)
        start, bias = start - change, bias - 0.3 * b.grad
        optimizer.step()
        torch.testing.assert_close(W.detach(), start, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(b.detach(), bias, rtol=1e-12, atol=0)
        # A step is as long as that of plain descent along the same gradient; the first one along the first gradient.
        assert step > 0 or float(change.norm()) == pytest.approx(0.3 * float(W.grad.norm()), rel=1e-9)
        assert float(change.norm()) == pytest.approx(0.3 * float(ahead.norm()), rel=1e-9)


def test_a_direction_is_followed_for_several_updates_while_the_mean_goes_on() -> None:
    W = torch.nn.Parameter(matrix(5, 3))
    optimizer = Muon([W], 0.3, momentum=0.8, every=3)
    changes = []
    for step in range(4):
        before, W.grad = W.detach().clone(), matrix(5, 3, seed=step)
        optimizer.step()
        changes.append(W.detach() - before)
    torch.testing.assert_close(changes[1], changes[0], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(changes[2], changes[0], rtol=1e-10, atol=1e-12)
    mean = matrix(5, 3, seed=0)
    for step in range(4):
        mean = 0.8 * mean + 0.2 * matrix(5, 3, seed=step)
    ahead = 0.8 * mean + 0.2 * matrix(5, 3, seed=3)
    torch.testing.assert_close(changes[3], -0.3 * ahead.norm() / math.sqrt(3) * polar(ahead), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("metric", ["plain", "centered", "diagonal", "natural"])
def test_every_metric(metric: str) -> None:
    data = patterns()
    rbm = hm.RBM(12, 5)
    hm.fit(rbm, data, epochs=150, learning_rate=0.5, batch_size=20, metric=metric, optimizer="muon")
    assert hm.evaluate(rbm, data).gained > 1.0  # nats; the prototypes are worth about two


def test_deep_lateral_and_stacked_machines_are_trained() -> None:
    data = patterns()
    for machine in (hm.DBM([12, 6, 4]), hm.BoltzmannMachine(12, 3)):
        hm.fit(machine, data, epochs=2, batch_size=20, optimizer="muon")
        for name in machine.lateral.values():
            W = machine.couplings[name].detach()
            assert torch.equal(W, W.mT) and not W.diagonal().any() and W.abs().sum() > 0


def test_learning_rates_of_groups_keep_their_ratios() -> None:
    rbm = hm.RBM(4, 3)

    def factory(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        first, *others = parameters
        return torch.optim.SGD([{"params": [first], "lr": 0.2}, {"params": others, "lr": 0.05}], lr=1.0)

    optimizer = make_optimizer(factory, rbm, 0.4)
    for rate in (0.4, 0.1):
        set_learning_rate(optimizer, rate)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate, rate / 4])
    spectral = make_optimizer("muon", rbm, 0.4)
    set_learning_rate(spectral, 0.1)
    assert [group["lr"] for group in spectral.param_groups] == [0.1, 0.1]
    assert [group["spectral"] for group in spectral.param_groups] == [True, False]
    assert [len(group["params"]) for group in spectral.param_groups] == [1, 2]


def test_resumed_bit_for_bit(tmp_path: Path) -> None:
    data = patterns()
    options: dict[str, Any] = {"optimizer": "muon", "batch_size": 7}
    whole = trained(data, **options)
    model = hm.RBM(12, 5)
    with pytest.raises(KeyboardInterrupt):
        hm.fit(model, data, epochs=3, objective=hm.PCD(chains=8), seed=3, out=tmp_path / "run",
               callbacks=[Break(14), Checkpoint(0)], **options)  # fmt: skip
    # The direction of update 11 is still followed.
    model, _ = hm.resume(tmp_path / "run", data=data, callbacks=[Break()])
    assert same(tensors(model), whole)


def test_refused() -> None:
    with pytest.raises(TypeError, match=r"the optimizer .muon. takes a model that is a machine.*found NADE"):
        hm.fit(hm.NADE(12, 4), patterns(), epochs=1, optimizer="muon")
    graph = hm.BoltzmannMachine(12, edges=np.array([[0, 1], [1, 2]]), sparse=True)
    with pytest.raises(ValueError, match=r"this BoltzmannMachine keeps one value per edge, no matrix: use .*sgd"):
        hm.fit(graph, patterns(), epochs=1, optimizer="muon")
    with pytest.raises(ValueError, match=r"Muon\(momentum=...\) must be a number in \[0, 1\), found 1.0"):
        Muon([torch.ones(2, 2)], momentum=1.0)
    with pytest.raises(ValueError, match=r"Muon\(every=...\)"):
        Muon([torch.ones(2, 2)], every=0)
