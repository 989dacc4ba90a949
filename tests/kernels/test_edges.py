"""Sums over the edges of a graph against those of a matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harmonium.kernels.edges import EdgeList, pair_moments_

ROWS, COLUMNS = np.array([0, 0, 2, 3]), np.array([1, 2, 0, 2])


@pytest.mark.parametrize("keep", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("models", [(), (3,)])
@pytest.mark.parametrize("same_type", [True, False])  # of loops, and of plain torch where the types differ
def test_pair_moments_are_entries_of_a_product(keep: float, models: tuple[int, ...], same_type: bool) -> None:
    """Within rounding of float32."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(*models, 19, n, generator=generator) for n in (4, 3))
    before = torch.randn(*models, 4, generator=generator)
    out = before.clone() if same_type else before.double()
    found = pair_moments_(out, EdgeList(ROWS, COLUMNS, (4, 3)), left, right, scale=-0.3, keep=keep)
    expected = keep * before - 0.3 * (left.mT @ right)[..., ROWS, COLUMNS]
    torch.testing.assert_close(found.float(), expected, rtol=1e-5, atol=1e-5)
    assert found is out
