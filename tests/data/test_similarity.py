from __future__ import annotations

import numpy as np
import pytest
import torch

from harmonium.data import neighbours, similarity


@pytest.mark.parametrize("identity", [0.25, 0.5, 0.8, 1.0])
def test_neighbours_are_those_found_pair_by_pair(monkeypatch: pytest.MonkeyPatch, identity: float) -> None:
    monkeypatch.setattr(similarity, "_CHUNK", 7)  # 40 rows: six chunks, the last one shorter
    rng = np.random.default_rng(0)
    codes = rng.integers(4, size=(40, 10))
    copies = rng.integers(20, size=20)
    codes[20:] = np.where(rng.random((20, 10)) < 0.2, codes[20:], codes[copies])  # similar to the first twenty
    agreements = (codes[:, None] == codes[None]).sum(-1)
    expected = 10 * agreements >= round(identity * 100)  # in whole numbers, without rounding
    near = neighbours(codes, identity)
    assert (near.toarray() == expected).all()
    assert 40 < near.nnz < 1600  # more than each with itself, fewer than all
    assert near.dtype == bool and near.has_canonical_format


def test_the_share_is_reached_by_whole_numbers() -> None:
    assert 0.55 * 100 > 55  # in floating point
    codes = np.zeros((2, 100), np.uint8)
    codes[1, :45] = 1
    assert neighbours(codes, 0.55).nnz == 4
    codes[1, 45] = 1
    assert neighbours(codes, 0.55).nnz == 2


def test_weights_count_relatives_once() -> None:
    codes = torch.tensor([[0, 1, 2, 3, 4]] * 3 + [[4, 3, 2, 1, 0]], dtype=torch.float32)
    weights = 1 / neighbours(codes).sum(1)
    assert weights.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])


@pytest.mark.parametrize(
    ("codes", "identity", "message"),
    [
        ([[0, 1]], 0.0, "identity .*at most 1.*0.0"),
        ([[0, 1]], 80, "identity .*at most 1.*80"),
        ([[0, 1], [2, -1]], 0.8, "codes .*whole numbers.* -1 in row 1, column 1"),
        ([[0.0, 0.5]], 0.8, "codes .*whole numbers.* 0.5 in row 0, column 1"),
        ([[0.0, np.nan]], 0.8, "codes .*whole numbers.* nan"),
        ([0, 1], 0.8, r"codes .*\(n, columns\).*\(2,\)"),
        ([["A", "C"]], 0.8, "codes .*numbers.*<U1"),
    ],
)
def test_bad_arguments_are_named(codes: list[object], identity: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        neighbours(np.array(codes), identity)
