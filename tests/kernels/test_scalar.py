"""Scalar functions against NumPy and SciPy, compiled alone."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from scipy import special

from harmonium.kernels import scalar


def compiled(function: Any) -> Any:
    return numba.njit(function)


@pytest.mark.parametrize(
    ("dtype", "low", "high", "error"), [(np.float32, -86.0, 88.0, 1.3e-7), (np.float64, -700.0, 709.0, 4e-16)]
)
def test_exp(dtype: type, low: float, high: float, error: float) -> None:
    @numba.njit
    def loop(x: Any, out: Any) -> None:
        for i in range(len(x)):
            out[i] = scalar.exp(x[i])

    x = np.concatenate([np.linspace(low, high, 20_001), np.linspace(-1, 1, 20_001), [0.0]]).astype(dtype)
    out = np.empty_like(x)
    loop(x, out)
    truth = np.exp(x.astype(np.longdouble))
    relative = np.abs(out.astype(np.longdouble) / truth - 1)
    # Cephes' bound of 9e-8 and a final rounding in float32, two ulp in float64
    assert float(relative.max()) < error
    assert out[-1] == 1


@pytest.mark.parametrize(("dtype", "floor"), [(np.float32, -87.0), (np.float64, -708.0)])
def test_exp_flushes_and_never_fails(dtype: type, floor: float) -> None:
    @numba.njit
    def one(x: Any) -> Any:
        return scalar.exp(x)

    for x in (floor - 1, -1e30, -np.inf):
        assert 0 <= one(dtype(x)) <= np.exp(floor) * (1 + 1e-6)


def test_ndtri() -> None:
    loop = compiled(lambda u: scalar.ndtri(u))
    u = np.concatenate(
        [np.linspace(0.0005, 0.9995, 4001), 10.0 ** -np.arange(1.0, 11.0), 1 - 10.0 ** -np.arange(1.0, 9.0), [0.5]]
    )
    found = np.array([loop(value) for value in u])
    # AS 241 claims 1e-16 relative; 1 - u costs the upper tail some digits on either side
    assert np.allclose(found, special.ndtri(u), rtol=2e-15 * 8, atol=1e-15)
    assert loop(0.5) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_has_the_precision_of_its_argument(dtype: type) -> None:
    @numba.njit
    def one(x: Any, word: Any) -> Any:
        return scalar.uniform(x, word)

    assert one(dtype(0), np.uint32(0)) == 2.0**-33
    assert one(dtype(0), np.uint32(2**32 - 1)) == (1 - 2.0**-24 if dtype is np.float32 else 1 - 2.0**-33)
    assert one(dtype(0), np.uint32(12345)) == 12345.5 / 2**32
