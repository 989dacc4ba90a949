"""One split of a data set, whose rows can be read as dense batches in any order."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from harmonium.data.binarize import THRESHOLD, Binarization, RepeatedCases, Sampler
from harmonium.data.gather import gather_rows, gather_sparse, gather_standard, gather_threshold
from harmonium.data.mapped import Pages, find_mapping
from harmonium.data.row_files import RowFiles
from harmonium.data.summary import Summary, summarise

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["Cases", "Standardization", "as_array", "as_cases"]

Array = np.ndarray[Any, Any]
Index = np.ndarray[Any, np.dtype[np.int64]]

CHUNK_BYTES = 4 * 2**20  # read at a time in a pass over all cases: few calls, yet the chunk fits into the cache
HASH_WHOLE_BYTES = 64 * 2**20
HASH_ROWS = 4096


@dataclass(frozen=True)
class Standardization:
    """Means and scales of the columns, (features,) each, that standardise a table: (x - mean) / scale."""

    mean: Array
    scale: Array


@dataclass(eq=False, repr=False)
class Cases:
    """The cases of one split, an array-like of shape (cases, features).

    The values stay in the form in which they were given (bytes, bools, floats, memory-mapped files, a sparse matrix)
    and become dense floats batch by batch.  `as_cases` and `harmonium.data.load` make them.

    Attributes:
        values: the stored values, (rows, features).
        order: (cases,) the rows that are the cases; None means all rows.
        divisor: what the values are divided by.
        binarization: how grey levels become binary: ``"threshold"``, ``"fixed"``, ``"dynamic"``, or None.
        sampler: draws the cases that are read, or None.
        standard: the means and scales of the columns, or None if nothing was standardised.
        table: what the columns are, if they were those of a table that was read column by column, or None.
        source: a dict for JSON from which `from_source` loads the same cases again, or None.
        shape: (cases, features).
        log_jacobian: nats per case to *add* to a log-density of these values to get the log-density of the values
            before standardisation; 0 if nothing was standardised.

    >>> cases = as_cases([[0, 1, 1], [1, 0, 1]])
    >>> cases.shape, cases.rows(torch.tensor([1])).tolist()
    ((2, 3), [[1.0, 0.0, 1.0]])
    """

    values: Array | RowFiles | sparse.csr_array
    _: KW_ONLY
    order: Index | None = None
    divisor: float = 1.0
    binarization: Binarization | None = None
    sampler: Sampler | RepeatedCases | None = None
    standard: Standardization | None = None
    table: Table | None = None
    source: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        rows, width = self.values.shape
        mappings = self.values.mappings if isinstance(self.values, RowFiles) else []
        if isinstance(self.values, np.ndarray):
            mapping = find_mapping(self.values)
            mappings = [] if mapping is None else [mapping]
            self.values = np.asarray(self.values)  # indexing a memmap is slow
        self._pages = Pages(mappings, width * self.values.dtype.itemsize) if mappings else None
        self._summary: Summary | None = None
        self.log_jacobian = 0.0 if self.standard is None else -float(np.log(self.standard.scale).sum())
        self.shape: tuple[int, int] = (rows if self.order is None else len(self.order), width)

    def derive(self, **changes: Any) -> Cases:
        """Return cases over the same values, with some of the attributes of the constructor changed."""
        return replace(self, **changes)

    def select(self, index: Index) -> Cases:
        """Return some of the cases without copying values; "fixed" and "dynamic" cases get new random draws.

        Args:
            index: (rows,) case numbers.
        """
        return self.derive(order=index if self.order is None else self.order[index], source=None)

    def copies(self, count: int) -> Cases:
        """Return every case multiplied by ``count``, for `Binomial` units whose trials are tied copies of one unit.

        Raises:
            ValueError: the cases are copies already.

        >>> as_cases([[0, 1], [1, 1]]).copies(2).rows(torch.tensor([0])).tolist()
        [[0.0, 2.0]]
        """
        if isinstance(self.sampler, RepeatedCases):
            raise ValueError("these cases are copies already: call copies on the cases that they were made from")
        return self.derive(sampler=RepeatedCases(count, self.sampler), source=None)

    # ---------------------------------------------------------------- as an array

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.values.dtype)

    @property
    def ndim(self) -> int:
        return 2

    @property
    def mapped(self) -> bool:
        """Whether the values are in memory-mapped files."""
        return self._pages is not None

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("copy=False: cases become an array only by copying, use np.asarray(cases)")
        dense = self.rows(np.arange(len(self))).numpy()
        return dense if dtype is None else dense.astype(dtype, copy=False)

    def __getitem__(self, index: int | slice | list[int] | Array | Tensor) -> Array:
        """Return rows by number, slice, index array or mask, as float32 of epoch 0."""
        numbers = _numbers(index, len(self))
        dense: Array = self.rows(np.atleast_1d(numbers)).numpy()
        return dense if np.ndim(numbers) else dense[0]

    def __repr__(self) -> str:
        notes = [str(self.dtype)]
        if sparse.issparse(self.values):
            notes.append("sparse")
        if self.mapped:
            notes.append("memory-mapped")
        if self.binarization is not None:
            notes.append(self.binarization)
        if self.standard is not None:
            notes.append("standardised")
        return f"Cases({self.shape[0]} x {self.shape[1]}, {', '.join(notes)})"

    # ---------------------------------------------------------------- as batches

    def rows(
        self,
        index: Tensor | Array,
        *,
        epoch: int = 0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Read cases by number.

        Args:
            index: (rows,) integers from 0 to ``len(self) - 1``, in any order, with or without repetitions.
            epoch: the epoch, which ``"dynamic"`` binarisation depends on.
            dtype: the type of the result; ``torch.float64`` keeps all digits of float64 values.
            device: the device of the result.

        Returns:
            (rows, features), dense, scaled, binarised and standardised.

        Raises:
            IndexError: a case number is out of range.
        """
        where = _as_index(index)
        work = dtype if dtype in (torch.float32, torch.float64) else torch.float32
        batch = torch.empty((len(where), self.shape[1]), dtype=work)
        dense = batch.numpy()
        step = len(where) if self._pages is None else self._pages.rows_at_once
        for start in range(0, len(where), max(1, step)):
            self._gather(where[start : start + step], dense[start : start + step])
        if self.sampler is not None:
            batch = self.sampler.draw(batch, torch.from_numpy(where), operator.index(epoch))
        return batch.to(device=device, dtype=dtype)

    def chunks(
        self, size: int, *, epoch: int = 0, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> Iterator[tuple[int, Tensor]]:
        """Read all cases in order, in chunks, so that memory is needed for one chunk only.

        Args:
            size: the largest number of rows in a chunk.
            epoch: as in `rows`.
            dtype: as in `rows`.
            device: as in `rows`.

        Returns:
            An iterator over pairs of the number of the first case and the rows, (at most ``size``, features).

        Raises:
            ValueError: ``size`` is below 1.

        >>> [(start, len(chunk)) for start, chunk in as_cases(np.eye(5)).chunks(2)]
        [(0, 2), (2, 2), (4, 1)]
        """
        if size < 1:
            raise ValueError(f"size={size}: give a number of rows, 1 or more")
        for start in range(0, len(self), size):
            index = np.arange(start, min(start + size, len(self)))
            yield start, self.rows(index, epoch=epoch, dtype=dtype, device=device)

    def statistics(self) -> Summary:
        """Return moments, ranges and kinds of the columns, found in one pass whose result is kept.

        Binary cases that are drawn from grey levels m ("dynamic", "fixed") are described by their distribution, with
        mean m and variance m (1 - m).

        >>> as_cases([[0.0, 2.0], [1.0, 4.0]]).statistics().mean.tolist()
        [0.5, 3.0]
        """
        if self._summary is None:
            grey = self if self.sampler is None else self.derive(sampler=None)
            summary = summarise(grey.chunks(max(1, CHUNK_BYTES // (8 * self.shape[1])), dtype=torch.float64))
            self._summary = summary if self.sampler is None else self.sampler.summary(summary)
        return self._summary

    def complete(self) -> Cases:
        """Return the cases without a missing value (NaN).

        >>> as_cases([[0.0, float("nan")], [1.0, 2.0]]).complete().shape
        (1, 2)
        """
        whole = [~torch.isnan(chunk).any(-1) for _, chunk in self.chunks(HASH_ROWS)]
        index = torch.cat(whole).nonzero().squeeze(-1).numpy()
        return self if len(index) == len(self) else self.select(index)

    def row_name(self, case: int, start: int = 0) -> str:
        """Return what messages call a case: its row here and, if these are some of more cases, its row among all.

        Args:
            case: its number, counted from ``start``.
            start: the number of the first case of a chunk.

        >>> as_cases(np.eye(3)).select(np.array([0, 2])).row_name(1)
        'row 1 (row 2 before cases were set aside)'
        """
        row = start + case
        if self.order is None or int(self.order[row]) == row:
            return f"row {row}"
        return f"row {row} (row {int(self.order[row])} before cases were set aside)"

    def fingerprint(self) -> str:
        """Return a hash of the shape, the stored dtype, the values and their treatment, as hexadecimal digits.

        It tells data sets apart.  It is no protection against tampering: of a table above 64 MB it reads 4096 evenly
        spaced rows only.
        """
        digest = hashlib.blake2b(digest_size=16)
        treatment = (self.shape, self.dtype.str, self.divisor, self.binarization, repr(self.sampler))
        digest.update(repr(treatment).encode())
        if self.standard is not None:
            digest.update(self.standard.mean.tobytes() + self.standard.scale.tobytes())
        whole = self._stored_bytes() <= HASH_WHOLE_BYTES
        index = np.arange(len(self)) if whole else np.linspace(0, len(self) - 1, HASH_ROWS).astype(np.int64)
        step = HASH_ROWS if self._pages is None else self._pages.rows_at_once
        for start in range(0, len(index), step):
            digest.update(self._raw_bytes(index[start : start + step]))
        return digest.hexdigest()

    # ---------------------------------------------------------------- inside

    def _gather(self, where: Index, out: Array) -> None:
        """Fill ``out`` with the rows ``where``, complete but for random draws."""
        table, index = self.values, where
        if self.order is not None:
            index = self.order[_within(where, len(self))]
        if sparse.issparse(table):
            outside = gather_sparse(table.indptr, table.indices, _plain(table.data), index, out)
            outside = self._treat(out, np.arange(len(out)), out) if outside < 0 else outside
        else:
            if self._pages is not None:
                self._pages.touch(index)
            if isinstance(table, RowFiles):
                outside = -1
                for part, places, rows in table.split(_within(index, len(table))):
                    block = np.empty((len(rows), out.shape[1]), out.dtype)
                    self._gather_from(part, rows, block)
                    out[places] = block
            else:
                outside = self._gather_from(table, index, out)
        if outside >= 0:
            _within(where, len(self))

    def _gather_from(self, table: Array, index: Index, out: Array) -> int:
        if _is_foreign(table.dtype):
            table, index = table[_within(index, len(table))].astype(np.float64), np.arange(len(index))
        return self._treat(_plain(table), index, out)

    def _treat(self, table: Array, index: Index, out: Array) -> int:
        if self.standard is not None:
            shift, factor = self.standard.mean * self.divisor, 1.0 / (self.standard.scale * self.divisor)
            return int(gather_standard(table, index, shift, factor, out))
        if self.binarization == "threshold":
            return int(gather_threshold(table, index, THRESHOLD * self.divisor, out))
        if table is out and self.divisor == 1.0:
            return -1
        return int(gather_rows(table, index, self.divisor, out))

    def _stored_bytes(self) -> int:
        if sparse.issparse(self.values):
            return int(self.values.data.nbytes)
        return len(self) * self.shape[1] * self.dtype.itemsize

    def _raw_bytes(self, where: Index) -> bytes:
        index = where if self.order is None else self.order[where]
        if self._pages is not None:
            self._pages.touch(index)
        block = self.values[index]
        if sparse.issparse(block):
            return b"".join(np.asarray(part).tobytes() for part in (block.indptr, block.indices, block.data))
        return bytes(np.ascontiguousarray(block).tobytes())


def as_cases(x: Any, name: str = "data") -> Cases:
    """Turn an array, SciPy sparse matrix, torch tensor or list into `Cases`.

    Nothing is scaled, nothing is copied without need, and the values are read later.  Images (cases, height, width)
    are flattened to (cases, features).

    Args:
        x: the cases; `Cases` are returned as they are.
        name: the name of the argument in error messages.

    Returns:
        The cases.

    Raises:
        TypeError: values that are not real numbers (objects, text, complex numbers).
        ValueError: no rows, no columns, one dimension only, or rows of unequal length.

    >>> as_cases(np.zeros((5, 28, 28), dtype=bool))
    Cases(5 x 784, bool)
    """
    if isinstance(x, Cases):
        return x
    if isinstance(x, RowFiles):
        return Cases(x.flat())
    if sparse.issparse(x):
        return Cases(_as_csr(x, name))
    table = _as_table(x, name)
    if table.ndim < 2:
        raise ValueError(
            f"{name} has shape {table.shape}; expected (cases, features): reshape(1, -1) makes one case of a vector"
        )
    if 0 in table.shape:
        raise ValueError(f"{name} has shape {table.shape}: it is empty; give at least one case and one feature")
    return Cases(table.reshape(len(table), -1))


def as_array(x: Any, name: str) -> Array:
    """Turn a DataFrame, `Cases`, torch tensor or list of any shape into an array of real numbers.

    Raises:
        TypeError: values that are not real numbers.
        ValueError: rows of unequal length.

    >>> as_array([[1, 2]], "v").shape
    (1, 2)
    """
    found = x
    if isinstance(x, Tensor):
        if x.layout != torch.strided:
            raise TypeError(f"{name} is a torch tensor of layout {x.layout}: give .to_dense() or a SciPy sparse matrix")
        x = x.detach().cpu()
        x = (x.float() if x.dtype == torch.bfloat16 else x).numpy()
    if not isinstance(x, np.ndarray):
        if type(x).__module__.partition(".")[0] == "pandas":
            from harmonium.data.plain import numbers_of_frame  # pandas is there already

            x = numbers_of_frame(x, name)
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise ValueError(
                f"{name} cannot be converted to an array (are the rows of unequal length?): {error}"
            ) from error
    array: Array = x
    if array.dtype.kind in "OUS" and hasattr(found, "to_pandas"):  # of polars or Arrow: the column is named
        from harmonium.data.plain import as_pandas, numbers_of_frame

        array = np.asarray(numbers_of_frame(as_pandas(found), name))
    _check_kind(array, name, found)
    return array


def _as_table(x: Any, name: str) -> Array:
    x = as_array(x, name)
    if x.flags.c_contiguous:
        return x if isinstance(x, np.memmap) else np.asarray(x)
    if find_mapping(x) is not None and x.nbytes > HASH_WHOLE_BYTES:
        raise ValueError(
            f"{name} is a memory-mapped array stored by columns, so its rows cannot be read one by one: "
            "store it by rows with np.save(path, np.ascontiguousarray(x))"
        )
    return np.ascontiguousarray(x)


def _as_csr(x: Any, name: str) -> sparse.csr_array:
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"{name} has shape {x.shape}; expected (cases, features), at least one of each")
    _check_kind(x, name, x)
    table = sparse.csr_array(x)
    if not table.has_canonical_format:
        table = table.copy()  # sorting must not change the caller's matrix
        table.sum_duplicates()
    if _is_foreign(table.dtype):
        table = table.astype(np.float64)
    return table


def _check_kind(x: Any, name: str, found: Any) -> None:
    """Raise TypeError unless ``x``, into which what was ``found`` has been turned, holds real numbers."""
    dtype = x.dtype
    if dtype.kind in "biuf":
        return
    if isinstance(getattr(found, "train", None), Cases):  # a Dataset
        raise TypeError(f"{name} is a {type(found).__name__}, all splits together: pass one, such as data.train")
    if isinstance(found, (str, PathLike)):
        raise TypeError(f"{name} is {str(found)!r}: load it first, and pass harmonium.data.load({str(found)!r}).train")
    if x.ndim == 0:
        raise TypeError(f"{name} is a {type(found).__name__}; expected an array of numbers, (cases, features)")
    what = {"O": "Python objects", "U": "text", "S": "text", "c": "complex numbers"}.get(dtype.kind, f"dtype {dtype}")
    raise TypeError(f"{name} holds {what}; expected bool, integer or real numbers: convert it with .astype(float)")


def _as_index(index: Tensor | Array) -> Index:
    where = index.cpu().numpy() if isinstance(index, Tensor) else np.asarray(index)
    if where.ndim != 1 or where.dtype.kind not in "iu":
        raise IndexError(
            f"index has shape {where.shape} and dtype {where.dtype}; expected (rows,) integers: case numbers"
        )
    return np.ascontiguousarray(where, dtype=np.int64)


def _numbers(index: int | slice | list[int] | Array | Tensor, count: int) -> Array:
    """The case numbers that NumPy would pick from np.arange(count), without making that array."""
    if isinstance(index, slice):
        return np.arange(*index.indices(count))
    picked = index.cpu().numpy() if isinstance(index, Tensor) else np.asarray(index)
    if picked.dtype == np.bool_:
        if picked.shape != (count,):
            raise IndexError(f"a mask of shape {picked.shape} does not fit {count} cases")
        return np.flatnonzero(picked)
    if picked.size == 0:
        return np.zeros(0, dtype=np.int64)
    if picked.ndim > 1 or picked.dtype.kind not in "iu":
        raise IndexError(f"cases are indexed by a number, a slice, or a 1-D array of numbers or bools, found {index!r}")
    return np.where(picked < 0, picked + count, picked)


def _within(where: Index, count: int) -> Index:
    bad = (where < 0) | (where >= count)
    if bad.any():
        raise IndexError(f"index holds case {int(where[bad][0])}; there are {count}, numbered from 0")
    return where


def _is_foreign(dtype: np.dtype[Any]) -> bool:
    """Whether compiled loops cannot read a type: other byte orders, half and extended precision."""
    return not dtype.isnative or dtype.char in "eg"


def _plain(table: Array) -> Array:
    """Bools as bytes, so that the loops need not be compiled for bools too."""
    return table.view(np.uint8) if table.dtype == np.bool_ else table
