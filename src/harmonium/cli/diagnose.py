"""``harmonium diagnose``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import click

from harmonium.cli.options import SEED, choice, integer
from harmonium.cli.other_data import chosen_data, data_of_run
from harmonium.cli.run import open_model
from harmonium.cli.session import set_threads
from harmonium.cli.shell import CONTEXT, note, say

__all__ = ["diagnose"]

_FORMATS = (".png", ".pdf", ".svg")


@click.command(
    context_settings=CONTEXT,
    short_help="Say whether a model's chains have reached equilibrium.",
    epilog="""\b
Examples:
  harmonium diagnose runs/digits-rbm-1
  harmonium diagnose runs/digits-rbm-1 --sweeps 10000 --out chains.png
  harmonium diagnose model.safetensors --data digits""",
)
@click.argument("run")
@data_of_run
@choice(
    "--split", ("train", "valid", "test"), "Cases that chains are compared with; a model resembles its training cases.",
    default="train",
)  # fmt: skip
@integer("--chains", least=2, default=100, help="Number of chains, at most.")
@integer("--sweeps", least=10, default=1000, help="Sweeps of every chain.")
@SEED
@click.option("--out", type=click.Path(dir_okay=False), help="Draw traces, autocorrelations, free energies (.png).")
def diagnose(
    run: str, data: str | None, split: str, chains: int, sweeps: int, seed: int, out: str | None, **options: Any
) -> None:
    """Run the chains of RUN and report on them: autocorrelation, drift, jumps between modes, missing modes.

    RUN is a run folder or a model file.  The persistent chains that training left are used; without any, half of the
    chains begin at the data and half at the base rate.  Every number comes with its meaning and a threshold.
    """
    path = None if out is None else Path(out).expanduser()
    if path is not None and path.suffix.lower() not in _FORMATS:
        raise ValueError(f"--out {out}: name a {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]} file")
    if importlib.util.find_spec("arviz_stats") is None:  # before anything heavy is loaded
        raise ValueError("diagnose needs arviz-stats: pip install 'harmonium[diagnostics]'")
    place = open_model(run)
    import harmonium as hm
    from harmonium.data.dataset import choose_split

    set_threads(place.threads)
    model = place.machine()
    if getattr(model, "chains", None) is None:
        note(f"{run} holds no persistent chains (training with PCD leaves them): new ones begin far apart")
    cases = None
    if data is None and place.source is None:
        note(f"{run} does not say what it was trained on, so its chains are compared with no data: name it with --data")
    else:
        dataset = chosen_data(place, data, options)
        cases = choose_split(dataset, split)[1]
    found = hm.diagnose(model, cases, chains=chains, sweeps=sweeps, seed=seed)
    say(str(found))
    if path is not None:
        from harmonium import plots

        plots.write(plots.diagnosis(found), path)
        say(f"\npicture: {path}")
