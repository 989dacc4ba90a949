"""Files of other programs hold what a text file holds, or are refused with what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import io, sparse
from sklearn.datasets import dump_svmlight_file

from harmonium.data import load

RNG = np.random.default_rng(0)
N = 40
FRAME = pd.DataFrame(
    {"x": RNG.normal(size=N).round(2), "colour": RNG.choice(["red", "green", "blue"], N), "k": RNG.integers(0, 4, N)}
)
BITS = RNG.integers(0, 2, (N, 5))


def same(path: Path) -> None:
    data = load(path, table=True)
    assert data.table is not None
    back = data.table.to_frame(data.train.rows(np.arange(N)).double().numpy())
    np.testing.assert_allclose(back["x"], FRAME["x"])
    assert back["colour"].tolist() == FRAME["colour"].tolist() and back["k"].tolist() == FRAME["k"].tolist()


@pytest.mark.parametrize(("row", "index"), [(0, False), (3, False), (0, True)])
@pytest.mark.filterwarnings("ignore:.*numbers the rows and is left out")
def test_workbooks(tmp_path: Path, row: int, index: bool) -> None:
    pytest.importorskip("openpyxl")
    FRAME.to_excel(tmp_path / "x.xlsx", index=index, startrow=row)
    same(tmp_path / "x.xlsx")


def test_a_workbook_of_several_sheets_and_a_damaged_one(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(tmp_path / "x.xlsx") as writer:
        FRAME.to_excel(writer, sheet_name="one", index=False)
        FRAME.to_excel(writer, sheet_name="two", index=False)
    with pytest.warns(UserWarning, match="sheet 'one' is read, the first of 2"):
        same(tmp_path / "x.xlsx")
    (tmp_path / "x.xlsx").write_bytes(b"PK\x03\x04junk")
    with pytest.raises(ValueError, match=r"x\.xlsx is damaged"):
        load(tmp_path / "x.xlsx")


def test_a_workbook_without_its_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"PK\x03\x04")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ImportError, match=r"\.xlsx .*openpyxl.*'harmonium\[excel\]'"):
        load(tmp_path / "x.xlsx")


def test_arff(tmp_path: Path) -> None:
    head = "@relation r\n@attribute x numeric\n@attribute colour {red,green,blue}\n@attribute k {0,1,2,3}\n@data\n"
    (tmp_path / "x.arff").write_text(head + FRAME.to_csv(index=False, header=False))
    same(tmp_path / "x.arff")
    (tmp_path / "x.arff").write_text(head + "?,red,0\n1.5,?,1\n2,green,2\n")
    assert np.isnan(load(tmp_path / "x.arff", table=True).train[:]).sum() == 2
    (tmp_path / "x.arff").write_text("garbage")
    with pytest.raises(ValueError, match=r"x\.arff cannot be read as ARFF"):
        load(tmp_path / "x.arff")


def test_matlab(tmp_path: Path) -> None:
    io.savemat(tmp_path / "x.mat", {"X": BITS, "y": FRAME["k"].to_numpy()[:, None]})
    with pytest.warns(UserWarning, match="'X' holds the cases and 'y' their labels"):
        data = load(tmp_path / "x.mat")
    assert np.array_equal(data.train[:], BITS) and data.labels.train.tolist() == FRAME["k"].tolist()  # type: ignore[union-attr]
    io.savemat(tmp_path / "x.mat", {"train": BITS, "test": BITS[:4]})
    assert len(load(tmp_path / "x.mat").test or ()) == 4
    io.savemat(tmp_path / "x.mat", {"A": BITS, "B": BITS})
    with pytest.raises(ValueError, match=r"holds A \(40, 5\), B \(40, 5\); expected train"):
        load(tmp_path / "x.mat")
    (tmp_path / "x.mat").write_bytes(b"junk" * 50)
    with pytest.raises(ValueError, match="damaged"):
        load(tmp_path / "x.mat")


@pytest.mark.parametrize("suffix", ["svm", "libsvm"])
def test_libsvm(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    dump_svmlight_file(sparse.csr_matrix(BITS), FRAME["k"], str(path))
    data = load(path)
    assert np.array_equal(data.train[:], BITS) and data.labels.train.tolist() == FRAME["k"].tolist()  # type: ignore[union-attr]
    path.write_text("not svm at all\n")
    with pytest.raises(ValueError, match="cannot be read as LIBSVM"):
        load(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("x.pkl", "may hold code .*never read"), ("x.pt", "may hold code"), ("x.xls", r"\.csv or \.parquet")],
)
def test_files_that_are_not_read(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(b"junk")
    with pytest.raises(ValueError, match=words):
        load(tmp_path / name)


def test_arrays_may_be_read_by_columns(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", RNG.permutation(np.arange(60) % 5 + 1).reshape(20, 3))
    data = load(tmp_path / "x.npy", table=True)
    assert data.table is not None and data.table.columns[0].labels == (1, 2, 3, 4, 5)


def test_two_arrays_may_be_cases_and_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", y=FRAME["k"], X=BITS)
    with pytest.warns(UserWarning, match="'X' holds the cases and 'y' their labels"):
        data = load(tmp_path / "x.npz")
    assert np.array_equal(data.train[:], BITS) and np.array_equal(data.labels.train, FRAME["k"])  # type: ignore[arg-type]


def test_a_scale_is_divided_by(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "x.csv", RNG.integers(0, 256, (20, 4)), fmt="%d", delimiter=",")
    data = load(tmp_path / "x.csv", scale=255)
    assert data.train[:].max() <= 1
    assert load(tmp_path / "x.csv", scale=255, binarize="threshold").binarization == "threshold"
    assert load(**data.source).train.fingerprint() == data.train.fingerprint()
    with pytest.raises(ValueError, match=r"scale.*-1"):
        load(tmp_path / "x.csv", scale=-1)
