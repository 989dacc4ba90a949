from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import harmonium.data.cases as module
from harmonium.data import as_cases


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 8 * 7 * 10)  # ten rows of seven


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_moments_agree_with_numpy_without_cancellation(offset: float) -> None:
    table = np.random.default_rng(1).normal(size=(103, 7)) * np.arange(7) + offset
    summary = as_cases(table).statistics()
    assert np.allclose(summary.mean.numpy(), table.mean(0), rtol=1e-14, atol=1e-14)
    assert np.allclose(summary.variance.numpy(), table.var(0), rtol=1e-7, atol=1e-14)
    assert (summary.low, summary.high) == (table.min(), table.max())
    assert summary.finite and not summary.binary and summary.first_bad is None


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, lambda x: x.astype(bool)])
def test_binary_tables_are_recognised(make: object) -> None:
    table = (np.random.default_rng(2).random((31, 7)) < 0.3).astype(np.uint8)
    summary = as_cases(make(table)).statistics()  # type: ignore[operator]
    assert summary.binary and (summary.low, summary.high) == (0.0, 1.0)
    assert np.allclose(summary.mean.numpy(), table.mean(0))
    table[30, 6] = 2
    assert not as_cases(table).statistics().binary


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_not_finite_is_named(bad: float) -> None:
    table = np.zeros((40, 7), dtype=np.float32)
    table[25, 3] = table[25, 5] = table[39, 0] = bad
    summary = as_cases(table).statistics()
    assert not summary.finite and not summary.binary
    assert summary.first_bad is not None
    assert summary.first_bad[:2] == (25, 3)
    assert np.array_equal(summary.first_bad[2], bad, equal_nan=True)


def test_the_result_of_the_pass_is_kept() -> None:
    cases = as_cases(np.eye(7))
    assert cases.statistics() is cases.statistics()


def test_missing_values_are_counted_and_left_out() -> None:
    summary = as_cases([[0.0, np.nan, 5.0], [1.0, 2.0, 5.0], [np.nan, 0.0, 5.0]]).statistics()
    assert (summary.missing, summary.low, summary.high) == (2, 0.0, 5.0)
    assert summary.zeros == pytest.approx(2 / 7)
    assert summary.column_low.tolist() == [0, 0, 5] and summary.column_high.tolist() == [1, 2, 5]
    assert summary.binary_columns.tolist() == [True, False, False]
    assert summary.code_columns.tolist() == [False, True, False]


def test_whole_numbers_by_column() -> None:
    table = np.arange(42.0).reshape(21, 2)
    table[0, 0], table[20, 1] = 0.5, np.inf
    summary = as_cases(np.column_stack([table, np.full(21, np.nan)])).statistics()
    assert summary.whole.tolist() == [False, True, True]
