"""``harmonium compare``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.models import build_model, model_class
from harmonium.cli.session import progress, quiet, set_threads
from harmonium.cli.shell import CONTEXT, POSITIVE, Range, say
from harmonium.cli.source import data_options, load_data, visible_units
from harmonium.runs.folder import describe

if TYPE_CHECKING:
    from harmonium.models.model import Model
    from harmonium.units import Units

__all__ = ["compare"]

MODELS = "independent,mixture,tree,rbm,dbn,dbm,nade,eonade,made,vae,iwae"


def _names(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]


def _own(name: str, visible: Units) -> Model:
    """A model of the user's own class, with the sizes that its constructor has by default."""
    options = dict.fromkeys(("hidden", "layers", "latent", "hidden_units")) | {"model": name}
    return build_model(model_class(name), visible, options)[0]


@click.command(
    context_settings=CONTEXT,
    short_help="Train many models on the same data; one table, one picture.",
    epilog="""\b
Examples:
  harmonium compare digits
  harmonium compare digits --models rbm,nade,vae --minutes 1 --out runs/three
  harmonium compare mnist --binarize fixed --valid 10000 --minutes 5
  harmonium compare table.csv --valid 0.1 --test 0.1 --models independent,tree,nade""",
)
@click.argument("data")
@click.option(
    "--models", metavar="NAME,...", callback=_names,
    help=f"Of {MODELS}, and your own as MODULE:CLASS.  [default: all that can model these data]",
)  # fmt: skip
@click.option(
    "--minutes", type=Range(min=0, min_open=True), metavar="M", default=0.25, show_default=True,
    help="To train each model for; judging it comes on top.",
)  # fmt: skip
@click.option(
    "--out", metavar="DIR", help="Where everything lies; given again, it goes on.  [default: runs/DATA-compare]"
)
@data_options
@click.option("--seed", type=int, metavar="N", default=0, show_default=True, help="Of everything random in training.")
@click.option(
    "--threads", type=POSITIVE, metavar="N", help="Threads of matrix products.  [default: what torch chooses]"
)
@click.option("--progress/--no-progress", default=None, help="A progress bar for each.  [default: on a terminal]")
@click.option("-q", "--quiet", is_flag=True, help="Print the table only.")
def compare(data: str, models: list[str] | None, minutes: float, out: str | None, **options: Any) -> None:
    """Train models on DATA, each for so many minutes, and judge all on its test cases.

    DATA is a name (see `harmonium data`) or a file.  It needs validation cases, by which every model is chosen, and
    test cases (--valid, --test set some aside).  DIR then holds comparison.csv, comparison.md, comparison.png, and the
    run folder of every model, for `harmonium evaluate` and `harmonium sample`.
    """
    folder = Path(out or Path("runs") / f"{Path(data).name.split('.')[0] or 'data'}-compare").expanduser()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, and a comparison needs a folder: choose another with --out")
    import harmonium as hm
    from harmonium.core.errors import InterruptedRunError

    set_threads(options["threads"])
    dataset = load_data(data, options)
    talk = quiet if options["quiet"] else say
    talk(describe(dataset))
    visible = visible_units(dataset, options)
    own = [_own(name, visible) if ":" in name else name for name in models or ()]
    talk(f"folder: {folder}")
    began = time.monotonic()
    try:
        found = hm.compare(
            dataset, None if models is None else own, seconds=60 * minutes, out=folder, visible=visible,
            seed=options["seed"], progress=progress(options), log=talk,
        )  # fmt: skip
    except InterruptedRunError as error:
        raise InterruptedRunError(
            f"stopped; what is finished is kept. Go on with the same command and --out {folder}", error.signal
        ) from None
    talk(f"all in {time.monotonic() - began:.0f} s\n")
    say(str(found))
    picture = hm.plots.write(hm.plots.comparison(found, dataset.test), folder / "comparison.png")
    talk(f"\ntables and picture: {folder / 'comparison.md'}, {folder / 'comparison.csv'}, {picture}")
