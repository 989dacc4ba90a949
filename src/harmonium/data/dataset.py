"""What `load` returns: the splits of a data set, their labels and their source."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harmonium.data.alphabets import name_of
from harmonium.data.binarize import Binarization
from harmonium.data.cases import Cases
from harmonium.data.reading import PLAIN, Reading

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["Dataset", "Labels", "choose_split", "describe"]


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
        names: the names of the columns of a table, or None if it has none.
        alphabet: the letters of the codes of an alignment, code 0 first, or None for other data.
        reading: what the reader guessed, and the options that say the same (`harmonium.data.reading.Reading`).
        source: arguments, fit for JSON, with which `load` loads the same data again: ``load(**data.source)``.

    >>> from harmonium.data import load
    >>> load("digits")
    Dataset digits: features 8x8, train 1197, valid 300, test 300, threshold
    >>> list(load("bars-and-stripes", valid=8).splits)
    ['train', 'valid']
    """

    name: str
    train: Cases
    valid: Cases | None = None
    test: Cases | None = None
    labels: Labels = Labels()
    shape: tuple[int, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)
    table: Table | None = None
    names: tuple[str, ...] | None = None
    alphabet: str | None = None
    reading: Reading = PLAIN

    @property
    def splits(self) -> dict[str, Cases]:
        """The splits that there are by name: "train", "valid" and "test", in this order."""
        named = {"train": self.train, "valid": self.valid, "test": self.test}
        return {split: cases for split, cases in named.items() if cases is not None}

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
        notes += [f"{split} {len(cases)}" for split, cases in self.splits.items()]
        if not self.train.mapped and self.binarization is not None:  # printing must not read a large file
            notes.append(self.binarization)
        if self.source.get("standardize"):
            notes.append("standardised")
        return f"Dataset {self.name}: {', '.join(notes)}"


def describe(data: Dataset) -> str:
    """Describe a data set in one line."""
    counts = ", ".join(f"{split} {len(cases)}" for split, cases in data.splits.items())
    features = " x ".join(map(str, data.shape)) + (" features" if len(data.shape) == 1 else " pixels")
    kind = {
        "threshold": "binary by threshold",
        "fixed": "binary, drawn once from the greys",
        "dynamic": "binary, drawn from the greys in every epoch",
        "binary": "binary",
    }.get(data.binarization or "", "real values" if data.table is None else "columns by their values")
    kind = kind if data.alphabet is None else name_of(data.alphabet)
    standard = ", standardised" if data.source.get("standardize") else ""
    return f"{data.name}: {features}; {counts} cases; {kind}{standard}"


def choose_split(data: Dataset, split: str | None) -> tuple[str, Cases]:
    """Choose the split of this name, or the best one to judge by: test, else valid, else train.

    Returns:
        its name, and its cases without missing values.

    Raises:
        ValueError: if there is no such split, or every case has a missing value.
    """
    have = data.splits
    split = next(name for name in ("test", "valid", "train") if name in have) if split is None else split
    if split not in have:
        raise ValueError(f"{data.name} has no {split} split, only {', '.join(have)}: choose with --split")
    cases = have[split]
    if (data.table is not None or data.alphabet is not None) and not cases.statistics().finite:
        cases, count = cases.complete(), len(cases)
        if not len(cases):
            raise ValueError(f"every {split} case of {data.name} has missing values: no case can be judged whole")
        warnings.warn(
            f"{len(cases)} of {count} {split} cases have no missing values: they are judged", UserWarning, stacklevel=2
        )
    return split, cases
