"""Missing values in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.objectives import Batch
from harmonium.training.gaps import as_gaps


def agreeing(rows: int, seed: int = 0) -> np.ndarray:
    """Two columns that agree and one that does not matter, a third of all values missing."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2, rows)
    data = np.stack([first, first, rng.integers(0, 2, rows)], 1).astype(float)
    data[rng.random(data.shape) < 0.33] = np.nan
    return data[~np.isnan(data).all(1)]


@pytest.mark.parametrize("missing", ["draw", 3])
def test_what_agrees_is_learned(missing: Any) -> None:
    rbm = hm.RBM(3, 4)
    hm.fit(rbm, agreeing(1500), missing=missing, epochs=200, batch_size=100, learning_rate=0.3)
    p = hm.conditional_log_prob(rbm, [[1, 1, 0], [0, 0, 1]], [True, False, True]).exp()
    assert float(p.min()) > 0.85  # 1 in truth; independent columns have 0.5


def test_what_agrees_is_learned_by_machines_without_the_missing_units() -> None:
    rbm = hm.RBM(hm.Categorical(3, 2), 4)
    hm.fit(rbm, agreeing(1500), missing="omit", epochs=200, batch_size=100, learning_rate=0.3)
    seen = torch.tensor([[0.0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]])  # the first variable alone, 1 and 0
    guess = rbm.visible.mean(rbm.inputs(0, (None, rbm.hidden.mean(rbm.inputs(1, (seen, None))))))
    assert guess[0, 3].item() > 0.8 and guess[1, 2].item() > 0.8


def test_omitted_units_have_the_gradient_of_a_machine_without_them() -> None:
    whole = hm.RBM.from_arrays([[1.0, -0.5], [0.3, 0.8], [-2.0, 1.5]], [0.1, -0.2, 0.4], [0.2, -0.1])
    part = hm.RBM.from_arrays([[1.0, -0.5], [0.3, 0.8]], [0.1, -0.2], [0.2, -0.1])
    rows = torch.tensor([[1.0, 0.0]]).repeat(20_000, 1)
    hm.Exact().gradient(part, Batch(rows), {}, hm.Stream(0))
    v = torch.cat((rows, torch.zeros(20_000, 1)), 1)
    observed = torch.tensor([True, True, False]).expand_as(v)
    hm.CD(k=20).gradient(whole, Batch(v, observed=observed), {}, hm.Stream(1))  # 20 sweeps forget the start
    for mine, theirs in zip(whole.parameters(), part.parameters(), strict=True):
        assert mine.grad is not None and theirs.grad is not None
        cut = mine.grad[: theirs.shape[0]]
        # Means over 20,000 chains of numbers between 0 and 1: a standard error of at most 0.0036; five of them.
        torch.testing.assert_close(cut, theirs.grad, rtol=0, atol=0.018)
    assert whole.weights.grad is not None
    assert whole.weights.grad[2].tolist() == [0.0, 0.0]  # a unit that is left out learns nothing


def test_drawn_values_go_on_from_epoch_to_epoch(tmp_path: Path) -> None:
    kept: list[torch.Tensor] = []

    class Keep(hm.training.Callback):
        def on_epoch(self, training: Any, row: Any) -> None:
            kept.append(training.gaps_state["filled"].clone())
            assert "gaps.filled" in training.dump()[0]

    data = agreeing(200)
    hm.fit(hm.RBM(3, 2), data, missing="draw", epochs=2, callbacks=[Keep()])
    observed = ~np.isnan(data)
    for filled in kept:
        assert filled.shape == data.shape and np.array_equal(filled.numpy()[observed], data[observed])
    assert not torch.equal(*kept)


def test_a_run_with_gaps_is_resumed(tmp_path: Path) -> None:
    plan: dict[str, Any] = {"missing": "draw", "batch_size": 50, "seed": 3}
    straight = hm.RBM(3, 2)
    hm.fit(straight, agreeing(200), epochs=4, **plan)

    class Stop(BaseException):
        pass

    class Interrupt(hm.training.Callback):
        transient = True

        def on_epoch(self, training: Any, row: Any) -> None:
            if row["epoch"] == 2:
                raise Stop

    with pytest.raises(Stop):
        hm.fit(hm.RBM(3, 2), agreeing(200), epochs=4, out=tmp_path / "run", callbacks=[Interrupt()], **plan)
    model, _ = hm.resume(tmp_path / "run", data=agreeing(200), callbacks=[hm.training.Callback()])
    assert torch.equal(model.weights, straight.weights)


def test_the_score_of_gaps_is_that_of_the_means_before_training() -> None:
    rbm, data = hm.RBM(3, 4), agreeing(600)
    history = hm.fit(
        rbm, data, validation=agreeing(400, 1), missing="draw", epochs=200, batch_size=60, learning_rate=0.3,
        callbacks=[hm.training.GapMonitor(every=1)],
    )  # fmt: skip
    first, last = history["gap_score"][0], history["gap_score"][-1]
    # Two of three columns have a copy, which is there and not hidden itself in 54 % of cases: at best 0.36.
    assert abs(first) < 0.1 and last > 0.25


def test_constant_columns_have_no_part_in_the_score_of_gaps() -> None:
    """Any error, however small, is infinitely many of their standard deviations."""
    data, monitor = np.hstack((agreeing(600)[:400], np.zeros((400, 1)))), hm.training.GapMonitor(every=1)
    history = hm.fit(hm.RBM(4, 4), data, validation=data, missing="draw", epochs=1, callbacks=[monitor])
    assert abs(history["gap_score"][0]) < 0.1  # as that of the means, which an untrained model has


@pytest.mark.parametrize("missing", ["draw", "omit"])
def test_a_machine_that_knows_the_means_alone_scores_nothing(missing: str) -> None:
    """Few rare states are far off in their own variances, from the means of their columns as well."""
    rng = np.random.default_rng(0)
    data = rng.choice(4, (400, 3), p=[0.97, 0.01, 0.01, 0.01]).astype(float)
    data[rng.random(data.shape) < 0.3] = np.nan
    data, monitor = data[~np.isnan(data).all(1)], hm.training.GapMonitor(every=1)
    rbm = hm.RBM(hm.Categorical(3, 4), 2)
    history = hm.fit(rbm, data, validation=data[:40], missing=missing, learning_rate=0.0, epochs=1, callbacks=[monitor])
    assert abs(history["gap_score"][0]) < 0.01  # its biases are the means, its weights are small


def test_data_without_a_column_that_varies_have_no_score_of_gaps() -> None:
    data, monitor = np.zeros((20, 2)), hm.training.GapMonitor(every=1)
    history = hm.fit(hm.RBM(2, 2), data, validation=data, missing="draw", epochs=1, callbacks=[monitor])
    assert "gap_score" not in history.rows[0]


def test_treatments_by_name() -> None:
    assert as_gaps("draw") == hm.training.DrawGaps(1) and as_gaps(4) == hm.training.DrawGaps(4)
    assert as_gaps(None) is None and as_gaps(0) is None and isinstance(as_gaps("omit"), hm.training.OmitGaps)
    with pytest.raises(
        ValueError, match="missing must be one of draw, omit, sum, a number of sweeps or None, found 'drop'"
    ):
        as_gaps("drop")
    with pytest.raises(ValueError, match=r"which PCD cannot: use objective=harmonium\.CD\(\), or missing='draw'"):
        hm.fit(hm.RBM(3, 2), agreeing(20), missing="omit", objective=hm.PCD(), epochs=1)


def test_few_ratings_are_learned_without_an_option() -> None:
    """A tenth of the pairs is rated: a unit is in few cases of a batch, and learns slowly at usual rates."""
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(600, 1)), rng.normal(size=(40, 1))
    codes = np.clip((1.5 + users @ items.T + rng.normal(0, 0.3, (600, 40))).round(), 0, 3)
    chance = rng.random(codes.shape)
    seen, asked = np.where(chance < 0.12, codes, np.nan), chance > 0.9
    rated = ~np.isnan(seen).all(1)
    seen, codes, asked = seen[rated], codes[rated], asked[rated]
    rbm = hm.RBM(hm.Categorical(40, 4), 20)
    hm.fit(rbm, seen, missing="omit", minutes=0.1)
    expected = hm.predict_gaps(rbm, seen).view(len(seen), 40, 4).numpy() @ np.arange(4)
    errors = [((guess - codes)[asked] ** 2).mean() for guess in (expected, np.nanmean(seen, 0) + 0 * codes)]
    assert errors[0] < 0.8 * errors[1]


def test_the_score_knows_no_mean_of_cases_held_out() -> None:
    """Of columns with few values these means would be nearer to the held-out ones than to any others."""
    rng = np.random.default_rng(0)
    data = np.where(rng.random((400, 30)) < 0.03, rng.integers(0, 2, (400, 30)), np.nan)
    data[:30][np.eye(30, dtype=bool)] = 1.0  # no column without a value
    data = data[~np.isnan(data).all(1)]
    rbm = hm.RBM(hm.Categorical(30, 2), 2)

    class Stop(BaseException):
        pass

    class Look(hm.training.Callback):
        def on_begin(self, training: Any) -> None:
            rows = training.cases.rows(torch.arange(len(training.cases)), dtype=torch.float64).numpy()
            with np.errstate(invalid="ignore"):
                count, total = (~np.isnan(rows)).sum(0), np.nansum(rows, 0)
            known = count > 0
            mean = training.model.data_mean.numpy()[1::2]
            np.testing.assert_allclose(mean[known], (total / np.maximum(count, 1))[known], rtol=1e-6)
            assert np.isfinite(mean).all() and len(rows) < len(data)
            raise Stop

    with pytest.raises(Stop):
        hm.fit(rbm, data, missing="omit", learning_rate=0.1, callbacks=[Look()])


@pytest.mark.filterwarnings("ignore:fit learned nothing")
def test_trials_on_a_part_know_all_columns() -> None:
    """One case in 40,000 has the rare column: the first cycle, of 1,000 updates, would not see it."""
    rng = np.random.default_rng(0)
    data = rng.integers(0, 2, (150_000, 3)).astype(float)
    data[:, 1] = data[:, 0]
    data[:, 2] = np.where(np.arange(len(data)) % 40_000 == 39_999, data[:, 2], np.nan)
    rbm = hm.RBM(hm.Categorical(3, 2), 2)
    hm.fit(rbm, data, missing="omit", minutes=0.01)
    assert bool(torch.isfinite(rbm.weights).all())
