"""The output of ``harmonium data describe``."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harmonium.cli.columns import is_grey
from harmonium.cli.options import written
from harmonium.cli.shell import as_options, note, say

if TYPE_CHECKING:
    from harmonium.data import Dataset

__all__ = ["describe_array", "describe_codecs", "describe_table"]

SHOWN = 40  # the most columns that are shown, each with up to 5 labels
ENOUGH = 1000  # training cases of which some should be set aside


def describe_array(name: str, dataset: Dataset, reading: dict[str, Any]) -> None:
    """Print splits, values, the units that fit, and the command to train with."""
    from harmonium.data.dataset import describe
    from harmonium.data.fitting import fitting_units

    say(describe(dataset))
    for split, cases in dataset.splits.items():
        found = cases.statistics()
        if found.first_bad is not None and not found.missing:
            row, column, value = found.first_bad
            where = f"{cases.row_name(row)}, column {column} (from 0)"
            say(f"{split}: {where} holds {value}: correct or remove it before training")
            continue
        labels = getattr(dataset.labels, split)
        mean = "" if found.missing else f", mean {float(found.mean.mean()):.4g}"
        constant = int((found.column_low >= found.column_high).sum())
        say(
            f"{split}: values {found.low:g} to {found.high:g}{mean}, {100 * found.zeros:.0f} % zeros"
            + (f", {found.missing} missing values (NaN)" if found.missing else "")
            + (f", {constant} constant columns" if constant else "")
            + (f", {len(set(labels.tolist()))} different labels" if labels is not None else "")
        )
        if split == "train":
            kinds = {"of 0 and 1": found.binary_columns, "of codes": found.code_columns}
            counts = {kind: int(columns.sum()) for kind, columns in kinds.items()}
            counts["of other numbers"] = len(found.whole) - sum(counts.values())
            if dataset.alphabet is not None:  # even where a column holds few of the codes
                counts = {"of codes": len(found.whole)}
            say("columns: " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count))
            grey = dataset.binarization is None and is_grey(dataset)
            fitting = (["Bernoulli after --binarize"] if grey else []) + fitting_units(found)
            if dataset.alphabet is not None:
                fitting = [f"Categorical(states={len(dataset.alphabet)})"]
            say(f"units that fit: {', '.join(fitting) if dataset.binarization is None else 'Bernoulli'}")
    say(f"train with: harmonium train {shlex.quote(name)}{_advice(name, dataset)}{written(reading)}")


def describe_table(name: str, drop: Sequence[str], reading: dict[str, Any]) -> None:
    """Print the columns of a table with text, dates or missing cells, and the command to train with."""
    from harmonium.data.frames import as_codes, read_frames, unfit
    from harmonium.data.reading import ReadingNote, read_options
    from harmonium.data.table import from_frame

    path = Path(name).expanduser()
    source = read_frames(path, read_options(**reading))
    if source.reading.notes:
        warnings.warn(f"{path.name}: {source.reading}", ReadingNote, stacklevel=1)  # once, if loading told it already
    frames = source.frames
    whole = frames["train"].drop(columns=[column for column in drop if column in frames["train"].columns])
    bad = unfit(whole)
    cases = ", ".join(f"{split} {len(frame)}" for split, frame in frames.items())
    gaps = int(whole.isna().any(axis=1).sum())
    say(
        f"{Path(name).name}: {len(whole.columns)} columns; {cases} cases"
        + (f", {gaps} with missing cells" if gaps else "")
    )
    kept = as_codes(whole.drop(columns=list(bad)))
    units, columns = None, {}
    if len(kept.columns):
        units, _, table = from_frame(kept)
        columns = {column.name: column for column in table.columns}
    for column in list(whole.columns)[:SHOWN]:
        gone = int(whole[column].isna().sum())
        what = (
            f"cannot be learned: it {as_options(bad[column])}"
            if column in bad
            else _kind(columns[column], kept[column])
        )
        say(f"  {column!r}: {what}" + (f"; {gone} missing" if gone and column not in bad else ""))
    if len(whole.columns) > SHOWN:
        say(f"  and {len(whole.columns) - SHOWN} more")
    if units is None:
        say("no column is left to learn")
        return
    say(f"units that fit: {units!r}")
    odd = [column for column in bad if not column.isprintable()]
    if odd:  # control characters would be executed by the terminal
        note(f"rename {', '.join(map(repr, odd))} in the file before you drop them by name")
        return
    options = "".join(f" --drop {shlex.quote(column)}" for column in (*drop, *bad))
    aside = "" if len(frames) > 1 or len(whole) - gaps < ENOUGH else " --valid 0.1 --test 0.1"
    say(f"train with: harmonium train {shlex.quote(name)} --visible mixed{options}{aside}{written(reading)}")


def describe_codecs(name: str, drop: Sequence[str], reading: dict[str, Any], write: str | None) -> None:
    """Print what `harmonium table` takes the columns of a table for, and write it to a file if that is asked for."""
    from harmonium.data.codecs.table import TableCodec
    from harmonium.data.reading import read_options
    from harmonium.data.rows import read_rows
    from harmonium.tables.columns import columns_of, write_columns

    said = dict.fromkeys(drop, "drop")
    try:
        frame = read_rows(Path(name).expanduser(), read_options(**reading), said).frame
        codec = TableCodec.of(frame, said or None)
    except (ValueError, TypeError) as error:
        if write is not None:
            raise
        note(f"`harmonium table` needs another reading: {error}")
        return
    columns = columns_of(codec, said or None)
    say("`harmonium table` takes columns for (--column NAME=KIND changes it):")
    width = max(len(repr(column)) for column in list(columns)[:SHOWN])
    for column, entry in list(columns.items())[:SHOWN]:
        say(f"  {column!r:<{width}}  {entry['why']}")
    if len(columns) > SHOWN:
        say(f"  and {len(columns) - SHOWN} more")
    for told in codec.notes:
        note(as_options(told))
    options = "".join(f" --drop {shlex.quote(column)}" for column in drop)
    if write is not None:
        write_columns(columns, Path(write).expanduser())
        say(f"columns: {write}")
        options = f" --columns {shlex.quote(write)}"
    say(f"fit with: harmonium table fit {shlex.quote(name)}{options}{written(reading)}")


def _kind(column: Any, values: Any) -> str:
    labels = column.labels
    if not labels:
        present = values.dropna()
        low, high = float(present.min()), float(present.max())
        zeros = 100 * float((present == 0).mean())
        share = f", {zeros:.0f} % zeros" if zeros >= 1 else ""
        return f"numbers, {low:g} to {high:g}, mean {column.mean:.4g}{share}"
    shown = ", ".join(map(_shown, labels[:5])) + (", ..." if len(labels) > 5 else "")
    return f"{'binary' if len(labels) == 2 else f'{len(labels)} categories'}: {shown}"


def _shown(label: Any) -> str:
    """A label as it is in the file; pandas makes whole numbers beside missing cells float."""
    label = label.item() if hasattr(label, "item") else label
    return f"{label:g}" if isinstance(label, float) else repr(label)


def _advice(name: str, dataset: Dataset) -> str:
    from harmonium.data.fitting import is_spin
    from harmonium.data.summary import FEW_CODES

    options = ""
    if dataset.alphabet is not None:
        options = " --visible categorical"
    elif dataset.binarization is None and dataset.train.statistics().finite:
        found = dataset.train.statistics()
        if is_grey(dataset):
            scale = " --scale 255" if found.high > 1 and dataset.train.dtype.name != "uint8" else ""
            options += f"{scale} --binarize dynamic"
        elif is_spin(found):
            options += " --visible spin"
        elif found.whole.all() and found.low == 0 and found.high < FEW_CODES:
            options += " --visible categorical"
        else:
            options += " --visible gaussian --standardize"
    elif dataset.source.get("binarize"):
        options += f" --binarize {dataset.source['binarize']}"
    for split in ("valid", "test"):
        if getattr(dataset, split) is None and len(dataset.train) >= ENOUGH:
            options += f" --{split} 0.1"
    return options
