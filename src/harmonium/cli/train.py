"""``harmonium train``."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from harmonium.cli.columns import gap_sweeps, keep_columns, load_columns
from harmonium.cli.runs import CONFIG, MODEL, Run, choose_split, claim, describe, find
from harmonium.cli.shell import CONTEXT, NATURAL, POSITIVE, fraction_or_count, note, say, sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from harmonium.data import Dataset
    from harmonium.models.machine import Machine
    from harmonium.objectives import Objective
    from harmonium.training.history import History
    from harmonium.units import Units

__all__ = ["train"]

UPDATES = 20_000  # of a training whose --epochs nobody named
LEAST_EPOCHS = 10
MEASUREMENTS = 10  # of the likelihood, likewise
CHAINS = ("pcd", "pt", "ptt", "fpcd", "jarzynski")  # objectives that leave chains, from which a lower bound follows

WORTH_SHARING = 1 << 23  # multiplications of a product below which a second thread costs more than it gives
FEW_STATES = 32  # of a column of codes in a mixed table; more make it a real one
RATE = click.FloatRange(min=0, min_open=True)


def _shape_of(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    sides = value.lower().split("x")
    if not all(side.isdecimal() and int(side) for side in sides):
        raise click.BadParameter(f"{value!r} is no shape such as 28x28", ctx, param)
    return tuple(map(int, sides))


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
  harmonium train codes.csv --visible categorical --valid 0.1
  harmonium train people.csv --visible mixed --drop name --valid 0.1
  harmonium train --resume runs/small""",
)
@click.argument("data", required=False)
@click.option("--resume", metavar="RUN", help="Go on with a run that was stopped or killed.")
@click.option("--out", metavar="RUN", help="Folder of the run.  [default: runs/DATA-MODEL-1, or the first free number]")
@click.option(
    "--model", type=click.Choice(["rbm", "dbm", "bm"]), default="rbm", show_default=True,
    help="Restricted, deep, or general (all units coupled) Boltzmann machine.",
)  # fmt: skip
@click.option("--hidden", type=NATURAL, metavar="N", help="Hidden units.  [default: 200 of an rbm, none of a bm]")
@click.option(
    "--layers", metavar="N,N,...", callback=sizes, help="Hidden layers of a dbm from the bottom up.  [default: 200,100]"
)
@click.option(
    "--visible",
    type=click.Choice(["auto", "bernoulli", "gaussian", "categorical", "mixed"]),
    default="auto",
    show_default=True,
    help="Visible units; auto: bernoulli for binary data, gaussian for real values.  categorical: codes 0, 1, ...; "
    "mixed: every column by its values, 0 and 1, a few codes or texts, or real (so does auto where a table has text or "
    "missing cells).",
)
@click.option(
    "--shape", metavar="HxW", callback=_shape_of, help="Draw cases as images of this shape.  [default: that of DATA]"
)
@click.option(
    "--binarize",
    type=click.Choice(["threshold", "fixed", "dynamic", "grey"]),
    help="How greys in [0, 1] become binary: at 0.5; drawn once; drawn anew in every epoch; not at all.",
)
@click.option("--standardize", is_flag=True, help="Columns to mean 0 and variance 1 (by the training cases).")
@click.option(
    "--valid", metavar="N|FRACTION", callback=fraction_or_count, help="Set so many training cases aside to choose by."
)
@click.option(
    "--test", metavar="N|FRACTION", callback=fraction_or_count, help="Set so many training cases aside to judge by."
)
@click.option("--drop", metavar="COLUMN", multiple=True, help="Leave a column of a table out, by its name; repeatable.")
@click.option("--download", is_flag=True, help="Fetch a named data set that is not on this machine.")
@click.option(
    "--epochs", type=POSITIVE, metavar="N", help=f"Passes over the data.  [default: what makes {UPDATES} updates]"
)
@click.option("--batch-size", type=POSITIVE, metavar="N", default=100, show_default=True, help="Cases per update.")
@click.option("--learning-rate", type=RATE, metavar="X", default=0.1, show_default=True, help="Of the first update.")
@click.option(
    "--schedule",
    type=click.Choice(["constant", "linear"]),
    default="linear",
    show_default=True,
    help="Whether the learning rate stays or falls to 0.",
)
@click.option(
    "--objective",
    type=click.Choice(["pcd", "pt", "ptt", "cd", "fpcd", "jarzynski", "tap", "exact", "pl"]),
    default="pcd",
    show_default=True,
    help="Persistent chains; the same exchanging states with a ladder of temperatures, or of the models that training "
    "has passed; contrastive divergence (biased); persistent chains with fast weights; with weights of "
    "their own; mean field of second order; enumeration (of a side of up to 20 units); pseudo-likelihood (of a bm "
    "without hidden units).",
)
@click.option(
    "--k",
    type=POSITIVE,
    metavar="N",
    default=1,
    show_default=True,
    help="Gibbs sweeps per update (pcd, pt, ptt, cd, fpcd, jarzynski).",
)
@click.option(
    "--chains", type=POSITIVE, metavar="N", default=100, show_default=True,
    help="Persistent chains (pcd, fpcd, jarzynski), on every rung (pt, ptt), or copies of the means (tap).",
)  # fmt: skip
@click.option(
    "--metric", type=click.Choice(["centered", "plain", "diagonal", "natural"]), default="centered", show_default=True,
    help="What turns the gradient into an update.",
)  # fmt: skip
@click.option(
    "--optimizer", metavar="NAME", default="sgd", show_default=True, help="Any optimizer of torch.optim by name."
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(min=0),
    metavar="X",
    default=1e-3,
    show_default=True,
    help="L2, on weights only.",
)
@click.option(
    "--patience", type=POSITIVE, metavar="N", help="Stop after so many epochs without a better validation measure."
)
@click.option(
    "--likelihood-every", type=NATURAL, metavar="N",
    help=f"Epochs between estimates of the validation log-likelihood, 0: none.  [default: {MEASUREMENTS} in all]",
)  # fmt: skip
@click.option("--seed", type=int, metavar="N", default=0, show_default=True, help="Of everything random in training.")
@click.option(
    "--data-seed", type=int, metavar="N", default=0, show_default=True, help="Of splits and of --binarize fixed."
)
@click.option(
    "--threads",
    type=POSITIVE,
    metavar="N",
    help="Threads of matrix products.  [default: one where they are small, else what torch chooses]",
)
@click.option("--device", metavar="NAME", help="Where to train, such as cpu or cuda.")
@click.option(
    "--checkpoint-seconds",
    type=click.FloatRange(min=0),
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
    """Train a Boltzmann machine on DATA into a run folder.

    DATA is a name (see `harmonium data`) or a file: .npz, .npy, .csv, IDX.  Ctrl-C writes a checkpoint and stops.
    """
    if resume is not None:
        _check_alone(ctx)
        _resume(resume, options)
    elif data is None:
        raise click.UsageError("name what to learn, such as `harmonium train digits` (`harmonium data` lists names)")
    else:
        _start(data, options)


# -------------------------------------------------------------------- a new run


def _start(name: str, options: dict[str, Any]) -> None:
    folder = _folder(options["out"])
    hidden = _hidden(options)
    import harmonium as hm

    device = _device(options["device"])
    data = load_columns(
        name, options["visible"], drop=options["drop"], binarize=options["binarize"],
        standardize=options["standardize"], seed=options["data_seed"], valid=options["valid"], test=options["test"],
        download=options["download"],
    )  # fmt: skip
    talk = _quiet if options["quiet"] else say
    talk(describe(data))
    visible = _visible(data, options)
    model = _machine(visible, hidden, options["model"])
    largest = max(W.numel() for W in model.couplings.values())
    _set_threads(options["threads"] or (1 if options["batch_size"] * largest < WORTH_SHARING else None))
    objective = _objective(options)
    batches = -(-len(data.train) // options["batch_size"])
    epochs = options["epochs"] or max(LEAST_EPOCHS, round(UPDATES / batches))
    schedule = hm.Linear if options["schedule"] == "linear" else hm.Constant
    above = f"{' and '.join(map(str, hidden))} Bernoulli hidden units" if hidden else "no hidden units"
    talk(f"model: {options['model']}, {visible.columns} {type(visible).__name__} visible, {above}")
    talk(
        f"training: {_named(objective)}, {options['metric']}, {options['optimizer']}, learning rate "
        f"{options['learning_rate']:g} {'falling to 0' if options['schedule'] == 'linear' else 'throughout'}, "
        f"{_count(epochs, 'epoch')} of {_count(batches, 'update')}"
    )
    callbacks = _callbacks(data, model, epochs, options)
    callbacks += [hm.TensorBoard(options["tensorboard"])] if options["tensorboard"] else []
    with claim(folder, f"{Path(name).name.split('.')[0] or 'data'}-{options['model']}") as out:
        talk(f"run folder: {out}")
        began = time.monotonic()
        history = hm.fit(
            model,
            data.train,
            objective=objective,
            epochs=epochs,
            batch_size=options["batch_size"],
            learning_rate=schedule(options["learning_rate"]),
            optimizer=options["optimizer"],
            metric=options["metric"],
            penalties=[hm.WeightDecay(options["weight_decay"])] if options["weight_decay"] else [],
            validation=data.valid,
            seed=options["seed"],
            out=out,
            callbacks=callbacks,
            progress=_progress(options),
            device=device,
            missing=gap_sweeps(data),
        )
    talk(f"trained in {time.monotonic() - began:.1f} s{_outcome(history)}")
    _finish(find(str(out)), model, data, options)


def _folder(out: str | None) -> Path | None:
    """Where to write, checked before anything is loaded; None: wherever there is room."""
    if out is None:
        return None
    path = Path(out).expanduser()
    if (path / CONFIG).exists():
        state = "a finished run" if (path / MODEL).exists() else "an unfinished run"
        remedy = "" if (path / MODEL).exists() else f"go on with `harmonium train --resume {out}`, or "
        raise ValueError(f"{out} holds {state}: {remedy}choose another folder with --out")
    if path.exists() and not path.is_dir():
        raise ValueError(f"{out} is a file, and a run needs a folder: choose another with --out")
    return path


def _hidden(options: dict[str, Any]) -> list[int]:
    """Sizes of the hidden layers, as --hidden or --layers say."""
    kind, hidden, layers = options["model"], options["hidden"], options["layers"]
    if kind == "dbm":
        if hidden is not None:
            raise click.UsageError(
                "--hidden is for one hidden layer: name those of a dbm with --layers, such as 200,100"
            )
        if layers is not None and len(layers) < 2:
            raise click.UsageError("--layers of a dbm are two or more: with one hidden layer it is an rbm")
        return layers or [200, 100]
    if layers is not None:
        raise click.UsageError(f"--layers goes with --model dbm: name the hidden units of --model {kind} with --hidden")
    if kind == "rbm" and hidden == 0:
        raise click.UsageError("--hidden 0: an rbm needs hidden units; a machine without any is --model bm")
    hidden = (200 if kind == "rbm" else 0) if hidden is None else hidden
    if options["objective"] == "pl" and (kind != "bm" or hidden):
        raise click.UsageError("--objective pl goes with --model bm without hidden units")
    return [hidden] if hidden else []


def _machine(visible: Units, hidden: list[int], kind: str) -> Machine:
    from harmonium.models.boltzmann import BoltzmannMachine
    from harmonium.models.dbm import DBM
    from harmonium.models.rbm import RBM

    if kind == "dbm":
        return DBM([visible, *hidden])
    return RBM(visible, hidden[0]) if kind == "rbm" else BoltzmannMachine(visible, sum(hidden))


def _visible(data: Dataset, options: dict[str, Any]) -> Units:
    from harmonium.units import Bernoulli, Gaussian

    kind, shape = options["visible"], options["shape"] or data.shape
    if data.table is not None:
        return data.table.units()
    if math.prod(shape) != data.train.shape[1]:
        raise ValueError(f"--shape {'x'.join(map(str, shape))} is not that of {data.train.shape[1]} columns")
    side = math.isqrt(math.prod(shape))
    if len(shape) == 1 and side >= 16 and side * side == shape[0]:
        note(f"if the {shape[0]} features are pixels, --shape {side}x{side} draws them as images")
    if kind in ("categorical", "mixed"):
        if options["standardize"]:
            raise click.UsageError(f"--standardize would move the codes of --visible {kind}: standardise in the file")
        return _coded(data, kind, shape)
    if kind == "bernoulli" or (kind == "auto" and data.binarization is not None):
        return Bernoulli(shape)
    if kind == "auto" and not options["standardize"] and options["binarize"] is None:
        summary = data.train.statistics()
        if summary.finite and summary.low >= 0 and _is_grey(data, summary.high):
            raise ValueError(
                f"{data.name} has values between 0 and 1 (greys): say what they mean with --binarize threshold, fixed "
                "or dynamic, or learn them as real values with --visible gaussian --standardize"
            )
    return Gaussian(shape)


def _coded(data: Dataset, kind: str, shape: tuple[int, ...]) -> Units:
    """Categorical units for codes, or for every column what its values are: 0 and 1, a few codes, or real."""
    import torch

    from harmonium.data.table import Column, Table
    from harmonium.units import Categorical

    splits = [cases for cases in (data.train, data.valid, data.test) if cases is not None]
    chunks = [chunk for cases in splits for _, chunk in cases.chunks(1024, dtype=torch.float64)]
    code = torch.stack([((v >= 0) & (v == v.floor()) & (v < 1 << 16)).all(0) for v in chunks]).all(0)
    states = torch.stack([v.amax(0) for v in chunks]).amax(0) + 1
    if kind == "categorical":
        if not bool(code.all()):
            column = int((~code).nonzero()[0])
            raise ValueError(
                f"--visible categorical takes codes 0, 1, 2, ...: column {column} of {data.name} has others"
            )
        return Categorical(shape, max(2, int(states.max())))
    few = code & (states <= FEW_STATES)
    counts = [max(2, int(n)) if coded else 0 for n, coded in zip(states.tolist(), few.tolist(), strict=True)]
    return Table(tuple(Column(j, None, tuple(range(count))) for j, count in enumerate(counts))).units()


def _is_grey(data: Dataset, high: float) -> bool:
    return high <= 1 or (data.train.dtype.name == "uint8" and high > 127)


def _objective(options: dict[str, Any]) -> Objective:
    from harmonium.objectives import CD, FPCD, PCD, PT, PTT, TAP, Exact, Jarzynski, PseudoLikelihood

    k, chains = options["k"], options["chains"]
    known: dict[str, Callable[[], Objective]] = {
        "pcd": lambda: PCD(k=k, chains=chains),
        "pt": lambda: PT(k=k, chains=chains),
        "ptt": lambda: PTT(k=k, chains=chains),
        "cd": lambda: CD(k=k),
        "fpcd": lambda: FPCD(k=k, chains=chains),
        "jarzynski": lambda: Jarzynski(k=k, chains=chains),
        "tap": lambda: TAP(chains=chains),
        "exact": Exact,
        "pl": PseudoLikelihood,
    }
    return known[options["objective"]]()


def _named(objective: Objective) -> str:
    config = objective.config()
    kind, k, chains = str(config["type"]), config.get("k"), config.get("chains")
    return kind + (f"-{k}" if k else "") + (f" with {chains} chains" if chains else "")


def _callbacks(data: Dataset, model: Machine, epochs: int, options: dict[str, Any]) -> list[Any]:
    """Monitors, and the keeper of the best model: by likelihood where it is estimated, else by pseudo-likelihood."""
    import harmonium as hm
    from harmonium.paths.exact import enumerable
    from harmonium.paths.partition import EXACT_BITS
    from harmonium.training.runs import Checkpoint

    callbacks: list[Any] = [Checkpoint(options["checkpoint_seconds"])]
    if data.valid is None:
        if options["patience"] or options["likelihood_every"]:
            raise ValueError(
                f"{data.name} has no validation cases, which --patience and --likelihood-every need: "
                "set some aside with --valid 0.1"
            )
        note(f"{data.name} has no validation cases: the last model is kept, not the best (--valid 0.1 sets some aside)")
        return callbacks
    every = options["likelihood_every"]
    if every is None:
        every = -(-epochs // MEASUREMENTS)
    callbacks.append(hm.Monitor(every=max(1, epochs // 100)))
    if every:
        callbacks.append(hm.Likelihood(every=every))
    # An estimate without a lower bound is too good where chains mix badly: no model is chosen by it.
    if every and (enumerable(model)[0] <= EXACT_BITS or options["objective"] in CHAINS):
        callbacks.append(hm.EarlyStopping("log_likelihood_lower", options["patience"]))
    elif model.visible.finite and model.kept == [0]:
        callbacks.append(hm.EarlyStopping("pseudo_log_likelihood", options["patience"]))
    elif options["patience"]:
        raise ValueError(
            "--patience for gaussian units and coupled hidden layers goes by the lower bound of the log-likelihood: "
            f"use --objective {' or '.join(CHAINS)}, and leave --likelihood-every above 0"
        )
    return callbacks


# -------------------------------------------------------------------- going on


def _check_alone(ctx: click.Context) -> None:
    """--resume takes everything from the run; what could contradict it is refused."""
    allowed = {"resume", "threads", "device", "progress", "quiet"}
    named = [
        parameter
        for parameter in ctx.command.params
        if parameter.name not in allowed
        and parameter.name is not None
        and ctx.get_parameter_source(parameter.name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    ]
    if named:
        what = named[0].opts[0] if isinstance(named[0], click.Option) else "DATA"
        raise click.UsageError(f"--resume takes all settings from the run: leave out {what}", ctx)


def _resume(name: str, options: dict[str, Any]) -> None:
    path = Path(name).expanduser()
    if not (path / CONFIG).is_file():
        raise FileNotFoundError(
            f"{name} holds no run to resume (there is no {CONFIG}): start one with `harmonium train DATA --out {name}`"
        )
    import harmonium as hm

    _set_threads(options["threads"] or _threads_of(path))
    talk = _quiet if options["quiet"] else say
    done = (path / MODEL).exists()
    talk(f"{name} is complete: nothing to train" if done else f"going on with {name}")
    began = time.monotonic()
    model, history = hm.resume(path, progress=_progress(options) and not done, device=_device(options["device"]))
    if not done:
        talk(f"trained in {time.monotonic() - began:.1f} s more{_outcome(history)}")
    run = find(name)
    if run.source is None:
        talk(f"the model: {run.model}")
        return
    _finish(run, model, run.data(), options)


def _threads_of(path: Path) -> int | None:
    """The thread count of the run: with another one, sums are rounded otherwise."""
    import json

    try:
        threads = json.loads((path / "run.json").read_text(encoding="utf-8"))["threads"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return threads if isinstance(threads, int) and threads > 0 else None


# -------------------------------------------------------------------- the end of both


def _finish(run: Run, model: Any, data: Dataset, options: dict[str, Any]) -> None:
    """Judge, draw, and say how to go on."""
    import harmonium as hm
    from harmonium import plots

    talk = _quiet if options["quiet"] else say
    keep_columns(data, run.model.parent)
    split, cases = choose_split(data, None)
    if split == "train" and data.train.shape[0]:
        talk("no cases were set aside, so this is the likelihood of the training cases (--test 0.1 sets some aside):")
    say(f"{split} {hm.evaluate(model, cases)}")
    paths = plots.pictures(run.model.parent, cases, data_name=f"{data.name}, {split}")
    talk(f"pictures: {', '.join(map(str, paths))}")
    talk(f"go on:    harmonium evaluate {run.name}\n          harmonium sample {run.name} --out samples.png")


def _outcome(history: History) -> str:
    parts = []
    if history.stopped:
        parts.append(f"stopped early: {history.stopped}")
    if history.best:
        parts.append(f"kept the model of epoch {history.best['epoch']} of {len(history)}, best on validation cases")
    return "".join(f"; {part}" for part in parts)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _progress(options: dict[str, Any]) -> bool:
    import sys

    if options["progress"] is not None:
        return bool(options["progress"])
    return sys.stderr.isatty() and not options["quiet"]


def _set_threads(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def _device(name: str | None) -> str | None:
    """The device, tried out: torch's own messages about missing ones are pages long."""
    if name is None:
        return None
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device {name}: {str(error).splitlines()[0]}: this machine has none, try cpu") from None
    return name


def _quiet(text: str) -> None:
    pass
