"""Similar cases of categorical data, for weights and fair splits of families of sequences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy import sparse

from harmonium.data.raw import Array

__all__ = ["neighbours"]

_CHUNK = 1024  # rows that are compared at a time


def neighbours(codes: Array | torch.Tensor, identity: float = 0.8) -> sparse.csr_array:
    """Find the pairs of cases that agree in at least a share ``identity`` of their columns.

    Families of sequences are sampled unevenly.  With the result ``near``, ``1 / near.sum(1)`` are the usual weights, by
    which close relatives count as one sequence (Morcos et al. 2011), and
    ``scipy.sparse.csgraph.connected_components(near)[1]`` are the numbers of the clusters that a split must not cut.

    This takes n^2 columns states multiplications in products of one-hot matrices: 7 s for 13,600 sequences of 53 sites.

    Args:
        codes: categories, (n, columns), whole numbers from 0.  A gap is a state like any other.
        identity: the share, above 0 and at most 1.

    Returns:
        A symmetric matrix of bools, (n, n), sparse.  Every case is its own neighbour.

    Raises:
        ValueError: the codes are not a table of whole numbers from 0, or the share is outside (0, 1].

    >>> neighbours([[0, 1, 2, 0, 1], [0, 1, 2, 0, 2], [2, 2, 2, 2, 2]]).toarray().astype(int).tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    if not 0 < identity <= 1:
        raise ValueError(f"identity must be a share above 0 and at most 1, found {identity!r}")
    table = np.asarray(codes)
    if table.ndim != 2 or not table.size or table.dtype.kind not in "iuf":
        raise ValueError(f"codes must be a table (n, columns) of numbers, found {table.dtype} of shape {table.shape}")
    wrong = ~((table >= 0) & (table == np.floor(table)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"codes must be whole numbers from 0, found {table[row, column]} in row {row}, column {column}"
        )
    n, columns = table.shape
    states = torch.nn.functional.one_hot(torch.from_numpy(table.astype(np.int64))).float().flatten(1)
    least = math.ceil(identity * columns - 1e-9)  # 0.55 * 100 is above 55 in floating point
    pairs: list[Any] = []
    for first in range(0, n, _CHUNK):
        alike = states[first : first + _CHUNK] @ states[first:].T >= least
        pairs.append(torch.nonzero(alike).numpy() + first)
    i, j = np.concatenate(pairs).T
    near = sparse.csr_array((np.ones(len(i), np.bool_), (i, j)), shape=(n, n))
    return sparse.csr_array(near.maximum(near.T))
