"""Methods of models take what `fit` takes, and return tensors that NumPy takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import harmonium as hm

ROWS = np.array([[0, 1, 1, 0, 1, 0], [1, 1, 0, 0, 0, 1], [0, 0, 0, 1, 1, 1]])
LABELLED = np.column_stack([ROWS, [0, 1, 1]])

RBM = hm.RBM(6, 4, seed=1)
DBN = hm.DBN([6, 4, 3])
CLASSES = hm.ClassificationRBM(6, 4, classes=2)
VAE = hm.VAE(6, 2)

METHODS: dict[str, Callable[[Any], Any]] = {
    "hidden_mean": RBM.hidden_mean,
    "free_energy": RBM.free_energy,
    "energy": lambda v: RBM.energy(v, np.ones((3, 4))),
    "log_prob": lambda v: RBM.log_prob(v, 0.0),
    "sample_hidden": lambda v: RBM.sample_hidden(v, hm.Stream(0)),
    "gibbs": lambda v: RBM.gibbs(v, 2, hm.Stream(0)),
    "hidden_means": lambda v: DBN.hidden_means(v)[-1],
    "class_log_prob": CLASSES.class_log_prob,
    "predict": CLASSES.predict,
    "with_labels": lambda v: hm.models.with_labels(v, [0, 1, 1]),
    "NADE": hm.NADE(6, 3).log_prob,
    "MADE": hm.MADE(6, (3,)).log_prob,
    "OrderlessNADE": hm.OrderlessNADE(6, hidden=(3,)).log_prob,
    "baseline": hm.models.baselines.Independent(6).log_prob,
    "VAE.encode": lambda v: VAE.encode(v)[0],
    "sample(init)": lambda v: hm.sample(RBM, 3, sweeps=2, init=v),
    "sample(clamp)": lambda v: hm.sample(RBM, 3, sweeps=2, clamp=(np.ones_like(ROWS).reshape(np.shape(v)), v)),
    "impute": lambda v: hm.impute(RBM, v, sweeps=2),
    "predict_gaps": lambda v: hm.predict_gaps(RBM, v),
    "conditional_log_prob": lambda v: hm.conditional_log_prob(RBM, v, [True] * 5 + [False]),
    "pseudo_log_likelihood": lambda v: hm.likelihood.pseudo_log_likelihood(RBM, v),
    "gradient": lambda v: hm.gradient(RBM, v).positive["weights"],
}

FORMS: dict[str, Any] = {
    "images": ROWS.reshape(3, 2, 3),
    "frame": pd.DataFrame(ROWS, columns=list("abcdef")),
    "nullable frame": pd.DataFrame(ROWS, columns=list("abcdef")).astype("Int8"),
    "cases": hm.data.as_cases(ROWS),
    "tensor with a graph": torch.tensor(ROWS, dtype=torch.float32, requires_grad=True) * 1,
    "sparse": sparse.csr_array(ROWS),
    "list": ROWS.tolist(),
    "bools": ROWS.astype(bool),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", METHODS)
def test_a_method_takes_what_fit_takes_and_numpy_takes_what_it_returns(method: str, form: str) -> None:
    if method == "sample(clamp)" and form in ("cases", "sparse"):
        pytest.skip("a clamp is arrays")
    found = np.asarray(METHODS[method](FORMS[form]))  # torch refuses to make an array of a tensor with a graph
    assert np.array_equal(found, np.asarray(METHODS[method](ROWS.astype(np.float32))))


@pytest.mark.parametrize("form", FORMS)
def test_fit_takes_every_form(form: str) -> None:
    hm.fit(hm.RBM(6, 2), FORMS[form], epochs=1)


def test_decode_and_visible_mean_return_tensors_without_a_graph() -> None:
    assert np.asarray(VAE.decode([[0.0, 1.0]])).shape == (1, 6)
    assert np.asarray(RBM.visible_mean([[0, 1, 1, 0]])).shape == (1, 6)


def test_hidden_units_with_a_shape_take_pictures_of_their_states() -> None:
    rbm = hm.RBM(6, (2, 2), seed=3)
    h = np.array([[[0, 1], [1, 1]]])
    assert torch.equal(rbm.visible_mean(h), rbm.visible_mean(h.reshape(1, 4)))


def test_a_model_whose_picture_has_one_row_takes_cases() -> None:
    """A batch of one case has then the shape of the units."""
    assert hm.RBM((1, 6), 2).hidden_mean(ROWS[:1]).shape == (1, 2)


def test_masks_have_the_shape_of_the_units_too() -> None:
    rbm = hm.RBM((2, 3), 4, seed=1)
    mask = np.array([[True, True, False], [True, True, True]])
    asked = hm.conditional_log_prob(rbm, ROWS.reshape(3, 2, 3), mask)
    assert torch.equal(asked, hm.conditional_log_prob(rbm, ROWS, mask.reshape(-1)))
    drawn = hm.sample(rbm, 3, sweeps=1, clamp=(mask, ROWS[0].reshape(2, 3)))
    assert torch.equal(drawn[:, mask.reshape(-1)], torch.tensor(ROWS[0][mask.reshape(-1)]).float().expand(3, 5))


def test_one_picture_is_refused_with_the_way_to_make_it_one_case() -> None:
    with pytest.raises(ValueError, match=r"v\[None\] for one case"):
        hm.RBM((2, 3), 4).hidden_mean(ROWS[0].reshape(2, 3))


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (hm.data.load("digits"), r"Dataset.*pass one, such as data\.train"),
        ("digits", r"'digits'.*harmonium\.data\.load\('digits'\)\.train"),
        ({"a": [1]}, "is a dict; expected an array"),
        (None, "is a NoneType; expected an array"),
    ],
)
def test_what_is_no_array_is_named_with_the_way_to_one(given: Any, advice: str) -> None:
    rbm = hm.RBM(64, 2)
    # `fit` reads what a name or a path stands for.
    for call in (
        (hm.evaluate, hm.RBM.hidden_mean) if isinstance(given, str) else (hm.fit, hm.evaluate, hm.RBM.hidden_mean)
    ):
        with pytest.raises(TypeError, match=advice):
            call(rbm, given)
