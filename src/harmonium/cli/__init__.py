"""The command line: ``harmonium train | evaluate | sample | compare | diagnose | report | play | table | data``.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import click

from harmonium.cli import compare, data, diagnose, evaluate, pretrain, report, sample, table, train
from harmonium.cli.own import import_modules
from harmonium.cli.shell import CONTEXT, Shell
from harmonium.core.processes import several
from harmonium.core.version import __version__

__all__ = ["main"]

_TOGETHER = ("train", "evaluate", "sample")


@click.group(
    "harmonium",
    cls=Shell,
    invoke_without_command=True,
    context_settings=CONTEXT,
    epilog="""\b
Examples:
  harmonium train digits                    learn handwritten digits, in less than a minute
  harmonium train digits --out runs/mine    into a folder of your choice
  harmonium train --resume runs/mine        continue where it stopped or was killed
  harmonium evaluate runs/mine              its test log-likelihood, in nats per case
  harmonium sample runs/mine --out new.png  a picture of samples
  harmonium compare digits                  every model on the same data: a table and a picture
  harmonium diagnose runs/mine              have its chains reached equilibrium?
  harmonium report runs/mine                one page about it, which runs the model
  harmonium table impute my.csv --out filled.csv   fill the gaps of a table
  harmonium data                            data sets by name""",
)
@click.option(
    "--import", "modules", metavar="MODULE", multiple=True,
    help="Import a module of your own first, if a run has its classes; repeatable.",
)  # fmt: skip
@click.version_option(__version__, message="harmonium %(version)s")
@click.pass_context
def main(ctx: click.Context, modules: tuple[str, ...]) -> None:
    """Restricted Boltzmann machines: train, evaluate, sample.

    A run is a folder that training writes: settings, metrics, checkpoint, model, pictures.
    """
    import_modules(modules)
    if several() and ctx.invoked_subcommand not in _TOGETHER:
        raise click.UsageError(f"several processes {', '.join(_TOGETHER)} together; this is for one process", ctx)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for command in (
    train.train, pretrain.pretrain, evaluate.evaluate, sample.sample, compare.compare, diagnose.diagnose, report.report,
    report.play, table.table, data.data,
):  # fmt: skip
    main.add_command(command)
