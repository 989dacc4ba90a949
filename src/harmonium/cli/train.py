"""``harmonium train``."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from harmonium.cli.columns import gap_sweeps
from harmonium.cli.models import WORDS, build_model, model_class
from harmonium.cli.monitors import MEASUREMENTS, monitors
from harmonium.cli.objectives import HELP, arguments, build_objective, named
from harmonium.cli.own import class_of
from harmonium.cli.resume import check_alone, finish, go_on, outcome
from harmonium.cli.session import count, device, progress, quiet, set_threads, threads_for
from harmonium.cli.shell import CONTEXT, NATURAL, POSITIVE, Range, say, sizes, typed
from harmonium.cli.source import data_options, load_data, visible_units
from harmonium.runs.folder import describe, new_folder, open_run
from harmonium.runs.names import CONFIG, MODEL

__all__ = ["train"]

UPDATES = 20_000  # of a training whose --epochs nobody named
LEAST_EPOCHS = 10
MACHINE_RATE, MACHINE_DECAY = 0.1, 1e-3
RATE = Range(min=0, min_open=True)


@click.command(
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
  harmonium train --resume runs/small""",
)
@click.argument("data", required=False)
@click.option("--resume", metavar="RUN", help="Go on with a run that was stopped or killed.")
@click.option("--out", metavar="RUN", help="Folder of the run.  [default: runs/DATA-MODEL-1, or the first free number]")
@click.option(
    "--model", metavar="NAME", default="rbm", show_default=True,
    help=f"{', '.join(WORDS)}, or a class of your own as MODULE:CLASS.  bm: all units coupled; eonade: deep and "
    "order-agnostic.",
)  # fmt: skip
@click.option(
    "--hidden", type=NATURAL, metavar="N", help="Hidden units.  [default: 200 of an rbm, 500 of a nade, none of a bm]"
)
@click.option(
    "--layers", metavar="N,N,...", callback=sizes,
    help="Hidden layers from the bottom up.  [default: 200,100 of a dbm, 500,500 of an eonade, 500 of a made, 200,200 "
    "of a vae]",
)  # fmt: skip
@click.option("--latent", type=POSITIVE, metavar="N", help="Latent variables of a vae.  [default: 50]")
@click.option(
    "--units", metavar="NAME", help="Visible units by their class, such as poisson, or your own as MODULE:CLASS."
)
@click.option("--hidden-units", metavar="NAME", help="Hidden units of a Boltzmann machine, likewise.")
@data_options
@click.option(
    "--epochs", type=POSITIVE, metavar="N", help=f"Passes over the data.  [default: what makes {UPDATES} updates]"
)
@click.option("--batch-size", type=POSITIVE, metavar="N", default=100, show_default=True, help="Cases per update.")
@click.option(
    "--learning-rate", type=RATE, metavar="X",
    help=f"Of the first update.  [default: {MACHINE_RATE:g} of Boltzmann machines, 0.001 of others]",
)  # fmt: skip
@click.option(
    "--schedule",
    type=click.Choice(["constant", "linear"]),
    default="linear",
    show_default=True,
    help="Whether the learning rate stays or falls to 0.",
)
@click.option("--objective", metavar="NAME", help=HELP)
@click.option(
    "--k", type=POSITIVE, metavar="N",
    help="Gibbs sweeps per update (pcd, pt, ptt, cd, fpcd, jarzynski) or importance samples (iwae).  [default: 1; 50]",
)  # fmt: skip
@click.option(
    "--chains", type=POSITIVE, metavar="N", default=100, show_default=True,
    help="Persistent chains (pcd, fpcd, jarzynski), on every rung (pt, ptt), or copies of the means (tap).",
)  # fmt: skip
@click.option(
    "--with", "arguments", metavar="NAME=VALUE", multiple=True, callback=arguments,
    help="Another argument of the objective, such as rungs=20 of pt; repeatable.",
)  # fmt: skip
@click.option(
    "--metric", type=click.Choice(["centered", "plain", "diagonal", "natural"]),
    help="What turns the gradient of a Boltzmann machine into an update.  [default: centered]",
)  # fmt: skip
@click.option(
    "--optimizer", metavar="NAME",
    help="Any optimizer of torch.optim by name.  [default: sgd of Boltzmann machines, adam of others]",
)  # fmt: skip
@click.option(
    "--weight-decay", type=Range(min=0), metavar="X",
    help=f"L2, on weights only.  [default: {MACHINE_DECAY:g} of Boltzmann machines, 0 of others]",
)  # fmt: skip
@click.option(
    "--patience", type=POSITIVE, metavar="N", help="Stop after so many epochs without a better validation measure."
)
@click.option(
    "--likelihood-every", type=NATURAL, metavar="N",
    help=f"Epochs between estimates of the validation log-likelihood, 0: none.  [default: {MEASUREMENTS} in all]",
)  # fmt: skip
@click.option("--seed", type=int, metavar="N", default=0, show_default=True, help="Of everything random in training.")
@click.option(
    "--threads",
    type=POSITIVE,
    metavar="N",
    help="Threads of matrix products.  [default: one where they are small, else what torch chooses]",
)
@click.option("--device", metavar="NAME", help="Where to train, such as cpu or cuda.")
@click.option(
    "--checkpoint-seconds",
    type=Range(min=0),
    metavar="S",
    default=60,
    show_default=True,
    help="Least time between checkpoints.",
)
@click.option("--tensorboard", metavar="DIR", help="Write TensorBoard's event files there, too.")
@click.option("--progress/--no-progress", default=None, help="A progress bar.  [default: on a terminal]")
@click.option("-q", "--quiet", is_flag=True, help="Print the final log-likelihood only.")
@click.pass_context
def train(ctx: click.Context, /, data: str | None, resume: str | None, **options: Any) -> None:
    """Train a model on DATA into a run folder.

    DATA is a name (see `harmonium data`) or a file: .npz, .npy, .csv, IDX.  Ctrl-C writes a checkpoint and stops.
    """
    if resume is not None:
        check_alone(ctx)
        go_on(resume, options)
    elif data is None:
        raise click.UsageError("name what to learn, such as `harmonium train digits` (`harmonium data` lists names)")
    else:
        _start(data, options, typed(ctx))


def _start(name: str, options: dict[str, Any], given: set[str]) -> None:
    folder = _folder(options["out"])
    kind = model_class(options["model"])
    import harmonium as hm

    machine = issubclass(kind, hm.models.Machine)
    if not machine and options["metric"] not in (None, "plain"):
        raise click.UsageError(f"--metric {options['metric']} is for Boltzmann machines: leave it out")
    place = device(options["device"])
    data = load_data(name, options)
    talk = quiet if options["quiet"] else say
    visible = _visible(data, options)
    model, above = build_model(kind, visible, options)
    objective = build_objective(model, options, given)
    missing = gap_sweeps(data, options["model"], machine)
    talk(describe(data))
    largest = max((weights.numel() for weights in model.weights_to_decay()), default=0)
    set_threads(options["threads"] or threads_for(options["batch_size"], largest))
    batches = -(-len(data.train) // options["batch_size"])
    epochs = options["epochs"] or max(LEAST_EPOCHS, round(UPDATES / batches))
    usual = model.training_defaults
    metric, optimizer = options["metric"] or usual.metric, options["optimizer"] or usual.optimizer
    rate = options["learning_rate"] or (MACHINE_RATE if machine else usual.learning_rate)
    decay = options["weight_decay"]
    decay = (MACHINE_DECAY if machine else 0.0) if decay is None else decay
    schedule = hm.schedules.Linear if options["schedule"] == "linear" else hm.schedules.Constant
    talk(f"model: {options['model']}, {visible.columns} {type(visible).__name__} visible, {above}")
    talk(
        f"training: {named(objective)}, {metric + ', ' if machine else ''}{optimizer}, learning rate {rate:g} "
        f"{'falling to 0' if options['schedule'] == 'linear' else 'throughout'}, "
        f"{count(epochs, 'epoch')} of {count(batches, 'update')}"
    )
    callbacks = monitors(data, model, objective, epochs, options)
    callbacks += [hm.training.TensorBoard(options["tensorboard"])] if options["tensorboard"] else []
    with new_folder(folder, f"{Path(name).name.split('.')[0] or 'data'}-{options['model']}") as out:
        talk(f"run folder: {out}")
        began = time.monotonic()
        history = hm.fit(
            model,
            data.train,
            objective=objective,
            epochs=epochs,
            batch_size=options["batch_size"],
            learning_rate=schedule(rate),
            optimizer=optimizer,
            metric=metric,
            penalties=[hm.training.WeightDecay(decay)] if decay else [],
            validation=data.valid,
            seed=options["seed"],
            out=out,
            callbacks=callbacks,
            progress=progress(options),
            device=place,
            missing=missing,
        )
    talk(f"trained in {time.monotonic() - began:.1f} s{outcome(history)}")
    finish(open_run(out), model, data, options)


def _visible(data: Any, options: dict[str, Any]) -> Any:
    """The visible units: of the class that --units names, else those that fit the data."""
    if options["units"] is None:
        return visible_units(data, options)
    from harmonium.units import Units

    kind = class_of("--units", options["units"], Units)  # type: ignore[type-abstract]
    if data.table is not None:
        raise click.UsageError(f"--units {options['units']} takes numbers, and {data.name} is read by its columns")
    shape = options["shape"] or data.shape
    try:
        units: Any = kind(shape[0] if len(shape) == 1 else shape)
    except TypeError as error:
        raise click.UsageError(f"--units {options['units']} is built of the shape alone: {error}") from error
    return units


def _folder(out: str | None) -> Path | None:
    """Where to write, checked before anything is loaded; None: wherever there is room."""
    if out is None:
        return None
    path = Path(out).expanduser()
    if (path / CONFIG).exists():
        state = "a finished run" if (path / MODEL).exists() else "an unfinished run"
        remedy = "" if (path / MODEL).exists() else f"go on with `harmonium train --resume {shlex.quote(out)}`, or "
        raise ValueError(f"{out} holds {state}: {remedy}choose another folder with --out")
    if path.exists() and not path.is_dir():
        raise ValueError(f"{out} is a file, and a run needs a folder: choose another with --out")
    return path
