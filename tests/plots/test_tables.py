"""Pictures of tables: what is drawn of each column, and weights by column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import harmonium as hm
from harmonium import plots
from harmonium.data.table import from_frame
from harmonium.plots.tables import shared_bars, weights_by_column


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    towns = [f"Municipality of {a}{b}" for a in "ABCDE" for b in "uvwxyz"]
    return pd.DataFrame(
        {"age": rng.normal(40, 10, 200), "town": rng.choice(towns, 200), "smokes": rng.choice(["no", "yes"], 200)}
    )


def test_many_labels_are_ten_bars_and_the_rest(frame: pd.DataFrame) -> None:
    drawn = frame.sample(100, random_state=1)
    names, (data, samples) = shared_bars([frame["town"], drawn["town"]])
    assert len(names) == 11 and names[-1] == "20 others"
    assert data.sum() == pytest.approx(1) and samples.sum() == pytest.approx(1)
    assert (np.diff(data[:10]) <= 0).all() and data[0] == (frame["town"] == names[0]).mean()
    assert samples[3] == (drawn["town"] == names[3]).mean()


def test_a_panel_for_each_column(frame: pd.DataFrame) -> None:
    figure = plots.table_samples(frame.head(50), frame, data_name="people")
    assert [axes.get_title() for axes in figure.axes] == ["age", "town", "smokes"]
    assert figure.get_suptitle() == "50 samples of the model beside 200 cases of people"
    assert len(figure.axes[1].patches) == 22 and len(figure.axes[2].patches) == 4
    bars = [bar.get_width() for bar in figure.axes[2].patches]
    assert sum(bars[:2]) == pytest.approx(1) and sum(bars[2:]) == pytest.approx(1)


def test_the_weight_of_labels_is_that_of_the_one_that_moves_most(frame: pd.DataFrame) -> None:
    units, _, table = from_frame(frame)
    model = hm.RBM(units, 3)
    town = sorted(frame["town"].unique())
    with torch.no_grad():
        model.weights.zero_()
        model.weights[0, 0] = -2.0
        model.weights[1 : 1 + len(town), 1] = 5.0  # adds nothing: it is the same for all labels
        model.weights[1 + 4, 1] += 3.0
        model.weights[1 + len(town), 2] = 1.5
    values, labels = weights_by_column(model.weights.detach().T.double().numpy(), table)
    share = 3 * (1 - 1 / len(town))
    np.testing.assert_allclose(values, [[-2, 0, 0], [0, share, 0], [0, 0, 1.5]], atol=1e-6)
    assert labels[1][1] == town[4] and labels[2][2] == "yes" and labels[0][0] == ""
    axes = plots.table_filters(model, table).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["age", "town", "smokes"]


def test_pictures_of_a_run_on_a_table(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    frame.to_csv(path, index=False)
    data = hm.data.load(str(path), table=True)
    hm.fit(hm.RBM(data.table.units(), 4), data.train, epochs=1, out=tmp_path / "run")
    assert (tmp_path / "run" / "columns.json").is_file()
    paths = plots.pictures(tmp_path / "run")
    assert [each.name for each in paths] == ["filters.png", "samples.png", "curves.png"]
