"""Mode jumps, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.diagnostics.modes import two_modes


def test_states_in_between_belong_to_the_mode_before() -> None:
    labels = [[0, -1, 0, -1, 1, -1, -1, 1, 0], [-1, -1, 3, 3, 3, 3, 3, 3, 3], [-1] * 9, [0, 1, 2, 0, 1, 2, 0, 1, 2]]
    assert hm.diagnostics.mode_jumps(labels).tolist() == [2, 0, 0, 8]
    assert hm.diagnostics.mode_jumps(np.array(labels)).dtype == torch.int64


def test_noise_at_the_border_is_no_jump() -> None:
    """A chain that hovers about zero crosses it in about half of all steps, and never leaves the band."""
    noise = 0.3 * torch.as_tensor(np.random.default_rng(0).standard_normal((4, 1000)))
    assert int(hm.diagnostics.mode_jumps(torch.where(noise > 0, 1, 0)).min()) > 400
    assert hm.diagnostics.mode_jumps_along(noise, -2.0, 2.0).tolist() == [0, 0, 0, 0]
    square = torch.where(torch.arange(1000) % 200 < 100, -3.0, 3.0).double()  # nine changes of side
    assert hm.diagnostics.mode_jumps_along(noise + square, -2.0, 2.0).tolist() == [9, 9, 9, 9]


def test_a_two_state_chain_jumps_as_often_as_its_rate() -> None:
    """Jumps of 50 chains in 4,000 sweeps with probability 0.01 each: 2,000 expected, within 5 standard errors of 45."""
    rng = np.random.default_rng(1)
    side = np.cumsum(rng.random((50, 4000)) < 0.01, 1) % 2
    jumps = hm.diagnostics.mode_jumps_along(4.0 * side + 0.5 * rng.standard_normal((50, 4000)), 1.0, 3.0)
    assert abs(int(jumps.sum()) - 2000) < 225


def test_what_is_bimodal() -> None:
    rng = np.random.default_rng(0)
    for one in (rng.standard_normal(2000), rng.random(2000), rng.exponential(size=2000), np.full(9, 2.0)):
        assert two_modes(torch.as_tensor(one)) is None
    far = torch.as_tensor(np.concatenate((rng.normal(-4, 1, 300), rng.normal(5, 1, 700))))
    found = two_modes(far)
    assert found is not None
    # 5 standard errors of the means of 300 and 700 draws
    assert found.centres[0] == pytest.approx(-4, abs=0.3) and found.centres[1] == pytest.approx(5, abs=0.2)
    assert found.low == pytest.approx(found.centres[0] + (found.centres[1] - found.centres[0]) / 3)
    assert found.high == pytest.approx(found.centres[1] - (found.centres[1] - found.centres[0]) / 3)


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"labels has shape \(3,\); expected \(chains, sweeps\)"):
        hm.diagnostics.mode_jumps([0, 1, 0])
    with pytest.raises(ValueError, match=r"low must not lie above high, found low=1\.0 and high=0\.0"):
        hm.diagnostics.mode_jumps_along([[0.0]], 1.0, 0.0)
