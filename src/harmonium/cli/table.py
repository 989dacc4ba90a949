"""``harmonium table``."""

from __future__ import annotations

import click

from harmonium.cli import table_fit, table_query, table_rows
from harmonium.cli.shell import CONTEXT, Inner

__all__ = ["table"]


@click.group(
    cls=Inner,
    invoke_without_command=True,
    context_settings=CONTEXT,
    short_help="Tables: fit, draw rows, fill gaps, find odd rows, ask.",
    epilog="""\b
Examples:
  harmonium table fit census.csv --out runs/census
  harmonium table sample runs/census -n 1000 --given sex=Female --out new.csv
  harmonium table impute runs/census my.csv --out filled.csv
  harmonium table outliers runs/census my.csv --out scored.csv
  harmonium table query runs/census income --given age=30
  harmonium table quality runs/census
  harmonium table report runs/census
  harmonium table impute my.csv --out filled.csv     fit and fill in one line""",
)
@click.pass_context
def table(ctx: click.Context) -> None:
    """Tables with text, numbers, dates and gaps: a table in, a table out.

    Each command but `fit` takes the run folder that `fit` makes, or fits a model first.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for command in (
    table_fit.fit, table_rows.sample, table_rows.impute, table_rows.outliers, table_query.query, table_query.quality,
    table_query.report,
):  # fmt: skip
    table.add_command(command)
