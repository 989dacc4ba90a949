"""Compiled loops that gather rows of a table into a dense batch.

Each runs in one thread and releases the GIL.  They are about ten times faster than indexing, converting, scaling and
comparing in separate array operations: a batch of 100 x 784 bytes takes little more than the call.

Every loop returns the position in ``index`` of the first row number that is out of range, or -1.  The caller raises
`IndexError`, since compiled code does not check memory.
"""

from __future__ import annotations

from harmonium.kernels.cache import compiled

__all__ = ["gather_rows", "gather_sparse", "gather_standard", "gather_threshold"]


@compiled(nogil=True)
def gather_rows(table, index, divisor, out):  # type: ignore[no-untyped-def]
    """Set ``out[r] = table[index[r]] / divisor``, by true division so that the highest grey level is exactly 1."""
    scale = out.dtype.type(divisor)
    for r in range(index.shape[0]):
        i = index[r]
        if i < 0 or i >= table.shape[0]:
            return r
        if divisor == 1.0:
            for j in range(table.shape[1]):
                out[r, j] = table[i, j]
        else:
            for j in range(table.shape[1]):
                out[r, j] = out.dtype.type(table[i, j]) / scale
    return -1


@compiled(nogil=True)
def gather_threshold(table, index, level, out):  # type: ignore[no-untyped-def]
    """Set ``out[r] = table[index[r]] > level``, as 0 or 1."""
    for r in range(index.shape[0]):
        i = index[r]
        if i < 0 or i >= table.shape[0]:
            return r
        for j in range(table.shape[1]):
            out[r, j] = table[i, j] > level
    return -1


@compiled(nogil=True)
def gather_standard(table, index, shift, factor, out):  # type: ignore[no-untyped-def]
    """Set ``out[r] = (table[index[r]] - shift) * factor`` by column, in float64 before rounding.

    A column with a large mean and a small spread would lose its digits if it were rounded to float32 first.
    """
    for r in range(index.shape[0]):
        i = index[r]
        if i < 0 or i >= table.shape[0]:
            return r
        for j in range(table.shape[1]):
            out[r, j] = (table[i, j] - shift[j]) * factor[j]
    return -1


@compiled(nogil=True)
def gather_sparse(pointers, columns, values, index, out):  # type: ignore[no-untyped-def]
    """Write rows of a CSR table into ``out``."""
    for r in range(index.shape[0]):
        i = index[r]
        if i < 0 or i >= pointers.shape[0] - 1:
            return r
        for j in range(out.shape[1]):
            out[r, j] = 0
        for k in range(pointers[i], pointers[i + 1]):
            out[r, columns[k]] = values[k]
    return -1
