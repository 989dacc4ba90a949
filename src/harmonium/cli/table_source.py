"""RUN or FILE of the commands about tables: a fitted model, or rows that one is fitted to first."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.options import DROP, PROGRESS, QUIET, READING, SEED, number, reading_of, threads
from harmonium.cli.session import count, progress, set_threads
from harmonium.cli.shell import typed

if TYPE_CHECKING:
    from harmonium.data.rows import Rows
    from harmonium.data.written import Written
    from harmonium.tables.folder import Source
    from harmonium.tables.model import TableModel
    from harmonium.tables.streaming import TableStream

__all__ = ["FITTING", "GROUPS", "Table", "columns_said", "fitted", "fitting_options", "read_table", "tell", "use"]

MODELS = ("auto", "orderless", "mixture", "rbm", "nade", "made")
KINDS = ("categories", "numbers", "log", "values", "dates", "drop")
SHOWN = 40  # columns that are listed


def _column(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    """What columns are taken for, by name."""
    found = {}
    for word in value:
        name, _, kind = word.rpartition("=")
        if not name or kind not in KINDS:
            raise click.BadParameter(f"{word!r}: write NAME=KIND, where KIND is one of {', '.join(KINDS)}", ctx, param)
        found[name] = kind
    return found


FITTING: tuple[Callable[..., Any], ...] = (
    click.option(
        "--model", type=click.Choice(MODELS), default="auto", show_default=True,
        help="auto: a mixture or an order-agnostic network, by the likelihood of rows set aside.",
    ),
    number("--minutes", "M", "Processor time of fitting, at most.", positive=True, default=5.0),
    click.option(
        "--column", "kinds", metavar="NAME=KIND", multiple=True, callback=_column,
        help=f"What a column is taken for: {', '.join(KINDS)}; repeatable.  [default: by its values]",
    ),
    click.option(
        "--columns", type=click.Path(dir_okay=False), metavar="FILE",
        help="The same for many columns: JSON that `harmonium data describe DATA --write FILE` leaves.",
    ),
    DROP,
    click.option(
        "--gaps", type=click.Choice(["value", "random"]),
        help="What all empty cells are: a value of their own, or missing at random.  [default: by trial, column by "
        "column]",
    ),
    threads("what torch chooses"),
)  # fmt: skip
"""How a table is fitted."""

GROUPS = {
    "Fitting (of a FILE in the place of RUN)": (
        "--model",
        "--minutes",
        "--column",
        "--columns",
        "--drop",
        "--gaps",
        "--threads",
    ),
    "How a file is read": ("--header", "--skip-rows", "--missing-values", "--decimal"),
    "Output": ("--seed", "--progress", "--quiet"),
}
"""Options by what they are about."""

_READING: tuple[Callable[..., Any], ...] = READING[:4]  # the others are of alignments and of greys
_FITTING = {"model", "minutes", "kinds", "columns", "gaps", "drop"}


def fitting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a table is read and fitted."""
    for option in reversed((*FITTING, *_READING, SEED, PROGRESS, QUIET)):
        command = option(command)
    return command


@dataclass(frozen=True)
class Table:
    """A fitted model and how its rows are written.

    Attributes:
        model: the model.
        styles: how numbers are written, by column.
        delimiter: between cells of the file; None if it was no text.
        decimal: the character before decimals.
        rows: of the file that the command is about; None if it is about none.
        path: of that file.
    """

    model: TableModel
    styles: Mapping[str, Written]
    delimiter: str | None
    decimal: str
    rows: Rows | None
    path: Path | None


def tell(options: Mapping[str, Any], line: str) -> None:
    """Say what is done, on standard error, unless --quiet."""
    if not options["quiet"]:
        click.echo(line, err=True)


def columns_said(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the user says about columns: --columns, --column and --drop, of which the last counts."""
    from harmonium.tables.columns import read_columns

    said: dict[str, Any] = {}
    if options["columns"] is not None:
        said |= read_columns(Path(options["columns"]).expanduser())
    said |= options["kinds"]
    return said | dict.fromkeys(options["drop"], "drop")


def _with_gaps(said: Mapping[str, Any], names: list[str], gaps: str) -> dict[str, Any]:
    """What is said about columns, with a word about the empty cells of each."""
    whole = {name: {"as": said.get(name)} if isinstance(said.get(name), (str, type(None))) else said[name]
             for name in names}  # fmt: skip
    return dict(said) | {name: {**entry, "missing": gaps} for name, entry in whole.items()}


def _kind(said: Any) -> str | None:
    return said if isinstance(said, str) or said is None else said.get("as")


def read_table(
    name: str, options: Mapping[str, Any], test: float | None = None
) -> tuple[Source, Rows, TableStream | None]:
    """Read FILE, saying what was guessed.

    Returns:
        where the rows are, the rows, and for a large file, of which only a part was read, the way to all rows.
    """
    import warnings

    path = Path(name).expanduser()
    tell(options, f"reading {path.name}")
    said = columns_said(options)

    from harmonium.data.reading import ReadingNote, read_options
    from harmonium.tables.folder import read_source, source_of
    from harmonium.tables.streaming import is_large, open_stream

    reading = reading_of({"scale": None, "alphabet": None, **options})
    stream = None
    if is_large(path):
        if test is not None:
            raise click.UsageError(f"{path.name} is read in parts: leave out --test, keep fresh rows in another file")
        tell(options, "the file is large: it is read in parts, and columns are judged by rows from all over it")
        stream = open_stream(path, read_options(**reading), {name: _kind(each) for name, each in said.items()})
        rows = stream.sample
        source = source_of(path, rows, reading, said, test, options["seed"])
    else:
        source, rows = read_source(path, reading, said, test, options["seed"])
    if options["gaps"] is not None:
        source = replace(source, kinds=_with_gaps(said, list(rows.frame.columns), options["gaps"]))
    for note in rows.reading.notes:
        if "labels that differ by case" not in note and "drop=[" not in note:  # the codecs say it, too
            warnings.warn(f"{path.name}: {note}", ReadingNote, stacklevel=1)
    total = len(rows.frame) if stream is None else stream.count
    tell(options, f"{path.name}: {total:,} rows, {count(rows.frame.shape[1], 'column')}")
    return source, rows, stream


def fitted(
    frame: Any, source: Source, options: dict[str, Any],
    begin: Callable[[Mapping[Any, Any]], None] | None = None, stream: TableStream | None = None,
) -> TableModel:  # fmt: skip
    """Fit a model to rows.

    Args:
        frame: the rows.
        source: where they are from.
        options: of the command.
        begin: what is done when it is known what columns are.
        stream: the way to all rows, if ``frame`` has only a part of them.
    """
    import warnings

    from harmonium.data.codecs.table import TableCodec

    codec = TableCodec.of(frame, source.kinds or None)
    for note in codec.notes:
        warnings.warn(note, UserWarning, stacklevel=1)

    from harmonium.tables.columns import columns_of

    columns = columns_of(codec, source.kinds or None)
    if begin is not None:
        begin(columns)
    width = max(map(len, map(str, codec.names[:SHOWN])))
    for name, entry in list(columns.items())[:SHOWN]:
        tell(options, f"  {name!s:<{width}}  {entry['why']}")
    if len(columns) > SHOWN:
        tell(options, f"  and {len(columns) - SHOWN} more")

    from harmonium.tables.model import TableModel

    if stream is None:
        states = codec.encode(codec.matched(frame))
    else:
        from harmonium.tables.streaming import encode_stream

        states, told = encode_stream(codec, stream)
        for note in told:
            warnings.warn(note, UserWarning, stacklevel=1)
    set_threads(options["threads"])
    tell(options, f"fitting, {options['minutes']:g} minutes of processor time at most")
    table = TableModel(
        options["model"], minutes=options["minutes"], seed=options["seed"], progress=progress(options)
    ).fit_states(codec, states)
    for trial in table.trials:
        tell(options, f"  {trial}")
    return table


def use(ctx: click.Context, name: str, other: str | None, options: dict[str, Any], needs_rows: bool = False) -> Table:
    """Open RUN, with the rows of FILE if there is one; or fit a model to FILE, if it is alone.

    Args:
        ctx: of the command.
        name: RUN, or FILE alone.
        other: FILE behind RUN.
        options: of the command.
        needs_rows: whether there must be a FILE.

    Raises:
        click.UsageError: for options that RUN does not leave open.
    """
    from harmonium.data.files import is_table

    path = Path(name).expanduser()
    if not path.is_dir() and is_table(path):
        if other is not None:
            raise click.UsageError(
                f"{name} is a table: name a RUN before {other}, which `harmonium table fit {shlex.quote(name)}` makes"
            )
        source, rows, stream = read_table(name, options)
        if stream is not None:
            raise click.UsageError(
                f"{name} is large: `harmonium table fit {shlex.quote(name)}` fits a model first, and this "
                "command takes the rows of a smaller file"
            )
        tell(options, f"a model is fitted first (`harmonium table fit {shlex.quote(name)}` keeps one for other times)")
        model = fitted(rows.frame, source, options)
        return Table(model, rows.styles, rows.delimiter, source.reading.get("decimal", "."), rows, path)
    given = _FITTING & typed(ctx)
    if given:
        option = "column" if "kinds" in given else min(given)
        raise click.UsageError(f"--{option} is for fitting, and {name} is fitted already: leave it out")
    if needs_rows and other is None:
        raise click.UsageError(f"name the FILE behind {name}, as in `{ctx.command_path} {name} my.csv`")
    from harmonium.tables.folder import open_table

    run = open_table(name)
    set_threads(options["threads"])
    reading = reading_of({"scale": None, "alphabet": None, **options})
    if other is None and reading:
        raise click.UsageError(f"--{min(reading).replace('_', '-')} is for a FILE that is read: leave it out")
    model = run.load()
    decimal = "." if run.source is None else run.source.reading.get("decimal", ".")
    if other is None:
        return Table(model, run.styles, run.delimiter, decimal, None, None)
    rows = _like(other, model, run.options().given | reading)
    return Table(model, {**run.styles, **rows.styles}, rows.delimiter, decimal, rows, Path(other).expanduser())


def _like(name: str, model: TableModel, reading: Mapping[str, Any]) -> Rows:
    """Read the rows of another file, whose columns are those of the model."""
    import warnings

    from harmonium.data.codecs.categories import Categories
    from harmonium.data.codecs.dates import Dates
    from harmonium.data.codecs.left_out import LeftOut
    from harmonium.data.reading import ReadingNote, read_options
    from harmonium.data.rows import read_rows

    codecs = dict(zip(map(str, model.codec.names), model.codec.codecs, strict=True))
    texts = tuple(
        column for column, codec in codecs.items()
        if (isinstance(codec, Categories) and isinstance((*codec.labels, None)[0], str))
        or (isinstance(codec, Dates) and codec.form is not None)
    )  # fmt: skip
    kinds = {column: "drop" if isinstance(codec, LeftOut) else "categories" for column, codec in codecs.items()
             if isinstance(codec, (LeftOut, Categories))}  # fmt: skip
    path = Path(name).expanduser()
    rows = read_rows(path, replace(read_options(**reading), texts=texts, columns=None), kinds)
    for note in rows.reading.notes:
        if "labels that differ by case" not in note and "drop=[" not in note:
            warnings.warn(f"{path.name}: {note}", ReadingNote, stacklevel=1)
    return rows


def command_line() -> list[str]:
    """The command as it was typed."""
    return list(sys.argv)
