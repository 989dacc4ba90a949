"""The generator against the known answers of Random123, fused and portable."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium import kernels
from harmonium.core.random import RandomAddress
from harmonium.kernels import portable
from harmonium.kernels.philox import fill_rows, split

# key, counter, output of Philox-4x32-10: the kat_vectors file of Random123 1.14
KNOWN = [
    ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0xA4093822, 0x299F31D0),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("key", "counter", "answer"), KNOWN)
def test_known_answers_fused(key: tuple[int, ...], counter: tuple[int, ...], answer: tuple[int, ...]) -> None:
    from harmonium.kernels.philox import philox

    philox = pytest.importorskip("numba").njit(philox)
    assert tuple(int(word) for word in philox(*map(np.uint64, (*counter, *key)))) == answer


@pytest.mark.parametrize(("key", "counter", "answer"), KNOWN)
def test_known_answers_portable(
    key: tuple[int, ...],
    counter: tuple[int, ...],
    answer: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
    device: torch.device,
) -> None:
    # Counter word 0 is a unit's block, which a test cannot set: let torch count from it.
    monkeypatch.setattr(portable, "parts", lambda *_: (*key, *counter[2:]))
    arange = torch.arange
    monkeypatch.setattr(torch, "arange", lambda blocks, **options: arange(blocks, **options) + counter[0])
    words = portable.words(RandomAddress(0, 0), torch.tensor([counter[1]], device=device), 4)
    assert tuple(words[0].tolist()) == answer


def test_word_zero_of_a_zero_draw() -> None:
    words = portable.words(RandomAddress(0, 0), torch.tensor([0]), 4)
    assert tuple(words[0].tolist()) == KNOWN[0][2]


DRAWS = [
    RandomAddress(0, 0),
    RandomAddress(0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFF, 0),
    RandomAddress(0x0123456789ABCDEF, 2**33 + 5, 3, 2**31 - 2),
    RandomAddress(1 << 63, 7, 255, 2**32 - 3),
]


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("units", [1, 4, 7, 130])
def test_fused_and_portable_words_are_the_same(draw: RandomAddress, units: int, device: torch.device) -> None:
    rows = torch.arange(draw.first, draw.first + 5, device=device)
    expected = portable.words(draw, rows, units).cpu()
    for r in range(5):
        words = np.empty((1, 4 * ((units + 3) // 4)), np.uint32)
        fill_rows(words, draw.first + r, *split(draw.key, draw.step, draw.site))
        assert np.array_equal(words[0, :units], expected[r].numpy())


def test_step_site_and_row_are_told_apart() -> None:
    rows = torch.tensor([0, 1, 2**31])
    seen = {
        tuple(portable.words(RandomAddress(9, step, site), rows, 4)[row].tolist())
        for step in (0, 1, 2**32, 2**47) for site in (0, 1, 255) for row in range(3)
    }  # fmt: skip
    assert len(seen) == 4 * 3 * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniforms(dtype: torch.dtype, device: torch.device) -> None:
    draw = RandomAddress(5, 3, 1, first=10)
    u = kernels.uniforms(draw, 6, 9, dtype, device)
    assert u.dtype == dtype
    words = portable.words(draw, torch.arange(10, 16), 9)
    exact = (words.double() + 0.5) / 2**32
    # float32: half an ulp of the word, half of the sum
    assert float((u.cpu().double() - exact).abs().max()) <= (2.0**-24 if dtype == torch.float32 else 0.0)
    assert torch.equal(u[2:], kernels.uniforms(draw._replace(first=12), 4, 9, dtype, device))


def test_uniforms_stay_inside_the_unit_interval() -> None:
    words = torch.tensor([0, 1, 2**32 - 1, 2**32 - 128])
    for dtype in (torch.float32, torch.float64):
        u = portable.uniform(words, dtype)
        assert float(u.min()) == 2.0**-33
        assert float(u.max()) < 1


def test_uniforms_are_uniform() -> None:
    u = kernels.uniforms(RandomAddress(77, 0), 2000, 100, torch.float64, torch.device("cpu")).flatten()
    counts = torch.histc(u, 64, 0, 1)
    chi = float(((counts - 3125) ** 2 / 3125).sum())
    assert 20 < chi < 140  # 63 degrees of freedom: p between 1e-6 and 1 - 1e-6
    # neighbours along units and rows are uncorrelated within 5 standard errors
    grid = (u.view(2000, 100) - 0.5) * 12**0.5
    for product in (grid[:, 1:] * grid[:, :-1], grid[1:] * grid[:-1]):
        assert abs(float(product.mean())) < 5 / product.numel() ** 0.5


def test_permutation() -> None:
    order = kernels.permutation(RandomAddress(3, 1), 1001)
    assert torch.equal(order.sort().values, torch.arange(1001))
    assert torch.equal(order, kernels.permutation(RandomAddress(3, 1), 1001))
    assert not torch.equal(order, kernels.permutation(RandomAddress(3, 2), 1001))
    assert kernels.permutation(RandomAddress(0, 0), 1).tolist() == [0]


def test_permutations_are_uniform() -> None:
    orders = torch.stack([kernels.permutation(RandomAddress(3, step), 4) for step in range(6000)])
    index = (orders * torch.tensor([64, 16, 4, 1])).sum(-1)
    counts = index.unique(return_counts=True)[1].double()
    assert len(counts) == 24
    assert float(((counts - 250) ** 2 / 250).sum()) < 72  # 23 degrees of freedom, p = 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "units",
    [
        hm.Bernoulli(7), hm.Spin(7), hm.Gaussian(7), hm.Poisson(7), hm.Binomial(7, 3), hm.Binomial(7, 100), hm.ReLU(7),
        hm.DReLU(7), hm.Categorical(3, 4), hm.Mixed([hm.Bernoulli(2), hm.Gaussian(3)]),
    ],
    ids=repr,
)  # fmt: skip
def test_rows_draw_the_words_of_their_own_numbers(units: hm.units.Units, dtype: torch.dtype) -> None:
    """With an array of numbers, each row draws what it draws at its number, whatever the rows beside it."""
    units = units.to(dtype)
    x = torch.as_tensor(np.random.default_rng(0).normal(size=(9, units.size)), dtype=dtype)
    draw = RandomAddress(key=12345, step=7, site=1)
    whole = units.sample(x, draw._replace(first=100))
    order = np.array([3, 0, 8, 8, 5])
    found = units.sample(x[order], draw._replace(first=100 + order))
    assert torch.equal(found, whole[order])
