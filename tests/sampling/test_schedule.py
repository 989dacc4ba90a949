"""Temperatures placed by a pilot."""

from __future__ import annotations

import numpy as np
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.sampling.ais import anneal
from harmonium.sampling.path import Path
from harmonium.sampling.schedule import LEAST, place_temperatures


def biased(n: int, b: float) -> Path:
    """Independent units whose log-odds rise from 0 to b along the path: Var_t[d log p* / dt] = n b^2 p (1 - p)."""
    rbm = hm.RBM.from_arrays(np.zeros((n, 1)), np.full(n, b), np.zeros(1))
    rest = torch.zeros(n, dtype=torch.float64)
    return Path(rbm, ((rest,), (torch.zeros(1, dtype=torch.float64),)))


def test_the_density_is_that_of_the_spread() -> None:
    """The standard deviations of 1,000 pilot chains are wrong by 2 per cent each; their sums, the places, by less."""
    points, b = 500, 8.0
    found = place_temperatures(biased(30, b), points, 2000, Stream(0))
    grid = np.linspace(0, 1, 10_001)
    p = 1 / (1 + np.exp(-b * grid))
    density = np.sqrt(p * (1 - p))
    density = 0.8 * density / density.mean() + 0.2
    share = np.cumsum(density) / density.sum()
    wanted = np.interp(np.linspace(0, 1, points), share, grid)
    assert float(found[0]) == 0 and float(found[-1]) == 1 and bool((found.diff() > 0).all())
    np.testing.assert_allclose(found.numpy()[1:-1], wanted[1:-1], atol=0.02)


def test_weights_spread_less_than_with_even_temperatures() -> None:
    """The variance of 2,000 log-weights is known to 3 per cent; in theory it falls to 0.68 of the even one's."""
    path, points = biased(30, 8.0), 200
    variance = []
    for t in (torch.linspace(0, 1, points).double(), place_temperatures(path, points, 2000, Stream(0))):
        start = path.start(2000, Stream(1).advance())
        variance.append(float(anneal(path, t, start, Stream(2)).log_weights.var()))
    assert variance[1] < 0.8 * variance[0], variance


def test_even_where_a_pilot_has_nothing_to_say() -> None:
    even = torch.linspace(0, 1, LEAST - 1, dtype=torch.float64)
    assert torch.equal(place_temperatures(biased(5, 3.0), LEAST - 1, 100, Stream(0)), even)
    nothing = place_temperatures(biased(5, 0.0), LEAST, 100, Stream(0))
    assert torch.equal(nothing, torch.linspace(0, 1, LEAST, dtype=torch.float64))


def test_what_steps_added_is_the_weight() -> None:
    path = biased(5, 2.0)
    walked = anneal(path, torch.linspace(0, 1, 20).double(), path.start(7, Stream(0).advance()), Stream(1), keep=True)
    assert walked.steps is not None and walked.steps.shape == (19, 7)
    torch.testing.assert_close(walked.steps.sum(0), walked.log_weights)
