"""hm.sample: the right distribution, with and without clamped units."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models import RBM
from harmonium.sampling.sample import affordable_sweeps
from harmonium.testing.compare import assert_counts

Make = Callable[..., RBM]


def table(rbm: RBM) -> torch.Tensor:
    v = torch.tensor(list(itertools.product([0.0, 1.0], repeat=rbm.visible.size)), dtype=torch.float64)
    return torch.softmax(rbm.log_weight((v, None)).detach(), 0)


def code(v: torch.Tensor) -> torch.Tensor:
    return (v.double() @ (2.0 ** torch.arange(v.shape[1] - 1, -1, -1, dtype=torch.float64))).long()


def test_samples_follow_the_model(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3, scale=0.8)
    assert_counts("samples", code(hm.sample(rbm, 20_000, sweeps=60)), table(rbm))


def test_clamped_units_are_held_and_the_rest_follows(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3, scale=0.8)
    mask, values = [True, False, True, False], [1, np.nan, 0, np.nan]
    v = hm.sample(rbm, 20_000, sweeps=60, clamp=(mask, values))
    assert bool((v[:, 0] == 1).all()) and bool((v[:, 2] == 0).all())
    conditional = table(rbm).view(2, 2, 2, 2)[1, :, 0, :].reshape(-1)
    assert_counts("samples given two units", code(v[:, [1, 3]]), conditional / conditional.sum())


def test_each_row_may_hold_other_units(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3)
    rng = np.random.default_rng(0)
    mask, values = rng.integers(0, 2, (50, 4)).astype(bool), rng.integers(0, 2, (50, 4))
    v = hm.sample(rbm, 50, sweeps=5, clamp=(mask, values)).numpy()
    assert np.array_equal(v[mask], values[mask])
    full = hm.sample(rbm, 50, sweeps=5, clamp=(np.ones(4), values)).numpy()
    assert np.array_equal(full, values)


def test_starts_and_seeds(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3)
    init = np.eye(4)
    assert np.array_equal(hm.sample(rbm, 4, sweeps=0, init=init).numpy(), init)
    one, two = hm.sample(rbm, 20, sweeps=5, seed=1), hm.sample(rbm, 20, sweeps=5, seed=2)
    assert torch.equal(one, hm.sample(rbm, 20, sweeps=5, seed=1)) and not torch.equal(one, two)
    assert one.dtype == rbm.dtype
    assert torch.equal(hm.sample(rbm, 5, sweeps=5, seed=1), one[:5])  # a chain does not know how many others run


def test_gaussian_samples_given_a_unit() -> None:
    """Two visible units without hidden coupling: the free one is an independent normal."""
    rbm = hm.RBM(hm.Gaussian(2), 1, dtype=torch.float64)
    with torch.no_grad():
        rbm.weights.zero_()
        rbm.visible.bias.copy_(torch.tensor([0.0, 1.5]))
    v = hm.sample(rbm, 10_000, sweeps=3, clamp=([1, 0], [0.25, 0]))
    assert bool((v[:, 0] == 0.25).all())
    assert float(v[:, 1].mean()) == pytest.approx(1.5, abs=5 / 100)
    assert float(v[:, 1].var()) == pytest.approx(1.0, abs=5 * 2**0.5 / 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n must be .*, found 0"), ({"n": 2.0}, "n must be "),
        ({"n": True}, "n must be "), ({"sweeps": -1}, "sweeps must be "),
        ({"n": 3, "init": np.zeros((2, 4))}, "init has 2 rows; expected n = 3"),
        ({"init": np.full((1, 4), 0.5)}, "init has the value 0.5"),
        ({"clamp": ([1, 0, 0], [1, 0, 0])}, r"the mask of clamp has shape \(3,\); expected \(4,\) or \(1, 4\)"),
        ({"clamp": ([1, 0, 0, 0], [[1, 0, 0, 0]] * 2)}, r"the values of clamp has shape \(2, 4\)"),
        ({"clamp": ([1, 0, 0, 0], [0.5, 0, 0, 0])}, "the values of clamp has the value 0.5"),
    ],
)  # fmt: skip
def test_refusals(make_rbm: Make, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hm.sample(make_rbm(4, 3), **options)  # type: ignore[arg-type]


def test_wide_models_get_fewer_sweeps_for_a_picture() -> None:
    assert affordable_sweeps(hm.RBM(784, 500), 200) == 1000
    wide = hm.RBM(50_000, 100)
    # 5e11 multiplications, two products of 64 chains with 5,050,100 numbers a sweep.
    assert affordable_sweeps(wide, 64) == int(5e11 / (2 * 64 * 5_050_100))
    assert affordable_sweeps(wide, 1_000_000) == 10
    assert affordable_sweeps(wide, 1_000_000, most=3) == 3
