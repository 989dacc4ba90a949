"""Folders that ``save_to_disk`` of Hugging Face's `datasets` writes: streams of Arrow, and what they mean in JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from harmonium.core.optional import need

from .images import as_greys
from .raw import Array, RawData
from .table import Frame

__all__ = ["arrow_table", "datasets_frames", "holds_images", "is_datasets_folder", "read_image_dataset"]

_SPLITS = {"train": "train", "validation": "valid", "valid": "valid", "test": "test"}  # of datasets -> here


def is_datasets_folder(path: Path) -> bool:
    """Whether a folder is laid out so."""
    return path.is_dir() and any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))


def arrow_table(path: Path) -> Any:
    """An Arrow file with its index at the end (Feather), or the stream that `datasets` writes."""
    with need("pyarrow", "arrow", "Arrow files").OSFile(str(path)) as file:
        return _reader(file).read_all()


def _reader(file: Any) -> Any:
    pyarrow = need("pyarrow", "arrow", "Arrow files")
    try:
        return pyarrow.ipc.open_file(file)
    except pyarrow.ArrowInvalid:
        file.seek(0)
        return pyarrow.ipc.open_stream(file)


def datasets_frames(folder: Path) -> dict[str, Frame]:
    """The splits as DataFrames; numbers that stand for named classes become categories of these names.

    Raises:
        ValueError: for a folder without training cases, or one that is damaged.
    """
    pandas = need("pandas", "table", "a folder of datasets")
    frames = {}
    for split, part in _parts(folder).items():
        frame = _table(part).to_pandas()
        for name, classes in _classes(part).items():
            if name in frame.columns:
                frame[name] = pandas.Categorical.from_codes(_codes(frame[name], len(classes), part, name), classes)
        frames[split] = frame
    return frames


def holds_images(folder: Path) -> bool:
    """Whether one of the columns of the training cases is of images; nothing else is read."""
    with _readable(_parts(folder)["train"]) as files, need("pyarrow", "arrow", "Arrow files").OSFile(files[0]) as file:
        return _image_column(_reader(file).schema) is not None


def read_image_dataset(folder: Path) -> RawData:
    """The images as greys, see `harmonium.data.images.read_images`; labels are the numbers of named classes.

    Raises:
        ValueError: for images of different sizes, or what is no image.
    """
    images, labels = {}, {}
    shape: tuple[int, ...] = ()
    for split, part in _parts(folder).items():
        table = _table(part)
        column = _image_column(table.schema)
        if column is None:
            raise ValueError(f"{part} has no column of images, and train has: leave this split out")
        cells = table.column(column).to_pylist()
        images[split] = as_greys(
            ((io.BytesIO((cell or {}).get("bytes") or b""), f"{part}, image {i}") for i, cell in enumerate(cells)),
            shape,
        )
        shape = images[split].shape[1:]
        classes = [name for name in _classes(part) if name in table.schema.names]
        if len(classes) == 1:
            codes = table.column(classes[0]).to_pandas()
            labels[split] = _codes(codes, len(_classes(part)[classes[0]]), part, classes[0])
    return RawData(images, labels if len(labels) == len(images) else {}, levels=255.0)


def _parts(folder: Path) -> dict[str, Path]:
    """The folder of each split, by its name here."""
    if (folder / "state.json").is_file():
        return {"train": folder}
    parts = {_SPLITS[part.name]: part for part in sorted(folder.iterdir()) if part.name in _SPLITS}
    if "train" not in parts:
        raise ValueError(f"{folder} has no split named train, but {', '.join(parts) or 'none that is known'}")
    return {split: parts[split] for split in ("train", "valid", "test") if split in parts}


def _table(part: Path) -> Any:
    """The files of a split, in order, as one table."""
    with _readable(part) as files:
        return need("pyarrow", "arrow", "a folder of datasets").concat_tables([arrow_table(Path(f)) for f in files])


@contextmanager
def _readable(part: Path) -> Iterator[list[str]]:
    """The files that ``state.json`` lists, in order; what cannot be read of them is said in words."""
    pyarrow = need("pyarrow", "arrow", "a folder of datasets")
    try:
        names = [entry["filename"] for entry in json.loads((part / "state.json").read_text())["_data_files"]]
        yield [str(part / Path(name).name) for name in names]  # by their last names: never outside the folder
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{part} is damaged ({error}): save the data set again") from None


def _codes(column: Any, classes: int, part: Path, name: str) -> Array:
    """Numbers of classes, -1 where there is none, as both libraries have it."""
    codes: Array = column.fillna(-1).to_numpy(dtype=np.int64)
    if len(codes) and (codes.min() < -1 or codes.max() >= classes):
        raise ValueError(f"{part} is damaged (column {name!r} holds numbers of classes outside 0 ... {classes - 1}): "
                         "save the data set again")  # fmt: skip
    return codes


def _image_column(schema: Any) -> str | None:
    """The first column of encoded images: their bytes, and perhaps where they came from."""
    for field in schema:
        parts = {field.type.field(i).name for i in range(field.type.num_fields)}
        if "bytes" in parts and parts <= {"bytes", "path"}:
            return str(field.name)
    return None


def _classes(part: Path) -> dict[str, list[str]]:
    """Names of the classes of each column that has some."""
    try:
        features = json.loads((part / "dataset_info.json").read_text()).get("features") or {}
    except (OSError, ValueError):
        return {}
    named = {name: about for name, about in features.items() if isinstance(about, dict)}
    return {
        name: [str(label) for label in about["names"]]
        for name, about in named.items()
        if about.get("_type") == "ClassLabel" and about.get("names")
    }
