"""Panels: points and areas are where the numbers are."""

from __future__ import annotations

import numpy as np

from harmonium.plots import panels
from harmonium.plots.canvas import blank


def test_a_histogram_has_the_area_of_its_cases() -> None:
    _, (axes,) = blank(4, 3)
    panels.histogram(axes, {"a": np.repeat([0.0, 1.0], [30, 10]), "b": np.array([0.0, 1.0])}, "x")
    filled, outline = axes.patches[:2]
    values, edges, _ = outline.get_data()
    assert np.isclose(values[0] / values[-1], 3.0) and np.isclose((values * np.diff(edges)).sum(), 1.0)
    assert np.array_equal(filled.get_data().values, values)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_a_histogram_of_one_value() -> None:
    _, (axes,) = blank(4, 3)
    panels.histogram(axes, {"a": np.ones(3)}, "x")
    assert np.isfinite(axes.patches[0].get_data().values).all()


def test_long_traces_are_thinned() -> None:
    _, (axes,) = blank(4, 3)
    panels.traces(axes, np.tile(np.arange(10_000.0), (9, 1)), 4, "y")
    assert len(axes.lines) == 4 and axes.get_title() == "4 of 9 chains"
    x, y = axes.lines[0].get_data()
    assert len(x) == 400 and x[0] == 1 and x[-1] == 10_000 and np.array_equal(y, x - 1)


def test_points_beside_their_diagonal() -> None:
    _, (axes,) = blank(4, 3)
    panels.points(axes, np.array([0.1, 0.5]), np.array([0.2, 0.4]))
    diagonal, dots = axes.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0.1, 0.5]
    assert list(dots.get_xydata().ravel()) == [0.1, 0.2, 0.5, 0.4]


def test_a_bracket_with_one_end_is_a_line() -> None:
    row = {"epoch": 1, "log_likelihood": -2.0, "log_likelihood_lower": None, "log_likelihood_upper": -1.0}
    _, (axes,) = blank(4, 3)
    panels.curve(axes, [row, {**row, "epoch": 2}], "log_likelihood", best=2)
    labels = axes.get_legend_handles_labels()[1]
    assert labels == ["upper bound (there is no lower one)", "epoch 2: best, kept"]


def test_a_likelihood_stands_beside_that_of_independent_columns() -> None:
    row = {"epoch": 1, "log_likelihood": -2.0, "log_likelihood_gained": 0.5}
    _, (axes,) = blank(4, 3)
    panels.curve(
        axes, [row, {**row, "epoch": 2, "log_likelihood": -1.5, "log_likelihood_gained": 1.0}], "log_likelihood"
    )
    line = next(line for line in axes.lines if line.get_label() == "independent columns")
    assert list(line.get_ydata()) == [-2.5, -2.5]
