"""What every machine does: moments divided by their own number of cases, weights, base rates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models import RBM

Make = Callable[..., RBM]


def batch(rows: int, n: int, seed: int = 0) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).integers(0, 2, (rows, n)).astype(np.float64))


@pytest.mark.parametrize("rows", [1, 3, 7, 64])
def test_moments_are_means_over_the_batch(make_rbm: Make, rows: int) -> None:
    rbm, v = make_rbm(4, 3), batch(rows, 4)
    h = rbm.hidden_mean(v).detach()
    moments = rbm.moments(rbm.infer(v))
    assert list(moments) == ["weights", "visible_bias", "hidden_bias"]
    assert moments["weights"].numpy() == pytest.approx((v.T @ h / rows).numpy(), rel=1e-13)
    assert moments["visible_bias"].numpy() == pytest.approx(v.mean(0).numpy(), rel=1e-13)
    assert moments["hidden_bias"].numpy() == pytest.approx(h.mean(0).numpy(), rel=1e-13)


def test_gaussian_moments_follow_the_chain_rule() -> None:
    """d(-E) / d log sigma^2 = s^2 / (2 sigma^2)."""
    rbm = hm.RBM(hm.Gaussian(2), 2, dtype=torch.float64)
    with torch.no_grad():
        rbm.visible.log_variance.copy_(torch.tensor([0.25, -1.0]))
    v = torch.tensor([[1.0, 2.0], [-0.5, 3.0]], dtype=torch.float64)
    found = rbm.moments(rbm.infer(v))["visible_log_variance"]
    expected = (v**2).mean(0) / (2 * torch.tensor([0.25, -1.0], dtype=torch.float64).exp())
    assert found.detach().numpy() == pytest.approx(expected.numpy(), rel=1e-13)


def test_weights_of_cases_are_replicated_cases(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), batch(5, 4)
    counts = torch.tensor([3, 1, 0, 2, 4])
    weighted = rbm.moments(rbm.infer(v).weighted(0.25 * counts.double()))
    replicated = rbm.moments(rbm.infer(v.repeat_interleave(counts, 0)))
    for name, moment in weighted.items():
        assert moment.numpy() == pytest.approx(replicated[name].numpy(), rel=1e-13)


def test_base_rate_has_the_means_of_the_data(make_rbm: Make) -> None:
    rbm = make_rbm(3, 2)
    rbm.data_mean = torch.tensor([0.0, 0.25, 0.9], dtype=torch.float64)
    rbm.data_variance = rbm.data_mean * (1 - rbm.data_mean)
    rbm.data_cases = torch.tensor(99.0)
    visible, hidden = rbm.base_rate()
    expected = (rbm.data_mean * 99 + 0.5) / 100
    assert torch.sigmoid(visible[0]).detach().numpy() == pytest.approx(expected.numpy(), rel=1e-12)
    assert hidden[0].tolist() == [0.0, 0.0]


def test_without_data_the_base_rate_is_the_mean_field(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3, scale=0.3)
    visible, _ = rbm.base_rate()
    m = torch.sigmoid(visible[0].detach())[None]
    h = torch.sigmoid(m @ rbm.weights + rbm.hidden_bias)
    fixed = torch.sigmoid(h @ rbm.weights.T + rbm.visible_bias).detach()
    assert m.numpy() == pytest.approx(fixed.numpy(), abs=2e-4)  # smoothed by one case in 10^4
    # An uncoupled model is its own mean field.
    free = RBM.from_arrays(np.zeros((2, 2)), np.array([1.0, -2.0]), np.zeros(2))
    assert free.base_rate()[0][0].tolist() == pytest.approx([1.0, -2.0], abs=1e-3)


def test_a_gaussian_base_rate_has_mean_and_variance() -> None:
    rbm = hm.RBM(hm.Gaussian(2), 2, dtype=torch.float64)
    rbm.data_mean, rbm.data_variance = torch.tensor([1.0, -2.0]).double(), torch.tensor([0.5, 0.0]).double()
    rbm.data_cases = torch.tensor(50.0)
    b, curvature = rbm.base_rate()[0]
    assert (-0.5 / curvature).tolist() == pytest.approx([0.5, np.exp(-7)])  # a constant column stays within the bounds
    assert (b * (-0.5 / curvature)).tolist() == pytest.approx([1.0, -2.0])


@pytest.mark.parametrize("value", [0, 1])
def test_a_constant_column_has_the_other_value_in_half_a_case(value: int) -> None:
    """A binary column that is always the same starts at p = (n mean + 1/2) / (n + 1), and nothing in it is learned."""
    v = np.column_stack((np.arange(20) % 2, np.full(20, value)))
    rbm = hm.RBM(2, 2, dtype=torch.float64)
    hm.fit(rbm, v, objective=hm.Exact(), epochs=1, learning_rate=1e-12)
    p = torch.sigmoid(rbm.visible_bias.detach()).tolist()
    assert p == pytest.approx([0.5, (20 * value + 0.5) / 21], rel=1e-9)
    hm.fit(rbm, v, objective=hm.Exact(), epochs=300, learning_rate=0.5)
    ends = torch.tensor([[0.0, value], [1.0, value]]).double()
    assert rbm.log_prob(ends, hm.log_partition(rbm)).exp().tolist() == pytest.approx([0.5, 0.5], abs=0.01)


def test_log_weight_of_both_colours_and_a_missing_neighbour(make_rbm: Make) -> None:
    rbm = make_rbm(3, 2)
    v, h = batch(6, 3), batch(6, 2, 1)
    W, b, c = (torch.as_tensor(a) for a in rbm.to_arrays())
    expected = v @ b + torch.nn.functional.softplus(v @ W + c).sum(1)
    assert rbm.log_weight((v, None)).detach().numpy() == pytest.approx(expected.numpy(), rel=1e-13)
    expected = h @ c + torch.nn.functional.softplus(h @ W.T + b).sum(1)
    assert rbm.log_weight((None, h), colour=1).detach().numpy() == pytest.approx(expected.numpy(), rel=1e-13)
    with pytest.raises(ValueError, match="layer 'visible' is not set, and 'hidden' needs it"):
        rbm.inputs(1, (None, h))


def test_names_of_parameters(make_rbm: Make) -> None:
    rbm = hm.RBM(hm.Gaussian(2), 3)
    named = rbm.parameters_by_name()
    assert list(named) == ["weights", "visible_bias", "visible_log_variance", "hidden_bias"]
    assert {id(p) for p in named.values()} == {id(p) for p in rbm.parameters()}


def test_float32_sums_accumulate_in_float64() -> None:
    """log-weights of 20,000 units: float32 sums would be off by about one."""
    n = 20_000
    rbm = hm.RBM(n, 1)
    with torch.no_grad():
        rbm.visible.bias.fill_(0.1)
        rbm.weights.zero_()
        total = float(rbm.log_weight((torch.ones(1, n), None)))
        other = float(rbm.log_weight((None, torch.ones(1, 1)), colour=1))
    assert total == pytest.approx(n * float(np.float32(0.1)) + np.log(2), rel=1e-9)
    assert other == pytest.approx(n * np.logaddexp(0, float(np.float32(0.1))), rel=1e-7)
