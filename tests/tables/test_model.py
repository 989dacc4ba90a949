"""`TableModel`: probabilities sum to one, conditions hold, types and roundings come back."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import harmonium as hm
from harmonium.tables.model import TableModel

ROOMS = 20
KINDS = ("orderless", "mixture", "rbm", "nade", "made")


def small(n: int = 400) -> pd.DataFrame:
    """Three columns of few values, which depend on each other."""
    rng = np.random.default_rng(0)
    city = rng.choice(["Bern", "Bonn", "Brno"], n, p=[0.5, 0.3, 0.2])
    rooms = np.where(city == "Bern", rng.choice([1, 2], n), rng.choice([2, 3, 4], n))
    garden = rng.random(n) < np.where(rooms > 2, 0.8, 0.1)
    return pd.DataFrame({"city": city, "rooms": rooms, "garden": garden})


@pytest.fixture(scope="module", params=KINDS)
def table(request: pytest.FixtureRequest) -> TableModel:
    return TableModel(request.param, minutes=0.02, progress=False).fit(small())


def every_row() -> pd.DataFrame:
    """Numbers never seen keep a small share, which falls by e with every room."""
    rows = itertools.product(["Bern", "Bonn", "Brno"], range(ROOMS), [False, True])
    return pd.DataFrame(rows, columns=["city", "rooms", "garden"])


def test_probabilities_of_all_rows_sum_to_one(table: TableModel) -> None:
    assert np.exp(table.log_prob(every_row())).sum() == pytest.approx(1.0, abs=1e-4)  # float32 networks


def test_the_dependence_is_learned(table: TableModel) -> None:
    shuffled = pd.DataFrame({name: small()[name].sample(frac=1, random_state=len(name)).values for name in small()})
    independent = TableModel("mixture", minutes=0.01).fit(shuffled)
    assert table.score(small()) > independent.score(small()) + 0.2


def test_conditional_agrees_with_enumeration(table: TableModel) -> None:
    rows = every_row()
    p = np.exp(table.log_prob(rows)).to_numpy().reshape(3, ROOMS, 2)
    rows_asked = pd.DataFrame({"city": ["Bern", "Bonn"]})
    found = table.conditional(rows_asked, "garden").to_numpy()
    joint = p.sum(1)[:2]
    expected = joint / joint.sum(1, keepdims=True)
    # Numbers never seen hold 1 / (count + 2) of a room, some of it above the 19th.  An order-agnostic model answers
    # under orderings that begin with the city (below); the others weight draws, or run chains.
    if table.kind != "orderless":
        assert np.abs(found - expected).max() < (1e-5 if table.kind == "mixture" else 0.12)


def test_an_order_agnostic_table_answers_under_orderings_that_begin_with_what_is_given() -> None:
    table = TableModel("orderless", minutes=0.02, progress=False).fit(small())
    states = table.codec.encode(table.codec.matched(every_row()))
    under = table.model.under([0, 2, 1])  # city, garden, rooms
    p = under.log_likelihood(under.visible.encode(torch.from_numpy(states).float())).exp().detach().numpy()
    density = np.exp(table.codec.log_density(every_row(), states).sum(1))
    joint = (p * density).reshape(3, ROOMS, 2).sum(1)
    found = table.conditional(pd.DataFrame({"city": ["Bern", "Bonn", "Brno"]}), "garden").to_numpy()
    assert np.abs(found - joint / joint.sum(1, keepdims=True)).max() < 1e-5


def test_given_values_are_held_and_the_rest_follows(table: TableModel) -> None:
    drawn = table.sample(300, given={"garden": True, "city": "Bonn"}, seed=1)
    assert set(drawn["city"]) == {"Bonn"} and drawn["garden"].all()
    p = np.exp(table.log_prob(every_row())).to_numpy().reshape(3, ROOMS, 2)[1, :, 1]
    share = drawn["rooms"].value_counts(normalize=True).reindex(range(ROOMS)).fillna(0).to_numpy()
    assert np.abs(share - p / p.sum()).max() < 0.12  # three standard errors of 300 draws


def test_samples_look_like_the_frame(table: TableModel) -> None:
    frame = small()
    drawn = table.sample(500, seed=2)
    assert list(drawn.columns) == list(frame.columns) and (drawn.dtypes == frame.dtypes).all()
    share = drawn["city"].value_counts(normalize=True)
    assert share["Bern"] == pytest.approx(0.5, abs=0.15)  # an RBM after a second of training


def test_same_seed_same_rows(table: TableModel) -> None:
    pd.testing.assert_frame_equal(table.sample(20, seed=3), table.sample(20, seed=3))
    assert not table.sample(20, seed=3).equals(table.sample(20, seed=4))


def test_files_hold_everything(table: TableModel, tmp_path: Path) -> None:
    path = tmp_path / "table.safetensors"
    table.save(path)
    again = TableModel.load(path)
    np.testing.assert_allclose(again.log_prob(small()), table.log_prob(small()), rtol=1e-6)
    pd.testing.assert_frame_equal(again.sample(5, seed=1), table.sample(5, seed=1))
    assert str(again.trials[0]) == str(table.trials[0])


def test_explain_finds_the_odd_cell(table: TableModel) -> None:
    odd = pd.DataFrame({"city": ["Bern", "Bonn"], "rooms": [4, 3], "garden": [True, True]})
    surprise = table.explain(odd)
    assert list(surprise.columns) == list(odd.columns)
    assert surprise.loc[0, ["city", "rooms"]].max() > surprise.loc[1].max() + 0.5


def test_impute_fills_gaps_and_keeps_the_rest(table: TableModel) -> None:
    frame = small(40).astype({"rooms": "Int64", "garden": "boolean"})
    gaps = frame.copy()
    gaps.loc[::4, "rooms"] = pd.NA
    gaps.loc[1::4, "city"] = None
    gaps.loc[2::4, "garden"] = pd.NA
    full = table.impute(gaps)
    assert not full.isna().any(axis=None) and (full.dtypes == frame.dtypes).all()
    seen = gaps.notna()
    assert (full[seen] == frame[seen]).where(seen, True).all(axis=None)
    assert set(full["rooms"]) <= {1, 2, 3, 4}
    draws = table.impute(gaps, draws=3, seed=1)
    assert len(draws) == 3 and not any(each.isna().any(axis=None) for each in draws)
    assert not draws[0].equals(draws[1])


def mixed(n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x = rng.normal(size=n)
    frame = pd.DataFrame({"x": x, "y": 2 * x + 0.2 * rng.normal(size=n), "group": np.where(x > 0, "high", "low")})
    frame["when"] = pd.Timestamp("2024-01-01") + pd.to_timedelta((10 * (x + 4)).round(), unit="D")
    frame["paid"] = np.where(rng.random(n) < 0.3, 0.0, np.round(np.exp(x), 2))
    return frame


@pytest.fixture(scope="module")
def numbers() -> TableModel:
    return TableModel("orderless", minutes=0.06, progress=False).fit(mixed())


def test_numbers_given_numbers(numbers: TableModel) -> None:
    asked = pd.DataFrame({"x": [-1.0, 0.0, 1.0]})
    found = numbers.conditional(asked, "y")
    # The truth is 2 x with a deviation of 0.2; cells of a sixtieth of the rows are about as wide.
    assert np.abs(found["mean"] - 2 * asked["x"]).max() < 0.25
    assert ((found[0.95] - found[0.05]) < 1.5).all() and (found[0.05] < found[0.5]).all()
    assert list(numbers.conditional(asked, "group").idxmax(axis=1))[::2] == ["low", "high"]
    assert numbers.conditional(asked, "when")[0.5].is_monotonic_increasing


def test_a_column_that_is_not_there_is_filled(numbers: TableModel) -> None:
    frame = mixed(50).drop(columns="y")
    full = numbers.impute(frame)
    assert list(full.columns) == ["x", "group", "when", "paid", "y"]
    assert np.corrcoef(full["y"], full["x"])[0, 1] > 0.97


def test_far_values_are_odd(numbers: TableModel) -> None:
    row = mixed(1)
    far = pd.concat([row, row.assign(y=30.0), row.assign(y=300.0)], ignore_index=True)
    surprise = numbers.explain(far)["y"]
    assert surprise[0] < 5 < surprise[1] < surprise[2]
    assert numbers.log_prob(far).is_monotonic_decreasing


def test_density_is_in_the_units_of_the_columns() -> None:
    frame = mixed()
    scaled = frame.assign(x=frame["x"] * 1024)
    one, other = (TableModel("mixture", minutes=0.1).fit(each) for each in (frame, scaled))
    assert other.score(scaled) == pytest.approx(one.score(frame) - np.log(1024), abs=1e-3)


def test_gaps_at_random_are_summed_out_and_drawn() -> None:
    frame = small()
    gaps = frame.mask(np.random.default_rng(3).random(frame.shape) < 0.2)
    table = TableModel("orderless", minutes=0.02, progress=False).fit(gaps)
    share = table.sample(1000, seed=0).isna().mean().to_numpy()
    assert np.abs(share - gaps.isna().mean().to_numpy()).max() < 0.05  # four standard errors of 1,000 rows
    only = pd.DataFrame({"city": ["Bern", "Bonn", "Brno"], "rooms": [None] * 3, "garden": [None] * 3})
    assert np.exp(table.log_prob(only)).sum() == pytest.approx(1.0, abs=1e-4)
    auto = TableModel(minutes=0.02, progress=False).fit(gaps)
    assert [trial.word for trial in auto.trials] == ["mixture", "orderless"] and "not tried" in str(auto.trials[0])
    with pytest.raises(ValueError, match="model='nade' learns from complete rows"):
        TableModel("nade").fit(gaps)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"town": "Bern"}, "names 'town', which is no column"),
        ({"city": "Rome"}, "column 'city' never had the value 'Rome'.*'Bern'"),
        ({"rooms": 9}, "column 'rooms' was between 1 and 4, and 9 was asked for"),
        ({"rooms": "many"}, "column 'rooms' holds 'many'"),
    ],
)
def test_impossible_conditions_are_named(given: dict[str, object], words: str) -> None:
    table = TableModel("mixture", minutes=0.01).fit(small())
    with pytest.raises(ValueError, match=words):
        table.sample(3, given=given)


def test_other_columns_are_named() -> None:
    table = TableModel("mixture", minutes=0.01).fit(small())
    with pytest.raises(ValueError, match="no column 'garden'"):
        table.log_prob(small().drop(columns="garden"))
    with pytest.raises(ValueError, match="column 'gardens' is not one column"):
        table.conditional(small(), "gardens")
    rows = pd.DataFrame({"city": ["Bern", "Rome"], "rooms": [1, 2], "garden": [True, False]})
    with pytest.warns(UserWarning, match="holds 'Rome' \\(row 1\\), which was never seen .* the row has probability 0"):
        values = table.log_prob(rows)
    assert values[1] == -np.inf and np.isfinite(values[0])
    with pytest.warns(UserWarning, match="holds 'Rome' .* it is treated as unknown"):
        table.impute(rows)


def test_before_fit() -> None:
    with pytest.raises(ValueError, match="not fitted yet"):
        TableModel().sample(3)
    with pytest.raises(ValueError, match="model must be 'auto' or one of"):
        TableModel("forest")
    with pytest.raises(ValueError, match="minutes"):
        TableModel(minutes=0)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"only": ["a", "b", "a", "c"] * 10}),
        pd.DataFrame({"a": ["x"] * 5, "b": [1, 2, 3, 4, 5]}),
        pd.DataFrame({"a": [True, False] * 3, "b": [None, 1.0] * 3}),
    ],
)
def test_tiny_frames_end_in_a_model_or_in_words(frame: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a constant column
        table = TableModel(minutes=0.02, progress=False).fit(frame)
    drawn = table.sample(4)
    assert len(drawn) == 4 and list(drawn.columns) == list(frame.columns)


def test_one_value_is_nothing_to_learn() -> None:
    with pytest.raises(ValueError, match="no column that can be learned: 'one' is constant"):
        TableModel().fit(pd.DataFrame({"one": [1.5]}))


def test_public_name() -> None:
    assert hm.TableModel is TableModel


def test_a_column_whose_gaps_are_a_value_is_drawn_where_others_are_given() -> None:
    kind = np.array(["firm", "person"]).repeat(50)
    frame = pd.DataFrame({"kind": kind, "staff": np.where(kind == "firm", 7.0, np.nan), "x": np.arange(100) % 4})
    table = TableModel("mixture", columns={"staff": {"missing": "value"}}, progress=False).fit(frame)
    assert table.sample(200, {"kind": "firm"}).staff.notna().mean() > 0.8


def test_an_empty_cell_that_is_a_value_is_filled_with_one() -> None:
    kind = np.repeat(["firm", "person"], 100)
    frame = pd.DataFrame({"kind": kind, "staff": np.where(kind == "firm", np.arange(200) % 9 + 1.0, np.nan)})
    table = TableModel("mixture", minutes=0.02, columns={"staff": {"missing": "value"}}).fit(frame)
    assert table.sample(200, seed=0)["staff"].isna().mean() == pytest.approx(0.5, abs=0.12)
    for filled in (table.impute(frame), *table.impute(frame, draws=2)):
        assert not filled["staff"].isna().any() and filled["staff"][:100].equals(frame["staff"][:100])


def test_surprise_of_a_cell_is_that_of_the_joint_distribution(table: TableModel) -> None:
    frame = small().head(30)
    states = range(1, 5)
    joint = np.stack([table.log_prob(frame.assign(rooms=rooms)) for rooms in states], 1)
    log_p = joint - np.log(np.exp(joint).sum(1, keepdims=True))
    own = log_p[np.arange(30), frame.rooms.to_numpy() - 1]
    expected = -own + (np.exp(log_p) * log_p).sum(1)
    # Exact but for the orderings of an order-agnostic model.
    assert np.abs(table.explain(frame).rooms - expected).max() < (0.7 if table.kind == "orderless" else 0.01)


def test_values_given_for_some_rows_are_held_in_them(numbers: TableModel) -> None:
    given = pd.DataFrame({"x": [0.123456, np.nan, 0.123456]})
    drawn = numbers.sample(3, given).iloc[:, 0]
    assert drawn.name == "x" and (drawn == 0.123456).tolist() == [True, False, True]


def test_gaps_are_filled_with_labels_that_a_frame_of_categories_lacks() -> None:
    frame = pd.DataFrame({"city": pd.Categorical(["Bern", "Bonn"] * 50), "rent": [900.0, 700.0] * 50})
    table = TableModel("mixture", progress=False).fit(frame)
    other = pd.DataFrame({"city": pd.Categorical([None, "Bonn"]), "rent": [900.0, 700.0]})
    for filled in (table.impute(other), *table.impute(other, draws=1)):
        assert filled["city"].tolist() == ["Bern", "Bonn"] and isinstance(filled["city"].dtype, pd.CategoricalDtype)


def test_a_number_that_is_always_the_same_where_it_is_there() -> None:
    frame = pd.DataFrame({"fee": [5.0, None, 5.0, None] * 30, "city": ["Bern", "Bonn", "Bonn", "Bern"] * 30})
    table = TableModel("orderless", minutes=0.01, columns={"fee": {"missing": "random"}}, progress=False).fit(frame)
    assert (table.impute(frame)["fee"] == 5.0).all()
    assert (table.conditional(frame.head(2), "fee") == 5.0).all(axis=None)


def test_validation_rows_with_new_labels_are_left_out() -> None:
    frame = pd.DataFrame({"city": ["Bern", "Bonn"] * 50, "rent": [900, 700] * 50})
    other = frame.head(4).assign(city=["Bern", "Rome", "Bonn", "Bonn"])
    with pytest.warns(UserWarning, match="1 rows hold labels never seen"):
        table = TableModel("mixture", progress=False).fit(frame, validation=other)
    assert table.rows == 100


def test_surprise_is_nothing_on_the_average() -> None:
    table = TableModel("mixture", minutes=0.02).fit(small())
    rows = every_row()
    p = np.exp(table.log_prob(rows)).to_numpy()
    surprise = table.explain(rows)[["city", "garden"]]  # rooms never seen add how far out they are
    assert np.abs(p @ surprise.to_numpy()).max() < 0.01
    likely = pd.DataFrame({"city": ["Bern"], "rooms": [1], "garden": [False]})
    assert (table.explain(likely).iloc[0] < 0.2).all()
    log_p = table.log_prob(pd.concat([likely, likely.assign(garden=True)], ignore_index=True))
    cells = table.explain(pd.concat([likely, likely.assign(garden=True)], ignore_index=True))["garden"]
    assert cells[1] - cells[0] == pytest.approx(log_p[0] - log_p[1], abs=1e-4)  # log-odds given the rest


def test_quantiles_cut_off_their_share(numbers: TableModel) -> None:
    asked = pd.DataFrame({"x": [0.5]})
    quantiles = numbers.conditional(asked, "y", quantiles=(0.1, 0.5, 0.9)).iloc[0]
    drawn = numbers.sample(4000, given={"x": 0.5}, seed=1)["y"]
    # Four standard errors of 4,000 draws are 0.02; the draws come from orderings that begin with x, like the quantiles.
    for share in (0.1, 0.5, 0.9):
        assert (drawn < quantiles[share]).mean() == pytest.approx(share, abs=0.03)
    assert drawn.mean() == pytest.approx(quantiles["mean"], abs=0.05)
