"""Exact conditionals, imputation and training with missing values, against enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models.machine.conditional import variable_log_probs


def scattered(model: hm.models.Machine, seed: int = 0) -> hm.models.Machine:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        model.constrain()
    return model


MODELS = {
    "bernoulli": lambda: hm.RBM(5, 3, dtype=torch.float64),
    "categorical": lambda: hm.RBM(hm.Categorical(3, 3, dtype=torch.float64), 2, dtype=torch.float64),
    "counts": lambda: hm.RBM(hm.Binomial(3, 3, dtype=torch.float64), 2, dtype=torch.float64),
    "mixed": lambda: hm.RBM(hm.Mixed([hm.Bernoulli(2), hm.Categorical(1, 3), hm.Spin(1)]), 2, dtype=torch.float64),
    "lateral": lambda: hm.BoltzmannMachine(4, dtype=torch.float64),
    "semi-restricted": lambda: hm.BoltzmannMachine(4, 2, [[0, 1], [1, 2], [0, 4], [3, 4], [2, 5]], dtype=torch.float64),
}


@pytest.mark.parametrize("name", MODELS)
def test_conditionals_by_enumeration(name: str) -> None:
    model = scattered(MODELS[name]())
    units = model.visible
    states = units.states(torch.arange(units.count))
    log_p = model.log_weight(model.visible_only_state(states)).detach()
    codes = units.decode(states)
    for column in range(units.columns):
        table = variable_log_probs(model, states, column).detach()
        others = [c for c in range(units.columns) if c != column]
        for row in range(0, units.count, 3):
            same = (codes[:, others] == codes[row, others]).all(-1)
            expected = log_p[same] - torch.logsumexp(log_p[same], 0)
            torch.testing.assert_close(table[row].sort().values, expected.sort().values, rtol=0, atol=1e-10)
            assert float(table[row].exp().sum()) == pytest.approx(1)
    given = torch.zeros(units.columns, dtype=torch.bool)
    given[0] = True
    found = hm.conditional_log_prob(model, codes, given)
    expected = torch.stack(
        [log_p[r] - torch.logsumexp(log_p[codes[:, 0] == codes[r, 0]], 0) for r in range(len(codes))]
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    pseudo = hm.likelihood.pseudo_log_likelihood(model, codes[:5])
    by_hand = sum(
        hm.conditional_log_prob(model, codes[:5], [c != column for c in range(units.columns)])
        for column in range(units.columns)
    )
    torch.testing.assert_close(pseudo, by_hand, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_marginals_by_enumeration(name: str) -> None:
    """log p(first | last), all between summed out and not looked at; and the marginal of the first."""
    model = scattered(MODELS[name]())
    units, last = model.visible, model.visible.columns - 1
    codes = units.decode(units.states(torch.arange(units.count)))
    p = model.log_weight(model.visible_only_state(units.encode(codes))).detach().softmax(0)

    def summed(columns: list[int]) -> torch.Tensor:
        return (codes[:, None, columns] == codes[:, columns]).all(-1).double() @ p

    first, end = ([column == i for column in range(last + 1)] for i in (0, last))
    blind = codes.clone()
    blind[:, 1:last] = math.nan
    found = hm.conditional_log_prob(model, blind, end, first)
    torch.testing.assert_close(found.exp(), summed([0, last]) / summed([last]), rtol=0, atol=1e-10)
    found = hm.conditional_log_prob(model, codes, [False] * (last + 1), first)
    torch.testing.assert_close(found.exp(), summed([0]), rtol=0, atol=1e-10)


def test_conditional_refusals() -> None:
    with pytest.raises(ValueError, match=r"2\^29 joint states"):
        hm.conditional_log_prob(hm.RBM(30, 2), torch.zeros(1, 30), [True] + [False] * 29)
    with pytest.raises(ValueError, match="no finite list of states"):
        hm.conditional_log_prob(hm.RBM(hm.Gaussian(2), 2), torch.zeros(1, 2), [True, False])
    with pytest.raises(ValueError, match=r"expected \(4,\)"):
        hm.conditional_log_prob(hm.RBM(4, 2), torch.zeros(1, 4), [True])


def test_imputation_follows_the_conditional_distribution() -> None:
    """20,000 imputations of two variables: frequencies within 5 standard errors (0.018) of the exact ones."""
    model = scattered(hm.RBM(hm.Categorical(3, 3), 2), seed=3)
    v = torch.tensor([[1.0, math.nan, math.nan]])
    drawn = hm.impute(model, v, samples=20_000, sweeps=30)[:, 0]
    assert bool((drawn[:, 0] == 1).all())
    codes = torch.cartesian_prod(torch.tensor([1.0]), torch.arange(3.0), torch.arange(3.0))
    p = hm.conditional_log_prob(model, codes, [True, False, False]).exp()
    counted = torch.stack([(drawn == row).all(-1).double().mean() for row in codes])
    torch.testing.assert_close(counted, p, rtol=0, atol=0.018)


def test_imputation_keeps_what_is_known_and_checks_it() -> None:
    rbm = hm.RBM(4, 2)
    v = np.array([[0, 1, np.nan, 1], [1, 1, 0, 0]])
    out = hm.impute(rbm, v, missing=[[1, 0, 0, 0], [0, 0, 0, 0]])
    assert out[0, [1, 3]].tolist() == [1, 1] and out[1].tolist() == [1, 1, 0, 0]
    assert bool(((out == 0) | (out == 1)).all())
    with pytest.raises(ValueError, match=r"v has the value 0\.5 in row 0, column 1"):
        hm.impute(rbm, [[0, 0.5, np.nan, 1]])
    with pytest.raises(ValueError, match="expected that of v"):
        hm.impute(rbm, v, missing=[True] * 4)
    with pytest.raises(ValueError, match=r"expected \(batch, 4\)"):
        hm.impute(rbm, [[1, 0]])


def test_training_with_missing_values() -> None:
    """Two columns that always agree, a third of the values missing at random: the machine learns that they agree."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 1500)
    data = np.stack([first, first, rng.integers(0, 2, 1500)], 1).astype(float)
    data[rng.random(data.shape) < 0.33] = np.nan
    data = data[~np.isnan(data).all(1)]
    rbm = hm.RBM(3, 4)
    hm.fit(rbm, data, objective=hm.Exact(), epochs=60, batch_size=100, learning_rate=0.5, missing=5)
    p = hm.conditional_log_prob(rbm, [[1, 1, 0], [0, 0, 1]], [True, False, True]).exp()
    assert float(p.min()) > 0.9
    assert rbm.data_mean is not None
    torch.testing.assert_close(rbm.data_mean, torch.as_tensor(np.nanmean(data, 0)), rtol=0, atol=1e-12)


def test_missing_values_are_for_one_model_at_a_time() -> None:
    stack = hm.RBM.from_arrays(np.zeros((2, 3, 2)), np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"fit\(missing=\.\.\.\) takes one model at a time, found a batched model"):
        hm.fit(stack, np.eye(3), missing=2)
    assert stack.data_mean is None  # before anything is done


@pytest.mark.parametrize(
    ("data", "missing", "message"),
    [
        ([[0, np.nan], [1, 0]], 0, r"NaN.*row 0, column 1: pass missing='draw'"),
        ([[np.nan, np.nan], [1, 0]], 3, "no observed value in row 0"),
        ([[0, np.nan], [1, np.nan]], 3, "no observed value in column 1"),
        ([[0, 0.5], [1, np.nan]], 3, "value 0.5 in row 0, column 1"),
        ([[0, 1]], -1, "missing must be"),
    ],
)
def test_bad_missing_data(data: object, missing: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hm.fit(hm.RBM(2, 2), np.array(data, dtype=float), missing=missing, epochs=1)
