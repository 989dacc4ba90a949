"""Objectives by their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.objectives.named import as_objective

ROWS = np.eye(6)


def test_a_name_is_the_objective_with_its_defaults() -> None:
    assert [as_objective(name) for name in ("pcd", "CD", "exact")] == [hm.PCD(), hm.CD(), hm.Exact()]
    mine = hm.PCD(k=3)
    assert as_objective(mine) is mine


def test_fit_and_gradient_take_names() -> None:
    by_name, by_object = hm.RBM(6, 3), hm.RBM(6, 3)
    hm.fit(by_name, ROWS, objective="cd", epochs=2)
    hm.fit(by_object, ROWS, objective=hm.CD(), epochs=2)
    assert torch.equal(by_name.weights, by_object.weights)
    found, expected = (hm.gradient(by_name, ROWS, objective=o).negative for o in ("exact", hm.Exact()))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_an_estimator_takes_names() -> None:
    found, expected = (
        hm.sklearn.RBM(2, n_iter=2, objective=o, random_state=0).fit(ROWS).components_ for o in ("cd", hm.CD())
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("objective", "error", "advice"),
    [
        ("pdc", ValueError, r"objective='pdc' is not known: did you mean 'pcd'\? There are cd, discriminative, elbo"),
        ("nothing", ValueError, r"(the names|There) are cd, "),
        (hm.PCD, TypeError, r"the class PCD: make one of it, PCD\(\)"),
        (5, TypeError, r"harmonium\.PCD\(k=1\), or the name of one \(cd, "),
    ],
)
def test_what_is_no_objective_is_refused_with_what_there_is(objective: Any, error: Any, advice: str) -> None:
    for call in (hm.fit, hm.gradient):
        with pytest.raises(error, match=advice):
            call(hm.RBM(6, 3), ROWS, objective=objective)


def test_an_objective_without_phases_has_no_gradient_to_look_at() -> None:
    with pytest.raises(TypeError, match="MaximumLikelihood has no two phases"):
        hm.gradient(hm.RBM(6, 3), ROWS, objective="ml")
