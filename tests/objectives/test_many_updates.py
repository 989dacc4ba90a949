"""Compiled updates against the ones that training makes one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.objectives import CD, PCD, Objective, many_updates
from harmonium.training.loop import Training

from ..training.helpers import patterns

Layers = Callable[[int], tuple[Any, Any]]


def heavy_ball(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=1.0, momentum=0.8)


def trained(
    cases: np.ndarray, dtype: torch.dtype = torch.float64, layers: Layers = lambda columns: (columns, 9), **options: Any
) -> hm.RBM:
    rbm = hm.RBM(*layers(cases.shape[1]), dtype=dtype)
    hm.fit(rbm, cases, **({"epochs": 3, "seed": 4, "batch_size": 7, "learning_rate": 0.1} | options))
    return rbm


def both_ways(
    monkeypatch: pytest.MonkeyPatch, cases: np.ndarray, dtype: torch.dtype = torch.float64, **options: Any
) -> tuple[hm.RBM, hm.RBM]:
    """The same training in compiled runs and by single updates; fails unless all of the first is compiled."""
    counts = count_runs(monkeypatch)
    compiled = trained(cases, dtype, **options)
    assert sum(counts) == 3 * -(-len(cases) // options.get("batch_size", 7))  # in 3 epochs
    with monkeypatch.context() as patch:
        patch.setattr(many_updates, "pays", never)
        for kind in (PCD, CD):
            patch.setattr(kind, "can_run_updates", never)
        counts.clear()
        single = trained(cases, dtype, **options)
    assert not counts
    return compiled, single


def never(*_: object) -> bool:
    return False


def count_runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of updates in every compiled run from now on."""
    counts: list[int] = []
    inner = Training._many_updates

    def listen(training: Training, index: torch.Tensor, count: int) -> None:
        counts.append(count)
        inner(training, index, count)

    monkeypatch.setattr(Training, "_many_updates", listen)
    return counts


def assert_close(ours: hm.RBM, theirs: hm.RBM, atol: float) -> None:
    for name, tensor in ours.state_dict().items():
        np.testing.assert_allclose(tensor.numpy(), theirs.state_dict()[name].numpy(), rtol=0, atol=atol, err_msg=name)


DECAYS: dict[str, list[hm.training.WeightDecay]] = {
    "none": [], "l2": [hm.training.WeightDecay(0.01)],
    "l2 + l1": [hm.training.WeightDecay(0.01, 0.002), hm.training.WeightDecay(l1=0.001)],
}  # fmt: skip


@pytest.mark.parametrize("objective", [PCD(k=1, chains=5), PCD(k=2, chains=8), CD(k=1), CD(k=3)], ids=repr)
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("optimizer", ["sgd", heavy_ball], ids=["descent", "momentum"])
@pytest.mark.parametrize("metric", ["plain", "centered"])
def test_the_loop_does_what_single_updates_do(
    metric: str, optimizer: Any, decay: str, weighted: bool, objective: Objective, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 60 cases in batches of 7 leave a short last batch; odd numbers meet the tails of the loops.
    options: dict[str, Any] = {
        "metric": metric,
        "optimizer": optimizer,
        "penalties": DECAYS[decay],
        "objective": objective,
        "sample_weight": np.linspace(0.2, 3.0, 60) if weighted else None,
        "learning_rate": hm.schedules.Linear(0.2),
    }
    # The same words, so the same draws unless a uniform falls within rounding of its probability.
    assert_close(*both_ways(monkeypatch, patterns(width=13), **options), 1e-12)


def gaussians(columns: int) -> tuple[Any, Any]:
    return hm.Gaussian(columns, log_variance_bounds=BOUNDS), 9


def categories(columns: int) -> tuple[Any, Any]:
    return hm.Categorical(columns, 3), 9


def columns_of_a_table(columns: int) -> tuple[Any, Any]:
    """Parts of every kind, of odd widths, two of them real and with other bounds."""
    parts = [hm.Gaussian(2), hm.Bernoulli(3), hm.Categorical(2, 3), hm.Spin(1)]
    return hm.Mixed([*parts, hm.Gaussian(columns - 8, log_variance_bounds=BOUNDS)]), 9


def spins_below_binary_units(columns: int) -> tuple[Any, Any]:
    return hm.Spin(columns), 9


BOUNDS = (-0.2, 0.1)  # of log-variances: narrow enough to be met in a short training


def cases_of(layers: Layers, columns: int) -> np.ndarray:
    """60 cases with three clusters, (60, columns): raw states of these visible units."""
    rng = np.random.default_rng(1)
    group = rng.integers(3, size=60)
    real = rng.normal(size=(3, columns))[group] + 0.7 * rng.normal(size=(60, columns))
    codes = (rng.integers(3, size=(3, columns))[group] + (rng.random((60, columns)) < 0.2)) % 3
    bits = patterns(width=columns).astype(float)
    match layers(columns)[0]:
        case hm.Mixed():
            return np.hstack([real[:, :2], bits[:, :3], codes[:, :2], 2 * bits[:, 3:4] - 1, real[:, 8:]])
        case hm.Categorical():
            return codes
        case hm.Spin():
            return 2 * bits - 1
    return real


KINDS = [gaussians, categories, columns_of_a_table, spins_below_binary_units]


@pytest.mark.parametrize("objective", [PCD(k=2, chains=5), CD(k=1)], ids=repr)
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("optimizer", ["sgd", heavy_ball], ids=["descent", "momentum"])
@pytest.mark.parametrize("metric", ["plain", "centered"])
@pytest.mark.parametrize("layers", KINDS)
def test_visible_units_of_other_types(
    layers: Layers, metric: str, optimizer: Any, weighted: bool, objective: Objective, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {
        "layers": layers,
        "metric": metric,
        "optimizer": optimizer,
        "penalties": DECAYS["l2"],
        "objective": objective,
        "sample_weight": np.linspace(0.2, 3.0, 60) if weighted else None,
        "learning_rate": hm.schedules.Linear(0.05),
    }
    # Real states carry rounding from update to update: a few hundred times eps after 27 of them.
    assert_close(*both_ways(monkeypatch, cases_of(layers, 13), **options), 1e-12)


def test_log_variances_return_into_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """And go on from there with the momentum that they had, as in single updates."""
    options: dict[str, Any] = {"layers": gaussians, "optimizer": heavy_ball, "objective": PCD(chains=5)}
    ours, theirs = both_ways(monkeypatch, cases_of(gaussians, 13), **options)
    assert_close(ours, theirs, 1e-12)
    at_bounds = [ours.visible.log_variance == bound for bound in BOUNDS]
    assert all(bool(met.any()) for met in at_bounds) and not bool((at_bounds[0] | at_bounds[1]).all())


@pytest.mark.parametrize("layers", KINDS)
def test_other_types_in_float32(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"layers": layers, "objective": PCD(chains=5), "learning_rate": 0.05}
    assert_close(*both_ways(monkeypatch, cases_of(layers, 13), torch.float32, **options), 2e-5)  # of order 1, eps 6e-8


@pytest.mark.parametrize(("batch", "chains"), [(60, 8), (1, 3), (7, 1), (100, 100)])
def test_any_batch_and_any_number_of_chains(batch: int, chains: int, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"batch_size": batch, "objective": PCD(k=1, chains=chains)}
    assert_close(*both_ways(monkeypatch, patterns(width=13), **options), 1e-12)


def test_offsets_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"metric": hm.training.Centered(rate=0.0), "objective": PCD(chains=5)}
    assert_close(*both_ways(monkeypatch, patterns(width=13), **options), 1e-12)


def test_greys_are_mean_activations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units that take values between 0 and 1, as scikit-learn's machine does."""
    from harmonium.sklearn.domain import Activations

    greys = np.random.default_rng(0).random((40, 11))
    options: dict[str, Any] = {"layers": lambda columns: (Activations(columns), 6), "objective": PCD(chains=6)}
    assert_close(*both_ways(monkeypatch, greys, **options), 1e-12)


def test_the_factor_of_an_objective_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half(PCD):
        def can_run_updates(self, model: hm.models.Machine, rows: int) -> bool:
            return True

        def rate(self, state: object) -> float:
            return 0.5

    counts = count_runs(monkeypatch)
    half = trained(patterns(), objective=Half(chains=5), learning_rate=0.2)
    assert sum(counts) == 27
    assert_close(half, trained(patterns(), objective=PCD(chains=5), learning_rate=0.1), 1e-12)


def test_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"layers": lambda columns: (hm.Spin(columns), hm.Spin(6)), "objective": PCD(chains=6)}
    assert_close(*both_ways(monkeypatch, 2.0 * patterns(width=11) - 1, **options), 1e-12)


@pytest.mark.parametrize("objective", [PCD(k=2, chains=33), PCD(k=1, chains=31), CD(k=1)], ids=repr)
@pytest.mark.parametrize("hidden", [70, 63, hm.Spin(70)], ids=["tables", "few units", "spins"])
def test_inputs_by_tables_of_sums(hidden: Any, objective: Objective, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"layers": lambda columns: (columns, hidden), "objective": objective, "batch_size": 40}
    assert_close(*both_ways(monkeypatch, patterns(width=67), **options), 1e-12)  # the last batch has 20 cases


def test_float32_differs_by_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"batch_size": 10, "objective": PCD(k=1, chains=10), "penalties": DECAYS["l2"]}
    ours, theirs = both_ways(monkeypatch, patterns(), torch.float32, **options)
    assert ours.weights.dtype == torch.float32
    assert_close(ours, theirs, 5e-6)  # 18 updates of numbers of order 1, eps 6e-8


class Ear(hm.training.Callback):
    """Counts the updates that it hears of."""

    def __init__(self, every: int | None) -> None:
        self.every_updates, self.heard = every, list[int]()

    def on_update(self, training: Training) -> None:
        self.heard.append(training.position.update)


def test_listening_changes_no_bit() -> None:
    ears = [Ear(1), Ear(4), Ear(None)]
    alone = trained(patterns(), torch.float32)
    heard = [trained(patterns(), torch.float32, callbacks=[ear]) for ear in ears]
    assert ears[0].heard == list(range(1, 28)) and ears[1].heard == list(range(4, 28, 4))
    assert ears[2].heard == [9, 18, 27]  # at the end of every epoch
    for rbm in heard:
        assert all(
            torch.equal(a, b) for a, b in zip(alone.state_dict().values(), rbm.state_dict().values(), strict=True)
        )


def test_an_interval_counts_updates_one_by_one_too() -> None:
    ears = [Ear(1), Ear(4), Ear(None)]
    trained(patterns(), optimizer="adam", callbacks=ears)
    every = list(range(1, 28))
    assert [ear.heard for ear in ears] == [every, every[3::4], every]


def test_nobody_waits_longer_than_fifty_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = count_runs(monkeypatch)
    trained(patterns(cases=260), batch_size=2, epochs=1)
    assert counts == [50, 50, 30]


def test_a_best_run_of_usual_callbacks_is_not_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A run folder, a progress bar, a time limit, kept models and weight decay leave the loop its length."""
    counts = count_runs(monkeypatch)
    callbacks = [hm.training.TimeLimit(1000.0), hm.training.KeepTrajectory(every=20)]
    options = {"out": tmp_path / "run", "progress": True, "penalties": DECAYS["l2"], "callbacks": callbacks}
    trained(patterns(cases=120), batch_size=2, epochs=1, **options)
    assert counts == [20, 20, 10, 10]  # kept at 20 and 40, checked at 50


@pytest.mark.parametrize(
    ("changed", "does"),
    [
        ({}, True),
        ({"objective": PCD(k=2, chains=5)}, True),
        ({"objective": CD(k=1)}, True),
        ({"objective": hm.FPCD(chains=5)}, False),
        ({"metric": "plain"}, True),
        ({"metric": "diagonal"}, False),
        ({"metric": "natural"}, False),
        ({"optimizer": heavy_ball}, True),
        ({"optimizer": "adam"}, False),
        ({"optimizer": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, nesterov=True)}, False),
        ({"optimizer": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5, dampening=0.1)}, False),
        ({"optimizer": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1)}, False),
        ({"optimizer": lambda p: torch.optim.SGD(p, lr=0.1, maximize=True)}, False),
        ({"optimizer": lambda p: torch.optim.SGD([{"params": p[:1]}, {"params": p[1:]}], lr=0.1)}, False),
        ({"penalties": DECAYS["l2 + l1"]}, True),
        ({"penalties": [hm.training.Sparsity()]}, False),
        ({"sample_weight": np.arange(60)}, True),
        ({"missing": 1}, True),
        ({"missing": "omit", "objective": CD(k=1)}, False),
    ],
)
def test_only_where_it_does_what_the_plan_says(
    changed: dict[str, object], does: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = count_runs(monkeypatch)
    trained(patterns(), torch.float32, **({"objective": PCD(k=1, chains=5), "epochs": 1} | changed))
    assert bool(counts) == does


class Own(PCD):
    """Somebody's own variant of persistent chains."""


class Tied(hm.Gaussian):
    """Somebody's own units, whose log-variances stay equal."""

    def constrain(self) -> None:
        super().constrain()
        self.log_variance.data.fill_(float(self.log_variance.detach().mean()))


@pytest.mark.filterwarnings("ignore:training went wrong")  # one variance for all columns is far too few
@pytest.mark.parametrize(
    ("make", "objective", "does"),
    [
        (lambda: hm.RBM(12, 4), PCD(chains=5), True),
        (lambda: hm.RBM(12, 4), Own(chains=5), False),
        (lambda: hm.RBM(12, hm.Spin(4)), PCD(chains=5), True),
        (lambda: hm.RBM(12, hm.Binomial(4, trials=2)), PCD(chains=5), False),
        (lambda: hm.RBM(hm.Poisson(12), 4), PCD(chains=5), False),
        (lambda: hm.RBM(hm.Mixed([hm.Bernoulli(6), hm.Poisson(6)]), 4), PCD(chains=5), False),
        (lambda: hm.RBM(hm.ReLU(12), 4), PCD(chains=5), False),
        (lambda: hm.RBM(Tied(12), 4), PCD(chains=5), False),
        (lambda: hm.ClassificationRBM(11, 4, classes=2), PCD(chains=5), True),
        (lambda: hm.DBM([12, 4, 3]), PCD(chains=5), False),
        (lambda: hm.BoltzmannMachine(12, 4), PCD(chains=5), False),
        (lambda: type("Mine", (hm.RBM,), {})(12, 4), PCD(chains=5), False),
        (lambda: hm.RBM.from_arrays(np.zeros((12, 4)), np.zeros(12), np.zeros(4)), PCD(chains=5), True),
        (lambda: hm.RBM.from_arrays(np.zeros((4, 12)).T, np.zeros(12), np.zeros(4)), PCD(chains=5), False),
    ],
)
def test_only_models_that_it_knows(
    make: Callable[[], hm.models.Machine], objective: Objective, does: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = count_runs(monkeypatch)
    hm.fit(make(), patterns(), objective=objective, epochs=1, batch_size=10)
    assert bool(counts) == does


def test_large_machines_go_by_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rows of a batch and the chains, the weights, and the share of units that are on."""
    for rows, hidden, on, does in ((10, 500, 0.5, True), (100, 500, 0.5, False), (100, 500, 0.1, True),
                                   (200, 500, 0.1, False), (200, 100, 0.5, True)):  # fmt: skip
        rbm = hm.RBM(100, hidden)
        rbm.data_mean = torch.full((100,), on)
        assert many_updates.pays(rbm, rows) == does, (rows, hidden, on)


def test_only_units_that_can_be_off_are_few() -> None:
    for units, does in ((hm.Bernoulli(90), True), (hm.Categorical(15, 6), True), (hm.Spin(90), False),
                        (hm.Gaussian(90), False), (hm.Mixed([hm.Bernoulli(80), hm.Gaussian(10)]), True),
                        (hm.Mixed([hm.Bernoulli(60), hm.Gaussian(30)]), False)):  # fmt: skip
        rbm = hm.RBM(units, 500)
        rbm.data_mean = torch.full((90,), 0.1)
        assert many_updates.pays(rbm, 100) == does, units


def test_divergence_is_caught_in_the_loop() -> None:
    cases = patterns(cases=400)
    decay = [hm.training.WeightDecay(1.0)]  # of weights that so high a rate turns over and multiplies by 1e4
    for metric in ("plain", "centered"):
        rbm = hm.RBM(12, 4)
        options = {"metric": metric, "penalties": decay, "batch_size": 4, "learning_rate": 1e4, "epochs": 2}
        with pytest.raises(hm.errors.DivergedError, match="update 50 "):
            hm.fit(rbm, cases, objective=PCD(k=1, chains=5), **options)
        assert all(bool(torch.isfinite(parameter).all()) for parameter in rbm.parameters())
