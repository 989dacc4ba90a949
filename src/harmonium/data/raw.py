"""What a reader hands to `load`: splits as they lie in the source, untouched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from .table import Table

__all__ = ["Array", "RawData"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class RawData:
    """The content of a source.

    Attributes:
        splits: ``"train"`` and perhaps ``"valid"`` and ``"test"``: (cases, ...features) arrays, or sparse matrices.
        labels: of the same splits, (cases,) arrays, where known.
        shape: of the features of one case; empty means as the arrays have it.
        levels: the value that stands for full grey (255 of bytes), or None where values are not known to be grey.
        binarize: what ``binarize=None`` means here.
        table: what the columns are, where they were read by their values; splits then hold its numbers, not yet
            standardised, NaN where a value is missing.
    """

    splits: Mapping[str, Array | sparse.csr_array]
    labels: Mapping[str, Array] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    levels: float | None = None
    binarize: str | None = None
    table: Table | None = None
