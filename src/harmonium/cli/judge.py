"""``harmonium evaluate`` and ``harmonium sample``."""

from __future__ import annotations

import io
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harmonium.cli.session import set_threads
from harmonium.cli.shell import CONTEXT, NATURAL, POSITIVE, note, say, typed
from harmonium.runs.folder import Run, choose_split, open_run

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.models.model import Model

__all__ = ["annealing", "chosen_data", "evaluate", "sample"]

SHOWN = 400  # samples in a picture
_REPORTED = ("mean", "stderr", "lower", "upper", "bound", "kind", "method", "trusted", "why", "cases", "log_jacobian")


@click.command(
    context_settings=CONTEXT,
    short_help="Judge a model by its log-likelihood.",
    epilog="""\b
Examples:
  harmonium evaluate runs/digits-rbm-1
  harmonium evaluate runs/digits-rbm-1 --split valid --temperatures 10000
  harmonium evaluate runs/digits-rbm-1 --json
  harmonium evaluate runs/digits-vae-1 --samples 5000
  harmonium evaluate model.safetensors --data digits""",
)
@click.argument("run")
@click.option("--data", metavar="DATA", help="Other data than those of the run: a name or a file.")
@click.option("--binarize", type=click.Choice(["threshold", "fixed", "dynamic", "grey"]), help="Of --data.")
@click.option("--split", type=click.Choice(["test", "valid", "train"]), help="[default: test; if there is none, valid]")
@click.option(
    "--method",
    type=click.Choice(["auto", "exact", "ais"]),
    default="auto",
    show_default=True,
    help="How log Z is found; auto: exactly where a side has at most 20 units, otherwise annealed sampling.",
)
@click.option(
    "--chains", type=POSITIVE, metavar="N", default=100, show_default=True, help="Annealed chains in each direction."
)
@click.option(
    "--temperatures", type=click.IntRange(min=2), metavar="N", default=1000, show_default=True, help="Of the annealing."
)
@click.option(
    "--samples", type=POSITIVE, metavar="N", default=100, show_default=True,
    help="Of the hidden units of each case, for models that sum over them by importance sampling (dbm, vae).",
)  # fmt: skip
@click.option("--seed", type=int, metavar="N", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    run: str,
    data: str | None,
    binarize: str | None,
    split: str | None,
    method: str,
    chains: int,
    temperatures: int,
    samples: int,
    seed: int,
    as_json: bool,
) -> None:
    """Log-likelihood of held-out cases under the model of RUN, in nats per case, with its bracket.

    RUN is a run folder or a model file.
    """
    place = open_run(run)
    import harmonium as hm

    set_threads(place.threads)
    model = place.load()
    dataset = chosen_data(place, data, binarize)
    name, cases = choose_split(dataset, split)
    of_log_z: dict[str, Any] = {"method": method, "chains": chains}
    if "temperatures" in typed(ctx):
        of_log_z["temperatures"] = temperatures
    elif method != "exact":
        of_log_z |= annealing(model)
    if model.energy_part is None:
        refuse(
            model,
            {"method", "chains", "temperatures"} & typed(ctx),
            "is normalised by construction, there is no log Z to find",
        )
        of_log_z = {}
    if not model.likelihood_is_estimated:
        refuse(model, {"samples"} & typed(ctx), "sums over its hidden units in full, or has none")
    result = hm.evaluate(model, cases, samples=samples, seed=seed, **of_log_z)
    if not as_json:
        say(f"{dataset.name}, {name}: {result}")
        return
    z = result.log_partition
    content = {
        "run": run,
        "data": dataset.name,
        "split": name,
        "binarization": dataset.binarization,
        "standardized": bool(dataset.source.get("standardize")),
        "unit": "nats per case",
        **{key: getattr(result, key) for key in _REPORTED},
        "log_partition": z and {key: getattr(z, key) for key in ("value", "lower", "upper", "ess")},
    }
    say(json.dumps(_finite(content), indent=2, allow_nan=False))


@click.command(
    context_settings=CONTEXT,
    short_help="Draw samples from a model.",
    epilog="""\b
Examples:
  harmonium sample runs/digits-rbm-1 -n 64 --out samples.png
  harmonium sample runs/digits-rbm-1 -n 10000 --out samples.npy
  harmonium sample runs/digits-rbm-1 -n 5 --seed 1""",
)
@click.argument("run")
@click.option("-n", "count", type=POSITIVE, metavar="N", default=100, show_default=True, help="How many.")
@click.option("--sweeps", type=NATURAL, metavar="N", default=1000, show_default=True, help="Gibbs sweeps of a chain.")
@click.option("--seed", type=int, metavar="N", default=0, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False), help="A .npy, .csv or .png file.  [default: CSV on the screen]")
@click.pass_context
def sample(ctx: click.Context, /, run: str, count: int, sweeps: int, seed: int, out: str | None) -> None:
    """Draw samples from the model of RUN: of a Boltzmann machine, each at the end of a chain of its own.

    RUN is a run folder or a model file.  Samples are in the units of the data, also where training standardised them.
    """
    path = None if out in (None, "-") else Path(str(out)).expanduser()
    if path is not None and path.suffix.lower() not in (".npy", ".csv", ".png"):
        raise ValueError(f"--out {out}: name a .npy, .csv or .png file")
    place = open_run(run)
    import numpy as np

    import harmonium as hm
    from harmonium.core.files import write_atomically

    set_threads(place.threads)
    model = place.load()
    if model.energy_part is None:
        refuse(model, {"sweeps"} & typed(ctx), "is sampled from its roots, without chains")
    table = hm.sample(model, count, sweeps=sweeps, seed=seed).cpu().numpy()
    columns = place.table()
    standard = place.standard() if columns is None else columns.standard
    if columns is not None and (path is None or path.suffix.lower() == ".csv"):
        text = columns.to_frame(table).to_csv(index=False, float_format="%.15g")  # 1, where gaps made pandas say 1.0
        if path is None:
            sys.stdout.write(text)
            return
        write_atomically(path, text.encode())
        say(f"{count} samples of {table.shape[1]} columns: {path}")
        return
    if standard is not None:  # back to the units of the data
        table = table * standard.scale + standard.mean
    if path is not None and path.suffix.lower() == ".png":
        from harmonium import plots

        shown = min(count, SHOWN)
        plots.write(plots.samples(table, None, model.visible.shape, count=shown), path)
        say(f"{shown} samples: {path}")
        return
    buffer = io.BytesIO()
    if path is not None and path.suffix.lower() == ".npy":
        np.save(buffer, table)
    else:
        np.savetxt(buffer, table, fmt="%d" if model.visible.finite else "%.7g", delimiter=",")
    if path is None:
        sys.stdout.write(buffer.getvalue().decode())
        return
    write_atomically(path, buffer.getvalue())
    say(f"{count} samples of {table.shape[1]} values: {path}")


def annealing(model: Model) -> dict[str, Any]:
    """Options that keep the judging of a wide model short, and a note that says so."""
    from harmonium.likelihood.evaluate import affordable

    few = affordable(model)
    for name, count in few.items():
        more = ": `harmonium evaluate` with --temperatures goes through more" if name == "temperatures" else ""
        note(f"the model is wide, so that it is judged by {count} {name} in place of 1,000{more}")
    return few


def refuse(model: Model, given: set[str], why: str) -> None:
    """Raise a usage error for options that have no use with this model."""
    if given:
        raise click.UsageError(f"--{min(given)} has no use here, since a {type(model).__name__} {why}: leave it out")


def chosen_data(run: Run, name: str | None, binarize: str | None) -> Dataset:
    """The data to judge by: those of the run, or others treated in the same way."""
    if name is None:
        if binarize is not None:
            raise click.UsageError("--binarize goes with --data: a run is judged on the data it was trained on")
        return run.data()
    import harmonium as hm

    source = run.source or {}
    columns = run.table()
    if columns is not None:
        return hm.data.load(name, binarize=binarize, table=columns, drop=source.get("drop", ()))
    if run.standardized:
        if binarize is not None:
            raise click.UsageError(f"{run.name} was trained on standardised columns: leave out --binarize")
        return _standardise(hm.data.load(name, binarize="grey"), run)
    return hm.data.load(name, binarize=binarize or source.get("binarize"), seed=source.get("seed", 0))


def _standardise(data: Dataset, run: Run) -> Dataset:
    """Other data by the means and scales of the training cases of the run, which the model knows."""
    width, known = data.train.shape[1], run.data().train.shape[1]
    if width != known:
        raise ValueError(f"{data.name} has {width} columns; {run.name} was trained on {known}")
    standard = run.standard()
    splits = {split: getattr(data, split) for split in ("train", "valid", "test")}
    derived = {split: cases and cases.derive(standard=standard) for split, cases in splits.items()}
    return replace(data, source=data.source | {"standardize": True}, **derived)


def _finite(value: Any) -> Any:
    """JSON has no infinity: null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
