"""``harmonium evaluate``."""

from __future__ import annotations

import json
from typing import Any

import click

from harmonium.cli.columns import note_densities
from harmonium.cli.options import SEED, SHARDS, choice, integer, number
from harmonium.cli.other_data import chosen_data, data_of_run
from harmonium.cli.run import open_model
from harmonium.cli.session import annealing, refuse, set_threads
from harmonium.cli.shell import CONTEXT, say, typed
from harmonium.core.checks import finite_or_none

__all__ = ["evaluate"]

_REPORTED = ("mean", "stderr", "lower", "upper", "bound", "kind", "method", "reliable", "why", "cases", "log_jacobian",
             "independent", "gained", "learned")  # fmt: skip


@click.command(
    context_settings=CONTEXT,
    short_help="Estimate the log-likelihood of held-out cases.",
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
@choice("--split", ("test", "valid", "train"), "[default: test; if there is none, valid]")
@choice(
    "--method", ("auto", "exact", "ais"), "How log Z is found; auto: exactly if a side has at most 20 units, otherwise "
    "annealed sampling.", default="auto",
)  # fmt: skip
@integer("--chains", default=100, help="Annealed chains in each direction.")
@integer("--temperatures", least=2, default=1000, help="Temperatures of the annealing.")
@number(
    "--minutes", "M", "Anneal longer and longer, at most so long, until the bracket is 0.1 nats wide.  [default: once]",
    positive=True,
)  # fmt: skip
@integer(
    "--samples", default=100,
    help="Samples of the hidden units for each case, in models that are summed by importance sampling (dbm, vae).",
)  # fmt: skip
@SEED
@SHARDS
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
def evaluate(ctx: click.Context, /, run: str, split: str | None, as_json: bool, **options: Any) -> None:
    """Print the log-likelihood of held-out cases under the model of RUN, in nats per case, with its bracket.

    RUN is a run folder or a model file.
    """
    place = open_model(run)
    import harmonium as hm
    from harmonium.data.dataset import choose_split

    set_threads(place.threads)
    model = place.load()
    dataset = chosen_data(place, options["data"], options)
    name, cases = choose_split(dataset, split)
    given = {"method", "chains", "temperatures", "minutes"} & typed(ctx)
    of_log_z = {name: options[name] for name in given}
    if model.energy_part is None:
        refuse(model, given, "is normalised by construction, there is no log Z to find")
    elif "temperatures" not in given and options["method"] != "exact":
        of_log_z |= annealing(model)
    if not model.likelihood_is_estimated:
        refuse(model, {"samples"} & typed(ctx), "sums over its hidden units in full, or has none")
    note_densities(dataset, model.visible)
    result = hm.evaluate(
        model, cases, samples=options["samples"], seed=options["seed"], shards=options["shards"], **of_log_z
    )
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
    """Replace infinities, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return finite_or_none(value) if isinstance(value, float) else value
