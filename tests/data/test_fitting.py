from __future__ import annotations

import numpy as np
import pytest

from harmonium.data import as_cases
from harmonium.data.fitting import fitting_units


@pytest.mark.parametrize(
    ("rows", "kinds", "units"),
    [
        ([[0, 1], [1, 0]], (2, 0), ["Bernoulli"]),
        ([[-1, 1], [1, 1]], (1, 0), ["Spin", "Gaussian"]),
        ([[0, 3], [2, 1]], (0, 1), ["Mixed", "Categorical(states=4)", "Binomial(trials=3)", "Poisson"]),
        ([[0.5, 40], [1.5, 7]], (0, 0), ["ReLU", "Gaussian"]),
        ([[-0.5, 4], [1.5, 7]], (0, 0), ["Gaussian"]),
        ([[-1, 0], [1, 1]], (1, 0), ["Mixed", "Gaussian"]),
        ([[0, -0.5], [1, 2]], (1, 0), ["Mixed", "Gaussian"]),
        ([[0, 100], [1, 3]], (1, 0), ["Mixed", "Binomial(trials=100)", "Poisson"]),
    ],
)
def test_units_that_fit(rows: list[list[float]], kinds: tuple[int, int], units: list[str]) -> None:
    summary = as_cases(rows).statistics()
    assert (int(summary.binary_columns.sum()), int(summary.code_columns.sum())) == kinds
    assert fitting_units(summary)[: len(units)] == units
    assert (summary.low, summary.high) == (np.min(rows), np.max(rows))
