"""Packed states and products by tables of sums: the dense product's numbers, at every edge of a block."""

from __future__ import annotations

import pytest
import torch

from harmonium.kernels import sparse, subset_sums
from harmonium.kernels.subset_sums import list_on, multiply, pack

DTYPES = [torch.float32, torch.float64]


def states(rows: int, units: int, share: float, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return (torch.rand(rows, units, generator=torch.Generator().manual_seed(seed)) < share).to(dtype)


def normal(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [1, 15, 16, 17, 70])
@pytest.mark.parametrize("rows", [0, 1, 255, 256, 257])
def test_packed_states_are_counted_and_listed(rows: int, units: int, dtype: torch.dtype) -> None:
    s = states(rows, units, 0.4, dtype)
    packed = pack(s)
    assert (packed.on, packed.rows, packed.units) == (int(s.sum()), rows, units)
    index, starts = list_on(packed)
    row, unit = s.nonzero(as_tuple=True)
    assert index.tolist() == unit.tolist()
    assert starts.tolist() == [0, *torch.bincount(row, minlength=rows).cumsum(0).tolist()][: rows + 1]


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0, torch.nan])
@pytest.mark.parametrize("unit", [0, 15, 16, 20])
def test_other_states_are_noticed(value: float, unit: int) -> None:
    s = states(5, 21, 0.5)
    s[3, unit] = value
    assert pack(s).on == -1


def test_negative_zero_is_off() -> None:
    assert pack(-torch.zeros(3, 20)).on == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("units", [3, 16, 31, 80])
@pytest.mark.parametrize("width", [1, 32, 63, 64, 65, 130])
def test_product(units: int, width: int, layout: str, dtype: torch.dtype) -> None:
    s = states(37, units, 0.5, dtype)
    W = normal(units, width, dtype=dtype) if layout == "rows" else normal(width, units, dtype=dtype).mT
    exact = s.double() @ W.double()
    # every sum has at most 80 terms of size 1: 8 roundings of the last bit of a sum below 32
    torch.testing.assert_close(multiply(pack(s), W).double(), exact, rtol=0, atol=256 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 600])
def test_a_row_is_the_same_in_every_batch(rows: int) -> None:
    s, W = states(rows, 50, 0.5), normal(50, 70)
    whole = multiply(pack(s), W)
    torch.testing.assert_close(whole, s @ W, rtol=1e-4, atol=1e-4)
    for r in {0, rows // 2, rows - 1}:
        assert torch.equal(multiply(pack(s[r : r + 1]), W)[0], whole[r])


def test_each_unit_sends_its_own_row() -> None:
    W = normal(70, 100)
    assert torch.equal(multiply(pack(torch.eye(70)), W), W)


def test_no_unit_sends_zero_even_through_infinite_weights() -> None:
    W = torch.full((64, 64), torch.inf)
    assert torch.equal(multiply(pack(torch.zeros(2, 64)), W), torch.zeros(2, 64))


@pytest.fixture
def one_thread():  # type: ignore[no-untyped-def]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.5, 1.0])
def test_products_of_binary_states_use_tables(share: float, transposed: bool, dtype: torch.dtype) -> None:
    s, W = states(40, 90, share, dtype), normal(90, 130, dtype=dtype)
    W = W.mT.contiguous().mT if transposed else W
    found = sparse.product(s, W)
    assert torch.equal(found, multiply(pack(s), W))
    torch.testing.assert_close(found, s @ W, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("s", "W"),
    [
        (states(40, 90, 0.5) * 0.5, normal(90, 130)),
        (states(31, 90, 0.5), normal(90, 130)),
        (states(40, 63, 0.5), normal(63, 130)),
        (states(40, 90, 0.5), normal(90, 63)),
        (states(40, 90, 0.5), normal(90, 260)[:, ::2]),
        (states(40, 90, 0.5).half(), normal(90, 130).half()),
    ],
    ids=["grey", "few rows", "few units", "few columns", "every second column", "half precision"],
)
def test_other_products_are_dense(s: torch.Tensor, W: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "multiply", None)
    assert torch.equal(sparse.product(s, W), s @ W)


@pytest.mark.parametrize(
    ("rows", "threads", "gain", "tables"),
    [
        (40, 1, 1.5, True), (40, 2, 1.5, False), (40, 2, 2.0, True), (40, 3, 2.0, False),  # one thread makes few rows
        (1024, 4, 1.5, True), (1024, 6, 1.5, True), (1024, 7, 1.5, False),  # four threads, each as good as six
    ],
)  # fmt: skip
def test_products_are_dense_where_those_have_more_threads(
    rows: int, threads: int, gain: float, tables: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(sparse, "_GAIN", gain)
    assert sparse.tables_pay(rows, 500, 500) == tables


def test_threads_of_a_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert [subset_sums.threads_for(rows, 500, 500) for rows in (128, 512, 1024)] == [1, 2, 3]
    assert subset_sums.threads_for(1024, 64, 64) == 1  # done before others are awake


@pytest.mark.usefixtures("one_thread")
def test_a_graph_is_recorded_and_nothing_else_shared() -> None:
    s, W = states(40, 90, 0.5), normal(90, 130).requires_grad_()
    sparse.product(s, W).sum().backward()
    assert W.grad is not None
    with torch.no_grad():
        found = sparse.product(s, W)
    assert not found.requires_grad


def test_parts_of_many_rows_share_tables() -> None:
    packed = pack(states(subset_sums._ROWS + 1, 40, 0.5))
    assert packed.words.shape[0] == 2 and packed.words.shape[2] == -(-(subset_sums._ROWS + 1) // 2)
