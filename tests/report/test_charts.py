"""Charts: points where they belong."""

from __future__ import annotations

import re

import numpy as np

from harmonium.report.charts import Line, _ticks, histogram, lines, points


def path_of(svg: str, kind: str) -> np.ndarray:
    found = re.search(rf'<path class="{kind}" d="M([^"Z]*)Z?"', svg)
    assert found is not None
    return np.array([[float(x) for x in corner.split()] for corner in found.group(1).split("L")])


def test_a_straight_line_stays_straight() -> None:
    drawn = path_of(lines([Line([0, 1, 3], [5.0, 7.0, 11.0])], "x", "y", "title"), "line one")
    slopes = np.diff(drawn[:, 1]) / np.diff(drawn[:, 0])
    assert np.allclose(slopes, slopes[0], rtol=0.01)  # coordinates have one decimal
    assert slopes[0] < 0  # upwards on the screen
    assert drawn[0, 0] < drawn[1, 0] < drawn[2, 0]


def test_bounds_that_cross_leave_the_band_open() -> None:
    curve = Line([0, 1, 2, 3], [1.0, 1, 1, 1], np.array([2.0, 0, 0, 0]), np.array([0.0, 2, 2, 2]))
    band = re.search(r'class="area fill-one" d="([^"]*)"', lines([curve], "x", "y", "title"))
    assert band is not None and band.group(1).count("M") == 2  # of three pieces


def test_long_curves_are_thinned() -> None:
    drawn = path_of(lines([Line(np.arange(10_000), np.arange(10_000.0))], "x", "y", "title"), "line one")
    assert len(drawn) == 300


def test_ticks_are_round_and_written_as_they_are() -> None:
    assert [text for _, text in _ticks(0.0, 1.0)] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [text for _, text in _ticks(-120.0, 30.0)] == ["\N{MINUS SIGN}100", "\N{MINUS SIGN}50", "0"]
    assert [value for value, _ in _ticks(0.0, 0.011)] == [0.0, 0.0025, 0.005, 0.0075, 0.01]
    assert [text for _, text in _ticks(0.0, 0.011)] == ["0.0000", "0.0025", "0.0050", "0.0075", "0.0100"]
    assert [text for _, text in _ticks(0.0, 1e6)] == ["0", "200,000", "400,000", "600,000", "800,000", "1,000,000"]


def test_long_numbers_are_written_shortly_and_still_differ() -> None:
    assert [text for _, text in _ticks(0.0, 2e9)] == ["0", "5.0e+08", "1.0e+09", "1.5e+09", "2.0e+09"]
    assert next(text for _, text in _ticks(-4e12, -1e12)) == "\N{MINUS SIGN}4e+12"
    assert len({text for _, text in _ticks(1e10, 1.001e10)}) == len(_ticks(1e10, 1.001e10))


def test_the_area_of_a_histogram_is_that_of_its_cases() -> None:
    svg = histogram({"a": np.repeat([0.0, 1.0], [30, 10]), "b": np.array([0.0, 1.0])}, "x", "title", bins=2)
    drawn = path_of(svg, "line one")
    base, tops = drawn[:, 1].max(), sorted(set(drawn[:, 1]))
    assert np.isclose((base - tops[0]) / (base - tops[1]), 3.0, rtol=0.01)


def test_labels_are_text() -> None:
    for svg in (lines([Line([0, 1], [0, 1])], "<x>", "<y>", '"<t>'), points([0, 1], [0, 1], "<x>", "<y>", '"<t>'),
                histogram({"<b>": [0, 1]}, "<x>", '"<t>')):  # fmt: skip
        assert "<x>" not in svg and "<y>" not in svg and "<t>" not in svg and "<b>" not in svg


def test_one_point_and_values_that_do_not_differ() -> None:
    for svg in (lines([Line([1], [2.0])], "x", "y", "t"), histogram({"a": [1.0, 1.0]}, "x", "t")):
        assert "nan" not in svg and "inf" not in svg
