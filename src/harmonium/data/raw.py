"""What a reader hands to `load`: the splits as the source holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from harmonium.data.reading import PLAIN, Reading
from harmonium.data.row_files import RowFiles

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["Array", "Frame", "NotNumbersError", "RawData"]

Array = np.ndarray[Any, Any]
Frame = Any
"""A pandas DataFrame."""


class NotNumbersError(ValueError):
    """A table holds something other than numbers, so it can only be read column by column (``table=True``)."""


@dataclass(frozen=True)
class RawData:
    """The content of a source.

    Attributes:
        splits: ``"train"`` and perhaps ``"valid"`` and ``"test"``: (cases, ...features) arrays, mapped files, or
            sparse matrices.
        labels: (cases,) arrays for the same splits, where they are known.
        shape: the shape of the features of one case; empty means the shape that the arrays have.
        levels: the value of white (255 for bytes), or None if the values are not known to be grey levels.
        binarize: what ``binarize=None`` means for this source.
        table: the description of the columns, if they were read by their values; the splits then hold the numbers of
            the table before standardisation, NaN where a value is missing.
        names: the names of the columns, if the source has names.
        alphabet: the letters of the codes of an alignment, or None.
        reading: what the reader guessed.
    """

    splits: Mapping[str, Array | RowFiles | sparse.csr_array]
    labels: Mapping[str, Array] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    levels: float | None = None
    binarize: str | None = None
    table: Table | None = None
    names: tuple[str, ...] | None = None
    alphabet: str | None = None
    reading: Reading = PLAIN
