from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_digits

import harmonium as hm
from harmonium.data.split import hold_out
from harmonium.sklearn import DBNClassifier, RBMClassifier

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS = DIGITS / 16
NAMES = np.array(["nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])[LABELS]
TRAIN, TEST = slice(0, 1200), slice(1200, None)

SMALL = [
    RBMClassifier(n_components=50, n_iter=20, batch_size=50, learning_rate=0.5, random_state=0),
    DBNClassifier(
        [100, 100],
        n_iter=30,
        greedy_options={"epochs": 10, "learning_rate": 0.1},
        finetune_options={"learning_rate": 0.01, "batch_size": 50},
        random_state=0,
    ),
]


@pytest.fixture(scope="module", params=SMALL, ids=lambda estimator: type(estimator).__name__)
def fitted(request: pytest.FixtureRequest) -> Any:
    return request.param.fit(DIGITS[TRAIN], NAMES[TRAIN])


def test_digits_by_name(fitted: Any) -> None:
    # Guessing would have 0.1; both have about 0.89 of these 597 cases, standard error 0.013.
    assert fitted.score(DIGITS[TEST], NAMES[TEST]) > 0.85


def test_probabilities_are_of_the_sorted_classes(fitted: Any) -> None:
    assert list(fitted.classes_) == sorted(set(NAMES))
    p = fitted.predict_proba(DIGITS[TEST])
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
    assert np.array_equal(fitted.classes_[p.argmax(1)], fitted.predict(DIGITS[TEST]))


def test_sparse_is_dense(fitted: Any) -> None:
    np.testing.assert_allclose(
        fitted.predict_proba(sparse.csr_array(DIGITS[TEST])), fitted.predict_proba(DIGITS[TEST]), rtol=1e-12
    )


@pytest.mark.parametrize(
    "estimator", [RBMClassifier(4, n_iter=1, random_state=0), DBNClassifier((4,), n_iter=1, random_state=0)], ids=repr
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # nothing is learned from six cases
def test_every_sparse_format_and_lists_are_arrays(estimator: Any) -> None:
    X, y = np.eye(6, 5), np.arange(6) % 2
    expected = estimator.fit(X, y).predict_proba(X)
    for form in (sparse.coo_array(X), sparse.dia_matrix(X), X.tolist()):
        np.testing.assert_allclose(estimator.fit(form, y.tolist()).predict_proba(form), expected, rtol=1e-4)


def test_the_rbm_is_what_fit_does() -> None:
    X, y = (DIGITS[:200] > 0.5).astype(np.float64), LABELS[:200]
    for kind in (np.asarray, sparse.csr_array):
        ours = RBMClassifier(n_components=6, n_iter=2, random_state=3).fit(kind(X), y)
        machine = hm.ClassificationRBM(64, 6, classes=10, dtype=torch.float64)
        hm.fit(
            machine, hm.models.with_labels(X, y), objective=hm.objectives.Hybrid(share=0.001), epochs=2,
            learning_rate=0.01, optimizer="adam", metric="plain", seed=3,
        )  # fmt: skip
        assert torch.equal(ours.model_.weights, machine.weights)
        np.testing.assert_allclose(ours.predict_log_proba(X), machine.class_log_prob(X).detach().numpy(), rtol=1e-12)


def test_the_network_is_what_finetune_makes() -> None:
    X, y = DIGITS[:200].astype(np.float32), LABELS[:200]
    ours = DBNClassifier([20], n_iter=2, greedy_options={"epochs": 2}, random_state=3).fit(X, y)
    network = ours.model_.to_classifier(10, hm.Stream(3).child("classes"))
    hm.finetune(network, X, y, epochs=2, seed=hm.Stream(3).child("finetune"))
    expected = torch.log_softmax(network(torch.from_numpy(X)), -1).detach().numpy()
    np.testing.assert_allclose(ours.predict_log_proba(X), expected, rtol=1e-6)


def test_cases_that_choose_the_network_are_not_seen_before() -> None:
    X, y = (DIGITS[:200] > 0.5).astype(np.float32), LABELS[:200]
    options: Any = {"greedy_options": {"epochs": 2}, "finetune_options": {"epochs": 2}, "random_state": 3}
    ours = DBNClassifier([20], **options).fit(X, y)
    aside = hold_out(200, hm.Stream(3).child("hold out"))[1]  # type: ignore[index]
    other = X.copy()
    other[aside] = 1 - other[aside]
    again = DBNClassifier([20], **options).fit(other, y)
    assert all(torch.equal(*pair) for pair in zip(ours.model_.parameters(), again.model_.parameters(), strict=True))
    assert ours.history_ != again.history_


@pytest.mark.parametrize("estimator", SMALL, ids=lambda estimator: type(estimator).__name__)
def test_one_class_is_refused(estimator: Any) -> None:
    with pytest.raises(ValueError, match="y has one class only, 'one'"):
        type(estimator)().fit(DIGITS[:3], ["one"] * 3)


def test_domains_of_greys() -> None:
    with pytest.raises(ValueError, match="but Bernoulli units take 0 and 1"):
        RBMClassifier(n_components=3, n_iter=1, domain="raise").fit(DIGITS[:50], LABELS[:50])
    model = RBMClassifier(n_components=3, n_iter=1, domain="binarize", random_state=0).fit(DIGITS[:50], LABELS[:50])
    assert np.array_equal(model.predict_proba(DIGITS), model.predict_proba(DIGITS > 0.5))


def test_a_rate_that_is_far_too_high_does_not_go_unremarked() -> None:
    X, y = DIGITS[:200], NAMES[:200]
    with pytest.warns(UserWarning, match=r"the classes of .* less probable than by their frequencies"):
        RBMClassifier(n_components=8, n_iter=2, learning_rate=1e6, random_state=0).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RBMClassifier(n_components=8, n_iter=2, random_state=0).fit(X, y)
