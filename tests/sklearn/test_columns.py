"""Tables of any columns, as estimators take them without being told what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import harmonium as hm
from harmonium.sklearn import RBM, DBNClassifier, RBMClassifier, RBMImputer, RBMOutlierDetector
from harmonium.sklearn.columns import Columns, are_activations


def people(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Three groups that differ in everything, and a column that is constant."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, rows)
    return pd.DataFrame({
        "town": np.array(["Ulm", "Bonn", "Kiel"])[group],
        "age": rng.normal(30 + 15 * group, 3),
        "smokes": rng.random(rows) < 0.05 + 0.45 * group,
        "country": "DE",
        "children": (group + (rng.random(rows) < 0.1)).astype(np.int64),
    })  # fmt: skip


def test_units_by_column_and_back() -> None:
    frame = people()
    columns = Columns.of(frame)
    assert repr(columns.units()) == "Mixed([Categorical(1, states=3), Gaussian(1), Bernoulli(1), Gaussian(1)])"
    assert columns.kept == (0, 1, 2, 4) and columns.constants == {3: "DE"}
    numbers = columns.to_numbers(frame)
    torch.testing.assert_close(torch.as_tensor(numbers[:, 1].std()), torch.tensor(1.0, dtype=torch.float64))
    holes = frame.astype({"smokes": object, "children": float}).mask(np.random.default_rng(1).random(frame.shape) < 0.2)
    filled = columns.filled(holes, numbers)
    assert not filled.isna().any(axis=None)
    for name in ("town", "country"):
        assert (filled[name] == frame[name]).all()
    np.testing.assert_allclose(filled["age"], frame["age"], rtol=1e-12)
    np.testing.assert_allclose(filled["children"].astype(float), frame["children"])


def test_a_third_number_counts_as_the_nearer_of_two() -> None:
    columns = Columns.of(np.array([[0.1, 5.0], [0.7, 6.0], [0.1, 8.0]], dtype=np.float32))
    assert repr(columns.units()) == "Mixed([Bernoulli(1), Gaussian(1)])"
    later = np.array([[0.1, 5.0], [0.7, 5.0], [3.0, 5.0], [-1.0, 5.0], [np.nan, 5.0]])  # in other precision
    np.testing.assert_array_equal(columns.to_numbers(later)[:, 0], [0, 1, 1, 0, np.nan])


def test_a_category_written_as_a_number_is_a_name() -> None:
    codes = pd.CategoricalDtype([10115, 80331])
    columns = Columns.of(pd.DataFrame({"postcode": pd.Series([10115, 80331, 10115], dtype=codes)}))
    with pytest.raises(ValueError, match="column 'postcode' has the label 20095"):
        columns.to_numbers(pd.DataFrame({"postcode": pd.Series([20095], dtype="category")}))


@pytest.mark.parametrize(
    ("X", "expected"),
    [
        (np.array([[0.0, 1.0], [0.5, np.nan]]), True),
        (np.array([[0.0, 1.5]]), False),
        (np.array([[-0.1, 1.0]]), False),
        (sparse.csr_array(np.eye(3)), True),
        (pd.DataFrame({"a": [0, 1]}), False),
    ],
)
def test_grey_values_are_those_of_binary_units(X: Any, expected: bool) -> None:
    assert are_activations(X) is expected


def test_messages_name_the_column() -> None:
    frame = people()
    with pytest.raises(ValueError, match="column 'age' has no values: drop it"):
        RBMImputer().fit(frame.assign(age=np.nan))
    with pytest.raises(ValueError, match=r"every column is constant \(n_samples = 300\)"):
        RBM().fit(frame[["country"]])
    with pytest.raises(ValueError, match=r"missing value \(NaN\) in row 4, column 'age'.*RBMImputer"):
        RBM().fit(frame.assign(age=frame["age"].where(frame.index != 4)))
    rbm = RBM(n_components=4, n_iter=1).fit(frame)
    with pytest.raises(ValueError, match="column 'town' has the label 'Rom' in row 0"):
        rbm.transform(frame.assign(town="Rom"))


def test_an_imputer_fills_a_frame_better_than_means_and_modes() -> None:
    frame = people()
    holes = frame.astype({"smokes": object, "children": float}).mask(np.random.default_rng(1).random(frame.shape) < 0.2)
    holes["country"] = frame["country"]
    filled = RBMImputer(n_components=8, random_state=0).fit_transform(holes)
    assert list(filled.columns) == list(frame.columns) and not filled.isna().any(axis=None)
    assert set(filled["smokes"].unique()) <= {False, True} and set(filled["town"]) == {"Ulm", "Bonn", "Kiel"}
    gone = holes.isna()
    # Towns follow from the other columns in nearly all cases; the most frequent one is right in a third.
    assert (filled["town"] == frame["town"])[gone["town"]].mean() > 0.8
    error = (filled["age"] - frame["age"])[gone["age"]].astype(float)
    assert error.std() < 0.5 * frame["age"].std()


def test_outliers_of_a_frame_with_gaps_and_what_makes_them_odd() -> None:
    train = people()
    detector = RBMOutlierDetector(n_components=8, random_state=0).fit(
        train.assign(age=train["age"].where(train.index > 9))
    )
    odd = people(50, 1)
    odd["age"] = 75 - odd["age"] + 15  # the old of Ulm, the young of Kiel; Bonn stays
    odd = odd[odd["town"] != "Bonn"]
    usual = people(50, 2)
    assert np.median(detector.score_samples(odd)) < np.percentile(detector.score_samples(usual), 5)
    blame = detector.explain(odd)
    assert blame.shape == odd.shape and (blame["country"] == 0).all()
    assert (blame["age"] > blame["smokes"]).mean() > 0.8


@pytest.mark.parametrize(
    "model",
    [
        RBMClassifier(n_components=8, n_iter=20, batch_size=20, random_state=0),
        DBNClassifier(
            [30], n_iter=60, greedy_options={"epochs": 5}, finetune_options={"learning_rate": 0.02}, random_state=0
        ),
        pytest.param(RBMClassifier(random_state=0), marks=pytest.mark.slow),
        pytest.param(DBNClassifier(random_state=0), marks=pytest.mark.slow),
    ],
)
def test_classifiers_of_frames(model: Any) -> None:
    train, test = people(), people(200, 1)
    model.fit(train.drop(columns="town"), train["town"])
    assert (model.predict(test.drop(columns="town")) == test["town"]).mean() > 0.9


def test_two_labels_have_nothing_between_them() -> None:
    frame = people(60)
    frame["smokes"] = frame["smokes"].astype(object)
    frame.loc[:20, "smokes"] = None
    for domain in ("clip", "binarize", "raise"):
        filled = RBMImputer(n_components=2, n_iter=1, domain=domain, random_state=0).fit_transform(frame)
        assert set(filled["smokes"]) <= {False, True}


def test_gaps_of_a_case_stay_filled_while_its_columns_are_explained() -> None:
    frame = people(200)
    detector = RBMOutlierDetector(n_components=4, n_iter=20, random_state=0).fit(frame)
    gaps = frame[:30].copy()
    gaps["age"] = np.nan
    blame = detector.explain(gaps)
    assert (blame["age"] == 0).all()
    whole = gaps.assign(age=detector.columns_.filled(gaps, detector._filled(detector._states(gaps)))["age"])
    # A filled age is rounded to float32 once more on its way through the table: five digits are left of a difference.
    again = detector.explain(whole).drop(columns="age")
    np.testing.assert_allclose(blame.drop(columns="age"), again, rtol=1e-4, atol=1e-5)


def test_sparse_cases_are_explained_as_dense_ones() -> None:
    X = (np.random.default_rng(0).random((50, 4)) < 0.5).astype(float)
    detector = RBMOutlierDetector(n_components=2, n_iter=2, random_state=0).fit(X)
    np.testing.assert_array_equal(detector.explain(sparse.csr_array(X)), detector.explain(X))


def test_categories_and_reals_have_features_and_likelihoods() -> None:
    frame = people()
    rbm = RBM(n_components=4, n_iter=2, random_state=0).fit(frame)
    assert rbm.transform(frame).shape == (300, 4) and np.isfinite(rbm.score_samples(frame)).all()
    assert isinstance(rbm.model_.visible, hm.Mixed)


def test_an_array_with_text_is_refused_with_the_remedy() -> None:
    X = np.array([[1.0, "a"], [2.0, "b"]], dtype=object)
    with pytest.raises(ValueError, match=r"X has text in it .*: pass a pandas DataFrame"):
        RBM(n_components=2, n_iter=1).fit(X)
