from __future__ import annotations

import numpy as np
import pytest

import harmonium as hm
from harmonium.sklearn import RBMOutlierDetector

BARS = np.asarray(hm.data.load("bars-and-stripes").train, dtype=np.float64)


def test_noise_is_found_among_bars() -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate((np.repeat(BARS, 6, 0), rng.integers(0, 2, size=(10, 16))))
    detector = RBMOutlierDetector(hidden=16, n_iter=400, batch_size=50, contamination=10 / len(X), random_state=0)
    found = detector.fit_predict(X)
    assert (found[-10:] == -1).mean() >= 0.8
    assert (found[:-10] == 1).mean() > 0.95
    np.testing.assert_allclose(detector.score_samples(X), -detector.model_.free_energy(X).detach().numpy(), rtol=1e-12)
    np.testing.assert_array_equal(found, np.where(detector.decision_function(X) < 0, -1, 1))
    assert detector.offset_ == pytest.approx(np.percentile(detector.score_samples(X), 1000 / len(X)))


@pytest.mark.parametrize("share", [0, 0.6, True, "auto"])
def test_contamination_is_checked(share: object) -> None:
    with pytest.raises(ValueError, match=r"contamination must be above 0 and at most 0\.5, found"):
        RBMOutlierDetector(contamination=share).fit(BARS)  # type: ignore[arg-type]
