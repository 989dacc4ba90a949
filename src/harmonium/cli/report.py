"""``harmonium report`` and ``harmonium play``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harmonium.cli.options import SEED
from harmonium.cli.other_data import chosen_data, data_of_run, refuse_without_data
from harmonium.cli.run import open_model
from harmonium.cli.session import set_threads
from harmonium.cli.shell import CONTEXT, note, say, typed

__all__ = ["play", "report"]


@click.command(
    context_settings=CONTEXT,
    short_help="Write one page about a run: curves, likelihood, pictures, the model.",
    epilog="""\b
Examples:
  harmonium report runs/digits-rbm-1
  harmonium report runs/digits-rbm-1 --out digits.html
  harmonium report model.safetensors --data digits""",
)
@click.argument("run")
@data_of_run
@SEED
@click.option("--out", type=click.Path(dir_okay=False), help="The file.  [default: report.html in the folder of RUN]")
def report(run: str, data: str | None, seed: int, out: str | None, **options: Any) -> None:
    """Write one HTML file that shows RUN and runs its model in the browser; it needs no network.

    RUN is a run folder, finished or not, or a model file.  The likelihood is estimated again: seconds for a small
    model, a minute or two for MNIST.  The page contains the model and some of the data.
    """
    path = _write(run, data, seed, out, options)
    say(f"report: {path} ({path.stat().st_size / 1e6:.1f} MB)")


@click.command(
    context_settings=CONTEXT,
    short_help="Play with a model in the browser.",
    epilog="""\b
Examples:
  harmonium play runs/digits-rbm-1
  harmonium play runs/digits-rbm-1 --no-open
  harmonium play model.safetensors --data digits""",
)
@click.argument("run")
@data_of_run
@SEED
@click.option("--open/--no-open", "show", default=True, help="Open the page in a browser.  [default: open]")
@click.pass_context
def play(ctx: click.Context, /, run: str, data: str | None, seed: int, show: bool, **options: Any) -> None:
    """Open the report of RUN in the browser.  It is written if there is none, or the model is newer.

    With --data or --seed it is always written.  Its playground samples the model: draw pixels or set columns to hold
    them, and see the rest completed.
    """
    path = _present(run) if typed(ctx).isdisjoint({"data", "seed", *options}) else None
    if path is None:
        path = _write(run, data, seed, None, options)
    say(f"page: {path}")
    if show:
        import webbrowser

        if not webbrowser.open(path.absolute().as_uri()):
            note(f"no browser was found: open {path} in one")


def _write(run: str, data: str | None, seed: int, out: str | None, options: dict[str, Any]) -> Path:
    place = open_model(run, unfinished=True)
    refuse_without_data(data, options)
    chosen = None if data is None else chosen_data(place, data, options)
    from harmonium.report import write

    set_threads(place.threads)
    return write(run, out, data=chosen, seed=seed)


def _present(run: str) -> Path | None:
    """Find a report that is newer than its model."""
    from harmonium.report.page import default_path

    page, source = default_path(run), open_model(run, unfinished=True).file
    return page if page.is_file() and page.stat().st_mtime > source.stat().st_mtime else None
