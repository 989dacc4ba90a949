"""Pictures: what is on them, and that nothing global is touched."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium import plots

ROWS = [
    {"epoch": 1, "update": 5, "learning_rate": 0.1, "pseudo_log_likelihood": -9.0, "free_energy_gap": 0.1},
    {
        "epoch": 2, "update": 10, "learning_rate": 0.05, "pseudo_log_likelihood": -8.0, "free_energy_gap": 0.2,
        "log_likelihood": -8.5, "log_likelihood_lower": -8.6, "log_likelihood_upper": -8.4,
    },
    {
        "epoch": 3, "update": 15, "learning_rate": 0.0, "pseudo_log_likelihood": -8.1, "free_energy_gap": 0.3,
        "log_likelihood": -8.2, "log_likelihood_lower": -8.4, "log_likelihood_upper": -8.1,
    },
]  # fmt: skip


def test_filters_are_images_in_order_of_their_norms() -> None:
    W = np.zeros((6, 3))
    W[0, 0], W[1, 1], W[2, 2] = 1.0, -3.0, 2.0
    rbm = hm.RBM(hm.Bernoulli((2, 3)), 3)
    with torch.no_grad():
        rbm.weights.copy_(torch.tensor(W))
    figure = plots.filters(rbm, count=2)
    axes, bar = figure.axes
    assert axes.get_title() == "Weights of 2 of 3 hidden units, largest norm first"
    image = axes.images[0]
    low, high = image.get_clim()
    assert low == -high and bar.get_ylabel() == "weight"
    grid = np.ma.filled(image.get_array(), np.nan)
    values = grid[~np.isnan(grid)]
    assert set(np.unique(values)) == {-3.0, 0.0, 2.0}
    assert np.argwhere(grid == -3.0)[:, 1].max() < np.argwhere(grid == 2.0)[:, 1].min()  # the larger one comes first
    assert (values == -3.0).sum() == (values == 2.0).sum()


def test_filters_without_a_shape_are_one_heat_map() -> None:
    axes = plots.filters(hm.RBM(5, 7)).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("visible unit", "hidden unit (rank by norm)")
    assert axes.images[0].get_array().shape == (7, 5)


def test_samples_stand_beside_data_in_the_same_colours() -> None:
    data = np.eye(4)
    left, right, _ = plots.samples(torch.ones(9, 4), data, (2, 2), data_name="mine, test").axes
    assert left.get_title() == "4 cases of mine, test" and right.get_title() == "9 samples of the model"
    assert left.images[0].get_clim() == right.images[0].get_clim() == (0.0, 1.0)
    left, right, _ = plots.samples(10 * np.ones((3, 4)), -data, (4,)).axes
    assert left.images[0].get_clim() == right.images[0].get_clim()
    assert left.get_xlabel() == "feature (visible unit)"


def test_curves_have_units_whole_epochs_a_bracket_and_the_best() -> None:
    figure = plots.curves(ROWS, best=3)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "Log-likelihood of validation cases" and titles[-1] == "Learning rate"
    for axes in figure.axes:
        assert axes.get_xlabel() == "epoch"
        assert all(float(tick).is_integer() for tick in axes.get_xticks())
    assert {axes.get_ylabel() for axes in figure.axes} == {"nats per case", "learning rate"}
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["bracket of the estimate", "epoch 3: best, kept"]
    line = figure.axes[0].lines[0]
    assert list(line.get_xdata()) == [2, 3] and list(line.get_ydata()) == [-8.5, -8.2]


def test_curves_of_little() -> None:
    half = [{**row, "log_likelihood_lower": None} for row in ROWS]
    assert "there is no lower one" in plots.curves(half).axes[0].get_legend_handles_labels()[1][0]
    for axes in plots.curves(ROWS[1:2], best=2).axes:
        assert all(float(tick).is_integer() for tick in axes.get_xticks())
    bare = plots.curves([{"epoch": 1, "learning_rate": 0.1}])
    assert "no validation cases" in bare.axes[0].get_title()
    with pytest.raises(ValueError, match="no rows"):
        plots.curves([])


def test_pictures_of_a_run(tmp_path: Path) -> None:
    data = hm.data.load("bars-and-stripes", valid=8)
    rbm = hm.RBM(hm.Bernoulli(data.shape), 4)
    hm.fit(
        rbm, data.train, validation=data.valid, epochs=2, out=tmp_path / "run", callbacks=[hm.training.EarlyStopping()]
    )
    paths = plots.pictures(tmp_path / "run")
    assert [path.name for path in paths] == ["filters.png", "samples.png", "curves.png"]
    before = [path.read_bytes() for path in paths]
    assert all(content[:4] == b"\x89PNG" for content in before)
    assert [path.read_bytes() for path in plots.pictures(tmp_path / "run")] == before
    assert hm.runs.open_run(tmp_path / "run").best_epoch in (1, 2)

    shutil.copytree(tmp_path / "run", tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"unfinished.*--resume"):
        plots.pictures(tmp_path / "other")


def test_arrays_that_nobody_can_load_again(tmp_path: Path) -> None:
    v = np.tile(np.eye(6), (4, 1))
    hm.fit(hm.RBM(6, 2), v, epochs=1, out=tmp_path / "run")
    assert len(plots.pictures(tmp_path / "run")) == len(plots.pictures(tmp_path / "run", v, data_name="mine")) == 3


def test_pyplot_stays_asleep() -> None:
    plots.curves(ROWS)
    assert "matplotlib.pyplot" not in sys.modules


def test_the_picture_of_a_diagnosis() -> None:
    data = np.random.default_rng(0).integers(0, 2, (50, 6))
    found = hm.diagnose(hm.RBM(6, 2), data, chains=5, sweeps=30)
    traces, first, memory, energies = plots.diagnosis(found).axes
    assert traces.get_title() == "5 of 5 chains" and len(traces.lines) == 5
    assert list(traces.lines[2].get_ydata()) == list(found.traces[0, 2])
    assert first.get_ylabel() == "projection on direction 1"
    assert len(memory.lines) == 6 and memory.lines[0].get_ydata()[0] == pytest.approx(1.0)
    assert energies.get_legend_handles_labels()[1] == ["chains", "data"]
    alone = plots.diagnosis(hm.diagnose(hm.RBM(6, 2), chains=5, sweeps=30)).axes[3]
    assert alone.get_legend_handles_labels()[1] == ["chains"]
