"""``harmonium table query``, ``quality`` and ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.grouped import Grouped
from harmonium.cli.options import SEED, integer, text
from harmonium.cli.shell import CONTEXT, say
from harmonium.cli.table_source import GROUPS, Table, fitting_options, use
from harmonium.runs.names import REPORT

if TYPE_CHECKING:
    from harmonium.data.raw import Frame
    from harmonium.tables.folder import TableRun

__all__ = ["quality", "query", "report"]

SHOWN = 20  # labels
HOLDOUT = text(
    "--holdout", "FILE", "Real rows that the model has not seen.  [default: those that --test set aside in fitting]"
)
BAR = 40  # characters of probability 1


@click.command(
    cls=Grouped,
    groups={"Question": ("--given",), **GROUPS},
    context_settings=CONTEXT,
    short_help="The distribution of a column, also with some values given.",
    epilog="""\b
Examples:
  harmonium table query runs/census income
  harmonium table query runs/census income --given sex=Female --given age=30
  harmonium table query census.csv income --given sex=Female""",
)
@click.argument("run", metavar="RUN|FILE")
@click.argument("column")
@text("--given", "NAME=VALUE", "A value that is known; repeatable.", multiple=True)
@fitting_options
@click.pass_context
def query(ctx: click.Context, /, run: str, column: str, given: tuple[str, ...], **options: Any) -> None:
    """Print the distribution of COLUMN given other values: probabilities of labels, or mean and quantiles.

    RUN is what `harmonium table fit` makes.  With a FILE in its place a model is fitted first.
    """
    table = use(ctx, run, None, options)
    import pandas as pd

    from harmonium.tables.words import conditions, unknown_column

    codec = table.model.codec
    names = {str(name): name for name in codec.names}
    if column not in names:
        raise ValueError(unknown_column(codec, column))
    held = conditions(codec, given, table.decimal)
    if names[column] in held:
        raise click.UsageError(f"--given {column}=... is the answer, not part of the question: leave it out")
    asked = pd.DataFrame({name: [value] for name, value in held.items()}, index=[0])
    found = table.model.conditional(asked, names[column], seed=options["seed"])
    known = [f"{name} = {table.styles[str(name)].text(value) if str(name) in table.styles else value}"
             for name, value in held.items()]  # fmt: skip
    say(f"{column}, given {' and '.join(known)}" if known else f"{column}, over all rows")
    for line in _lines(found, column, table):
        say(f"  {line}")


def _lines(found: Frame, column: str, table: Table) -> list[str]:
    """The distribution in words: quantiles have numbers as their names, labels have none."""
    from harmonium.data.codecs.categories import Categories
    from harmonium.data.written import PLAINLY

    row = found.iloc[0]
    codec = table.model.codec.codecs[list(map(str, table.model.codec.names)).index(column)]
    style = table.styles.get(column, PLAINLY)
    if isinstance(codec, Categories):
        row = row.sort_values(ascending=False, kind="stable")
        labels = [style.text(label) for label in row.index[:SHOWN]]
        width = max(map(len, labels))
        lines = [
            f"{label:<{width}}  {p:6.1%}  {'#' * round(BAR * p)}".rstrip()
            for label, p in zip(labels, row.iloc[:SHOWN], strict=True)
        ]
        rest = float(row.iloc[SHOWN:].sum())
        more = len(row) - SHOWN
        return [*lines, f"{f'{more} others':<{width}}  {rest:6.1%}"] if more > 0 else lines
    names = {name: name if isinstance(name, str) else f"{100 * name:g} % are below" for name in row.index}
    width = max(map(len, names.values()))
    return [f"{names[name]:<{width}}  {_number(value, style)}" for name, value in row.items()]


def _number(value: Any, style: Any) -> str:
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d"))
    return str(style.text(float(f"{value:.6g}")))


@click.command(
    context_settings=CONTEXT,
    short_help="Judge drawn rows beside real ones.",
    epilog="""\b
Examples:
  harmonium table quality runs/census
  harmonium table quality runs/census --holdout other.csv --target income""",
)
@click.argument("run")
@HOLDOUT
@text("--target", "COLUMN", "The column to predict in the test by usefulness.  [default: chosen by its values]")
@integer("--rows", default=25_000, help="The most rows of each table that are compared.")
@SEED
def quality(run: str, holdout: str | None, target: str | None, rows: int, seed: int) -> None:
    """Draw rows from the model of RUN, and judge them beside those of the table.

    Rows that were set aside in fitting (`harmonium table fit --test 0.2`) show what is the best to be expected.
    """
    place, real, aside = _rows(run, holdout)

    from harmonium.tables.quality.judge import quality as judge

    table = place.load()
    drawn = table.sample(min(len(real), rows), seed=seed)
    real = real[list(drawn.columns)]
    aside = None if aside is None else aside[list(drawn.columns)]
    say(str(judge(real, drawn, aside, target=target, seed=seed, rows=rows)))


@click.command(
    context_settings=CONTEXT,
    short_help="Write one page: columns, pairs, a playground, odd rows, scores.",
    epilog="""\b
Examples:
  harmonium table report runs/census
  harmonium table report runs/census --out census.html --holdout other.csv""",
)
@click.argument("run")
@HOLDOUT
@SEED
@click.option("--out", type=click.Path(dir_okay=False), help="The file.  [default: report.html in the folder of RUN]")
def report(run: str, holdout: str | None, seed: int, out: str | None) -> None:
    """Write one HTML file about the model of RUN, which needs no network.

    It shows columns and pairs of columns real beside sampled, what follows from columns that are set, odd rows, and how
    good sampled rows are.  The page contains the model and real rows.
    """
    place, real, aside = _rows(run, holdout)
    path = Path(out).expanduser() if out is not None else place.folder / REPORT
    place.load().report(path, real, aside, seed=seed)
    say(f"report: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def _rows(run: str, holdout: str | None) -> tuple[TableRun, Frame, Frame | None]:
    """A run, the rows that its model was fitted to, and rows that it has not seen, None if there are none."""
    from harmonium.tables.folder import open_table

    place = open_table(run)
    real, aside = place.rows()
    if holdout is not None:
        from harmonium.data.rows import read_rows

        aside = read_rows(Path(holdout).expanduser(), place.options()).frame
    return place, real, aside
