"""MADE: exact under every ordering, and no output sees what it must not."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

import harmonium as hm
from harmonium.models.conditionals import MixtureConditional

from .helpers import DOUBLE, everything, scattered


@torch.no_grad()
@pytest.mark.parametrize("hidden", [(9,), (9, 8)])
def test_sums_to_one_under_every_ordering(hidden: tuple[int, ...]) -> None:
    for ordering in itertools.permutations(range(4)):
        model = scattered(hm.MADE(4, hidden=hidden, orderings=ordering, dtype=DOUBLE))
        assert float(model.log_prob(everything(model)).exp().sum()) == pytest.approx(1, abs=1e-12)
    model = scattered(hm.MADE(hm.Categorical(3, 3), hidden=hidden, masks=6, dtype=DOUBLE))
    assert float(model.log_prob(everything(model)).exp().sum()) == pytest.approx(1, abs=1e-12)
    each = torch.stack([model.outputs.log_prob(model.params(everything(model), k), everything(model)).sum(-1)
                        for k in range(6)])  # fmt: skip
    torch.testing.assert_close(model.log_prob(everything(model)).exp(), each.exp().mean(0))


def test_outputs_depend_on_what_comes_before_and_on_all_of_it() -> None:
    model = scattered(hm.MADE(hm.Categorical(5, 2), hidden=(200, 200), masks=3, dtype=DOUBLE))
    v = torch.rand(1, 10, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    for k, ordering in enumerate(model.orderings.tolist()):
        jacobian = torch.autograd.functional.jacobian(lambda x, k=k: model.params(x, k)[0], v)[:, 0]
        depends = (jacobian.view(5, 2, 5, 2) != 0).any(3).any(1)
        expected = torch.zeros(5, 5, dtype=torch.bool)
        for place, i in enumerate(ordering):
            expected[i, ordering[:place]] = True
        assert torch.equal(depends, expected)


def test_gradients_against_finite_differences() -> None:
    model = scattered(hm.MADE(4, hidden=(5, 4), masks=2, dtype=DOUBLE), 0.7)
    v = everything(model)[[2, 7, 9]]

    def total() -> Tensor:
        return model.log_likelihood(v).sum()

    parameters = list(model.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(total(), parameters), strict=True):
        flat = parameter.data.view(-1)
        for i in range(len(flat)):
            with torch.no_grad():
                kept = float(flat[i])
                flat[i] = kept + 1e-6
                above = float(total())
                flat[i] = kept - 1e-6
                below = float(total())
                flat[i] = kept
            assert float(gradient.flatten()[i]) == pytest.approx((above - below) / 2e-6, abs=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("masks", [1, 3])
def test_samples_and_conditional_samples(masks: int) -> None:
    """Frequencies of 20,000 draws, all and with the first two variables held: within 4.5 standard deviations."""
    orderings = [[1, 0, 2, 3], [0, 1, 3, 2], [1, 0, 3, 2]][:masks]
    model, n = scattered(hm.MADE(4, hidden=(9,), masks=masks, orderings=orderings, dtype=DOUBLE)), 20_000
    states = everything(model)
    log_p = model.log_prob(states)
    given = (states[:, 0] == 1) & (states[:, 1] == 0)
    held = torch.where(given, log_p, -torch.inf).softmax(0)
    clamp = ([True, True, False, False], [1, 0, 0, 0])
    for drawn, p in ((hm.sample(model, n), log_p.exp()), (hm.sample(model, n, clamp=clamp), held)):
        share = (drawn[:, None] == states).all(-1).double().mean(0)
        assert float(((share - p).abs() / (p * (1 - p) / n).sqrt().clamp(min=1 / n)).max()) < 4.5
    found = hm.conditional_log_prob(model, states[given], [True, True, False, False])
    torch.testing.assert_close(found, held[given].log(), rtol=0, atol=1e-10)
    first = hm.conditional_log_prob(model, states, [False] * 4, [True, True, False, False])
    same = (states[:, None, :2] == states[:, :2]).all(-1).double()
    torch.testing.assert_close(first.exp(), same @ log_p.exp())


@torch.no_grad()
def test_real_values() -> None:
    model = scattered(hm.MADE(outputs=MixtureConditional(2, 2, floor=0.3), hidden=(6,), dtype=DOUBLE), 0.3)
    axis = torch.linspace(-15, 15, 601, dtype=DOUBLE)
    density = model.log_prob(torch.cartesian_prod(axis, axis)).exp()
    assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=1e-6)


@torch.no_grad()
def test_training_takes_every_mask_alike() -> None:
    """Each of 3 masks in a third of 3,000 updates, within 4.5 standard deviations (116)."""
    model = scattered(hm.MADE(3, hidden=(6,), masks=3, dtype=DOUBLE))
    v, stream = everything(model)[:1], hm.Stream(0)
    each = [float(model.outputs.log_prob(model.params(v, k), v).sum()) for k in range(3)]
    found = torch.cat([model.training_log_prob(v, stream) for _ in range(3000)])
    for value in each:
        assert abs(int(torch.isclose(found, torch.tensor(value, dtype=DOUBLE)).sum()) - 1000) < 116


def test_training_and_store(tmp_path: Path) -> None:
    """Bars and stripes of 4 x 4, whose entropy is 3.4 nats."""
    data = hm.data.load("bars-and-stripes").train
    model = hm.MADE((4, 4), hidden=(100,))
    hm.fit(model, data, epochs=500, batch_size=32, learning_rate=hm.schedules.Linear(1e-2))
    assert hm.evaluate(model, data).mean > -3.6
    other = hm.MADE((4, 4), hidden=(10, 10), masks=4, seed=1)
    hm.save(other, tmp_path / "m")
    back = hm.load(tmp_path / "m")
    assert torch.equal(back.log_prob(data), other.log_prob(data)) and torch.equal(back.orderings, other.orderings)


def test_bad_input() -> None:
    model = hm.MADE(3, hidden=(4,))
    for call, message in (
        (lambda: hm.MADE(3, masks=0), "masks must be "),
        (lambda: hm.MADE(3, hidden=()), "hidden must be a list of layer sizes"),
        (lambda: hm.MADE(3, orderings=[0, 0, 1]), "orderings is not a permutation"),
        (lambda: hm.MADE(3, masks=3, orderings=[[0, 1, 2]] * 2), "one for each of the 3 masks"),
        (lambda: hm.sample(model, 2, clamp=([0, 1, 0], [0, 1, 0])), "held variables must come before all others"),
        (lambda: hm.conditional_log_prob(model, [[0, 1, 1]], [0, 0, 1]), "given variables must come before"),
        (lambda: hm.impute(model, [[float("nan"), 1, 1]]), "must come before all others"),
        (lambda: model.log_prob([[0, 0.5, 1]]), "name a binarisation"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
