"""Inputs that follow the units that changed: the same numbers as products."""

from __future__ import annotations

import pytest
import torch

from harmonium.kernels import sparse
from harmonium.kernels.flips import add_flips_, flips_pay, list_flips
from harmonium.kernels.sparse import NARROWEST

KINDS = {
    "binary": lambda u: (u < 0.3).double(),
    "spins": lambda u: torch.where(u < 0.3, -1.0, 1.0).double(),
    "counts": lambda u: (5 * u).floor().double(),
}


def pair(kind: str, rows: int = 21, units: int = 93, share: float = 0.15) -> tuple[torch.Tensor, torch.Tensor]:
    """States before and after, of which about a ``share`` was drawn anew; the first row stays as it is."""
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(rows, units, generator=generator, dtype=torch.float64)
    again = torch.rand(rows, units, generator=generator) < share
    again[0] = False
    moved = torch.where(again, torch.rand(rows, units, generator=generator, dtype=torch.float64), u)
    return KINDS[kind](u), KINDS[kind](moved)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_follow_the_states(kind: str, dtype: torch.dtype, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    old, new = (s.to(dtype) for s in pair(kind))
    W = torch.randn(93, 131, generator=torch.Generator().manual_seed(1)).to(dtype)
    x = old @ W
    changed = list_flips(old, new)
    assert changed is not None
    unchanged = x[0].clone()
    found = add_flips_(x, changed, W)
    assert found is x
    # Each sum of some 100 terms errs by about the square root of that, in half units in the last place of its size.
    size = (old.abs() + new.abs()) @ W.abs()
    assert bool(((x - new @ W).abs() <= 2 * torch.finfo(dtype).eps * size).all())
    assert torch.equal(x[0], unchanged)  # a row without changes is left alone, to the last bit


def test_the_list_names_the_units_that_changed() -> None:
    old, new = pair("counts")
    changed = list_flips(old, new)
    assert changed is not None
    rows, units = (old != new).nonzero(as_tuple=True)
    assert changed.index.tolist() == units.tolist()
    assert changed.starts.tolist() == [0, *torch.bincount(rows, minlength=21).cumsum(0).tolist()]


@pytest.mark.parametrize("units", [7, 8, 9, 500])
def test_the_last_units_of_a_row_are_seen(units: int) -> None:
    old, new = torch.ones(9, units), torch.ones(9, units)
    new[4, -1] = 2
    changed = list_flips(old, new)
    assert changed is not None
    assert changed.index.tolist() == [units - 1]


def test_rows_with_many_changes_are_left_to_the_product() -> None:
    old, new = pair("spins")
    new[4] = -old[4]
    changed = list_flips(old, new)
    assert changed is not None
    assert changed.others.tolist() == [4]
    W = torch.randn(93, 131, generator=torch.Generator().manual_seed(1)).double()
    x = old @ W
    stays = x[4].clone()
    add_flips_(x, changed, W)
    assert torch.equal(x[4], stays)
    rest = torch.arange(21) != 4
    torch.testing.assert_close(x[rest], (new @ W)[rest], rtol=0, atol=1e-12)


def test_many_such_rows_are_left_to_it_with_all_others() -> None:
    old = torch.ones(40, 90)
    for rows, few in ((30, True), (31, False)):
        new = old.clone()
        new[:rows] = -1
        assert (list_flips(old, new) is not None) == few


def test_changes_of_more_than_a_quarter_of_the_units_are_left_to_it() -> None:
    old, new = torch.ones(40, 100), torch.ones(40, 100)
    new[:, :25] = -1
    assert list_flips(old, new) is not None
    new[3, 25] = -1
    assert list_flips(old, new) is None
    new[4, 1:25] = 1
    assert list_flips(old, new) is not None


@pytest.mark.parametrize(
    ("kind", "width", "threads", "most"),
    [("binary", 70, 1, 8), ("binary", 70, 2, 8), ("binary", 70, 3, 25), ("binary", 0, 1, 25), ("spins", 70, 1, 25)],
)
def test_fewer_changes_pay_where_the_product_is_fast(
    kind: str, width: int, threads: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(sparse, "_GAIN", 2.0)
    old = torch.ones(40, 100)
    for changes in (most, most + 1):
        new = old.clone()
        new[:, :changes] = 0 if kind == "binary" else -1
        assert (list_flips(old, new, width) is not None) == (changes == most)


def test_more_changes_than_units_that_are_on_are_left_to_the_product() -> None:
    old, new = torch.zeros(2, 90), torch.zeros(2, 90)
    old[:, :5], new[:, 5:9] = 1, 1
    assert list_flips(old, new) is None  # nine changes of a row, four units on
    new[:, 10:15] = 1
    assert list_flips(old, new) is None  # 14 and 9
    new[:, :5] = 1
    assert list_flips(old, new) is not None  # 9 and 14


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (torch.zeros(3, 9), torch.zeros(4, 9)),
        (torch.zeros(3, 9), torch.zeros(3, 9).double()),
        (torch.zeros(2, 3, 9), torch.zeros(2, 3, 9)),
        (torch.randn(9, 90, generator=torch.Generator().manual_seed(0)), torch.zeros(9, 90)),
        (torch.zeros(9, 90), torch.full((9, 90), torch.nan)),
    ],
    ids=["other rows", "another precision", "a stack", "real values", "not a number"],
)
def test_everything_else_is_left_to_the_product(old: torch.Tensor, new: torch.Tensor) -> None:
    assert list_flips(old, new) is None


def test_matrices_for_which_inputs_are_kept() -> None:
    assert flips_pay(torch.zeros(9, NARROWEST))
    assert not flips_pay(torch.zeros(9, NARROWEST - 1))
    assert not flips_pay(torch.zeros(2, 9, NARROWEST))
    assert not flips_pay(torch.zeros(9, NARROWEST, dtype=torch.float16))
    assert not flips_pay(torch.zeros(9, NARROWEST, device="meta"))
