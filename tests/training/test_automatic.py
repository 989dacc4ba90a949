"""Trainings that plan themselves."""

from __future__ import annotations

import math
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data.split import hold_out
from harmonium.models.machine.batched import stack
from harmonium.training import automatic
from harmonium.training.automatic import _best_rate, automatic_average, automatic_objective, automatic_penalties
from harmonium.training.pace import Costs


class Stop(BaseException):
    """What no code of the library catches."""


class Interrupt(hm.training.Callback):
    """Ends the process, as it were, after update 700."""

    transient = True

    def on_update(self, training: Any) -> None:
        if training.position.update == 700:
            raise Stop


def copies(rows: int, seed: int = 0) -> np.ndarray:
    """Three columns and their copies: the truth has 3 bits, independent columns 6."""
    half = np.random.default_rng(seed).integers(0, 2, (rows, 3))
    return np.hstack((half, half))


def clusters(rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(np.where(rng.random((rows, 1)) < 0.5, -1.0, 1.0), 0.5, (rows, 3))


def test_binary_columns_are_learned_without_an_option() -> None:
    rbm = hm.RBM(6, 8)
    history = hm.fit(rbm, copies(600))
    # log p = -3 log 2 = -2.08; the tolerance is what early stopping and weight decay leave on the table.
    assert hm.evaluate(rbm, copies(500, 1)).mean > -2.3
    assert history.stopped is not None and history.stopped.startswith("no gain of 0.01 in log likelihood lower")


def test_real_columns_are_learned_without_an_option() -> None:
    rbm = hm.RBM(hm.Gaussian(3), 8)
    hm.fit(rbm, clusters(600))
    test = clusters(500, 1)
    independent = -0.5 * (3 * np.log(2 * np.pi) + (test**2).sum(1) / 1.25 + 3 * np.log(1.25)).mean()
    # The truth is 1.3 nats better than independent columns.
    assert hm.evaluate(rbm, test).mean > independent + 0.7


def test_chains_of_discrete_columns_are_swept_several_times() -> None:
    assert automatic_objective(hm.RBM(4, 2)) == hm.PCD(k=5, chains=100)
    assert automatic_objective(hm.RBM(hm.Gaussian(4), 2)) == hm.PCD(k=1, chains=100)


def test_a_large_binary_rbm_takes_few_sweeps_and_is_averaged() -> None:
    large = hm.RBM(500, 250)
    assert automatic_objective(large) == hm.PCD(k=2, chains=100)
    assert automatic_average(large) == hm.training.Average() and automatic_average(hm.RBM(4, 2)) is None
    decays = [automatic_penalties(large, cases)[0] for cases in (100, 4000, 100_000)]
    assert decays == [hm.training.WeightDecay(rate) for rate in (0.01, 0.003, 0.001)]
    for other in (hm.RBM(hm.Categorical(100, 5), 250), hm.DBM([500, 200, 10]), hm.RBM(hm.Gaussian(500), 250)):
        assert automatic_average(other) is None
        assert automatic_penalties(other, 100_000) == (hm.training.WeightDecay(1e-4),)


@pytest.mark.filterwarnings("ignore")  # in a second, on some machines
@pytest.mark.parametrize(("minutes", "patience"), [(0.02, 2), (None, 1)])
def test_a_large_machine_is_measured_by_annealing_alone_within_a_time(
    minutes: float | None, patience: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Seen(hm.training.Callback):
        def on_begin(self, training: Any) -> None:
            self.training = training

    monkeypatch.setattr(automatic, "LARGE", 10)
    monkeypatch.setattr(automatic, "FIRST", 20)
    seen, rbm = Seen(), hm.RBM(6, 3)
    hm.fit(rbm, copies(400), minutes=minutes, callbacks=[seen])
    monitor, ending = (
        next(each for each in seen.training.callbacks if isinstance(each, kind))
        for kind in (hm.training.LikelihoodMonitor, hm.training.Convergence)
    )
    assert (monitor.second_opinion, ending.patience) == (minutes is None, patience)
    plan = seen.training.plan
    assert plan.average == hm.training.Average() and plan.learning_rate.start in automatic.LARGE_RATES


@pytest.mark.filterwarnings("ignore:fit learned nothing")  # in half a second, on some machines
def test_a_tenth_is_held_out_and_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Sizes(hm.training.Callback):
        def on_begin(self, training: Any) -> None:
            seen.extend([len(training.cases), len(training.validation)])

    hm.fit(hm.RBM(6, 2), copies(200), callbacks=[Sizes()], minutes=0.01)
    assert seen == [180, 20]
    seen.clear()
    hm.fit(hm.RBM(6, 2), copies(200), validation=copies(50), callbacks=[Sizes()], minutes=0.01)
    assert seen == [200, 50]


def test_few_cases_are_all_trained_on() -> None:
    rbm = hm.RBM(6, 4)
    history = hm.fit(rbm, copies(20))
    assert history.stopped is None and bool(torch.isfinite(rbm.weights).all())


@pytest.mark.filterwarnings("ignore:fit learned nothing")  # in a second, on some machines
def test_options_that_are_given_are_kept() -> None:
    history = hm.fit(hm.RBM(6, 2), copies(200), epochs=3)
    assert len(history) == 3 and history["learning_rate"] == [0.05] * 3
    history = hm.fit(hm.RBM(6, 2), copies(200), learning_rate=0.02, batch_size=180, minutes=0.02)
    assert history.rows[0]["update"] == 1 and 0.0 < history.rows[0]["learning_rate"] <= 0.02


def test_a_rate_that_diverges_is_not_chosen() -> None:
    far = 100 * clusters(300)  # not standardised: rates from 0.3 to 0.003 diverge
    rbm = hm.RBM(hm.Gaussian(3), 4)
    with pytest.warns(UserWarning, match="standardize"):
        hm.fit(rbm, far, minutes=0.05)
    assert all(bool(torch.isfinite(parameter).all()) for parameter in rbm.parameters())
    assert hm.evaluate(rbm, far).gained > 0  # a rate whose parameters are finite and worth nothing does not count


def test_a_run_is_resumed_with_the_same_cases_held_out(tmp_path: Path) -> None:
    plain = hm.RBM(6, 4)
    straight = hm.fit(plain, copies(200), learning_rate=0.1)
    with pytest.raises(Stop):
        hm.fit(hm.RBM(6, 4), copies(200), learning_rate=0.1, out=tmp_path / "run", callbacks=[Interrupt()])
    model, history = hm.resume(tmp_path / "run", data=copies(200), callbacks=[hm.training.Callback()])
    assert history["update"] == straight["update"] and torch.equal(model.weights, plain.weights)


def test_learning_rates_are_tried_from_where_training_begins() -> None:
    fresh, spoilt = hm.RBM(6, 4), hm.RBM(6, 4)
    hm.fit(spoilt, copies(200), epochs=1)
    with torch.no_grad():
        spoilt.weights.fill_(30.0)  # from here every rate ends far below independent columns
    tried, again = (hm.fit(rbm, copies(200), initialise=True) for rbm in (fresh, spoilt))
    assert tried["learning_rate"] == again["learning_rate"] and torch.equal(fresh.weights, spoilt.weights)


def test_cases_of_weight_zero_count_for_nothing() -> None:
    few, many = copies(150), copies(6000, 1)
    alone, among = hm.RBM(6, 4), hm.RBM(6, 4)
    history = hm.fit(alone, few, sample_weight=np.ones(150))
    weight = np.concatenate((np.ones(150), np.zeros(6000)))
    same = hm.fit(among, np.concatenate((few, many)), sample_weight=weight)
    assert history["update"] == same["update"] and torch.equal(alone.weights, among.weights)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(ValueError, match="learning_rate must be positive in a training that plans itself, found 0"):
        hm.fit(hm.RBM(6, 2), copies(200), learning_rate=0.0)
    with pytest.raises(ValueError, match="fit without epochs takes one model at a time"):
        hm.fit(stack([hm.RBM(6, 2), hm.RBM(6, 2)]), copies(200))


def test_where_there_is_no_time_for_all_cases_fewer_are_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time for about 2,600 of the 4,500 updates of a pass; they really take much less.
    monkeypatch.setattr(
        "harmonium.training.automatic.timed", lambda *args: Costs(time.process_time(), update=0.001, measurement=0.01)
    )
    data, run = copies(100_000), tmp_path / "run"
    with pytest.raises(Stop):
        hm.fit(hm.RBM(6, 4), data, batch_size=20, learning_rate=0.1, minutes=0.05, out=run, callbacks=[Interrupt()])
    history = hm.resume(run, data=data, callbacks=[hm.training.Callback()])[1]
    # The learning rate falls to 0, and cases held out are measured: without a whole pass there would be no row.
    assert len(history) == 1 and 2000 < history.rows[0]["update"] < 2700
    assert history.rows[0]["learning_rate"] < 0.001 and history.rows[0]["log_likelihood_gained"] > 0.5


def test_minutes_and_epochs_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="minutes is for a training that plans itself: leave out epochs"):
        hm.fit(hm.RBM(6, 2), copies(20), epochs=3, minutes=1)


@pytest.mark.parametrize(
    ("units", "score", "expected"),
    [
        (hm.Bernoulli(3), 0.2, 0.001),
        (hm.Bernoulli(3), 0.005, 0.1),
        (hm.Gaussian(3), 0.005, 0.001),
        (hm.Bernoulli(3), -math.inf, 0.05),
    ],
)
def test_trials_that_learned_nothing_choose_no_rate(units: Any, score: float, expected: float) -> None:
    """Each rate is a little better than the one before."""
    assert _best_rate(hm.RBM(units, 2), lambda rate: score - 0.001 * rate, 0.01) == expected


def test_where_units_are_omitted_rates_are_higher() -> None:
    """A unit that is left out of most cases learns from few of a batch."""
    machine = hm.RBM(hm.Categorical(3, 4), 2)
    assert _best_rate(machine, lambda rate: 0.2 + 0.001 * rate, 0.01, omits=True) == 3.0
    assert _best_rate(machine, lambda rate: 0.2 - 0.001 * rate, 0.01, omits=True) == 0.03
    assert _best_rate(machine, lambda rate: 0.005 - 0.001 * rate, 0.01, omits=True) == 3.0  # no trial learned


def test_means_do_not_know_the_cases_held_out() -> None:
    data = np.random.default_rng(0).integers(0, 2, (400, 3)).astype(np.uint8)
    aside = hold_out(400, hm.Stream(0).child("hold out"))
    assert aside is not None
    train, held = aside
    data[:, 0], data[held, 0] = 0, 1  # a value that only cases held out have keeps the mean of all
    rbm = hm.RBM(3, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hm.fit(rbm, data, minutes=0.002)
    assert rbm.data_mean is not None and rbm.data_cases is not None
    np.testing.assert_allclose(rbm.data_mean[1:], data[train][:, 1:].mean(0))
    assert float(rbm.data_mean[0]) == pytest.approx(len(held) / 400) and float(rbm.data_cases) == len(train)


def test_weights_decay_by_the_effective_number_of_cases() -> None:
    class Look(hm.training.Callback):
        decay = 0.0

        def on_begin(self, training: Any) -> None:
            self.decay = training.plan.penalties[0].l2

    data, look = np.random.default_rng(0).integers(0, 2, (4000, 3)), Look()
    weight = np.where(np.arange(4000) < 1000, 1.0, 1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hm.fit(hm.RBM(3, 2), data, sample_weight=weight, minutes=0.002, callbacks=[look])
    assert look.decay == pytest.approx(2 / 1000)
