"""Inner products of rows."""

from __future__ import annotations

import torch

from harmonium.kernels.dots import row_dots


def test_sums_are_those_of_float64_products() -> None:
    x = torch.linspace(-3, 5, 2 * 3 * 1000).view(2, 3, 1000) ** 3
    s = torch.linspace(2, -1, 3000).view(3, 1000)
    expected = (x.double() * s.double()).sum(-1)
    found = row_dots(x, s)
    assert found.dtype == torch.float64
    # Rounding of 1,000 float64 sums; in float32 they would be 1e-4 off.
    assert torch.allclose(found, expected, rtol=1e-13, atol=1e-9)


def test_rows_that_are_not_contiguous_are_read_as_they_stand() -> None:
    x, s = torch.arange(24.0).view(2, 4, 3).mT, torch.arange(12.0).view(4, 3).mT
    assert torch.equal(row_dots(x, s), (x.double() * s.double()).sum(-1))
