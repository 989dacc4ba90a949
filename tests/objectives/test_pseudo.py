"""The pseudo-likelihood: its value by hand, its gradient by finite differences, its maximum at the truth."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm
from harmonium.testing.numeric import derivative, moved


def machine(edges: list[list[int]] | None = None) -> hm.BoltzmannMachine:
    m = hm.BoltzmannMachine(5, edges=edges, dtype=torch.float64)
    with torch.no_grad():
        for parameter in m.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        m.constrain()
    return m


def cases() -> torch.Tensor:
    return (torch.rand(12, 5, generator=torch.Generator().manual_seed(0)) < 0.5).double()


def test_value_by_hand() -> None:
    m, v = machine(), cases()
    x = v @ m.couplings["visible_visible"] + m.visible.bias
    expected = (v * torch.nn.functional.logsigmoid(x) + (1 - v) * torch.nn.functional.logsigmoid(-x)).sum(-1)
    torch.testing.assert_close(hm.likelihood.pseudo_log_likelihood(m, v), expected.detach())


@pytest.mark.parametrize("edges", [None, [[0, 1], [1, 2], [3, 4]]], ids=["dense", "sparse"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_by_finite_differences(edges: list[list[int]] | None, weighted: bool) -> None:
    m, v = machine(edges), cases()
    weight = torch.arange(1.0, 13.0).double() if weighted else torch.ones(12).double()
    gradient = hm.gradient(m, v, objective=hm.PseudoLikelihood(), sample_weight=weight if weighted else None)

    def value() -> torch.Tensor:
        return (weight * hm.likelihood.pseudo_log_likelihood(m, v)).sum() / weight.sum()

    W, found = m.couplings["visible_visible"], gradient.difference["visible_visible"]
    for i, j in [(0, 1), (1, 2), (3, 4)]:
        slope = derivative(moved(value, W, [5 * i + j, 5 * j + i]))
        assert float(found[i, j]) == pytest.approx(float(slope), abs=1e-8)
        assert float(found[j, i]) == pytest.approx(float(slope), abs=1e-8)
    if edges:
        assert float(found[0, 3]) == 0
    for j in range(5):
        slope = derivative(moved(value, m.visible.bias, j))
        assert float(gradient.difference["visible_bias"][j]) == pytest.approx(float(slope), abs=1e-8)


def test_its_maximum_on_the_whole_distribution_is_the_truth() -> None:
    truth, learner = machine(), hm.BoltzmannMachine(5, dtype=torch.float64)
    states = truth.visible.states(torch.arange(32))
    p = torch.exp(truth.log_weight((states,)) - hm.log_partition(truth).value).detach()
    hm.fit(
        learner, states, objective=hm.PseudoLikelihood(), sample_weight=p, epochs=750, batch_size=32, learning_rate=2.0
    )
    W = learner.couplings["visible_visible"].detach()
    torch.testing.assert_close(W, truth.couplings["visible_visible"].detach(), rtol=0, atol=0.02)


def test_machines_with_hidden_units_are_refused() -> None:
    with pytest.raises(ValueError, match="without hidden units"):
        hm.fit(hm.RBM(4, 2), cases()[:, :4], objective=hm.PseudoLikelihood())
    with pytest.raises(ValueError, match="hidden layers that can be summed out"):
        hm.likelihood.pseudo_log_likelihood(hm.DBM([5, 3, 2]), cases())
