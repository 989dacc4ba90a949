from __future__ import annotations

import io
import pickle
from contextlib import redirect_stdout
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import BernoulliRBM as Theirs
from sklearn.pipeline import make_pipeline

import harmonium as hm
from harmonium.sklearn import BernoulliRBM, DomainWarning

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS = DIGITS / 16
BITS = (DIGITS > 0.5).astype(np.float64)


def fitted(X: Any = BITS, **options: Any) -> BernoulliRBM:
    return BernoulliRBM(**({"n_components": 16, "n_iter": 2, "random_state": 0} | options)).fit(X)


def test_it_is_what_fit_does() -> None:
    ours = fitted(batch_size=20, learning_rate=0.05)
    # The stream of the first training of a seed.
    rbm = hm.RBM(64, 16, dtype=torch.float64)
    hm.fit(
        rbm, BITS, objective=hm.PCD(k=1, chains=20), epochs=2, batch_size=20, learning_rate=0.05, metric="plain",
        seed=hm.Stream(0).child("train", 0),
    )  # fmt: skip
    assert np.array_equal(ours.components_, rbm.weights.detach().numpy().T)
    assert np.array_equal(ours.intercept_visible_, rbm.visible_bias.detach().numpy())
    assert np.array_equal(ours.intercept_hidden_, rbm.hidden_bias.detach().numpy())
    assert rbm.chains is not None and torch.equal(ours.model_.chains, rbm.chains)


def test_attributes_are_those_of_theirs() -> None:
    ours, theirs = fitted(), Theirs(16, n_iter=1, random_state=0).fit(BITS)
    for name in ("components_", "intercept_hidden_", "intercept_visible_", "h_samples_"):
        assert getattr(ours, name).shape == getattr(theirs, name).shape
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    assert set(np.unique(ours.h_samples_)) <= {0.0, 1.0}
    expected = expit(BITS @ ours.components_.T + ours.intercept_hidden_)
    np.testing.assert_allclose(ours.transform(BITS), expected, rtol=1e-12)


def test_their_score_is_ours_on_average() -> None:
    ours = fitted(DIGITS, n_iter=3)
    theirs = Theirs(16, n_iter=1, random_state=0).fit(DIGITS)
    theirs.components_, theirs.intercept_hidden_ = ours.components_, ours.intercept_hidden_
    theirs.intercept_visible_ = ours.intercept_visible_
    few = DIGITS[:20]
    draws = []
    for seed in range(400):
        theirs.random_state = seed
        draws.append(theirs.score_samples(few).mean())
    error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws) - ours.score_samples(few).mean()) < 4.5 * error  # once in 150,000 by chance
    np.testing.assert_allclose(
        ours.score_samples(BITS[:9]), hm.likelihood.pseudo_log_likelihood(ours.model_, BITS[:9]), rtol=1e-9
    )


@pytest.mark.parametrize("X", [DIGITS, BITS], ids=["greys", "binary"])
def test_quality_is_theirs(X: Any) -> None:
    options = {"n_components": 32, "n_iter": 10, "batch_size": 10, "learning_rate": 0.05, "random_state": 0}
    ours = BernoulliRBM(**options).fit(X)
    theirs = Theirs(**options).fit(X)
    judge = clone(ours).set_params(n_iter=0).fit(X)
    judge.model_ = hm.RBM.from_arrays(
        np.ascontiguousarray(theirs.components_.T), theirs.intercept_visible_, theirs.intercept_hidden_
    )
    # Between seeds both vary by about 0.1 nats.
    assert ours.score_samples(X).mean() > judge.score_samples(X).mean() - 0.5


def test_greys_are_mean_activations() -> None:
    # One update from a fresh model in closed form: v and E[h | v] of the greys, the chains of the same stream.
    X = DIGITS[:10]
    ours = fitted(X, n_iter=1, learning_rate=0.3)
    start = BernoulliRBM(16, n_iter=0, random_state=0).fit(X)
    means = start.transform(X)
    change = ours.components_ - start.components_
    dream = X.T @ means / 10 - change.T / 0.3  # what is left is <v E[h | v]'> under the model: of binary v
    assert (dream > -1e-12).all()
    v = start.model_.sweep((start.model_.chains, None), hm.Stream(0).child("train", 0, "fit", "objective"))[0]
    np.testing.assert_allclose(dream, v.numpy().T @ start.transform(v.numpy()) / 10, atol=1e-12)


def test_domains() -> None:
    with pytest.raises(ValueError, match=r"the value 0\.3125 in row 0, column 2, but Bernoulli units take 0 and 1"):
        fitted(DIGITS, domain="raise")
    binary = fitted(DIGITS, domain="binarize")
    assert np.array_equal(binary.components_, fitted(BITS).components_)
    assert np.array_equal(binary.transform(DIGITS), binary.transform(BITS))
    with pytest.warns(DomainWarning, match="from 0 to 16"):
        fitted(16 * DIGITS)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_and_dense_make_the_same_machine(kind: type) -> None:
    dense, thin = fitted(DIGITS), fitted(kind(DIGITS))
    assert np.array_equal(dense.components_, thin.components_)
    assert np.array_equal(dense.score_samples(DIGITS[:50]), thin.score_samples(kind(DIGITS[:50])))


def test_partial_fit_goes_on() -> None:
    rbm = BernoulliRBM(8, random_state=1)
    for part in (BITS[:600], BITS[600:610], BITS[610:]):
        before = rbm.components_.copy() if hasattr(rbm, "model_") else None
        assert rbm.partial_fit(part) is rbm
        assert before is None or not np.array_equal(before, rbm.components_)
    # The base rate is that of all cases seen, however they came.
    assert float(rbm.model_.data_cases) == len(BITS)
    np.testing.assert_allclose(rbm.model_.data_mean, BITS.mean(0), atol=1e-12)
    np.testing.assert_allclose(rbm.model_.data_variance, BITS.var(0), atol=1e-12)


def test_partial_fit_after_fit_keeps_the_chains() -> None:
    rbm = fitted()
    chains, weights = rbm.model_.chains.clone(), rbm.components_.copy()
    rbm.set_params(learning_rate=1e-12).partial_fit(BITS[:10])
    np.testing.assert_allclose(rbm.components_, weights, atol=1e-10)
    v = rbm.model_.sweep((chains, None), hm.Stream(0).child("train", 1, "fit", "objective"))[0]
    assert torch.equal(rbm.model_.chains, v)


def test_gibbs_is_a_sweep_that_moves_on() -> None:
    rbm = fitted(n_iter=5)
    first, second = rbm.gibbs(BITS), rbm.gibbs(BITS)
    assert first.dtype == bool and first.shape == BITS.shape
    assert not np.array_equal(first, second)
    h = expit(BITS @ rbm.components_.T + rbm.intercept_hidden_)
    many = np.mean([rbm.gibbs(np.repeat(BITS[:1], 2000, 0)).mean(0) for _ in range(5)], 0)
    rng = np.random.default_rng(0)
    states = rng.random((10_000, 16)) < h[0]
    expected = expit(states @ rbm.components_ + rbm.intercept_visible_).mean(0)
    assert np.abs(many - expected).max() < 5 * np.sqrt(0.25 / 10_000 * 2)  # both are means of 10,000 draws
    with pytest.raises(ValueError, match="v has 5 features, but this machine has 64 visible units"):
        rbm.gibbs(BITS[:, :5])


def test_no_iterations_are_the_start() -> None:
    rbm = fitted(n_iter=0)
    assert np.abs(rbm.components_).max() < 0.06 and (rbm.intercept_hidden_ == 0).all()
    p = (BITS.mean(0) * len(BITS) + 0.5) / (len(BITS) + 1)
    np.testing.assert_allclose(rbm.intercept_visible_, np.log(p / (1 - p)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n_components": 0}, "n_components must be .*, found 0"),
        ({"batch_size": 2.5}, r"batch_size must be .*, found 2\.5"),
        ({"n_iter": -1}, "n_iter must be .*, found -1"),
        ({"learning_rate": -1.0}, "rate"),
        ({"domain": "round"}, "domain must be"),
    ],
)
def test_bad_parameters_are_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fitted(**options)


def test_verbose_prints_a_line_per_pass_and_changes_nothing() -> None:
    out = io.StringIO()
    with redirect_stdout(out):
        loud = fitted(verbose=1)
    assert [line.split(",")[0] for line in out.getvalue().splitlines()] == [
        "[BernoulliRBM] Iteration 1", "[BernoulliRBM] Iteration 2",
    ]  # fmt: skip
    last = float(out.getvalue().splitlines()[-1].split("pseudo-likelihood = ")[1].split(",")[0])
    assert last == pytest.approx(loud.score_samples(BITS[:1000]).mean(), abs=0.005)
    assert np.array_equal(loud.components_, fitted().components_)


def test_copies_are_whole(tmp_path: Any) -> None:
    rbm = fitted()
    joblib.dump(rbm, tmp_path / "rbm.joblib")
    for copy in (pickle.loads(pickle.dumps(rbm)), joblib.load(tmp_path / "rbm.joblib")):
        assert np.array_equal(copy.transform(BITS), rbm.transform(BITS))
        assert np.array_equal(copy.gibbs(BITS), pickle.loads(pickle.dumps(rbm)).gibbs(BITS))
    assert not hasattr(clone(rbm), "model_")


def test_the_view_is_the_models_own_memory() -> None:
    rbm = fitted()
    rbm.components_[3, 5] = 7.0
    assert float(rbm.model_.weights.detach()[5, 3]) == 7.0


def test_pandas_in_and_out() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(BITS, columns=[f"pixel {i}" for i in range(64)])
    rbm = fitted(frame).set_output(transform="pandas")
    out = rbm.transform(frame)
    assert list(out.columns) == [f"bernoullirbm{i}" for i in range(16)]
    assert list(rbm.feature_names_in_) == list(frame.columns)


def test_in_a_pipeline_and_a_search() -> None:
    pipeline = make_pipeline(BernoulliRBM(16, n_iter=20, random_state=0), LogisticRegression(C=100, max_iter=300))
    search = GridSearchCV(pipeline, {"bernoullirbm__n_components": [2, 32]}, cv=2).fit(DIGITS[:600], LABELS[:600])
    assert search.best_params_ == {"bernoullirbm__n_components": 32}
    assert search.best_score_ > 0.6 > search.cv_results_["mean_test_score"][0]  # two units tell few classes apart


def test_parameters_can_be_set_as_scikit_learns_can() -> None:
    X = np.eye(4)
    rbm = BernoulliRBM(n_components=3, n_iter=1, random_state=0).fit(X)
    W = np.linspace(-1, 1, 12).reshape(3, 4)
    rbm.components_, rbm.intercept_hidden_ = W, np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(rbm.transform(X), 1 / (1 + np.exp(-(X @ W.T + [0.1, 0.2, 0.3]))), rtol=1e-6)
    with pytest.raises(ValueError, match=r"components_ has shape \(4, 3\); expected \(3, 4\)"):
        rbm.components_ = W.T
