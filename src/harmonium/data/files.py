"""Files and folders, each read by its format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harmonium.data.arrays import ARRAYS, read_array, read_parts
from harmonium.data.datasets_folder import holds_images, is_datasets_folder, read_dataset_images
from harmonium.data.fasta import is_fasta, read_fasta
from harmonium.data.folders import holds_parts
from harmonium.data.formats import REFUSED, SVM, WORKBOOKS, read_svm
from harmonium.data.idx import find_mnist, is_idx, read_idx_file, read_idx_folder
from harmonium.data.images import find_images, read_images
from harmonium.data.opening import plain_suffix
from harmonium.data.raw import RawData
from harmonium.data.reading import ReadOptions
from harmonium.data.text import is_text

if TYPE_CHECKING:
    from harmonium.data.table import Table

__all__ = ["FORMATS", "is_table", "read_path"]

FORMATS = (
    ".npz, .npy, .csv, .tsv, .txt, .data (gzipped or not), .xlsx, .parquet, .feather, .arff, .mat, .svm, .fasta, "
    ".a2m, .a3m, .sto, .aln, an IDX file, or a folder: of .npy or Parquet files, of images, of Hugging Face's "
    "datasets, or with MNIST's four IDX files"
)


def is_table(path: Path) -> bool:
    """Return whether a file or folder is a table with named columns of any kind."""
    if is_text(path) or plain_suffix(path) in (".parquet", ".feather", ".arrow", ".arff", *WORKBOOKS):
        return path.is_file() or not path.exists()
    return (is_datasets_folder(path) and not holds_images(path)) or holds_parts(path, ".parquet")


def read_path(
    path: Path, table: Table | bool = False, drop: Sequence[str] = (), options: ReadOptions | None = None
) -> RawData:
    """Read a file or a folder.

    Args:
        path: the file or folder.
        table: as in `harmonium.data.load`.
        drop: as in `harmonium.data.load`.
        options: what the caller said about the file.

    Returns:
        The content.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the format is not known, or the file is damaged or does not hold what its format requires.
    """
    options = ReadOptions() if options is None else options
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}: check the path (now in {Path.cwd()})")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: write or fetch it again")
    _refuse_models(path)
    suffix = plain_suffix(path)
    if suffix in REFUSED and path.is_file():
        raise ValueError(f"{path}: a {suffix} file {REFUSED[suffix]}")
    if options.alphabet is not None and not is_fasta(path):
        raise ValueError(f"alphabet=... is for alignments: leave it out for {path.name}")
    if is_table(path) or (suffix in ARRAYS and (table is not False or drop)):
        from harmonium.data.frames import read_table  # pandas takes half a second to import

        return read_table(path, table, drop, options)
    if table is not False or drop:
        raise ValueError(f"{path} is not a table with named columns: leave out table=... and drop=...")
    about_tables = options.given.keys() - {"columns", "alphabet"}
    if about_tables:
        raise ValueError(f"{min(about_tables)}=... is for tables: leave it out for {path.name}")
    if path.is_dir():
        if is_datasets_folder(path):
            return read_dataset_images(path)
        if find_mnist(path):
            return read_idx_folder(path)
        if holds_parts(path):
            return read_parts(path)
        if all(_is_run(image.parent) for image in find_images(path)):
            raise _no_data(path)
        return read_images(path)
    if suffix in ARRAYS:
        return read_array(path)
    if suffix in SVM:
        return read_svm(path)
    if is_fasta(path):
        return read_fasta(path, options.alphabet)
    if is_idx(path):
        return read_idx_file(path)
    raise ValueError(f"{path} has no known format: give {FORMATS}")


def _refuse_models(path: Path) -> None:
    """Raise `ValueError` for what training writes: the folder of a run, whose pictures are no data, and models."""
    if _is_run(path):
        raise ValueError(f"{path} is the folder of a run, not data: name the data, or evaluate or resume the run")
    if path.suffix == ".safetensors":
        raise ValueError(f"{path} is a model, not data: name the data, or evaluate the model")


def _is_run(path: Path) -> bool:
    return (path / "config.json").is_file() and next(path.glob("*.safetensors"), None) is not None


def _no_data(folder: Path) -> FileNotFoundError:
    """The error for a folder in which there is nothing to read as a whole; it names the files that can be read."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and (is_table(path) or path.suffix in ARRAYS))
    hint = f"name a file, such as {' or '.join(map(str, files[:3]))}" if files else "check the path"
    return FileNotFoundError(
        f"{folder} is a folder without images, .npy or Parquet files, MNIST's four IDX files or a data set of Hugging "
        f"Face: {hint}"
    )
