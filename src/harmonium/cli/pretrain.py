"""``harmonium pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harmonium.cli.shell import CONTEXT, POSITIVE, Range, fraction_or_count, say, sizes
from harmonium.runs.folder import describe

__all__ = ["pretrain"]


@click.command(
    context_settings=CONTEXT,
    short_help="Pretrain a classifier; show what it bought.",
    epilog="""\b
Examples:
  harmonium pretrain digits --layers 200,200
  harmonium pretrain digits --model dbm --layers 200,200 --joint-epochs 20
  harmonium pretrain digits --layers 200 --labels 100 --repetitions 5
  harmonium pretrain mnist --binarize dynamic --valid 10000 --layers 500,500,2000 --out runs/pretrained""",
)
@click.argument("data")
@click.option("--model", type=click.Choice(["dbn", "dbm"]), default="dbn", show_default=True,
              help="A deep belief network or a deep Boltzmann machine.")  # fmt: skip
@click.option("--layers", metavar="N,N,...", default="500,500", show_default=True, callback=sizes,
              help="Hidden layers from the bottom up.")  # fmt: skip
@click.option("--labels", type=POSITIVE, metavar="N", help="Use so many labels only, as many of each class as can be.")
@click.option("--epochs", type=POSITIVE, metavar="N", help="Of every layer.  [default: 6,000 updates, at least 10]")
@click.option("--joint-epochs", type=POSITIVE, metavar="N", help="Of all layers of a dbm together.  [default: 10]")
@click.option("--finetune-epochs", type=POSITIVE, metavar="N", default=30, show_default=True, help="Of the network.")
@click.option("--dropout", type=(Range(0, 1, max_open=True),) * 2, metavar="P P", default=(0.0, 0.0),
              show_default=True, help="Of inputs and of hidden units, in fine-tuning.")  # fmt: skip
@click.option("--repetitions", type=POSITIVE, metavar="N", default=1, show_default=True,
              help="Fine-tune so often, for a standard error.")  # fmt: skip
@click.option(
    "--binarize",
    type=click.Choice(["threshold", "fixed", "dynamic", "grey"]),
    help="How greys in [0, 1] become binary for the layers; drawn greys reach the network as greys.",
)
@click.option("--standardize", is_flag=True, help="Columns to mean 0 and variance 1 (by the training cases).")
@click.option("--valid", metavar="N|FRACTION", callback=fraction_or_count, help="Cases set aside to choose by.")
@click.option("--test", metavar="N|FRACTION", callback=fraction_or_count, help="Cases set aside to judge by.")
@click.option("--download", is_flag=True, help="Fetch a named data set that is not on this machine.")
@click.option("--seed", type=int, metavar="N", default=0, show_default=True, help="Of everything random in training.")
@click.option(
    "--out", metavar="FOLDER", help="Keep the runs of the layers, the model and the network; goes on when killed."
)
@click.option("--progress/--no-progress", default=None, help="Progress bars.  [default: on a terminal]")
def pretrain(data: str, layers: list[int], labels: int | None, out: str | None, **options: Any) -> None:
    """Pretrain a classifier of DATA layer by layer, fine-tune it, and compare it with a random start.

    DATA is a name (see `harmonium data`) or a file with labels.
    """
    import sys

    import harmonium as hm

    deep, joint = options["model"] == "dbm", options["joint_epochs"]
    if joint and not deep:
        raise click.UsageError("--joint-epochs goes with --model dbm: the layers of a dbn are not trained together")
    dataset = hm.data.load(
        data, binarize=options["binarize"], standardize=options["standardize"], valid=options["valid"],
        test=options["test"], download=options["download"],
    )  # fmt: skip
    if dataset.labels.train is None:
        raise ValueError(f"{dataset.name} has no labels: pretraining of a classifier needs some")
    say(describe(dataset))
    y = dataset.labels.train if labels is None else hide(dataset.labels.train, labels)
    pairs = {
        name: None if cases is None or own is None else (cases, own)
        for name, cases, own in (
            ("validation", dataset.valid, dataset.labels.valid),
            ("test", dataset.test, dataset.labels.test),
        )
    }
    progress = sys.stderr.isatty() if options["progress"] is None else options["progress"]
    found = hm.pretrain(
        dataset.train, y, model=hm.DBM if deep else hm.DBN, layers=layers, **pairs,
        joint_options={"epochs": joint} if joint else None,
        greedy_options={"epochs": options["epochs"]} if options["epochs"] else None,
        finetune_options={"epochs": options["finetune_epochs"], "dropout": options["dropout"]},
        repetitions=options["repetitions"], seed=options["seed"], out=out, progress=progress,
    )  # fmt: skip
    if out is not None:
        from harmonium.core.files import write_tensors

        hm.save(found.model, Path(out) / f"{options['model']}.safetensors")
        write_tensors(Path(out) / "network.safetensors", dict(found.network.state_dict()), {"format": 1})
        say(f"network: {Path(out) / 'network.safetensors'}")
    say(str(found))


def hide(labels: Any, count: int) -> Any:
    """All labels but ``count`` set to -1, keeping the first cases of each class in turn.

    Raises:
        ValueError: where there are fewer labels.
    """
    import numpy as np

    if count > len(labels):
        raise ValueError(f"--labels {count}: there are {len(labels)} training cases")
    y = np.asarray(labels)
    rank = np.empty(len(y), dtype=np.int64)  # of a case among those of its class
    for value in np.unique(y):
        members = np.flatnonzero(y == value)
        rank[members] = np.arange(len(members))
    kept = np.argsort(rank, kind="stable")[:count]
    hidden = np.full(len(y), -1, dtype=np.int64)
    hidden[kept] = y[kept]
    return hidden
