"""`load`: a name or a path becomes a `Dataset`."""

from __future__ import annotations

import difflib
import math
import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse

from harmonium.core.random import Stream
from harmonium.data.binarize import Sampler, check_choice
from harmonium.data.cases import CHUNK_BYTES, Cases, Standardization, as_cases
from harmonium.data.dataset import Dataset, Labels
from harmonium.data.download import cache_folder, download
from harmonium.data.files import FORMATS, read_path
from harmonium.data.idx import MNIST_PARTS, find_mnist, read_idx_folder
from harmonium.data.named import IMAGES, data_folder, names, read_named
from harmonium.data.raw import Array, RawData
from harmonium.data.split import permutation, split_off
from harmonium.data.summary import Summary

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["from_source", "load"]

Splits = dict[str, Cases]
BYTE_LEVELS = 255.0


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
) -> Dataset:
    """Load a data set by name or from a file.

    Names: ``"digits"`` (scikit-learn's; 8 x 8, fixed split 1197/300/300, binarised by threshold unless told
    otherwise), ``"bars-and-stripes"`` (4 x 4; also ``"bars-and-stripes-3x3"`` and so on), ``"shifter"``, ``"mnist"``,
    and every .npz file in the folder that the variable HARMONIUM_DATA names, by its stem.  Bars-and-stripes and the
    shifter are complete sets: they have no valid and no test split unless you ask for one.

    Paths: .npz with ``train`` and as you like ``valid``, ``test``, ``y_train``, ``y_valid``, ``y_test`` (or one array,
    or what SciPy's ``save_npz`` writes); .npy (memory-mapped); .csv, .parquet and .feather (numbers, or with ``table``
    columns of any kind); .fasta (aligned proteins, as codes for `harmonium.Categorical` with 21 states); IDX, gzipped
    or not; a folder with MNIST's four files, of images (grey, of one size; subfolders are labels), or that
    ``save_to_disk`` of Hugging Face's datasets wrote.

    Args:
        name_or_path: what to load.
        binarize: ``"threshold"`` (1 where grey > 0.5), ``"fixed"`` (drawn once), ``"dynamic"`` (training cases drawn
            anew every epoch, the rest fixed), ``"grey"`` (not at all), or None: digits by threshold, the rest as they
            are.  Values must be in [0, 1], or bytes, of which 255 is 1.  Data that are 0/1 by nature stay as they are.
        standardize: subtract the mean of the training cases and divide by their standard deviation, feature by
            feature (constant features are only shifted); `Cases.log_jacobian` has the correction of densities.
        seed: of ``"fixed"``, ``"dynamic"``, ``valid`` and ``test``.
        valid: how many training cases (int), or which fraction of them (float), to set aside where the source has no
            such split.
        test: likewise.
        root: the folder in place of HARMONIUM_DATA; for mnist also the folder of the four files itself.
        download: fetch a named set that is found nowhere (see `download`); without it nothing is ever fetched.
        table: read every column of a table by its values: two of them or True and False as 0 and 1, text and the codes
            0, 1, 2, ... (up to 32 of them) as categories, other numbers standardised by the training cases; empty
            cells, NA, NaN, null and "?" are missing (NaN).  The data set's ``table`` has the names and the way back,
            ``table.units()`` the units that suit.  Cases are then set aside from those without missing values.  A
            `Table` reads other data as those it came from.
        drop: names of columns to leave out.

    Raises:
        ValueError: an unknown name or option, a damaged file, values that cannot be binarised.
        FileNotFoundError: no such file, or a named set whose files are nowhere.

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
        raise ValueError("table=... says by itself what every column becomes: leave out standardize and binarize")
    folder = None if root is None else Path(root).expanduser()
    raw, name, where = _find(name_or_path, folder, download, known, tuple(drop))
    source = {
        "name_or_path": where,
        "binarize": binarize,
        "standardize": bool(standardize),
        "seed": seed,
        "valid": _plain_number(valid),
        "test": _plain_number(test),
        "root": _folder(name_or_path, root),
    }
    if known is not False or drop:
        source |= {"table": known if isinstance(known, bool) else known.config(), "drop": list(drop)}
    splits, labels, shape = _split(raw, name, valid, test, seed)
    columns = raw.table
    if columns is not None:
        if known is True:
            everything = np.arange(len(splits["train"]))
            columns = columns.standardised_by(splits["train"].rows(everything, dtype=torch.float64).numpy())
        splits = {split: cases.derive(standard=columns.standard) for split, cases in splits.items()}
    if raw.levels is not None:
        splits = {split: cases.derive(divisor=raw.levels) for split, cases in splits.items()}
    choice = binarize if binarize is not None or standardize else raw.binarize
    if choice not in (None, "grey"):
        splits = _binarise(splits, choice, raw.levels is not None, seed, name)
    if standardize:
        splits = _standardise(splits, name)
    splits = {split: cases.derive(source={"load": source, "split": split}) for split, cases in splits.items()}
    return Dataset(name=name, labels=Labels(**labels), shape=raw.shape or shape, source=source, table=columns, **splits)


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
    cases: Cases = getattr(load(**source["load"]), source["split"])
    return cases


def _known_table(table: bool | Table | Sequence[Any]) -> bool | Table:
    """What a caller or the source of a data set says of the columns."""
    if isinstance(table, Sequence):
        from harmonium.data.table import Table

        return Table.from_config(list(table))
    return table


# -------------------------------------------------------------------- finding


def _folder(name_or_path: str | os.PathLike[str], root: str | os.PathLike[str] | None) -> str | None:
    """The folder of named sets as it is now: a run must find them again where HARMONIUM_DATA is not set."""
    if root is None and not Path(name_or_path).exists():
        root = data_folder(None)
    return None if root is None else str(Path(root).expanduser().resolve())


def _find(
    name_or_path: str | os.PathLike[str], root: Path | None, fetch: bool, table: bool | Table, drop: Sequence[str]
) -> tuple[RawData, str, str]:
    """The content, a short name, and the name or absolute path under which it is found again."""
    asked = os.fspath(name_or_path)
    if not isinstance(name_or_path, Path):
        raw = _find_name(asked, root, fetch)
        if raw is not None:
            if table is not False or drop:
                raise ValueError(f"{asked} is a named data set, no table: leave out table=... and drop=...")
            return raw, asked, asked
    path = Path(asked).expanduser()
    if not path.exists() and not isinstance(name_or_path, Path) and path.name == asked and not path.suffix:
        raise _unknown(asked, root)
    return read_path(path, table, drop), path.name, str(path.resolve())


def _find_name(name: str, root: Path | None, fetch: bool) -> RawData | None:
    if name == "mnist":
        return read_idx_folder(_find_mnist(root, fetch))
    raw = read_named(name)
    if raw is not None:
        return raw
    folder = data_folder(root)
    if folder is not None and name == Path(name).name and (folder / f"{name}.npz").is_file():
        raw = read_path(folder / f"{name}.npz")
        shape = IMAGES.get(name, ())
        return replace(raw, shape=shape) if raw.splits["train"].shape[1:] == (math.prod(shape),) else raw
    return None


def _find_mnist(root: Path | None, fetch: bool) -> Path:
    folders = [] if root is None else [root, root / "mnist"]
    shared = data_folder(None)
    if shared is not None:
        folders.append(shared / "mnist")
    folders.append(cache_folder("mnist"))
    for folder in folders:
        if len(find_mnist(folder)) == len(MNIST_PARTS):
            return folder
    if fetch:
        return download("mnist", root)
    looked = ", ".join(map(str, folders))
    raise FileNotFoundError(
        f"the files of mnist are not in {looked}: load with download=True, run `harmonium data download mnist`, or put "
        "the four IDX files into a folder mnist in the folder that the variable HARMONIUM_DATA names"
    )


def _unknown(name: str, root: Path | None) -> ValueError:
    known = names(root)
    near = difflib.get_close_matches(name.lower(), known, n=3)
    hint = f" did you mean {' or '.join(near)}?" if near else ""
    return ValueError(
        f"no data set is named {name!r}, and there is no such file;{hint} known names: {', '.join(known)} "
        f"(the variable HARMONIUM_DATA names a folder with more); files: {FORMATS}"
    )


def _plain_number(part: Any) -> Any:
    return part.item() if isinstance(part, np.generic) else part


# -------------------------------------------------------------------- splitting


def _split(
    raw: RawData, name: str, valid: int | float | None, test: int | float | None, seed: int
) -> tuple[Splits, dict[str, Array], tuple[int, ...]]:
    splits = {split: as_cases(values, f"{name}, {split}") for split, values in raw.splits.items()}
    labels = dict(raw.labels)
    shape = tuple(raw.splits["train"].shape[1:])
    for split, values in raw.splits.items():
        if tuple(values.shape[1:]) != shape:
            raise ValueError(f"{name}: {split} has features {tuple(values.shape[1:])}, train has {shape}")
    asked = {"valid": valid, "test": test}
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
    """Rows of every split.  What is judged is a likelihood of whole cases, so that gaps stay in training."""
    values = raw.splits["train"]
    if raw.table is None or isinstance(values, sparse.csr_array) or not np.isnan(values).any():
        return dict(split_off(values.shape[0], asked, seed))
    gaps = np.isnan(values).any(1)
    whole = np.flatnonzero(~gaps)
    counts: dict[str, int | float | None] = {  # fractions are of all cases
        split: round(part * len(values)) if isinstance(part, float) else part for split, part in asked.items()
    }
    wanted = sum(int(count or 0) for count in counts.values())
    if wanted > len(whole) or wanted >= len(values):
        raise ValueError(
            f"{', '.join(f'{split}={part}' for split, part in asked.items() if part)} asks for {wanted} cases without "
            f"missing values, of which there are {len(whole)}: ask for fewer"
        )
    order = permutation(len(whole), Stream(seed, "split"))
    rows = {}
    for split, count in counts.items():
        if count:
            rows[split], order = np.sort(whole[order[: int(count)]]), order[int(count) :]
    rows["train"] = np.sort(np.concatenate([whole[order], np.flatnonzero(gaps)]))
    return rows


# -------------------------------------------------------------------- binarising, standardising


def _binarise(splits: Splits, choice: str, known_grey: bool, seed: int, name: str) -> Splits:
    if not known_grey:
        grey = _as_grey(splits, name)
        if grey is None:
            return splits
        splits = grey
    return {split: _binarise_split(cases, choice, seed, split) for split, cases in splits.items()}


def _as_grey(splits: Splits, name: str) -> Splits | None:
    """Data that do not say what their values mean, as greys in [0, 1]; None if all is 0 or 1 already."""
    summaries = {split: cases.statistics() for split, cases in splits.items()}
    for split, summary in summaries.items():
        _check_finite(summary, f"{name}, {split}")
    if all(summary.binary for summary in summaries.values()):
        return None
    if all(cases.dtype == np.uint8 for cases in splits.values()):
        return {split: cases.derive(divisor=BYTE_LEVELS) for split, cases in splits.items()}
    for split, summary in summaries.items():
        if summary.low < 0.0 or summary.high > 1.0:
            raise ValueError(
                f"{name}, {split} has values from {summary.low:g} to {summary.high:g}; only greys in [0, 1], or bytes, "
                "can be binarised: scale them first"
            )
    return splits


def _binarise_split(grey: Cases, choice: str, seed: int, split: str) -> Cases:
    if choice == "threshold":
        return grey.derive(binarization="threshold")
    if choice == "dynamic" and split == "train":
        return grey.derive(binarization="dynamic", sampler=Sampler(Stream(seed, "dynamic"), every_epoch=True))
    drawn = grey.derive(binarization="fixed", sampler=Sampler(Stream(seed, "binarize", split), every_epoch=False))
    if grey.mapped:
        return drawn  # larger than memory perhaps: each case is drawn, always alike, when it is read
    size = max(1, CHUNK_BYTES // (4 * grey.shape[1]))
    values = np.concatenate([chunk.numpy().astype(np.uint8) for _, chunk in drawn.chunks(size)])
    return Cases(values, binarization="fixed")


def _check_finite(summary: Summary, what: str) -> None:
    if summary.first_bad is not None:
        row, column, value = summary.first_bad
        raise ValueError(f"{what}, row {row}, column {column} (from 0) holds {value}: mend or remove the case")


def _standardise(splits: Splits, name: str) -> Splits:
    summary = splits["train"].statistics()
    _check_finite(summary, f"{name}, train")
    mean, scale = summary.mean.numpy(), summary.variance.sqrt().numpy()
    # A constant column may have a spread of rounding; dividing by it would blow the rounding up to size one.
    scale = np.where(scale > 1e-12 * np.abs(mean), scale, 1.0)
    return {split: cases.derive(standard=Standardization(mean, scale)) for split, cases in splits.items()}
