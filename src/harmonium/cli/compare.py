"""``harmonium compare``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.models import build_model, model_class
from harmonium.cli.options import PROGRESS, QUIET, SEED, number, text, threads
from harmonium.cli.session import progress, quiet, set_threads
from harmonium.cli.shell import CONTEXT, say
from harmonium.cli.source import data_options, load_data, visible_units

if TYPE_CHECKING:
    from harmonium.models.model import Model
    from harmonium.units import Units

__all__ = ["compare"]

MODELS = "independent,mixture,tree,rbm,dbn,dbm,nade,eonade,made,vae,iwae"


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
@text("--models", "NAME,...", f"Of {MODELS}, and your own as MODULE:CLASS.  [default: all that can model these data]")
@number("--minutes", "M", "Processor time of each model, a fifth of it for judging.", positive=True, default=0.25)
@text("--out", "DIR", "Folder of the results; given again, it goes on.  [default: runs/DATA-compare]")
@data_options
@SEED
@threads("what torch chooses")
@PROGRESS
@QUIET
def compare(data: str, models: str | None, minutes: float, out: str | None, **options: Any) -> None:
    """Train models on DATA, each within the same processor time, and judge all on its test cases.

    DATA is a name (see `harmonium data`) or a file.  It needs validation cases, by which every model is chosen, and
    test cases (--valid, --test set some aside).  DIR then holds comparison.csv, comparison.md, comparison.png, and the
    run folder of every model, for `harmonium evaluate` and `harmonium sample`.
    """
    folder = Path(out or Path("runs") / f"{Path(data).name.split('.')[0] or 'data'}-compare").expanduser()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, and a comparison needs a folder: choose another with --out")
    import harmonium as hm
    from harmonium.core.errors import InterruptedRunError
    from harmonium.data.dataset import describe

    set_threads(options["threads"])
    dataset = load_data(data, options)
    talk = quiet if options["quiet"] else say
    visible = visible_units(dataset, options)
    chosen: list[Any] | None = None
    if models is not None:
        names = [name.strip() for name in models.split(",") if name.strip()]
        chosen = [_own(name, visible) if ":" in name else name for name in names]
    head = [describe(dataset), f"folder: {folder}"]

    def log(text: str) -> None:
        while head:  # once the library has checked what it was given
            talk(head.pop(0))
        talk(text)

    began = time.monotonic()
    try:
        found = hm.compare(
            dataset, chosen, seconds=60 * minutes, out=folder, visible=visible,
            seed=options["seed"], progress=progress(options), log=log,
        )  # fmt: skip
    except InterruptedRunError as error:
        raise InterruptedRunError(
            f"stopped; what is finished is kept. Go on with the same command and --out {folder}", error.signal
        ) from None
    talk(f"{time.monotonic() - began:.0f} s in all\n")
    say(str(found))
    picture = hm.plots.write(hm.plots.comparison(found, dataset.test), folder / "comparison.png")
    talk(f"\ntables and picture: {folder / 'comparison.md'}, {folder / 'comparison.csv'}, {picture}")
