from __future__ import annotations

import numpy as np
import pytest

from harmonium.data import as_cases
from harmonium.data.facts import facts


@pytest.mark.parametrize(
    ("rows", "kinds", "units"),
    [
        ([[0, 1], [1, 0]], (2, 0, 0), ["Bernoulli"]),
        ([[-1, 1], [1, 1]], (1, 0, 1), ["Spin", "Gaussian"]),
        ([[0, 3], [2, 1]], (0, 1, 1), ["Mixed", "Categorical(states=4)", "Binomial(trials=3)", "Poisson"]),
        ([[0.5, 40], [1.5, 7]], (0, 0, 2), ["ReLU", "Gaussian"]),
        ([[-0.5, 4], [1.5, 7]], (0, 0, 2), ["Gaussian"]),
        ([[0, -0.5], [1, 2]], (1, 0, 1), ["Mixed", "Gaussian"]),
        ([[0, 100], [1, 3]], (1, 0, 1), ["Mixed", "Binomial(trials=100)", "Poisson"]),
    ],
)
def test_units_that_fit(rows: list[list[float]], kinds: tuple[int, ...], units: list[str]) -> None:
    found = facts(as_cases(rows))
    assert (found.binary, found.codes, found.real) == kinds
    assert list(found.units[: len(units)]) == units
    assert (found.low, found.high) == (np.min(rows), np.max(rows))


def test_missing_values_are_counted_and_passed_over() -> None:
    found = facts(as_cases([[0.0, np.nan, 5.0], [1.0, 2.0, 5.0], [np.nan, 0.0, 5.0]]))
    assert (found.missing, found.constant, found.low, found.high) == (2, 1, 0.0, 5.0)
    assert found.zeros == pytest.approx(2 / 7)
    assert (found.binary, found.codes, found.real) == (1, 1, 1)
