"""Trainings that went wrong or learned nothing say so."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.errors import DivergedError
from harmonium.models import Model
from harmonium.training.failure import _least_log_z

RNG = np.random.default_rng(0)
BITS = (RNG.random((300, 3)) < 0.4).repeat(2, axis=1) ^ (RNG.random((300, 6)) < 0.1)  # pairs that agree
REAL = RNG.normal(size=(300, 1)) * [1.0, -1.0, 0.5] + 0.3 * RNG.normal(size=(300, 3))


@pytest.mark.parametrize(
    ("model", "data", "options"),
    [
        (lambda: hm.RBM(6, 8), BITS, {}),
        (lambda: hm.RBM(6, 8), BITS, {"objective": hm.CD()}),
        (lambda: hm.RBM(6, 8), BITS, {"validation": BITS}),
        (lambda: hm.DBM([6, 8, 4]), BITS, {}),
        (lambda: hm.RBM(hm.Gaussian(3), 8), REAL, {}),
        (lambda: hm.RBM(hm.Poisson(3), 8), RNG.poisson(3.0, (300, 3)), {}),
    ],
)
def test_a_rate_of_a_hundred_does_not_go_unremarked(model: Any, data: Any, options: Any) -> None:
    with pytest.raises(
        DivergedError, match=r"training diverged.*independent columns.*learning rate, which began at 100, or leave"
    ):
        hm.fit(model(), data, epochs=20, learning_rate=100.0, **options)


def test_a_model_that_is_bad_but_not_useless_is_left_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"went wrong.*independent columns.*rate, which began at 100, or leave"):
        hm.fit(hm.NADE(6, 8), BITS, epochs=20, learning_rate=100.0)


def test_unscaled_columns_that_diverge_are_an_error_with_the_remedy() -> None:
    raw = 60 * RNG.normal(size=(400, 2)) @ RNG.normal(size=(2, 6))
    with pytest.warns(UserWarning, match="standard"), pytest.raises(DivergedError, match="standardise"):
        hm.fit(hm.RBM(hm.Gaussian(6), 8), raw, epochs=10, batch_size=20, learning_rate=0.1)


def test_a_machine_that_fills_gaps_far_worse_than_means_is_an_error() -> None:
    data = REAL.copy()
    data[::10, 1] = np.nan

    class Score(hm.training.Callback):
        def on_measure(self, training: Any, row: dict[str, Any]) -> None:
            row["gap_score"] = -11.0

    with pytest.raises(DivergedError, match="fills gaps far worse than the means"):
        hm.fit(hm.RBM(hm.Gaussian(3), 4), data, missing="draw", epochs=1, callbacks=[Score()])


@pytest.mark.parametrize("model", [lambda: hm.RBM(6, 8), lambda: hm.DBM([6, 8, 4]), lambda: hm.NADE(6, 8)])
def test_a_usual_rate_is_left_in_peace(model: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hm.fit(model(), BITS, epochs=20)


def test_the_loose_bound_of_a_network_that_has_hardly_begun_is_no_failure() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = hm.fit(hm.VAE(6, latent=50), BITS, validation=BITS, epochs=1, learning_rate=1e-4)
    assert history["log_likelihood_gained"][-1] < -1


def test_a_model_of_labels_given_the_rest_may_be_anything_else() -> None:
    data = np.c_[BITS, RNG.integers(0, 2, 300)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hm.fit(hm.RBM(7, 8), data, epochs=20, learning_rate=100.0, objective=hm.objectives.Discriminative())


def test_a_run_says_so_too_and_again_when_it_is_resumed(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="training diverged"):
        hm.fit(hm.RBM(6, 8), BITS, epochs=20, learning_rate=100.0, out=tmp_path / "run")
    assert hm.load(tmp_path / "run" / "model.safetensors").hidden.size == 8  # the run can be looked at
    with pytest.raises(DivergedError, match="training diverged"):
        hm.resume(tmp_path / "run", data=BITS)


def test_columns_without_anything_to_learn() -> None:
    with pytest.warns(UserWarning, match=r"fit learned nothing: .* than independent columns .*, on cases held out"):
        hm.fit(hm.RBM(6, 4), RNG.integers(0, 2, (300, 6)))


def test_columns_with_something_to_learn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = hm.fit(hm.RBM(6, 4), BITS)
    assert history.best is not None and history.best["log_likelihood_gained"] > 0.25


def test_gaps_that_cannot_be_filled_better_than_by_means() -> None:
    data = RNG.integers(0, 2, (300, 6)).astype(float)
    data[RNG.random(data.shape) < 0.1] = np.nan
    with pytest.warns(UserWarning, match="fit learned nothing: it fills gaps no better than the means"):
        hm.fit(
            hm.RBM(6, 4), data, missing="draw", validation=data, epochs=1, learning_rate=1e-9,
            callbacks=[hm.training.Convergence("gap_score")],
        )  # fmt: skip


def some_model(kind: str) -> tuple[Model, Any]:
    if kind == "real":
        rbm = hm.RBM(hm.Gaussian(3), 4, dtype=torch.float64)
        hm.fit(rbm, REAL, epochs=50)
        return rbm, REAL
    rbm = hm.RBM(6, 4, dtype=torch.float64)
    hm.fit(rbm, BITS, epochs=50)
    return rbm, BITS


@pytest.mark.parametrize("kind", ["real", "binary"])
def test_the_bound_of_log_z_is_one(kind: str) -> None:
    """It leaves out the entropy of 4 hidden bits at most (of 6 visible ones, where a single state makes the bound)."""
    rbm, data = some_model(kind)
    exact = float(hm.log_partition(rbm))
    found = _least_log_z(rbm, torch.as_tensor(data, dtype=torch.float64), hm.Stream(0))
    bits = 6 if kind == "binary" else 4
    # 100 chains have a standard error of 0.15 in the mean log-weight of three real columns.
    assert exact - bits * np.log(2) - 0.5 < found < exact + 0.5
