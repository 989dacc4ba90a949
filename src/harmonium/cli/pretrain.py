"""``harmonium pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harmonium.cli.columns import is_grey, is_table
from harmonium.cli.options import (
    BINARIZATIONS,
    DOWNLOAD,
    PROGRESS,
    SEED,
    STANDARDIZE,
    Range,
    choice,
    integer,
    number,
    part,
    sizes,
    text,
)  # fmt: skip
from harmonium.cli.session import progress
from harmonium.cli.shell import CONTEXT, say

__all__ = ["pretrain"]


@click.command(
    context_settings=CONTEXT,
    short_help="Pretrain a classifier; show what it gains.",
    epilog="""\b
Examples:
  harmonium pretrain digits --layers 200,200
  harmonium pretrain digits --model dbm --layers 200,200 --joint-epochs 20
  harmonium pretrain digits --layers 200 --labels 100 --repetitions 5
  harmonium pretrain mnist --binarize dynamic --valid 10000 --layers 500,500,2000 --out runs/pretrained""",
)
@click.argument("data")
@choice("--model", ("dbn", "dbm"), "A deep belief network or a deep Boltzmann machine.", default="dbn")
@sizes("--layers", "Hidden layers from the bottom up.", default="500,500")
@integer("--labels", help="Number of labels to use, as equally many of each class as possible.  [default: all]")
@integer("--epochs", help="Epochs of every layer.  [default: 6,000 updates, at least 10]")
@number(
    "--learning-rate",
    "X",
    "Learning rate of every layer.  [default: 0.1; 0.05 of a dbm, 0.01 of real values]",
    positive=True,
)
@integer("--joint-epochs", help="Epochs of all layers of a dbm together.  [default: 10]")
@integer("--finetune-epochs", default=30, help="Epochs of the network.")
@click.option("--dropout", type=(Range(0, 1, max_open=True),) * 2, metavar="P P", default=(0.0, 0.0),
              show_default=True, help="Dropout of inputs and of hidden units in fine-tuning.")  # fmt: skip
@integer("--repetitions", default=1, help="Number of fine-tunings, for a standard error.")
@choice("--binarize", BINARIZATIONS, "How grey levels in [0, 1] become binary for the layers; if they are drawn, the "
        "network sees the grey levels.")  # fmt: skip
@STANDARDIZE
@part("--valid", "Training cases to choose by.")
@part("--test", "Training cases to judge by.")
@DOWNLOAD
@SEED
@text("--out", "FOLDER", "Keep the runs of the layers, the model and the network; given again, it goes on.")
@PROGRESS
def pretrain(data: str, layers: list[int], labels: int | None, out: str | None, **options: Any) -> None:
    """Pretrain a classifier of DATA layer by layer, fine-tune it, and compare it with a random start.

    DATA is a name (see `harmonium data`) or a file with labels.
    """
    import harmonium as hm
    from harmonium.data.dataset import describe

    deep, joint = options["model"] == "dbm", options["joint_epochs"]
    if joint and not deep:
        raise click.UsageError("--joint-epochs is for --model dbm: the layers of a dbn are not trained together")
    if is_table(data):
        raise ValueError(
            f"{data} is a table, which has no labels: give cases and labels as .npz (train, y_train), .mat or .svm, "
            "or a folder of images"
        )
    if not len(layers) > 0:
        raise click.UsageError("--layers needs a layer at least")
    dataset = hm.data.load(
        data, binarize=options["binarize"], standardize=options["standardize"], valid=options["valid"],
        test=options["test"], download=options["download"],
    )  # fmt: skip
    if dataset.labels.train is None:
        raise ValueError(f"{dataset.name} has no labels: pretraining of a classifier needs them")
    _check(dataset, deep, options)
    if out is not None and Path(out).is_file():
        raise ValueError(f"--out {out} is a file, and the runs need a folder: choose another")
    y = dataset.labels.train if labels is None else hide(dataset.labels.train, labels)
    pairs = {
        name: None if cases is None or own is None else (cases, own)
        for name, cases, own in (
            ("validation", dataset.valid, dataset.labels.valid),
            ("test", dataset.test, dataset.labels.test),
        )
    }
    say(describe(dataset))
    found = hm.pretrain(
        dataset.train, y, model=hm.DBM if deep else hm.DBN, layers=layers, **pairs,
        joint_options={"epochs": joint} if joint else None,
        greedy_options={
            name: options[name] for name in ("epochs", "learning_rate") if options[name] is not None
        } or None,
        finetune_options={"epochs": options["finetune_epochs"], "dropout": options["dropout"]},
        repetitions=options["repetitions"], seed=options["seed"], out=out, progress=progress(options),
    )  # fmt: skip
    if out is not None:
        from harmonium.core.files import write_tensors

        hm.save(found.model, Path(out) / f"{options['model']}.safetensors")
        write_tensors(Path(out) / "network.safetensors", dict(found.network.state_dict()), {"format": 1})
        say(f"network: {Path(out) / 'network.safetensors'}")
    say(str(found))


def _check(dataset: Any, deep: bool, options: dict[str, Any]) -> None:
    """Refuse cases that the layers do not take, with the options of this command as remedies.

    Raises:
        click.UsageError: for real values in a dbm.
        ValueError: for missing values, and greys of which nothing is said.
    """
    found = dataset.train.statistics()
    if not found.finite:
        raise ValueError(f"{dataset.name} has missing values, and pretraining takes complete cases: fill them first")
    unsaid = dataset.binarization is None and not options["standardize"] and options["binarize"] is None
    if unsaid and is_grey(dataset):
        raise ValueError(
            f"{dataset.name} has grey levels, between 0 and {found.high:g}: say what they mean with --binarize "
            "threshold, fixed or dynamic, or learn them as real values with --standardize"
        )
    if deep and dataset.binarization is None:
        raise click.UsageError(
            "--model dbm takes binary values, and these are real: make them binary with --binarize, or use --model dbn"
        )


def hide(labels: Any, count: int) -> Any:
    """Set all labels but ``count`` to -1, keeping the first cases of each class in turn.

    Raises:
        ValueError: if there are fewer labels.
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
