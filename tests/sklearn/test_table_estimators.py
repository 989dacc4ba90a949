"""Estimators on top of `TableModel`: frames of any columns, and what they find."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from harmonium.sklearn import TableClassifier, TableImputer, TableOutlierDetector, TableRegressor


def flats(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    city = rng.choice(["Bern", "Bonn"], n)
    area = rng.normal(80, 15, n).round(1)
    rent = (np.where(city == "Bern", 20.0, 12.0) * area + rng.normal(0, 60, n)).round()
    return pd.DataFrame({"city": city, "area": area, "rent": rent})


def test_imputer_gives_back_what_it_was_given() -> None:
    frame = flats()
    gaps = frame.copy()
    gaps.loc[::7, "rent"] = np.nan
    gaps.loc[3::7, "city"] = None
    imputer = clone(TableImputer("orderless", minutes=0.03, random_state=0)).set_output(transform="pandas")
    full = make_pipeline(imputer, FunctionTransformer()).fit_transform(gaps)
    assert isinstance(full, pd.DataFrame) and list(full.columns) == list(frame.columns)
    assert (full.dtypes == frame.dtypes).all() and not full.isna().any(axis=None)
    assert imputer.fit(gaps).get_feature_names_out().tolist() == list(frame.columns)
    error = (full["rent"] - frame["rent"])[::7]
    # The noise of rents is 60, and of the spread of all rents about 400.
    assert np.sqrt((error**2).mean()) < 150
    assert (full["city"] == frame["city"])[3::7].mean() > 0.9


def test_classifier_and_regressor_take_gaps() -> None:
    frame = flats(500)
    features = frame[["area", "rent"]].astype({"area": float})
    features.loc[::10, "area"] = np.nan
    classifier = TableClassifier("orderless", minutes=0.03, random_state=0).fit(features[:400], frame["city"][:400])
    p = classifier.predict_proba(features[400:])
    assert p.shape == (100, 2) and np.allclose(p.sum(1), 1)
    assert classifier.score(features[400:], frame["city"][400:]) > 0.9
    known = frame[["city", "area"]]
    regressor = TableRegressor("orderless", minutes=0.03, random_state=0).fit(known[:400], frame["rent"][:400])
    assert regressor.score(known[400:], frame["rent"][400:]) > 0.85
    low, high = regressor.predict_quantiles(known[400:], (0.05, 0.95)).to_numpy().T
    inside = ((low <= frame["rent"][400:]) & (frame["rent"][400:] <= high)).mean()
    assert 0.75 < inside <= 1.0  # 0.9, with a standard error of 0.03 over 100 rows, and a model of 400


def test_outliers_and_what_is_odd_about_them() -> None:
    frame = flats()
    frame.loc[0, "rent"] = 9000.0
    detector = TableOutlierDetector("orderless", minutes=0.03, contamination=0.05, random_state=0).fit(frame)
    assert detector.predict(frame)[0] == -1 and (detector.predict(frame) == -1).mean() == pytest.approx(0.05, abs=0.01)
    assert detector.explain(frame[:1]).iloc[0].idxmax() == "rent"
    with pytest.raises(ValueError, match="contamination"):
        TableOutlierDetector(contamination=0.7).fit(frame)
