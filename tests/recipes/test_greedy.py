"""Greedy stacking: what each machine learns from, where it starts, and that it goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data import as_cases
from harmonium.likelihood.exact import exact_log_marginal
from harmonium.models.deep.dbm_pretraining import compose
from harmonium.recipes.greedy import hidden_cases
from harmonium.training.loop import Training

PATTERNS = hm.data.load("bars-and-stripes").train
OPTIONS = {"epochs": 3, "objective": hm.PCD(chains=20), "batch_size": 8}


def tensors(dbn: hm.DBN) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in dbn.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_hidden_cases_are_draws_of_the_posterior() -> None:
    rng = np.random.default_rng(0)
    rbm = hm.RBM.from_arrays(*(rng.standard_normal(shape) for shape in ((6, 4), (6,), (4,))))
    v = rng.integers(0, 2, (50, 6))
    cases = hidden_cases(rbm, as_cases(v), hm.Stream(0), every_epoch=True)
    mean = rbm.hidden_mean(v).detach()
    index = torch.arange(50)
    draws = torch.stack([cases.rows(index, epoch=epoch) for epoch in range(2000)]).double()
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    # 200 means of 2,000 draws: a deviation of 4.5 standard errors has probability 1e-3 among them all.
    assert bool(((draws.mean(0) - mean).abs() < 4.5 * (mean * (1 - mean) / 2000).sqrt() + 1e-9).all())
    once = hidden_cases(rbm, as_cases(v), hm.Stream(0), every_epoch=False)
    assert torch.equal(once.rows(index, epoch=0), once.rows(index, epoch=5))


def test_each_machine_is_fit_on_the_hidden_cases_of_the_one_below() -> None:
    dbn = hm.DBN([16, 6, 5], seed=1)
    histories = hm.greedy(dbn, PATTERNS, seed=4, layers=[{}, {"epochs": 2}], **OPTIONS)
    assert [len(history.rows) for history in histories] == [3, 2]
    stream = hm.Stream(4).child("greedy")
    first, second = hm.RBM(16, 6), hm.RBM(6, 5)
    hm.fit(first, PATTERNS, seed=stream.child(0).child("fit"), **OPTIONS)
    cases = hidden_cases(first, PATTERNS, stream.child(0).child("train"), every_epoch=True)
    hm.fit(second, cases, seed=stream.child(1).child("fit"), **(OPTIONS | {"epochs": 2}))
    for found, rbm in zip(dbn.machines, (first, second), strict=True):
        assert same(dict(found.state_dict()), dict(rbm.state_dict()))


def test_a_second_machine_starts_as_the_first_turned_over() -> None:
    first, dbn = hm.RBM(16, 6), hm.DBN([16, 6, 20])
    hm.fit(first, PATTERNS, **OPTIONS)
    dbn.rbms[0] = first
    hm.greedy(dbn, PATTERNS, skip=1, learning_rate=1e-9, metric="plain", **OPTIONS)
    torch.testing.assert_close(dbn.top.weights[:, :16], first.weights.mT)
    torch.testing.assert_close(dbn.top.visible_bias, first.hidden_bias)
    assert same(dict(dbn.machines[0].state_dict()), dict(first.state_dict()))  # skipped
    other = hm.DBN([16, 6, 20])
    other.rbms[0] = first
    hm.greedy(other, PATTERNS, skip=1, transposed=False, learning_rate=1e-9, metric="plain", **OPTIONS)
    assert float(other.top.weights.detach().abs().max()) < 0.06  # small normal weights


@pytest.mark.slow
def test_a_second_machine_raises_the_likelihood() -> None:
    """The point of stacking: the exact log-likelihood of a DBN above that of its first machine alone."""
    first = hm.RBM(16, 8, dtype=torch.float64)
    options = {"objective": hm.Exact(), "batch_size": 8, "learning_rate": 0.2}
    hm.fit(first, PATTERNS, epochs=300, **options)
    alone = hm.evaluate(first, PATTERNS).mean
    dbn = hm.DBN.from_rbms([first, hm.RBM(8, 16, dtype=torch.float64)])
    hm.greedy(dbn, PATTERNS, skip=1, epochs=400, **options)
    assert hm.evaluate(dbn, PATTERNS, samples=500).mean > alone + 0.06  # it is 0.12


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = OPTIONS | {"validation": PATTERNS}
    whole = hm.DBN([16, 6, 20])
    hm.greedy(whole, PATTERNS, **options)

    class Killed(Exception):  # noqa: N818
        pass

    finish, left = Training.finish_epoch, 3 + 1  # all epochs of the first machine, then into the second

    def mortal(training: Training) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        finish(training)

    monkeypatch.setattr(Training, "finish_epoch", mortal)
    with pytest.raises(Killed):
        hm.greedy(hm.DBN([16, 6, 20]), PATTERNS, out=tmp_path / "run", **options)
    left = 3  # enough for the second machine alone
    again = hm.DBN([16, 6, 20])
    histories = hm.greedy(again, PATTERNS, out=tmp_path / "run", **options)
    assert left == 0 and [len(history.rows) for history in histories] == [3, 3]
    assert same(tensors(again), tensors(whole))


@pytest.mark.parametrize("sizes", [[16, 6, 5], [16, 6, 5, 7]], ids=str)
def test_a_deep_boltzmann_machine_is_composed_of_machines_with_tied_copies(sizes: list[int], tmp_path: Path) -> None:
    """Layer by layer by hand: the first machine sees twice the data, the last has two copies of its hidden layer."""
    dbm = hm.DBM(sizes)
    histories = hm.greedy(dbm, PATTERNS, seed=4, out=tmp_path / "run", **OPTIONS)
    assert [len(history.rows) for history in histories] == [3] * (len(sizes) - 1)
    stream, top = hm.Stream(4).child("greedy"), len(sizes) - 2
    cases, machines = as_cases(2 * np.asarray(PATTERNS)), []
    for k in range(top + 1):
        visible = hm.Binomial(16, 2) if k == 0 else sizes[k]
        rbm = hm.RBM(visible, hm.Binomial(sizes[k + 1], 2) if k == top else sizes[k + 1])
        hm.fit(rbm, cases, seed=stream.child(k).child("fit"), **OPTIONS)
        cases = hidden_cases(rbm, cases, stream.child(k).child("train"), every_epoch=True)
        machines.append(rbm)
    expected = hm.DBM(sizes)
    compose(expected, machines)
    assert same(dict(dbm.state_dict()), dict(expected.state_dict()))
    again = hm.DBM(sizes)
    hm.greedy(again, PATTERNS, seed=4, out=tmp_path / "run", **OPTIONS)  # all of it is there
    assert same(dict(again.state_dict()), dict(expected.state_dict()))


def test_a_transposed_deep_boltzmann_machine_starts_as_its_first_machine() -> None:
    first, dbm = hm.RBM(hm.Binomial(16, 2), 6), hm.DBM([16, 6, 20])
    hm.fit(first, 2 * np.asarray(PATTERNS), seed=hm.Stream(0).child("greedy").child(0).child("fit"), **OPTIONS)
    nothing = {"learning_rate": 1e-9, "metric": "plain"}
    hm.greedy(dbm, PATTERNS, layers=[{}, nothing], **OPTIONS)
    torch.testing.assert_close(dbm.weights[1][:, :16], first.weights.mT)
    torch.testing.assert_close(dbm.hidden[0].bias, first.hidden_bias)
    torch.testing.assert_close(dbm.hidden[1].bias[:16], first.visible_bias)


def test_pretraining_gives_the_joint_training_a_better_start() -> None:
    """Exact log-likelihood of bars and stripes before any joint training: -6.95 nats, against -11.1 of fair coins."""
    dbm = hm.DBM([16, 8, 8])
    hm.greedy(
        dbm,
        PATTERNS,
        epochs=150,
        learning_rate=hm.schedules.Linear(0.2),
        objective=hm.PCD(k=2, chains=50),
        batch_size=16,
    )
    v = dbm.visible.encode(torch.as_tensor(np.asarray(PATTERNS)))
    found = float((exact_log_marginal(dbm, v) - hm.log_partition(dbm, method="exact").value).mean())
    assert found > -7.5


def test_refusals(tmp_path: Path) -> None:
    dbn = hm.DBN([16, 6, 5])
    hm.greedy(hm.DBN([16, 7]), PATTERNS, out=tmp_path, **OPTIONS)
    with pytest.raises(ValueError, match="layer-1 contains the run of"):
        hm.greedy(dbn, PATTERNS, out=tmp_path, **OPTIONS)
    with pytest.raises(ValueError, match="options for 3 machines"):
        hm.greedy(dbn, PATTERNS, layers=[{}, {}, {}])
    with pytest.raises(ValueError, match="skip"):
        hm.greedy(dbn, PATTERNS, skip=3)
    with pytest.raises(ValueError, match="columns"):
        hm.greedy(dbn, np.zeros((4, 5)))
    deep = hm.DBM([16, 4, 3])
    with pytest.raises(ValueError, match=r"data has the value 0\.5 in row 0, column 0"):  # twice 0.5 is a count
        hm.greedy(deep, np.full((4, 16), 0.5))
    with pytest.raises(ValueError, match="skip is for DBNs"):
        hm.greedy(deep, PATTERNS, skip=1)
    with pytest.raises(ValueError, match="columns"):
        hm.greedy(deep, np.zeros((4, 5)))


def test_missing_values_are_refused_before_anything_is_trained() -> None:
    dbn = hm.DBN([16, 4, 3])
    before = tensors(dbn)
    with pytest.raises(ValueError, match=r"does not take missing values.*impute"):
        hm.greedy(dbn, PATTERNS, missing=2, **OPTIONS)
    assert same(before, tensors(dbn))
