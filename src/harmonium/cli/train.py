"""``harmonium train``."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from harmonium.cli.columns import gaps_of
from harmonium.cli.models import WORDS, build_model, model_class
from harmonium.cli.monitors import MEASUREMENTS, monitors
from harmonium.cli.objectives import HELP, arguments, build_objective, named
from harmonium.cli.options import PROGRESS, QUIET, SEED, choice, integer, number, sizes, text, threads
from harmonium.cli.own import class_of
from harmonium.cli.resume import check_alone, finish, go_on, outcome
from harmonium.cli.session import count, device, progress, quiet, set_threads, threads_for
from harmonium.cli.shell import CONTEXT, say, typed
from harmonium.cli.source import data_options, load_data, visible_units
from harmonium.runs.folder import new_folder, open_run
from harmonium.runs.names import CONFIG, MODEL

__all__ = ["train"]

UPDATES = 20_000  # of a training whose --epochs nobody named
LEAST_EPOCHS = 10
MACHINE_RATE, MACHINE_DECAY = 0.1, 1e-3


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
@integer("--epochs", help=f"Passes over the data.  [default: what makes {UPDATES} updates]")
@integer("--batch-size", help="Cases per update.  [default: 100; of small data of a Boltzmann machine 20 or more]")
@number(
    "--learning-rate", "X", positive=True,
    help=f"Learning rate of the first update.  [default: {MACHINE_RATE:g} of Boltzmann machines, 0.001 of others]",
)  # fmt: skip
@choice("--schedule", ("constant", "linear"), "Whether the learning rate stays or falls to 0.", default="linear")
@text("--objective", "NAME", HELP)
@integer(
    "--k", help="Gibbs sweeps per update (pcd, pt, ptt, cd, fpcd, jarzynski) or importance samples (elbo, iwae).  "
    "[default: 1; 50 of iwae]",
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
@text("--optimizer", "NAME", "Any optimizer of torch.optim.  [default: sgd of Boltzmann machines, adam of others]")
@number(
    "--weight-decay", "X",
    f"L2 penalty of the weights, not the biases.  [default: {MACHINE_DECAY:g} of Boltzmann machines, 0 of others]",
)  # fmt: skip
@integer("--patience", help="Stop after this number of epochs without a better validation measure.")
@integer(
    "--likelihood-every", least=0,
    help=f"Epochs between estimates of the validation log-likelihood, 0: none.  [default: {MEASUREMENTS} in all]",
)  # fmt: skip
@SEED
@threads("one for small products, else what torch chooses")
@text("--device", "NAME", "Where to train, such as cpu or cuda.")
@number("--checkpoint-seconds", "S", "Shortest time between checkpoints.", default=60)
@text("--tensorboard", "DIR", "Also write TensorBoard's event files there.")
@PROGRESS
@QUIET
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
    from harmonium.data.dataset import describe

    machine = issubclass(kind, hm.models.Machine)
    if not machine and options["metric"] not in (None, "plain"):
        raise click.UsageError(f"--metric {options['metric']} is for Boltzmann machines: leave it out")
    place = device(options["device"])
    data = load_data(name, options)
    talk = quiet if options["quiet"] else say
    visible = _visible(data, options)
    model, above = build_model(kind, visible, options)
    objective = build_objective(model, options, given)
    missing = gaps_of(data, options["model"], machine)
    talk(describe(data))
    largest = max((weights.numel() for weights in model.weights_to_decay()), default=0)
    batch_size = options["batch_size"] or (usual_batch(len(data.train)) if machine else 100)
    set_threads(options["threads"] or threads_for(max(batch_size, options["chains"]), largest))
    batches = -(-len(data.train) // batch_size)
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
            batch_size=batch_size,
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


def _folder(out: str | None) -> Path | None:
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
    return path


def usual_batch(cases: int) -> int:
    """Cases per update of a Boltzmann machine: small data are seen more often for the same number of updates."""
    return min(100, max(20, cases // 60))
