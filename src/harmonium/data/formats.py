"""Files of other programs: workbooks, ARFF, MATLAB and LIBSVM, read by the libraries that have readers for them."""

from __future__ import annotations

import csv
import datetime
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from harmonium.core.optional import need
from harmonium.data.raw import Frame, RawData
from harmonium.data.reading import Reading

__all__ = ["REFUSED", "SVM", "WORKBOOKS", "cases_and_labels", "read_arff", "read_mat", "read_svm", "workbook_as_text"]

WORKBOOKS = (".xlsx", ".xlsm")
SVM = (".svm", ".libsvm", ".svmlight")

_PICKLED = "may hold code that is run when it is read, so it is never read: write the numbers as .npz, .npy or .csv"
_CONVERT = "is not read: save the table as .csv or .parquet"
REFUSED = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".pt", ".pth", ".rds", ".rdata"), _PICKLED),
    **dict.fromkeys((".xls", ".ods", ".sav", ".dta", ".sas7bdat", ".json", ".jsonl", ".sqlite", ".db", ".h5", ".hdf5"),
                    _CONVERT),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar"), "is an archive: unpack it, and name the table in it"),
}  # fmt: skip
"""Suffixes of files that are not read, with the reason and the way out."""


@contextmanager
def workbook_as_text(path: Path) -> Iterator[tuple[Path, Reading]]:
    """Write the first sheet of a workbook as a text file, which is read like any other.

    Raises:
        ImportError: openpyxl is not installed.
        ValueError: the file is damaged or its sheets are empty.
    """
    openpyxl = need("openpyxl", "excel", f"{path.suffix} files")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
        book.close()
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise ValueError(f"{path} is damaged or not {path.suffix} ({error}): save it again") from None
    filled = {title: rows for title, rows in sheets.items() if any(cell is not None for row in rows for cell in row)}
    if not filled:
        raise ValueError(f"{path} holds no cases: add some")
    title, rows = next(iter(filled.items()))
    reading = Reading()
    if len(filled) > 1:
        others = ", ".join(map(repr, list(filled)[1:4]))
        reading = reading.add(
            f"sheet {title!r} is read, the first of {len(filled)} (save {others} as files of their own)"
        )
    width = max(j + 1 for row in rows for j, cell in enumerate(row) if cell is not None)
    left = min(
        next(j for j, cell in enumerate(row) if cell is not None) for row in rows if any(c is not None for c in row)
    )
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "sheet.csv"
        with text.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for row in rows:
                cells = [_cell(row[j] if j < len(row) else None) for j in range(left, width)]
                writer.writerow(cells if any(cells) else [])
        try:
            yield text, reading
        except ValueError as error:
            if str(text) not in str(error):
                raise
            raise type(error)(str(error).replace(str(text), str(path))) from None


def read_arff(path: Path) -> Frame:
    """Read an ARFF file of Weka; nominal attributes become categories, in the order of their declaration.

    Raises:
        ValueError: the file is damaged, or has attributes that SciPy does not read (text, sparse rows).
    """
    import pandas as pd
    from scipy.io import arff

    try:
        with path.open(encoding="utf-8") as file:
            table, meta = arff.loadarff(file)
    except (arff.ArffError, ValueError, NotImplementedError, StopIteration, IndexError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} cannot be read as ARFF ({str(error) or type(error).__name__}): save the table as .csv (Weka: Save "
            "as)"
        ) from None
    columns: dict[str, Any] = {}
    for name in meta.names():
        kind, found = meta[name]
        labels = list(found or ())
        if kind != "nominal":
            columns[name] = table[name]
            continue
        words = [word.decode("utf-8", "replace") for word in table[name]]
        words = [None if word == "?" else word for word in words]
        try:
            numbers = {word: float(word) for word in labels}
            columns[name] = [np.nan if word is None else numbers[word] for word in words]
        except ValueError:
            columns[name] = pd.Categorical(words, categories=labels)
    return pd.DataFrame(columns)


def read_mat(path: Path) -> RawData:
    """Read a MATLAB file: its array ``train`` with ``valid`` and ``test``, or its only array, or one and its labels.

    Raises:
        ValueError: a damaged file, one of MATLAB 7.3, or several arrays.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path)
    except NotImplementedError:
        raise ValueError(f"{path} is of MATLAB 7.3 (HDF5): save it with save(..., '-v7')") from None
    except (MatReadError, ValueError, TypeError, OSError, KeyError, IndexError) as error:
        raise ValueError(f"{path} is damaged, cut short or not .mat ({error}): write or fetch it again") from None
    arrays = {name: value for name, value in content.items() if not name.startswith("__")}
    matrices = {name: _csr(value) for name, value in arrays.items() if _is_matrix(value)}
    if "train" in matrices:
        return RawData({split: matrices[split] for split in ("train", "valid", "test") if split in matrices})
    if len(matrices) == 1:
        return RawData({"train": next(iter(matrices.values()))})
    pair = cases_and_labels(matrices)
    if pair is not None:
        return pair
    found = ", ".join(f"{name} {getattr(value, 'shape', '')}" for name, value in arrays.items()) or "nothing"
    raise ValueError(f"{path} holds {found}; expected train, with or without valid and test, or a single matrix")


def cases_and_labels(arrays: dict[str, Any]) -> RawData | None:
    """Return two arrays as cases and their labels, with a note that says so; None if they are something else."""
    if len(arrays) != 2:
        return None
    (first, a), (second, b) = arrays.items()
    for (name, cases), (other, labels) in (((first, a), (second, b)), ((second, b), (first, a))):
        if cases.ndim > 1 and cases.shape[1] > 1 and labels.size == labels.shape[0] == cases.shape[0]:
            note = f"{name!r} holds the cases and {other!r} their labels"
            return RawData({"train": cases}, {"train": np.asarray(labels).ravel()}, reading=Reading((note,)))
    return None


def read_svm(path: Path) -> RawData:
    """Read a file of LIBSVM: rows of a label and index:value pairs, as a sparse matrix.

    Raises:
        ValueError: the file is damaged or something else.
    """
    from sklearn.datasets import load_svmlight_file

    try:
        cases, labels = load_svmlight_file(str(path))
    except (ValueError, OverflowError, UnicodeDecodeError, OSError) as error:
        raise ValueError(f"{path} cannot be read as LIBSVM ({error}): write rows of a label and index:value") from None
    if 0 in cases.shape:
        raise ValueError(f"{path} holds no cases: add some")
    if (labels == np.floor(labels)).all():
        labels = labels.astype(np.int64)
    return RawData({"train": sparse.csr_array(cases)}, {"train": labels})


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return str(value)


def _is_matrix(value: Any) -> bool:
    return sparse.issparse(value) or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.ndim == 2)


def _csr(value: Any) -> Any:
    return sparse.csr_array(value) if sparse.issparse(value) else value  # type: ignore[call-overload]
