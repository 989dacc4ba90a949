from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

import harmonium.data as data
from harmonium.data import as_cases

GREY = (np.arange(40 * 12).reshape(40, 12) * 7 % 256).astype(np.uint8)
ORDER = np.array([3, 39, 0, 3, 17])


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "i4", "i8", "f2", "f4", "f8", ">f4", ">i2"])
def test_rows_are_those_of_the_array_for_every_type(dtype: str) -> None:
    table = (GREY % 100).astype(dtype)
    got = as_cases(table).rows(ORDER)
    assert got.dtype == torch.float32
    assert np.array_equal(got.numpy(), table[ORDER].astype(np.float32))


def test_rows_accept_torch_indices_and_other_result_types() -> None:
    table = np.linspace(0, 1, 30).reshape(10, 3) + 1e-12
    cases = as_cases(table)
    index = torch.tensor([9, 2])
    assert np.array_equal(cases.rows(index, dtype=torch.float64).numpy(), table[[9, 2]])
    assert cases.rows(index, dtype=torch.bfloat16).dtype == torch.bfloat16
    assert cases.rows(torch.tensor([], dtype=torch.int64)).shape == (0, 3)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("index", [[0, 40], [-1, 2], [2**40, 0]])
def test_case_numbers_out_of_range_are_refused(make: object, index: list[int]) -> None:
    with pytest.raises(IndexError, match=r"index .*40"):
        as_cases(make(GREY)).rows(np.array(index))  # type: ignore[operator]


def test_an_index_of_floats_is_refused() -> None:
    with pytest.raises(IndexError, match="integers"):
        as_cases(GREY).rows(np.array([0.0]))


@pytest.mark.parametrize("index", [0, -1, slice(2, 30, 5), slice(None, None, -1), [4, -2], np.arange(40) % 3 == 0])
def test_indexing_is_that_of_numpy(index: object) -> None:
    assert np.array_equal(as_cases(GREY)[index], GREY.astype(np.float32)[index])  # type: ignore[index]


def test_iteration_ends_and_masks_of_another_length_are_refused() -> None:
    cases = as_cases(GREY)
    assert np.array_equal(np.stack(list(cases)), GREY)  # type: ignore[call-overload]
    with pytest.raises(IndexError, match=r"mask of shape \(3,\)"):
        cases[np.array([True, False, True])]


def test_conversion_to_an_array() -> None:
    cases = as_cases(GREY)
    assert np.asarray(cases).dtype == np.float32
    assert np.array_equal(np.asarray(cases, dtype=np.int64), GREY)
    assert (len(cases), cases.shape, cases.dtype, cases.ndim) == (40, (40, 12), np.uint8, 2)


def test_values_are_not_copied() -> None:
    table = GREY.copy()
    cases = as_cases(table)
    table[0, 0] = 99
    assert cases[0][0] == 99


def test_sparse_rows_equal_dense_ones_and_the_matrix_stays_as_it_is() -> None:
    duplicated = sparse.coo_array((np.ones(3, np.int8), ([0, 0, 1], [2, 2, 0])), shape=(3, 4))
    csr = sparse.csr_array((np.ones(3), np.array([2, 2, 0]), np.array([0, 2, 3, 3])), shape=(3, 4))
    expected = [[0, 0, 2, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert as_cases(duplicated).rows(np.arange(3)).tolist() == expected
    assert as_cases(csr).rows(np.arange(3)).tolist() == expected
    assert csr.nnz == 3
    flags = sparse.csc_matrix(GREY > 100)
    assert np.array_equal(np.asarray(as_cases(flags)), GREY > 100)


def test_torch_tensors_lists_and_images_are_accepted() -> None:
    assert np.array_equal(np.asarray(as_cases(torch.tensor([[1.5, 2.5]], requires_grad=True))), [[1.5, 2.5]])
    assert np.array_equal(np.asarray(as_cases(torch.ones(2, 3, dtype=torch.bfloat16))), np.ones((2, 3)))
    assert np.array_equal(np.asarray(as_cases([[1, 2], [3, 4]])), [[1, 2], [3, 4]])
    assert np.array_equal(np.asarray(as_cases(GREY.reshape(40, 3, 4))), GREY)
    assert np.array_equal(np.asarray(as_cases(np.asfortranarray(GREY))), GREY)
    cases = as_cases(GREY)
    assert as_cases(cases) is cases


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (np.zeros(10), ValueError, r"visible .*\(10,\).*\(cases, features\).*reshape"),
        (np.zeros((0, 3)), ValueError, r"visible .*\(0, 3\).*at least one"),
        (np.zeros((3, 0)), ValueError, r"visible .*\(3, 0\).*at least one"),
        (np.array([[1, None]]), TypeError, "visible .*Python objects.*astype"),
        (np.zeros((2, 2), complex), TypeError, "visible .*complex.*astype"),
        ([["a", "b"]], TypeError, "visible .*text.*astype"),
        ([[1, 2], [3]], ValueError, "visible .*unequal length"),
        (sparse.csr_array((0, 3)), ValueError, r"visible .*\(0, 3\)"),
        (sparse.csr_array(np.eye(2, dtype=complex)), TypeError, "visible .*complex.*astype"),
        (torch.eye(2).to_sparse(), TypeError, r"visible .*to_dense\(\)"),
        (5.0, ValueError, r"visible .*\(\)"),
    ],
)
def test_what_is_not_a_table_is_refused_by_name(bad: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        as_cases(bad, "visible")


def test_chunks_cover_all_cases_in_order() -> None:
    chunks = list(as_cases(GREY).chunks(17))
    assert [start for start, _ in chunks] == [0, 17, 34]
    assert np.array_equal(torch.cat([chunk for _, chunk in chunks]).numpy(), GREY)
    with pytest.raises(ValueError, match="size=0"):
        next(as_cases(GREY).chunks(0))


def test_fingerprints_depend_on_values_types_shapes_and_treatment() -> None:
    other = GREY.copy()
    other[39, 11] ^= 1
    prints = [
        as_cases(table).fingerprint()
        for table in (GREY, other, GREY.astype(np.int8), GREY.reshape(12, 40), sparse.csr_array(GREY))
    ]
    prints.append(as_cases(GREY).derive(binarization="threshold").fingerprint())
    prints.append(as_cases(GREY).derive(order=np.arange(40)[::-1].copy()).fingerprint())
    assert len(set(prints)) == len(prints)
    assert as_cases(GREY.copy()).fingerprint() == prints[0]
    assert as_cases(GREY).derive(order=np.arange(40)).fingerprint() == prints[0]


def test_fingerprints_of_large_tables_read_some_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    import harmonium.data.cases as module

    monkeypatch.setattr(module, "HASH_WHOLE_BYTES", 100)
    monkeypatch.setattr(module, "HASH_ROWS", 4)  # rows 0, 13, 26, 39
    seen, unseen = GREY.copy(), GREY.copy()
    seen[13, 0] ^= 1
    unseen[14, 0] ^= 1
    assert as_cases(seen).fingerprint() != as_cases(GREY).fingerprint() == as_cases(unseen).fingerprint()


def test_the_source_makes_the_same_cases_again(tmp_path: object) -> None:
    first = data.load("digits", binarize="dynamic", seed=5)
    for split in ("train", "valid", "test"):
        cases = getattr(first, split)
        again = data.from_source(cases.source)
        assert again.fingerprint() == cases.fingerprint()
        assert torch.equal(again.rows(np.arange(9), epoch=3), cases.rows(np.arange(9), epoch=3))
    assert as_cases(GREY).source is None


def test_reading_from_four_threads_gives_the_same_rows() -> None:
    from concurrent.futures import ThreadPoolExecutor

    cases = as_cases(np.random.default_rng(0).random((500, 64)))
    index = [np.random.default_rng(k).permutation(500) for k in range(40)]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(cases.rows, index))
    dense = np.asarray(cases)
    assert all(np.array_equal(rows.numpy(), dense[chosen]) for rows, chosen in zip(got, index, strict=True))


def test_the_representation() -> None:
    assert repr(as_cases(sparse.csr_array(GREY > 0))) == "Cases(40 x 12, bool, sparse)"
