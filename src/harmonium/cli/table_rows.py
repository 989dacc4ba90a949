"""``harmonium table sample``, ``impute`` and ``outliers``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.grouped import Grouped
from harmonium.cli.options import integer, text
from harmonium.cli.session import count, progress
from harmonium.cli.shell import CONTEXT, say
from harmonium.cli.table_source import GROUPS, Table, fitting_options, use

if TYPE_CHECKING:
    from harmonium.data.raw import Frame

__all__ = ["impute", "outliers", "sample"]

FORMATS = "A .csv, .tsv, .txt, .parquet, .feather or .xlsx file.  [default: CSV on the screen]"
OUT = click.option("--out", type=click.Path(dir_okay=False), help=FORMATS)
SHOWN = 5  # odd rows on the screen


@click.command(
    cls=Grouped,
    groups={"Rows": ("-n", "--given", "--out"), **GROUPS},
    context_settings=CONTEXT,
    short_help="Draw new rows, also with some values given.",
    epilog="""\b
Examples:
  harmonium table sample runs/census -n 1000 --out new.csv
  harmonium table sample runs/census -n 1000 --given sex=Female --given age=30 --out new.csv
  harmonium table sample census.csv -n 1000 --out new.csv""",
)
@click.argument("run", metavar="RUN|FILE")
@integer("-n", "count", default=100, help="Number of rows.")
@text("--given", "NAME=VALUE", "A value that all rows have; repeatable.", multiple=True)
@OUT
@fitting_options
@click.pass_context
def sample(ctx: click.Context, /, run: str, given: tuple[str, ...], out: str | None, **options: Any) -> None:
    """Draw rows that look like those of the table, written as they are.

    RUN is what `harmonium table fit` makes.  With a FILE in its place a model is fitted first.
    """
    path = _output(out, Path(run).expanduser())
    table = use(ctx, run, None, options)
    from harmonium.tables.words import conditions

    held = conditions(table.model.codec, given, table.decimal) or None
    rows = table.model.sample(options["count"], held, seed=options["seed"], progress=progress(options))
    _deliver(rows, path, table, f"{count(len(rows), 'row')} of {count(rows.shape[1], 'column')}")


@click.command(
    cls=Grouped,
    groups={"Rows": ("--draws", "--out"), **GROUPS},
    context_settings=CONTEXT,
    short_help="Fill empty cells.",
    epilog="""\b
Examples:
  harmonium table impute my.csv --out filled.csv
  harmonium table impute runs/census my.csv --out filled.csv
  harmonium table impute runs/census my.csv --out filled.csv --draws 5""",
)
@click.argument("run", metavar="[RUN]")
@click.argument("file", required=False)
@integer(
    "--draws", help="Draw every gap this many times, into files of their own, such as filled-1.csv (for multiple "
    "imputation).  [default: the best guess: numbers by their mean, labels by the most probable one]",
)  # fmt: skip
@OUT
@fitting_options
@click.pass_context
def impute(
    ctx: click.Context, /, run: str, file: str | None, draws: int | None, out: str | None, **options: Any
) -> None:
    """Fill the empty cells of FILE; all other cells stay as they are written.

    RUN is what `harmonium table fit` makes.  Without it a model is fitted to FILE first.
    """
    path = _output(out, Path(file or run).expanduser())
    if draws is not None and path is None:
        raise click.UsageError("--draws writes several files: name them with --out, such as --out filled.csv")
    table = use(ctx, run, file, options, needs_rows=True)
    assert table.rows is not None
    frame = table.rows.frame
    filled = table.model.impute(frame, draws, seed=options["seed"], progress=progress(options))
    gaps = count(int(frame.isna().to_numpy().sum()), "empty cell")
    if draws is None:
        left = int(filled.isna().to_numpy().sum())
        rest = f", {left} left empty (in columns of which nothing was learned)" if left else ""
        _deliver(table.rows.with_filled(filled), path, table, f"{count(len(frame), 'row')}, {gaps} filled{rest}")
        return
    assert path is not None
    for number, each in enumerate(filled, 1):
        one = path.with_name(f"{path.stem}-{number}{path.suffix}")
        _deliver(table.rows.with_filled(each), one, table, f"{count(len(frame), 'row')}, {gaps} drawn")


@click.command(
    cls=Grouped,
    groups={"Rows": ("--out",), **GROUPS},
    context_settings=CONTEXT,
    short_help="Rank rows by how odd they are, with the cells to blame.",
    epilog="""\b
Examples:
  harmonium table outliers my.csv --out scored.csv
  harmonium table outliers runs/census my.csv --out scored.csv""",
)
@click.argument("run", metavar="[RUN]")
@click.argument("file", required=False)
@OUT
@fitting_options
@click.pass_context
def outliers(ctx: click.Context, /, run: str, file: str | None, out: str | None, **options: Any) -> None:
    """Score the rows of FILE, with three more columns: log_prob, rank and blame.

    log_prob is the log-likelihood of the row in nats, rank 1 the least probable row.  blame names the cells that are
    most surprising given the rest of the row, with their values and how surprising they are: 0 is as expected, 5 is
    e^5 = 150 times less probable than that.

    RUN is what `harmonium table fit` makes.  Without it a model is fitted to FILE first.
    """
    path = _output(out, Path(file or run).expanduser())
    table = use(ctx, run, file, options, needs_rows=True)
    assert table.rows is not None
    from harmonium.tables.blame import scored

    more = scored(table.model, table.rows.frame, table.styles, seed=options["seed"])
    _deliver(table.rows.with_columns(more), path, table, f"{count(len(more), 'row')} scored")
    if path is not None:
        for place in more["rank"].argsort(kind="stable")[:SHOWN]:
            row = more.iloc[place]
            say(f"  row {place + 1}: log_prob {row['log_prob']:.1f}; {row['blame'] or 'no single cell'}")


def _output(out: str | None, source: Path) -> Path | None:
    """Check --out before anything is computed."""
    if out in (None, "-"):
        return None
    from harmonium.data.rows import check_output

    path = Path(str(out)).expanduser()
    check_output(path, source)
    return path


def _deliver(frame: Frame, path: Path | None, table: Table, what: str) -> None:
    """Write rows to a file and say what is in it, or on the screen."""
    from harmonium.data.rows import text_of, write_rows

    header = table.rows is None or table.rows.words is None or table.rows.header is not None
    if path is None:
        sys.stdout.write(text_of(frame, table.styles, table.delimiter or ",", header))
        return
    write_rows(frame, path, table.styles, table.delimiter, header)
    say(f"{what}: {path}")
