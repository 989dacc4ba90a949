"""`load`: a name or a path becomes a `Dataset`."""

from __future__ import annotations

import operator
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harmonium.core.checks import check_positive
from harmonium.data.binarize import check_choice
from harmonium.data.cases import Cases, as_cases
from harmonium.data.dataset import Dataset, Labels
from harmonium.data.find import find, find_root
from harmonium.data.raw import Array, RawData
from harmonium.data.reading import ReadingNote, read_options
from harmonium.data.split import split_off, split_off_whole
from harmonium.data.treatment import Splits, binarise, standardise

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["from_source", "load"]


def load(
    name_or_path: str | os.PathLike[str],
    *,
    binarize: str | None = None,
    standardize: bool = False,
    seed: int = 0,
    valid: int | float | None = None,
    test: int | float | None = None,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
    table: bool | Table | Sequence[Any] = False,
    drop: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    skip_rows: int | Sequence[int] | None = None,
    missing_values: Sequence[str] | None = None,
    decimal: str | None = None,
    scale: float | None = None,
    alphabet: str | None = None,
) -> Dataset:
    """Load a data set by its name or from a file or folder.

    Names are ``"digits"`` (from scikit-learn, 8 x 8, fixed split 1197/300/300, binarised by threshold by default),
    ``"bars-and-stripes"`` (4 x 4, other sizes as ``"bars-and-stripes-3x3"``), ``"shifter"``, ``"mnist"``, and those of
    the .npz files in the folder HARMONIUM_DATA (an environment variable), without the suffix.  Bars-and-stripes and the
    shifter are complete sets: they have no validation or test split unless you ask for one.

    Files are .npz (with ``train`` and, if present, ``valid``, ``test``, ``y_train``, ``y_valid``, ``y_test``; or with a
    single array; or written by SciPy's ``save_npz``), .npy (memory-mapped), .mat, .svm and .libsvm (sparse, with
    labels), tables (numbers, or with ``table`` columns of any kind): .csv, .tsv, .txt, .data, .dat, .tab, gzipped or
    not, .xlsx (extra ``excel``), .parquet, .feather (extra ``arrow``) and .arff; .fasta, .a2m, .a3m, .sto and .aln
    (aligned sequences, as codes for `harmonium.Categorical`), and IDX, gzipped or not.

    A reader that guesses says what it took a file for, and how to say otherwise: in the `reading` of the data set, and
    in a warning.  Where two readings are likely it refuses, and names both.

    Folders hold .npy or Parquet files whose rows follow each other in the natural order of their names (files named
    after train, valid and test are the splits), or the four files of MNIST, or images of one size (read as grey levels
    from black 0 to white 1, with subfolders as labels), or a data set that ``save_to_disk`` of Hugging Face's datasets
    wrote.

    .npy files are mapped, never read whole.  Parquet files and datasets with more than 512 MB of numbers (as float64)
    are written once as an .npy file into the cache (on Linux $XDG_CACHE_HOME or ~/.cache), which is then mapped.

    Args:
        name_or_path: the name, file or folder.
        binarize: ``"threshold"`` (1 where the grey level is above 0.5), ``"fixed"`` (drawn once), ``"dynamic"``
            (training cases drawn again in every epoch, other cases once), ``"grey"`` (no binarisation), or None: digits
            by threshold, other data as they are.  Values must be in [0, 1], or bytes, where 255 means 1.  Data of zeros
            and ones stay as they are.
        standardize: subtract the mean of the training cases from each feature and divide by their standard deviation
            (constant features are only shifted); `Cases.log_jacobian` is the correction of log-densities.
        seed: the seed of ``"fixed"``, ``"dynamic"``, ``valid`` and ``test``.
        valid: how many training cases (int), or what fraction of them (float), become validation cases, if the source
            has none.
        test: the same for test cases.
        root: the folder to use instead of HARMONIUM_DATA; for mnist also the folder of its four files.
        download: download a named set that is not on this machine (see `download`); nothing is ever downloaded
            without it.
        table: True reads every column of a table by its values: True and False, or two different values, as 0 and 1;
            text, and up to 32 codes 0, 1, 2, ..., as categories; other numbers standardised by the training cases.
            Empty cells, NA, NaN, null and "?" are missing values (NaN), and only cases without them are set aside.  The
            ``table`` of the data set turns values back into a DataFrame, ``table.units()`` are units that fit.  A
            `Table` reads the columns like those of the data it comes from.
        drop: the names of columns to leave out.
        columns: the names of the columns to read, in this order; all others are left out.  A file without names is
            taken in the order of its columns.
        header: whether the first line of a text file or workbook holds names.  Default: found by comparing it with the
            lines below.
        skip_rows: how many lines at the start to skip, or the numbers of the lines to skip, counted from 1.  Default:
            comments, titles above the names, units below them, and a total at the end; a note names each.
        missing_values: the words that stand for missing values, besides empty cells.  Default: NA, NaN, null, None and
            "?"; in columns of numbers also "-" and ".".
        decimal: the character before decimals, "." or ",".  Default: that which occurs.
        scale: divide all values by this number, such as 255 for grey levels of bytes.
        alphabet: of an alignment: ``"protein"``, ``"rna"``, ``"dna"``, or the letters of the codes; letters without a
            code are missing values.  Default: found by the letters of the file.

    Returns:
        The data set.

    Raises:
        ValueError: an unknown name or option, a damaged file, values that cannot be binarised.
        FileNotFoundError: there is no such file, or the files of a named set are not on this machine.
        ImportError: a package of an extra is needed and not installed.

    Warns:
        ReadingNote: what was guessed, in one line.

    >>> data = load("digits", binarize="dynamic", seed=1)
    >>> data.train.shape, data.shape, data.labels.test.shape
    ((1197, 64), (8, 8), (300,))
    """
    check_choice(binarize)
    if standardize and binarize not in (None, "grey"):
        raise ValueError(f"standardize=True and binarize={binarize!r} exclude each other: choose one")
    seed = operator.index(seed)
    known = _known_table(table)
    if known is not False and (standardize or binarize not in (None, "grey")):
        raise ValueError("table=... decides how every column is treated: leave out standardize and binarize")
    if scale is not None:
        check_positive("scale", scale)
        if known is not False:
            raise ValueError("table=... standardises the columns of numbers: leave out scale")
    folder = None if root is None else Path(root).expanduser()
    options = read_options(header, skip_rows, missing_values, decimal, columns, alphabet=alphabet)
    raw, name, where = find(name_or_path, folder, download, known, tuple(drop), options)
    reading = raw.reading if scale is None else raw.reading.without("greys of 16 bits")
    if reading.notes:
        warnings.warn(f"{name}: {reading}", ReadingNote, stacklevel=2)
    source = {
        "name_or_path": where,
        "binarize": binarize,
        "standardize": bool(standardize),
        "seed": seed,
        "valid": _plain_number(valid),
        "test": _plain_number(test),
        "root": find_root(name_or_path, root),
    }
    if known is not False or drop:
        source |= {"table": known if isinstance(known, bool) else known.config(), "drop": list(drop)}
    source |= {key: value for key, value in raw.reading.options.items() if key != "columns" or isinstance(known, bool)}
    source |= {} if scale is None else {"scale": float(scale)}
    splits, labels, shape = _split(raw, name, {"valid": valid, "test": test}, seed)
    described = raw.table
    if described is not None:
        if known is True:
            everything = np.arange(len(splits["train"]))
            described = described.standardised_by(splits["train"].rows(everything, dtype=torch.float64).numpy())
        splits = {split: cases.derive(standard=described.standard, table=described) for split, cases in splits.items()}
    levels = raw.levels if scale is None else scale
    if levels is not None:
        splits = {split: cases.derive(divisor=float(levels)) for split, cases in splits.items()}
    choice = binarize if binarize is not None or standardize else raw.binarize
    if choice not in (None, "grey"):
        splits = binarise(splits, choice, raw.levels is not None, seed, name)
    if standardize:
        splits = standardise(splits, name)
    splits = {split: cases.derive(source={"load": source, "split": split}) for split, cases in splits.items()}
    return Dataset(
        name=name, labels=Labels(**labels), shape=raw.shape or shape, source=source, table=described, names=raw.names,
        alphabet=raw.alphabet, reading=reading, **splits,
    )  # fmt: skip


def from_source(source: Mapping[str, Any]) -> Cases:
    """Load again the cases that `Cases.source` describes, as resuming a run does.

    Returns:
        The same cases.

    Raises:
        ValueError: the file has changed, so that the cases cannot be loaded as before.
        FileNotFoundError: the file is gone.

    >>> from_source(load("digits").valid.source)
    Cases(300 x 64, uint8, threshold)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingNote)
        cases: Cases = getattr(load(**source["load"]), source["split"])
    return cases


def _known_table(table: bool | Table | Sequence[Any]) -> bool | Table:
    """The argument ``table``, where a description in the source of a data set has become a `Table`."""
    if isinstance(table, Sequence):
        from harmonium.data.table import Table

        return Table.from_config(list(table))
    return table


def _plain_number(part: Any) -> Any:
    return part.item() if isinstance(part, np.generic) else part


def _split(
    raw: RawData, name: str, asked: dict[str, int | float | None], seed: int
) -> tuple[Splits, dict[str, Array], tuple[int, ...]]:
    """The splits that the source has and those that are asked for, their labels, and the shape of the features."""
    splits = {split: as_cases(values, f"{name}, {split}") for split, values in raw.splits.items()}
    labels = dict(raw.labels)
    shape = tuple(raw.splits["train"].shape[1:])
    for split, values in raw.splits.items():
        if tuple(values.shape[1:]) != shape:
            raise ValueError(f"{name}: {split} has features {tuple(values.shape[1:])}, train has {shape}")
    for split, part in asked.items():
        if part and split in splits:
            raise ValueError(f"{split}={part}: {name} has its own {split} split of {len(splits[split])}; leave it out")
    if any(asked.values()):
        whole, whole_labels = splits["train"], labels.get("train")
        for split, index in _set_aside(raw, asked, seed).items():
            splits[split] = whole.derive(order=index)
            if whole_labels is not None:
                labels[split] = whole_labels[index]
    return splits, labels, shape


def _set_aside(raw: RawData, asked: dict[str, int | float | None], seed: int) -> dict[str, Array]:
    values = raw.splits["train"]
    gaps: Array | None = None
    kinds = raw.table is not None or raw.alphabet is not None
    if kinds and isinstance(values, np.ndarray):
        gaps = np.asarray(np.isnan(values).any(1))
    if gaps is None or not gaps.any():
        return dict(split_off(values.shape[0], asked, seed))
    return dict(split_off_whole(gaps, asked, seed))
