"""Binarising and standardising the splits of a data set."""

from __future__ import annotations

import numpy as np

from harmonium.core.random import Stream
from harmonium.data.binarize import Sampler
from harmonium.data.cases import CHUNK_BYTES, Cases, Standardization

__all__ = ["Splits", "binarise", "standardise"]

Splits = dict[str, Cases]
WHITE = 255.0  # the highest grey level in bytes


def binarise(splits: Splits, choice: str, known_grey: bool, seed: int, name: str) -> Splits:
    """Binarise grey levels.

    Args:
        splits: the cases by split.
        choice: ``"threshold"``, ``"fixed"`` or ``"dynamic"``.
        known_grey: whether the source says that the values are grey levels; otherwise they are checked.
        seed: the seed of the random draws.
        name: the name of the data set in error messages.

    Returns:
        The binary splits; those that are binary already are returned as they are.

    Raises:
        ValueError: values that are not grey levels in [0, 1] or bytes, or are not finite.
    """
    if not known_grey:
        grey = _as_grey_levels(splits, name)
        if grey is None:
            return splits
        splits = grey
    return {split: _binarise_split(cases, choice, seed, split) for split, cases in splits.items()}


def standardise(splits: Splits, name: str) -> Splits:
    """Standardise the columns by the means and standard deviations of the training cases.

    Raises:
        ValueError: a value is not finite.
    """
    _check_finite(splits["train"], f"{name}, train")
    summary = splits["train"].statistics()
    mean, scale = summary.mean.numpy(), summary.variance.sqrt().numpy()
    # The spread of a constant column may be a rounding error, which division would blow up to size one.
    scale = np.where(scale > 1e-12 * np.abs(mean), scale, 1.0)
    return {split: cases.derive(standard=Standardization(mean, scale)) for split, cases in splits.items()}


def _as_grey_levels(splits: Splits, name: str) -> Splits | None:
    """The values as grey levels in [0, 1], or None if all are 0 or 1."""
    for split, cases in splits.items():
        _check_finite(cases, f"{name}, {split}")
    summaries = {split: cases.statistics() for split, cases in splits.items()}
    if all(summary.binary for summary in summaries.values()):
        return None
    if all(cases.dtype == np.uint8 for cases in splits.values()):
        return {split: cases.derive(divisor=WHITE) for split, cases in splits.items()}
    for split, summary in summaries.items():
        if summary.low < 0.0 or summary.high > 1.0:
            raise ValueError(
                f"{name}, {split} has values from {summary.low:g} to {summary.high:g}; only grey levels in [0, 1], or "
                "bytes, can be binarised: scale them first"
            )
    return splits


def _binarise_split(grey: Cases, choice: str, seed: int, split: str) -> Cases:
    if choice == "threshold":
        return grey.derive(binarization="threshold")
    if choice == "dynamic" and split == "train":
        return grey.derive(binarization="dynamic", sampler=Sampler(Stream(seed, "dynamic"), every_epoch=True))
    drawn = grey.derive(binarization="fixed", sampler=Sampler(Stream(seed, "binarize", split), every_epoch=False))
    if grey.mapped:
        return drawn  # may be larger than memory: each case is drawn when it is read, always with the same result
    size = max(1, CHUNK_BYTES // (4 * grey.shape[1]))
    values = np.concatenate([chunk.numpy().astype(np.uint8) for _, chunk in drawn.chunks(size)])
    return Cases(values, binarization="fixed")


def _check_finite(cases: Cases, what: str) -> None:
    bad = cases.statistics().first_bad
    if bad is not None:
        row, column, value = bad
        where = f"{cases.row_name(row)}, column {column} (from 0)"
        raise ValueError(f"{what}, {where} holds {value}: correct or remove the case")
