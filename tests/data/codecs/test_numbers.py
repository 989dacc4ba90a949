"""Numbers as cells: probabilities of all values sum to one, draws follow the density, values come back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from harmonium.core.registry import build
from harmonium.data.codecs.numbers import Cells, Numbers, decimals_of


def mixed_amounts(n: int = 2000) -> np.ndarray:
    """Skewed amounts in cents, a third of them zero, some exactly 100."""
    rng = np.random.default_rng(0)
    x = np.round(np.exp(rng.normal(3, 1.2, n)), 2)
    x[rng.random(n) < 1 / 3] = 0.0
    x[rng.random(n) < 0.1] = 100.0
    return x


def log_p(cells: Cells, x: np.ndarray) -> np.ndarray:
    """log p(x), under the shares of the cells in training."""
    cell = cells.find(x)
    return np.log(cells.count / cells.count.sum())[cell] + cells.log_density(x, cell)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("every", [False, True])
def test_probabilities_of_all_rounded_numbers_sum_to_one(log: bool, every: bool) -> None:
    rng = np.random.default_rng(1)
    x = np.round(rng.gamma(2.0, 40.0, 3000))
    cells = Cells.of(x, 40, log, every)
    grid = np.arange(0.0, 20_000.0)
    assert np.exp(log_p(cells, grid)).sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("log", [False, True])
def test_densities_integrate_to_one(log: bool) -> None:
    x = np.random.default_rng(2).normal(5.0, 2.0, 800)
    cells = Cells.of(x, 30, log, False)
    total = 0.0
    for low, high in zip(cells.low, cells.high, strict=True):
        middle = np.linspace(low, high, 2001)
        total += float(integrate.simpson(np.exp(log_p(cells, middle[1:-1])), x=middle[1:-1]))
    spare = (1 / (cells.count[[0, -1]] + 2) * cells.count[[0, -1]] / cells.count.sum()).sum()
    assert total == pytest.approx(1.0 - spare, abs=3e-3)
    beyond = np.linspace(cells.high[-1] + 1e-9, cells.high[-1] + 60.0, 200_001)
    tail = float(integrate.simpson(np.exp(log_p(cells, beyond)), x=beyond))
    assert tail == pytest.approx(cells.count[-1] / cells.count.sum() / (cells.count[-1] + 2), rel=1e-3)


def test_points_and_intervals_of_amounts_sum_to_one() -> None:
    x = mixed_amounts()
    cells = Cells.of(x, 64, False, False)
    assert {0.0, 100.0} <= set(cells.low[cells.point])
    grid = np.round(np.arange(0, 4_000_00) / 100, 2)
    cell = cells.find(grid)
    # Points have a probability, other cents a density, which is their probability over 0.01.
    at_point = cells.point[cell] & (grid == cells.low[cell])
    p = np.exp(log_p(cells, grid)) * np.where(at_point, 1.0, 0.01)
    assert p.sum() == pytest.approx(1.0, abs=1e-3)


def test_draws_follow_the_density() -> None:
    x = np.random.default_rng(3).exponential(10.0, 4000)
    cells = Cells.of(x, 20, False, False)
    u = np.random.default_rng(4).random((2, 20_000))
    cell = np.searchsorted(np.cumsum(cells.count) / cells.count.sum(), u[0]).clip(max=len(cells) - 1)
    drawn = cells.values(cell, u[1])
    # 4,000 values of the data against 20,000 draws of a fit to them: a fit with uniform cells fails at 1e-3.
    assert stats.ks_2samp(drawn, x).pvalue > 0.01
    assert drawn.min() >= x.min() and drawn.max() <= x.max()


@pytest.mark.parametrize("rate", [-8.0, 0.0, 5.0])
@pytest.mark.parametrize("log", [False, True])
def test_draws_within_a_cell_have_its_distribution(rate: float, log: bool) -> None:
    cells = Cells([1.0], [9.0], [rate], [10], None, log, None)
    u = (np.arange(2000) + 0.5) / 2000
    drawn = cells.values(np.zeros(2000, int), u)
    p = np.exp(cells.log_density(drawn, np.zeros(2000, int)))
    # Neighbouring draws are 1 / (n p) apart, less the share 1 / 12 for values beyond; trapezoids err where it is steep.
    spacing = np.diff(drawn) * (p[1:] + p[:-1]) / 2 * 2000
    assert spacing == pytest.approx(np.full(1999, 11 / 12), abs=0.03)


def test_values_are_found_in_their_own_cells() -> None:
    x = mixed_amounts()
    cells = Cells.of(x, 64, False, False)
    cell = cells.find(x)
    assert ((x >= cells.low[cell]) & (x <= cells.high[cell])).all()
    assert np.bincount(cell, minlength=len(cells)).tolist() == cells.count.astype(int).tolist()
    assert (cells.low[cells.find(np.array([0.0, 100.0]))] == [0.0, 100.0]).all()


def test_draws_are_rounded_and_stay_within_the_range() -> None:
    x = mixed_amounts()
    codec = Numbers.of(pd.Series(x))
    u = np.random.default_rng(5).random((5000, 1))
    states = np.floor(np.random.default_rng(6).random((5000, 1)) * codec.states[0])
    drawn = codec.decode(states, u).to_numpy()
    assert decimals_of(drawn) == 2
    assert drawn.min() >= 0 and drawn.max() <= x.max()


def test_codes_are_never_between_those_that_exist() -> None:
    codes = pd.Series(np.random.default_rng(7).choice([101, 205, 318, 999], 500))
    codec = Numbers.of(codes)
    drawn = codec.decode(codec.encode(codes, "branch"), np.full((500, 1), 0.7))
    assert drawn.tolist() == codes.tolist() and drawn.dtype == codes.dtype


def test_a_number_never_seen_is_improbable_but_not_impossible() -> None:
    ages = pd.Series([20, 21, 23, 24] * 50)
    codec = Numbers.of(ages)
    seen, unseen, beyond, negative = pd.Series([21]), pd.Series([22]), pd.Series([30]), pd.Series([-1])
    values = [codec.log_density(x, codec.encode(x, "age"))[0] for x in (seen, unseen, beyond, negative)]
    assert values[0] > -0.05 and -15 < values[2] < values[1] < -3
    assert values[3] == -np.inf  # ages were never negative


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64", "Float64", "int8", "uint16"])
def test_types_come_back(dtype: str) -> None:
    values = pd.Series([1, 2, 3, 4, 5] * 4, dtype=dtype)
    codec = build(Numbers.of(values).config())
    back = codec.decode(codec.encode(values, "x"), np.full((20, 1), 0.5))
    assert back.dtype == values.dtype and back.tolist() == values.tolist()


def test_empty_cells_are_a_state_where_asked() -> None:
    values = pd.Series([1.0, np.nan, 2.0, 3.0] * 5)
    random, value = Numbers.of(values), Numbers.of(values, missing=True)
    assert np.isnan(random.encode(values, "x")[1, 0])
    states = value.encode(values, "x")
    assert states[1, 0] == 3 == value.states[0] - 1
    assert np.isnan(value.decode(states, np.full((20, 1), 0.5)).iloc[1])


def test_text_in_a_column_of_numbers_is_named() -> None:
    codec = Numbers.of(pd.Series([1.0, 2.0, 3.5]))
    with pytest.raises(ValueError, match="column 'pay' holds 'n/a'"):
        codec.encode(pd.Series([1.0, "n/a"], dtype=object), "pay")
    with pytest.raises(ValueError, match="column 'pay' is infinite in row 1"):
        codec.encode(pd.Series([1.0, np.inf]), "pay")


def test_whole_tens_are_drawn_as_whole_tens() -> None:
    income = np.random.default_rng(0).normal(3000, 900, 3000).round(-1)
    codec = Numbers.of(pd.Series(income))
    cells = codec.cells
    assert cells.decimals == -1 and not cells.point.all() and (codec.low, codec.high) == (income.min(), income.max())
    rng = np.random.default_rng(1)
    drawn = cells.values(rng.integers(0, len(cells), 1000), rng.random(1000))
    assert (drawn % 10 == 0).all()
    every = np.arange(-60_000.0, 60_000.0, 10.0)
    cell = cells.find(every)
    length = np.where(cells.point[cell] & (every == cells.low[cell]), 1.0, 10.0)  # a mass, or a density
    assert (np.exp(log_p(cells, every)) * length).sum() == pytest.approx(1.0, abs=1e-6)


def test_tails_are_as_long_as_the_outermost_cells() -> None:
    x = np.exp(1.5 * np.random.default_rng(8).normal(size=3000))
    cells = Cells.of(x, None, False, False)
    beyond = np.array([1.5 * x.max()])
    # The outermost cell is long: a value half as far again is improbable, not absurd.
    assert log_p(cells, beyond)[0] > -25
