"""``harmonium train``."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from harmonium.cli.columns import gaps_of, note_densities
from harmonium.cli.grouped import Grouped
from harmonium.cli.models import WORDS, build_model, model_class
from harmonium.cli.monitors import MEASUREMENTS, monitors
from harmonium.cli.objectives import HELP, arguments, build_objective, named
from harmonium.cli.options import PROGRESS, QUIET, SEED, SHARDS, choice, integer, number, sizes, text, threads
from harmonium.cli.own import class_of
from harmonium.cli.resume import check_alone, finish, go_on, outcome
from harmonium.cli.session import count, device, progress, quiet, set_threads, threads_for
from harmonium.cli.shell import CONTEXT, say, typed
from harmonium.cli.source import data_options, load_data, visible_units
from harmonium.core.processes import processes, restarts
from harmonium.runs.folder import open_run
from harmonium.runs.names import CONFIG, MODEL

__all__ = ["train"]

GROUPS = {
    "Run": ("--out", "--resume", "--seed", "--checkpoint-seconds", "--tensorboard", "--progress", "--quiet"),
    "Model": ("--model", "--hidden", "--layers", "--latent", "--units", "--hidden-units"),
    "Data": (
        "--visible", "--shape", "--binarize", "--standardize", "--valid", "--test", "--drop", "--data-seed",
        "--download",
    ),
    "How a file is read": ("--header", "--skip-rows", "--missing-values", "--decimal", "--alphabet", "--scale"),
    "Length of training": ("--epochs", "--minutes", "--patience", "--likelihood-every"),
    "Objective": ("--objective", "--k", "--chains", "--with"),
    "Updates": ("--batch-size", "--learning-rate", "--schedule", "--metric", "--optimizer", "--weight-decay"),
    "Machine": ("--device", "--threads", "--shards"),
}  # fmt: skip
"""Options by what they are about."""


@click.command(
    cls=Grouped,
    groups=GROUPS,
    context_settings=CONTEXT,
    short_help="Learn a data set, into a run folder.",
    epilog="""\b
Examples:
  harmonium train digits
  harmonium train digits --hidden 64 --epochs 50 --seed 1 --out runs/small
  harmonium train bars-and-stripes --hidden 16 --objective exact --epochs 2000
  harmonium train mnist --download --binarize dynamic --valid 10000 --epochs 100
  harmonium train images.npy --binarize threshold --shape 28x28 --valid 0.1
  harmonium train table.csv --visible gaussian --standardize --valid 0.1 --test 0.1
  harmonium train digits --model dbm --layers 100,50
  harmonium train bars-and-stripes --model bm --hidden 4
  harmonium train digits --model nade --hidden 100
  harmonium train digits --model vae --latent 10 --objective iwae --k 10
  harmonium train codes.csv --visible categorical --valid 0.1
  harmonium train people.csv --visible mixed --drop name --valid 0.1
  harmonium train --resume runs/small
  torchrun --nproc-per-node 4 -m harmonium train digits --out runs/four""",
)
@click.argument("data", required=False)
@text("--resume", "RUN", "Continue a run that was stopped or killed.")
@text("--out", "RUN", "Folder of the run.  [default: runs/DATA-MODEL-1, or the first free number]")
@text(
    "--model", "NAME", f"{', '.join(WORDS)}, or a class of your own as MODULE:CLASS.  bm: all units coupled; eonade: "
    "deep and order-agnostic.", default="rbm", show_default=True,
)  # fmt: skip
@integer("--hidden", least=0, help="Hidden units.  [default: 200 of an rbm, 500 of a nade, none of a bm]")
@sizes(
    "--layers", "Hidden layers from the bottom up.  [default: 200,100 of a dbm, 500,500 of an eonade, 500 of a made, "
    "200,200 of a vae]",
)  # fmt: skip
@integer("--latent", help="Latent variables of a vae.  [default: 50]")
@text("--units", "NAME", "Visible units by their class, such as poisson, or your own as MODULE:CLASS.")
@text("--hidden-units", "NAME", "Hidden units of a Boltzmann machine, likewise.")
@data_options
@integer("--epochs", help="Passes over the data.  [default: training ends when it brings no more gain]")
@number("--minutes", "M", "Processor time of a training without --epochs.  [default: what it takes]", positive=True)
@integer("--batch-size", help="Cases per update.  [default: 100; 20 or more of small data without --epochs]")
@number(
    "--learning-rate", "X", positive=True,
    help="Learning rate of the first update.  [default: by trial; with --epochs 0.05 of Boltzmann machines, 0.001 of "
    "others]",
)  # fmt: skip
@choice(
    "--schedule", ("constant", "linear"),
    "Whether the learning rate stays or falls to 0 with the last of the --epochs.  [default: linear; without --epochs "
    "it falls to 0 again and again, in cycles of doubling length, until one brings no gain]",
)  # fmt: skip
@text("--objective", "NAME", HELP)
@integer(
    "--k", help="Gibbs sweeps per update (pcd, pt, ptt, cd, fpcd, jarzynski) or importance samples (elbo, iwae).  "
    "[default: 1, or 5 of discrete columns without --epochs; 50 of iwae]",
)  # fmt: skip
@integer(
    "--chains", default=100,
    help="Persistent chains (pcd, fpcd, jarzynski), on every rung (pt, ptt), or copies of the means (tap).",
)  # fmt: skip
@click.option(
    "--with", "arguments", metavar="NAME=VALUE", multiple=True, callback=arguments,
    help="Another argument of the objective, such as rungs=20 of pt; repeatable.",
)  # fmt: skip
@choice(
    "--metric", ("centered", "plain", "diagonal", "natural"),
    "How the gradient of a Boltzmann machine becomes an update.  [default: centered]",
)  # fmt: skip
@text("--optimizer", "NAME", "Any of torch.optim, or muon.  [default: sgd of Boltzmann machines, adam of others]")
@number(
    "--weight-decay", "X",
    "L2 penalty of the weights, not the biases.  [default: 0; of Boltzmann machines without --epochs 2 / cases, from "
    "0.0001 to 0.01]",
)  # fmt: skip
@integer("--patience", help="Stop after this number of epochs without a better validation measure.")
@integer(
    "--likelihood-every", least=0,
    help="Epochs between estimates of the validation log-likelihood, 0: none.  "
    f"[default: {MEASUREMENTS} in all; without --epochs after every cycle]",
)  # fmt: skip
@SEED
@threads("one for small products, else what torch chooses")
@text("--device", "NAME", "Where to train, such as cpu or cuda.")
@SHARDS
@number("--checkpoint-seconds", "S", "Shortest time between checkpoints.", default=60)
@text("--tensorboard", "DIR", "Also write TensorBoard's event files there.")
@PROGRESS
@QUIET
@click.pass_context
def train(ctx: click.Context, /, data: str | None, resume: str | None, **options: Any) -> None:
    """Train a model on DATA into a run folder.

    DATA is a name (see `harmonium data`) or a file: .csv, .xlsx, .parquet, .npz, .npy, ...  Ctrl-C writes a
    checkpoint and stops.
    """
    if resume is not None:
        check_alone(ctx)
        go_on(resume, options)
    elif restarts() and options["out"] and (Path(options["out"]).expanduser() / CONFIG).exists():
        go_on(options["out"], options)  # the same command again: a process was lost
    elif data is None:
        raise click.UsageError("name what to learn, such as `harmonium train digits` (`harmonium data` lists names)")
    else:
        _start(data, options, typed(ctx))


def _start(name: str, options: dict[str, Any], given: set[str]) -> None:
    folder = processes().by_first(lambda: _folder(options["out"]))
    kind = model_class(options["model"])
    import harmonium as hm
    from harmonium.data.dataset import describe
    from harmonium.models.arrays import checked_chunks
    from harmonium.runs.together import common_folder
    from harmonium.training.automatic import usual_batch

    machine = issubclass(kind, hm.models.Machine)
    epochs, minutes = options["epochs"], options["minutes"]
    if epochs and minutes:
        raise click.UsageError("--minutes is for a training that ends by itself: leave out --epochs or --minutes")
    if epochs is None and options["schedule"] == "linear":
        raise click.UsageError("--schedule linear falls to 0 with the last epoch: name --epochs, or leave it out")
    if not machine and options["metric"] not in (None, "plain"):
        raise click.UsageError(f"--metric {options['metric']} is for Boltzmann machines: leave it out")
    place = device(options["device"])
    _check_words(options)
    data = load_data(name, options)
    talk = quiet if options["quiet"] else say
    visible = _visible(data, options)
    model, above = build_model(kind, visible, options)
    objective = build_objective(model, options, given)
    missing = gaps_of(data, options["model"], model)
    metric, optimizer = (options[name] or getattr(model.training_defaults, name) for name in ("metric", "optimizer"))
    if missing is None and (options["visible"] != "auto" or options["units"] is not None):
        for split, cases in data.splits.items():  # units that the values chose fit them
            for _ in checked_chunks(cases, visible, split, model.dtype):
                pass
    callbacks = monitors(data, model, objective, epochs, options)
    callbacks += [hm.training.TensorBoard(options["tensorboard"])] if options["tensorboard"] else []
    talk(describe(data))
    note_densities(data, visible)
    largest = max((weights.numel() for weights in model.weights_to_decay()), default=0)
    batch_size = options["batch_size"] or (usual_batch(len(data.train)) if machine and not epochs else 100)
    set_threads(options["threads"] or threads_for(max(batch_size, options["chains"]), largest))
    batches = -(-len(data.train) // batch_size)
    usual = model.training_defaults
    rate: Any = options["learning_rate"]
    if options["schedule"] == "constant":
        rate = hm.schedules.Constant(rate or usual.learning_rate)
    elif epochs:
        rate = hm.schedules.Linear(rate or usual.learning_rate)
    decay = options["weight_decay"]
    talk(f"model: {options['model']}, {visible.columns} {type(visible).__name__} visible, {above}")
    talk(
        f"training: {named(objective)}, {metric + ', ' if machine else ''}{optimizer}, batches of {batch_size}, "
        f"{_pace(rate, options['schedule'])}, {_length(epochs, batches, minutes)}"
    )
    if epochs is None and data.valid is None:
        talk("a tenth of the training cases, if there are 100 or more, is held out to choose the best model by")
    with common_folder(
        None if folder is None else Path(folder), f"{Path(name).name.split('.')[0] or 'data'}-{options['model']}"
    ) as out:
        talk(f"run folder: {out}")
        began = time.monotonic()
        history = hm.fit(
            model,
            data.train,
            objective=objective,
            epochs=epochs,
            minutes=minutes,
            batch_size=batch_size,
            learning_rate=rate,
            optimizer=optimizer,
            metric=metric,
            penalties=None if decay is None else [hm.training.WeightDecay(decay)] if decay else [],
            validation=data.valid,
            seed=options["seed"],
            out=out,
            callbacks=callbacks,
            progress=progress(options),
            device=place,
            missing=missing,
            shards=options["shards"],
        )
    run = open_run(out)
    assert run.config is not None
    start = _start_of(run.config["plan"]["learning_rate"])
    done = count(history.rows[-1]["update"], "update") if history.rows else "less than a pass over the cases"
    talk(
        f"trained in {time.monotonic() - began:.1f} s, {done} from a learning rate of {start:g}"
        f"{outcome(history)}{'' if epochs or history.stopped else '; --minutes M allows more'}"
    )
    finish(run, model, data, options)


def _pace(rate: Any, schedule: str | None) -> str:
    """How the learning rate goes, in words."""
    if schedule == "constant":
        return f"learning rate {rate.rate:g} throughout"
    if rate is None:
        return "learning rate by trial"
    if isinstance(rate, float):
        return f"learning rate {rate:g} falling to 0 in cycles"
    return f"learning rate {rate.start:g} falling to 0"


def _length(epochs: int | None, batches: int, minutes: float | None) -> str:
    """How long training goes on, in words."""
    if epochs is not None:
        return f"{count(epochs, 'epoch')} of {count(batches, 'update')}"
    limit = "" if minutes is None else f", at most {minutes:g} minutes of processor time"
    return f"until a cycle of updates brings no gain{limit}"


def _start_of(schedule: dict[str, Any]) -> float:
    """The first learning rate of a schedule, from its description."""
    from harmonium.core.registry import build

    return float(build(schedule)(0.0))


def _check_words(options: dict[str, Any]) -> None:
    """Look up the words for classes, before the data are read and anything is printed about them.

    Raises:
        click.UsageError: for one that stands for no class.
        ValueError: for an unknown optimizer.
    """
    from harmonium.objectives import Objective
    from harmonium.training.optimizers import check_optimizer
    from harmonium.units import Units

    bases: dict[str, type[Any]] = {"visible": Units, "units": Units, "hidden_units": Units, "objective": Objective}
    for option, base in bases.items():
        word = options[option]
        if word is not None and (option, word) not in (("visible", "auto"), ("visible", "mixed")):
            class_of(f"--{option.replace('_', '-')}", word, base)
    if options["optimizer"] is not None:
        check_optimizer(options["optimizer"])


def _visible(data: Any, options: dict[str, Any]) -> Any:
    """The visible units: of the class that --units names, else those that fit the data."""
    if options["units"] is None:
        return visible_units(data, options)
    from harmonium.units import Units

    kind = class_of("--units", options["units"], Units)  # type: ignore[type-abstract]
    if data.table is not None:
        raise click.UsageError(
            f"--units {options['units']} takes numbers without gaps, and {data.name} is read by its columns (for gaps "
            "or text in it, or --visible mixed): leave out the columns with gaps or text (--drop COLUMN), remove the "
            "rows with gaps, or leave out --units, so that every column gets units by its values"
        )
    shape = options["shape"] or data.shape
    try:
        units: Any = kind(shape[0] if len(shape) == 1 else shape)
    except TypeError as error:
        raise click.UsageError(f"--units {options['units']} is built of the shape alone: {error}") from error
    return units


def _folder(out: str | None) -> str | None:
    """Check the folder before anything is loaded; None: a numbered one."""
    if out is None:
        return None
    path = Path(out).expanduser()
    if (path / CONFIG).exists():
        state = "a finished run" if (path / MODEL).exists() else "an unfinished run"
        remedy = "" if (path / MODEL).exists() else f"go on with `harmonium train --resume {shlex.quote(out)}`, or "
        raise ValueError(f"{out} holds {state}: {remedy}choose another folder with --out")
    if path.exists() and not path.is_dir():
        raise ValueError(f"{out} is a file, and a run needs a folder: choose another with --out")
    return str(path)
