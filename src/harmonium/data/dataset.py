"""What `load` returns: the splits of a data set, their labels and their source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.data.binarize import Binarization
from harmonium.data.cases import Cases

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["Dataset", "Labels"]


@dataclass(frozen=True)
class Labels:
    """The labels of each split, (cases,) NumPy arrays, or None where there are none."""

    train: np.ndarray[Any, Any] | None = None
    valid: np.ndarray[Any, Any] | None = None
    test: np.ndarray[Any, Any] | None = None


@dataclass(frozen=True, repr=False)
class Dataset:
    """A data set, split and ready for training.

    Attributes:
        name: its name or the name of its file.
        train: the training cases.
        valid: the validation cases, or None if the source has none and none were set aside.
        test: the test cases, or None likewise.
        labels: ``.train``, ``.valid`` and ``.test``: NumPy arrays or None.
        shape: the shape of the features of one case, (8, 8) for instance; their product is the width of the cases.
        table: the description of the columns (`harmonium.data.table.Table`) of a table that was read column by column,
            or None.
        source: arguments, fit for JSON, with which `load` loads the same data again: ``load(**data.source)``.

    >>> from harmonium.data import load
    >>> load("digits")
    Dataset digits: features 8x8, train 1197, valid 300, test 300, threshold
    """

    name: str
    train: Cases
    valid: Cases | None = None
    test: Cases | None = None
    labels: Labels = Labels()
    shape: tuple[int, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)
    table: Table | None = None

    @property
    def binarization(self) -> Binarization | None:
        """How values became binary: "threshold", "fixed" or "dynamic"; "binary" if they were; None if they are not.

        Whether they were is found by a pass over the training cases, once.
        """
        if self.train.binarization is not None:
            return self.train.binarization
        return "binary" if self.train.statistics().binary else None

    def __repr__(self) -> str:
        notes = ["features " + "x".join(map(str, self.shape))]
        for split in ("train", "valid", "test"):
            cases = getattr(self, split)
            if cases is not None:
                notes.append(f"{split} {len(cases)}")
        if not self.train.mapped and self.binarization is not None:  # printing must not read a large file
            notes.append(self.binarization)
        if self.source.get("standardize"):
            notes.append("standardised")
        return f"Dataset {self.name}: {', '.join(notes)}"
