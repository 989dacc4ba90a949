"""What results show in notebooks and when they are printed: small, escaped, well-formed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch

import harmonium as hm
from harmonium.core import notebook
from harmonium.data.table import from_frame

ROWS = np.tile(np.eye(6), (20, 1))


def shown(value: Any) -> str:
    """What a notebook shows, which must be well-formed and small."""
    text: str = value._repr_html_()
    ElementTree.fromstring(f"<div>{text}</div>")
    assert len(text) < 20_000 and "<script" not in text
    return text


def test_text_is_escaped() -> None:
    text = notebook.table(["<i>"], [["<script>"]], "a & b", ["<p>"])
    assert "<script>" not in text and "&lt;script&gt;" in text and "a &amp; b" in text
    ElementTree.fromstring(f"<div>{text}</div>")
    assert "<b>" not in notebook.curve("<b>", [1, 2], [0, 1])


def test_a_curve_goes_through_its_points() -> None:
    svg = ElementTree.fromstring(notebook.curve("score", [1, 2, 3], [0.0, 1.0, 0.5]))
    points = svg.find(".//polyline").get("points").split()  # type: ignore[union-attr]
    places = [tuple(map(float, point.split(","))) for point in points]
    assert [x for x, _ in places] == [4, 130, 256]
    assert [y for _, y in places] == [86, 4, 45]  # downwards in SVG
    assert notebook.curve("score", [1], [0.0]) == "" and notebook.curve("score", [1, 2], [float("nan")] * 2) == ""


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    text = notebook.curve("score", range(10_000), [float(i) for i in range(10_000)])
    assert len(text) < 6000 and "0 \N{RIGHTWARDS ARROW} 9999" in text


def test_a_history_shows_its_curves_and_its_end() -> None:
    history = hm.fit(hm.RBM(6, 3), ROWS, validation=ROWS, epochs=3, callbacks=[hm.training.LikelihoodMonitor()])
    text = shown(history)
    assert "History of 3 epochs" in text and text.count("<svg") >= 2 and "log_likelihood" in text
    assert "<svg" in shown(hm.fit(hm.RBM(6, 3), ROWS, epochs=2, learning_rate=hm.schedules.Linear(0.1)))
    assert "empty" in shown(hm.training.History())
    ended = hm.training.History([{"epoch": 1}, {"epoch": 2}], {"epoch": 1}, "a < b")
    assert "best" in shown(ended) and "stopped: a &lt; b" in shown(ended)
    assert repr(ended).endswith("best: epoch 1; stopped: a < b)")


@pytest.mark.parametrize(
    "model", [hm.RBM((2, 3), 3), hm.DBN([6, 4, 3]), hm.DBM([6, 4, 3]), hm.NADE(6, 3), hm.VAE(6, 2)], ids=repr
)
def test_a_model_shows_its_layers_and_its_size(model: Any) -> None:
    text = shown(model)
    assert "Bernoulli" in text and f"{sum(p.numel() for p in model.parameters()):,}" in text and "nothing yet" in text


def test_a_trained_model_says_on_what() -> None:
    rbm = hm.RBM(6, 3)
    hm.fit(rbm, ROWS, epochs=1)
    assert "120 cases" in shown(rbm)


def test_an_evaluation_and_log_z_show_their_kind() -> None:
    found = hm.evaluate(hm.RBM(6, 3), ROWS)
    assert "exact" in shown(found) and f"{found.text(found.mean)} ± {found.text(found.stderr)}" in shown(found)
    assert found.log_partition is not None and f"{found.log_partition.value:.4f}" in shown(found.log_partition)
    doubted = hm.evaluate(hm.RBM(6, 3), ROWS, method="ais", chains=5, temperatures=20)
    assert "NOT reliable" in shown(doubted)


def test_a_gradient_is_printed_as_a_summary() -> None:
    rbm = hm.RBM(300, 200)
    found = hm.gradient(rbm, np.zeros((2, 300)))
    text = str(found)
    assert len(text) < 500 and "weights (300, 200): length " in text and "hidden_bias (200,)" in text
    assert f"{float(torch.linalg.norm(found.difference['weights'])):.4g}" in text
    assert "weights" in shown(found)


def test_a_table_is_printed_as_a_summary() -> None:
    frame = pd.DataFrame(
        {"age": np.arange(40) % 7 * 1.5, "<b>": [f"<{i}>" for i in range(40)], "yes": [True, False] * 20}
    )
    *_, table = from_frame(frame.assign(**{f"x{i}": np.arange(40) * 0.1 for i in range(50)}))
    assert repr(table).startswith("Table(53 columns: ") and "51 real" in repr(table)
    assert "  <b>: categorical, <0>" in str(table) and "... (40 in all)" in str(table) and "and 23 more" in str(table)
    assert len(str(table)) < 3000 and "&lt;b&gt;" in shown(table)


def test_a_comparison_shows_its_table(tmp_path: Path) -> None:
    data = hm.data.load("bars-and-stripes", valid=8, test=8)
    found = hm.compare(data, ["independent"], seconds=1, out=tmp_path / "c", progress=False)
    assert "test cases" in shown(found) and found.entries[0].number in shown(found)
    assert repr(found).startswith("Comparison(1 models on ") and len(repr(found)) < 200
