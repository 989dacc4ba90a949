"""Fused loops that gather rows of a table into a dense batch.

Each is single-thread and releases the GIL.  A batch of 100 x 784 bytes takes about as long as the call itself,
where indexing, converting, scaling and comparing by separate array operations take ten times that.

Every loop returns the position in ``index`` of the first row number outside the table, or -1: compiled code would
read foreign memory in silence, so the caller turns it into an `IndexError`.
"""

from __future__ import annotations

from harmonium.kernels.cache import compiled

__all__ = ["gather_rows", "gather_sparse", "gather_standard", "gather_threshold"]


@compiled(nogil=True)
def gather_rows(table, index, divisor, out):  # type: ignore[no-untyped-def]
    """``out[r] = table[index[r]] / divisor``; the division is exact, so that the top grey level is 1 and not above."""
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
    """``out[r] = table[index[r]] > level``, as 0 or 1."""
    for r in range(index.shape[0]):
        i = index[r]
        if i < 0 or i >= table.shape[0]:
            return r
        for j in range(table.shape[1]):
            out[r, j] = table[i, j] > level
    return -1


@compiled(nogil=True)
def gather_standard(table, index, shift, factor, out):  # type: ignore[no-untyped-def]
    """``out[r] = (table[index[r]] - shift) * factor`` by column, computed in float64 before it is rounded.

    A column of a large mean and a small spread would lose its digits if it were rounded to float32 first.
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
    """Rows of a CSR table, written out densely."""
    for r in range(index.shape[0]):
        i = index[r]
        if i < 0 or i >= pointers.shape[0] - 1:
            return r
        for j in range(out.shape[1]):
            out[r, j] = 0
        for k in range(pointers[i], pointers[i + 1]):
            out[r, columns[k]] = values[k]
    return -1
