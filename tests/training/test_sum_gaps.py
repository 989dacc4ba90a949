"""Missing values that are summed out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data import as_cases
from harmonium.testing.joint import Joint
from harmonium.testing.numeric import scatter
from harmonium.training import SumGaps

NAN = float("nan")
CASES = [[0, 1, 1, 2], [1, 1, 0, NAN], [0, 0, 1, 0], [1, 0, 0, NAN], [NAN, 1, 1, 1]]
WEIGHT = [1.0, 2.0, 0.5, 1.5, 1.0]


def machine() -> hm.ClassificationRBM:
    model = hm.ClassificationRBM(3, 2, classes=3, dtype=torch.float64)
    with torch.no_grad():
        scatter(model, hm.Stream(3), 0.7)
    return model


def filled(model: Any, cases: Any, weight: torch.Tensor | None) -> Any:
    rows = as_cases(np.array(cases))
    v = model.visible.encode(torch.tensor(cases, dtype=model.dtype))
    training: Any = SimpleNamespace(model=model, weight=weight, cases=rows)
    return SumGaps().fill(training, v, torch.arange(len(v)), {})


@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_the_observed_values(weighted: bool) -> None:
    model = machine()
    weight = torch.tensor(WEIGHT, dtype=torch.float64) if weighted else None
    hm.Exact().gradient(model, filled(model, CASES, weight), {}, hm.Stream(0))
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}
    model.zero_grad()
    every = torch.cartesian_prod(*[torch.arange(n) for n in (2, 2, 2, 3)]).double()
    v = model.visible.encode(every)
    joint = Joint(model)
    log_p = joint.log_marginal(v) - joint.log_partition()
    assert float(log_p.detach().exp().sum()) == pytest.approx(1.0)
    seen = []
    for case in torch.tensor(CASES, dtype=torch.float64):
        agrees = (torch.isnan(case) | (every == case)).all(-1)
        seen.append(torch.logsumexp(log_p[agrees], 0))
    share = torch.ones(5, dtype=torch.float64) if weight is None else weight
    (-(share * torch.stack(seen)).sum() / share.sum()).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-9, atol=1e-12)


def test_cases_without_a_class_do_not_teach_the_class_given_the_inputs() -> None:
    model = machine()
    hm.objectives.Discriminative().gradient(model, filled(model, [CASES[1], CASES[3]], None), {}, hm.Stream(0))
    for parameter in model.parameters():
        assert parameter.grad is not None and float(parameter.grad.abs().max()) < 1e-12


def test_unlabelled_cases_teach_the_inputs() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (400, 1)).repeat(4, 1)  # all columns agree
    y = np.where(np.arange(400) < 8, x[:, 0], NAN)
    model = hm.ClassificationRBM(4, 4, classes=2)
    hm.fit(model, hm.models.with_labels(x, y), missing="sum", epochs=30, batch_size=20, learning_rate=0.3)
    assert model.predict([[0, 0, 0, 0], [1, 1, 1, 1]]).tolist() == [0, 1]
    assert hm.evaluate(model, hm.models.with_labels(x[:100], x[:100, 0])).gained > 1.5  # of 4 log 2 - log 2 = 2.1


@pytest.mark.filterwarnings("ignore:data. no training case has the class")
def test_what_cannot_be_summed_is_refused() -> None:
    two = [[0, 1, NAN, NAN], [1, 1, 0, 1]]
    with pytest.raises(ValueError, match=r"row 0 lacks several values, .* use missing='draw'"):
        hm.fit(machine(), two, missing="sum", epochs=1)
    real = hm.ClassificationRBM(hm.Gaussian(2), 2, classes=2)
    with pytest.raises(ValueError, match=r"row 1 lacks the value of a variable without finitely many states"):
        hm.fit(real, [[0.1, 0.2, 0], [NAN, -0.1, 1], [-0.1, 0.1, 0]], missing="sum", epochs=1)
    with pytest.raises(TypeError, match=r"missing='sum' takes a machine whose hidden units can be summed out"):
        hm.fit(hm.DBM([4, 2, 2]), [[0, 1, NAN, 1], [0, 1, 1, 1]], missing="sum", epochs=1)


@pytest.mark.parametrize("rows", [5, 8])  # of five cases, the last batch has one: fewer than there are shards
def test_shards_sum_up_to_the_whole(rows: int) -> None:
    x = np.arange(4 * rows).reshape(rows, 4) // 3 % 2
    cases = hm.models.with_labels(x, np.where(np.arange(rows) > 2, NAN, x[:, 0]))
    weights = []
    for shards in (None, 2, 4):
        model = hm.ClassificationRBM(4, 3, classes=2, dtype=torch.float64)
        hm.fit(model, cases, missing="sum", objective=hm.PCD(chains=8), epochs=6, batch_size=4, shards=shards)
        weights.append(model.weights.detach())
    for other in weights[1:]:  # sums of float64 in another order
        torch.testing.assert_close(other, weights[0], rtol=0, atol=1e-12)


def test_weights_of_cases_are_those_of_all_their_states() -> None:
    cases = hm.models.with_labels([[0, 1], [1, 0], [1, 1], [0, 1]], [0, 1, NAN, NAN])
    weights = []
    for weight in (None, [2.0] * 4, [1.0, 1.0, 5.0, 1.0]):
        model = hm.ClassificationRBM(2, 2, classes=2)
        hm.fit(model, cases, missing="sum", sample_weight=weight, epochs=2)
        weights.append(model.weights.detach())
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_chains_that_start_at_cases_are_not_cut_into_shards() -> None:
    cases = hm.models.with_labels([[0, 1], [1, 0], [1, 1]], [0, 1, NAN])
    with pytest.raises(ValueError, match=r"missing='sum' cannot be computed in shards, .* by CD, .*: use PCD"):
        hm.fit(hm.ClassificationRBM(2, 2, classes=2), cases, missing="sum", objective=hm.CD(), epochs=1, shards=2)
