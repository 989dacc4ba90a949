"""Measurements during training: their values, and that they change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data import as_cases
from harmonium.likelihood.partition import log_partition
from harmonium.recipes.class_monitor import ClassMonitor
from harmonium.training.gaps import as_gaps
from harmonium.training.loop import Training
from harmonium.training.metrics import as_metric
from harmonium.training.plan import Plan
from harmonium.training.prepare import prepare
from harmonium.training.schedules import as_schedule

from .helpers import Drift, clusters, patterns, same, tensors, trained
from .helpers import one_thread as one_thread


@pytest.mark.parametrize("objective", [hm.CD(), hm.PCD(chains=25)], ids=["CD", "PCD"])
def test_monitors_change_no_parameter(objective: hm.objectives.TwoPhase) -> None:
    """24 x 21 units are more than log Z enumerates, so that annealed chains draw numbers too."""
    data, valid = patterns(width=24), patterns(width=24, seed=1)
    bare = trained(data, hidden=21, objective=objective)
    options = {"hidden": 21, "objective": objective, "validation": valid}
    sets: list[list[hm.training.Callback]] = [
        [],
        [hm.training.Monitor(cases=10)],
        [hm.training.LikelihoodMonitor(every=1, chains=10, temperatures=20)],
        [Drift()],
        [hm.training.ProgressBar(), Drift(), hm.training.LikelihoodMonitor(every=2, chains=30, temperatures=10)],
    ]
    for callbacks in sets:
        assert same(trained(data, callbacks=callbacks, **options), bare), callbacks
    last: list[Any] = []

    class Keep(hm.training.Callback):
        def on_epoch(self, training: Any, row: hm.training.History) -> None:
            last[:] = [{name: p.detach().clone() for name, p in training.model.named_parameters()}]

    trained(data, callbacks=[*sets[-1], hm.training.EarlyStopping(patience=None), Keep()], **options)
    assert all(torch.equal(value, bare[name]) for name, value in last[0].items())


def mean_free_energy(model: hm.models.Machine, v: np.ndarray) -> float:
    return model.free_energy(v).double().mean().item()


def test_the_monitor_measures_what_it_says() -> None:
    data, valid = patterns(), patterns(40, seed=1)
    model = hm.RBM(12, 4)
    history = hm.fit(model, data, validation=valid, epochs=5, batch_size=20, callbacks=[hm.training.Monitor(every=2)])
    gap = mean_free_energy(model, valid) - mean_free_energy(model, data)
    assert history["free_energy_gap"][-1] == pytest.approx(gap, abs=1e-5)
    v = torch.as_tensor(valid, dtype=torch.float32)
    assert history["pseudo_log_likelihood"][-1] == pytest.approx(
        float(hm.likelihood.pseudo_log_likelihood(model, v).mean())
    )
    assert [value is not None for value in history["free_energy_gap"]] == [False, True, False, True, True]


def test_the_monitor_takes_evenly_spaced_cases() -> None:
    data, valid = patterns(60), patterns(41, seed=1)
    model = hm.RBM(12, 4)
    history = hm.fit(model, data, validation=valid, epochs=1, callbacks=[hm.training.Monitor(cases=5)])
    train_part, valid_part = data[[0, 15, 30, 44, 59]], valid[[0, 10, 20, 30, 40]]
    gap = mean_free_energy(model, valid_part) - mean_free_energy(model, train_part)
    assert history["free_energy_gap"] == [pytest.approx(gap, abs=1e-5)]


def test_an_overfitted_model_has_a_positive_gap() -> None:
    model = hm.RBM(12, 30)
    options = {
        "epochs": 300,
        "learning_rate": 0.5,
        "objective": hm.PCD(chains=50),
        "callbacks": [hm.training.Monitor(every=50)],
    }
    history = hm.fit(model, patterns(10), validation=patterns(200)[100:], **options)
    gap = [value for value in history["free_energy_gap"] if value is not None]
    assert len(gap) == 6 and gap[-1] > gap[0] + 2.0


def test_the_likelihood_is_that_of_evaluate() -> None:
    data, valid = patterns(), patterns(40, seed=1)
    model = hm.RBM(12, 4)
    callbacks = [hm.training.LikelihoodMonitor(every=3, start=2)]
    history = hm.fit(model, data, validation=valid, epochs=7, batch_size=20, callbacks=callbacks)
    assert [value is not None for value in history["log_likelihood"]] == [False, False, True, False, False, True, True]
    found = hm.evaluate(model, valid)
    for name in ("log_likelihood", "log_likelihood_lower", "log_likelihood_upper"):
        assert history[name][-1] == pytest.approx(found.mean, abs=1e-5)
    assert history["log_likelihood_gained"][-1] == pytest.approx(found.gained, abs=1e-5)


def test_the_last_epoch_is_measured_even_before_the_start() -> None:
    callbacks = [hm.training.LikelihoodMonitor(start=100)]
    history = hm.fit(hm.RBM(12, 4), patterns(), validation=patterns(), epochs=2, callbacks=callbacks)
    assert history["log_likelihood"][0] is None and history["log_likelihood"][1] < 0


def test_the_likelihood_bracket_holds_the_truth() -> None:
    data = patterns(width=24)
    model = hm.RBM(24, 21)
    options = {"epochs": 30, "learning_rate": 0.1, "objective": hm.PCD(chains=100), "batch_size": 20}
    history = hm.fit(
        model,
        data,
        validation=data,
        callbacks=[hm.training.LikelihoodMonitor(every=100, chains=100, temperatures=300)],
        **options,
    )
    row = history.rows[-1]
    truth = hm.evaluate(model, data, method="exact").mean
    assert row["log_likelihood_lower"] < truth < row["log_likelihood_upper"]
    assert row["log_likelihood"] == pytest.approx(truth, abs=0.1)
    assert row["log_likelihood_upper"] - row["log_likelihood_lower"] < 0.5


def test_without_persistent_chains_there_is_no_lower_bound() -> None:
    callbacks = [hm.training.LikelihoodMonitor(chains=10, temperatures=20)]
    data = patterns(width=24)
    history = hm.fit(hm.RBM(24, 21), data, validation=data, epochs=1, objective=hm.CD(), callbacks=callbacks)
    assert history["log_likelihood_lower"] == [None]
    assert history["log_likelihood"][0] < history["log_likelihood_upper"][0]


def test_densities_of_standardised_data_carry_their_jacobian(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "table.npy", rng.normal(size=(200, 3)) * [1.0, 50.0, 0.01] + 7)
    data = hm.data.load(tmp_path / "table.npy", standardize=True, valid=50)
    assert abs(data.valid.log_jacobian) > 0.5
    model = hm.RBM(hm.Gaussian(3), 3)
    options = {"epochs": 2, "learning_rate": 0.01, "callbacks": [hm.training.LikelihoodMonitor()]}
    history = hm.fit(model, data.train, validation=data.valid, **options)
    assert history["log_likelihood"][-1] == pytest.approx(hm.evaluate(model, data.valid).mean, abs=1e-5)


def test_gaussian_units_have_a_gap_and_no_pseudo_likelihood() -> None:
    history = hm.fit(hm.RBM(hm.Gaussian(3), 2), clusters(), validation=clusters(seed=1), epochs=1, learning_rate=0.01)
    assert len(history["free_energy_gap"]) == 1 and "pseudo_log_likelihood" not in history.rows[0]


def held_out(model: hm.models.Machine, data: np.ndarray, weight: np.ndarray, gaps: bool = False) -> Training:
    """A training that holds cases out of weighted ones."""
    plan = Plan(
        hm.CD(), as_metric("plain"), as_schedule(0.1), seed=hm.Stream(3), missing=as_gaps("draw" if gaps else None),
        hold_out=True,
    )  # fmt: skip
    return prepare(model, as_cases(data), None, weight, plan, [], None)


MONITORS: dict[str, hm.training.Callback] = {
    "likelihood": hm.training.LikelihoodMonitor(every=1),
    "some": hm.training.LikelihoodMonitor(every=1, cases=11),
    "gaps": hm.training.GapMonitor(every=1),
    "classes": ClassMonitor(every=1),
}


@pytest.mark.parametrize("name", MONITORS)
def test_held_out_cases_count_by_their_weights(name: str) -> None:
    monitor, data = MONITORS[name], patterns(400)
    rbm = hm.RBM(12, 4)
    hm.fit(rbm, data, epochs=5)
    weight = np.where(data.sum(1) % 2 == 1, 1.0, 1e-12)
    training = held_out(rbm, data, weight, name == "gaps")
    assert training.validation is not None and training.validation_weight is not None
    held = training.validation.rows(torch.arange(40)).numpy()
    counts = held.sum(1) % 2 == 1
    assert np.array_equal(training.validation_weight.numpy() > 0.5, counts) and 0 < counts.sum() < 40
    found, other, unweighted = ({"epoch": 1} for _ in range(3))
    monitor.on_measure(training, found)
    training.validation = as_cases(np.where(counts[:, None], held, 1 - held))
    monitor.on_measure(training, other)
    assert len(found) > 1 and other == pytest.approx(found, rel=1e-6)
    training.validation_weight = None
    monitor.on_measure(training, unweighted)
    assert unweighted != pytest.approx(found, rel=1e-3)


def test_one_monitor_is_added_for_validation_and_no_second() -> None:
    bare = hm.fit(hm.RBM(12, 4), patterns(), epochs=2)
    assert set(bare.rows[0]) == {"epoch", "update", "seconds", "learning_rate"}
    own = hm.fit(hm.RBM(12, 4), patterns(), validation=patterns(), epochs=3, callbacks=[hm.training.Monitor(every=2)])
    assert own["free_energy_gap"][0] is None
    model = hm.RBM(12, 4)
    hm.fit(
        model, patterns(), epochs=1, callbacks=[hm.training.Monitor(), hm.training.LikelihoodMonitor()]
    )  # nothing to measure on
    assert same(tensors(model), tensors(model))


@pytest.mark.parametrize(
    ("monitor", "options", "message"),
    [
        (hm.training.Monitor, {"every": 0}, r"Monitor\(every=\.\.\.\) must be a positive integer, found 0"),
        (hm.training.Monitor, {"cases": -5}, r"Monitor\(cases=\.\.\.\) must be a positive integer, found -5"),
        (
            hm.training.LikelihoodMonitor,
            {"every": 1.5},
            r"LikelihoodMonitor\(every=\.\.\.\) must be .*, found 1\.5",
        ),
        (
            hm.training.LikelihoodMonitor,
            {"chains": True},
            r"LikelihoodMonitor\(chains=\.\.\.\) must be .*, found True",
        ),
    ],
)
def test_options_refused(monitor: type[hm.training.Callback], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        monitor(**options)


@pytest.mark.parametrize(
    ("every", "hidden", "second", "expected"),
    [
        (None, 22, True, "auto"),
        (None, 22, False, "ais"),
        (None, 16, True, "ais"),
        (1, 22, True, "ais"),
        (None, 8, True, "exact"),
    ],
)
def test_a_ladder_is_asked_at_cycles_alone_and_nothing_is_enumerated_for_long(
    every: int | None, hidden: int, second: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def noted(model: Any, method: str, **options: Any) -> Any:
        asked.append(method)
        return log_partition(model, "ais" if method == "auto" else method, **options)

    monkeypatch.setattr("harmonium.training.monitor.log_partition", noted)
    data = np.random.default_rng(0).integers(0, 2, (40, 24))
    watch = hm.training.LikelihoodMonitor(every=every, temperatures=10, chains=5, second_opinion=second)
    hm.fit(hm.RBM(24, hidden), data, validation=data, epochs=1, callbacks=[watch])
    assert asked == [expected]
