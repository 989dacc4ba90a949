"""Accuracy and log p(y | x) of validation cases, as the machine itself gives them."""

from __future__ import annotations

import numpy as np
import pytest

import harmonium as hm
from harmonium.recipes.class_monitor import ClassMonitor


def cases(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes, each with two columns of its own that are mostly on."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    on = np.repeat(np.eye(3)[labels], 2, axis=1)
    return (rng.random(on.shape) < 0.1 + 0.7 * on).astype(float), labels


def test_what_is_measured_is_what_the_machine_says() -> None:
    train, valid = (hm.models.with_labels(*cases(rows, seed)) for rows, seed in ((300, 0), (90, 1)))
    model = hm.ClassificationRBM(6, 5, classes=3)
    history = hm.fit(
        model, train, objective=hm.objectives.Discriminative(), validation=valid, epochs=6, batch_size=20,
        optimizer="adam", metric="plain", learning_rate=0.05, callbacks=[ClassMonitor(every=2)],
    )  # fmt: skip
    x, labels = cases(90, 1)
    log_prob = model.class_log_prob(x).detach().numpy()
    row = history.rows[-1]
    assert row["class_log_likelihood"] == pytest.approx(log_prob[np.arange(90), labels].mean(), rel=1e-6)
    assert row["accuracy"] == (log_prob.argmax(1) == labels).mean() > 0.6  # a guess is right in a third
    assert [value is not None for value in history["accuracy"]] == [False, True] * 3


def test_without_validation_cases_nothing_is_measured() -> None:
    data = hm.models.with_labels(*cases(60, 0))
    history = hm.fit(hm.ClassificationRBM(6, 5, classes=3), data, epochs=1, callbacks=[ClassMonitor(every=1)])
    assert "accuracy" not in history.rows[0]
