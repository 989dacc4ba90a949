"""``harmonium evaluate``."""

from __future__ import annotations

import json
import math
from typing import Any

import click

from harmonium.cli.other_data import chosen_data, data_of_run
from harmonium.cli.session import annealing, refuse, set_threads
from harmonium.cli.shell import CONTEXT, POSITIVE, say, typed
from harmonium.runs.folder import choose_split, open_run

__all__ = ["evaluate"]

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
@data_of_run
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


def _finite(value: Any) -> Any:
    """JSON has no infinity: null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
