"""The experiments of Fischer & Igel's introduction: exact log-likelihoods along training, median of 25 trials.

    python reproduce/fischer_igel.py --out runs/fischer_igel [--processes 2] [--only NAME ...] [--write]

Bars-and-stripes 4x4 and the labelled shifter, 16 hidden units, full batches, initial weights of standard deviation
0.01, no biases.  The 25 trials of a setting are several machines as one, so every step is one batched product.  A
setting whose curve is in --out already is not run again; --write draws the figures of docs/tutorial and puts the tables
into docs/benchmarks.

Log-likelihoods are totals in nats over the training set as a multiset: 32 patterns of bars and stripes (all-white and
all-black twice), bound -108.131; 768 patterns of the shifter, bound -5102.43.
"""

from __future__ import annotations

import fnmatch
import json
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import experiment as ex
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import harmonium as hm
from harmonium.core.files import write_atomically
from harmonium.likelihood.exact import exact_log_partition, exact_moments

PICTURES = ex.ROOT / "docs" / "tutorial" / "figures"
HIDDEN = 16
TRIALS = 25
MARKS = 50  # points of a curve


class Setting(NamedTuple):
    """One curve: what is learned, and how."""

    data: str
    objective: hm.objectives.Objective
    rate: float | hm.schedules.Linear = 0.1
    metric: str = "plain"
    decay: float = 0.0
    updates: int = 20_000


BARS, SHIFTER = "bars-and-stripes", "shifter"
SETTINGS = {
    **{f"cd-{k}": Setting(BARS, hm.CD(k)) for k in (1, 2, 5, 10, 20, 100)},
    **{f"cd-1-rate-{rate}": Setting(BARS, hm.CD(1), rate=rate) for rate in (0.2, 0.05, 0.01)},
    **{f"cd-1-decay-{decay}": Setting(BARS, hm.CD(1), decay=decay) for decay in (0.0003, 0.001, 0.003)},
    **{f"pcd-1-rate-{rate}": Setting(BARS, hm.PCD(1, chains=32), rate=rate) for rate in (0.1, 0.05, 0.01)},
    **{f"fpcd-1-rate-{rate}": Setting(BARS, hm.FPCD(1, chains=32, fast_rate=rate), rate=rate) for rate in (0.1, 0.05)},
    "pcd-1-falling": Setting(BARS, hm.PCD(1, chains=32), rate=hm.schedules.Linear(0.05)),
    **{f"pt-{rungs}": Setting(BARS, hm.PT(rungs=rungs, chains=32)) for rungs in (4, 10)},
    "pt-10-fixed": Setting(BARS, hm.PT(rungs=10, chains=32, adapt=False)),
    **{f"cd-{k}-centered": Setting(BARS, hm.CD(k), metric="centered") for k in (1, 10)},
    "pcd-1-centered": Setting(BARS, hm.PCD(1, chains=32), metric="centered"),
    "pt-10-centered": Setting(BARS, hm.PT(rungs=10, chains=32), metric="centered"),
    "pt-10-centered-fixed": Setting(BARS, hm.PT(rungs=10, chains=32, adapt=False), metric="centered"),
    "pt-10-centered-falling": Setting(
        BARS, hm.PT(rungs=10, chains=32), rate=hm.schedules.Linear(0.1), metric="centered"
    ),
    "shifter-cd-1": Setting(SHIFTER, hm.CD(1), rate=0.3, updates=10_000),
    "shifter-pcd-1": Setting(SHIFTER, hm.PCD(1, chains=32), rate=0.3, updates=10_000),
    "shifter-pt-10": Setting(SHIFTER, hm.PT(rungs=10, chains=32), rate=0.3, updates=10_000),
}


class Picture(NamedTuple):
    """One figure: its title and the curves by label."""

    title: str
    curves: dict[str, str]
    lowest: float | None = -220.0  # of the axis: the rise from coin flips, -354.9, is left out


PICTURED = {
    "cd-rates": Picture(
        "CD-1: larger rates diverge sooner",
        {f"rate {rate}": name for rate, name in (
            (0.2, "cd-1-rate-0.2"), (0.1, "cd-1"), (0.05, "cd-1-rate-0.05"), (0.01, "cd-1-rate-0.01"))},
    ),
    "cd-k": Picture("CD-k, rate 0.1", {f"k = {k}": f"cd-{k}" for k in (1, 2, 5, 10, 20, 100)}),
    "decay": Picture(
        "CD-1 with weight decay, rate 0.1",
        {"none": "cd-1", **{f"{decay:g}": f"cd-1-decay-{decay}" for decay in (0.0003, 0.001, 0.003)}},
    ),
    "pcd": Picture(
        "PCD-1 and FPCD-1, 32 chains",
        {
            **{f"PCD, rate {rate}": f"pcd-1-rate-{rate}" for rate in (0.1, 0.05, 0.01)},
            "PCD, 0.05 to 0": "pcd-1-falling",
            **{f"FPCD, rate {rate}": f"fpcd-1-rate-{rate}" for rate in (0.1, 0.05)},
        },
        lowest=None,
    ),
    "pt": Picture(
        "Parallel tempering and CD, rate 0.1",
        {"CD-1": "cd-1", "CD-10": "cd-10", **{f"PT, {rungs} temperatures": f"pt-{rungs}" for rungs in (4, 10)}},
    ),
    "centered": Picture(
        "Plain and centered gradient, rate 0.1",
        {
            "CD-1": "cd-1", "CD-1, centered": "cd-1-centered", "PT-10": "pt-10",
            "PT-10, centered": "pt-10-centered", "PT-10, centered, rate to 0": "pt-10-centered-falling",
        },
    ),
    "shifter": Picture(
        "Labelled shifter, rate 0.3",
        {"CD-1": "shifter-cd-1", "PCD-1": "shifter-pcd-1", "PT-10": "shifter-pt-10"},
        lowest=None,
    ),
}  # fmt: skip


# ------------------------------------------------------------------------------------------------------- training


class Curve(hm.training.Callback):
    """Exact log-likelihoods (nats, total) and reconstruction errors (bits wrong per case) of every trial."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.updates: list[int] = []
        self.log_likelihood: list[list[float]] = []
        self.reconstruction: list[list[float]] = []

    def on_begin(self, training: Any) -> None:
        self.measure(training, 0)

    def on_epoch(self, training: Any, row: Any) -> None:
        if row["update"] % self.every == 0:
            self.measure(training, row["update"])

    @torch.no_grad()
    def measure(self, training: Any, update: int) -> None:
        model = training.model
        v = training.cases.rows(torch.arange(len(training.cases)), dtype=model.dtype)
        v = v.expand(*model.weights.shape[:-2], *v.shape)
        total = model.log_weight(model.visible_only_state(v)).sum(-1) - v.shape[-2] * exact_log_partition(model)
        back = model.visible_mean(model.hidden_mean(v))
        self.updates.append(update)
        self.log_likelihood.append([round(x, 4) for x in total.tolist()])
        self.reconstruction.append([round(x, 5) for x in (v - back).abs().sum(-1).mean(-1).tolist()])


def stack(visible: int, trials: int = TRIALS) -> hm.RBM:
    """Machines side by side, (trials, visible, hidden): small weights, no biases."""
    rng = np.random.default_rng(0)
    W = 0.01 * rng.normal(size=(trials, visible, HIDDEN)).astype(np.float32)
    return hm.RBM.from_arrays(W, W[..., 0] * 0, W[:, 0] * 0)


def trained(name: str, out: Path) -> str:
    """Run a setting, unless its curve has been computed."""
    setting = SETTINGS[name]
    path = out / f"{name}.json"
    if path.exists() and json.loads(path.read_text())["setting"] == repr(setting):
        return f"{name}: there"
    torch.set_num_threads(1)  # many small matrices
    data = hm.data.load(setting.data).train
    curve = Curve(setting.updates // MARKS)
    begun = time.process_time()
    hm.fit(
        stack(data.shape[1]),
        data,
        objective=setting.objective,
        metric=setting.metric,
        learning_rate=setting.rate,
        penalties=[hm.training.WeightDecay(l2=setting.decay)],
        epochs=setting.updates,
        batch_size=len(data),
        callbacks=[curve],
    )
    result = {
        "setting": repr(setting),
        "seconds": round(time.process_time() - begun, 1),
        "updates": curve.updates,
        "log_likelihood": curve.log_likelihood,
        "reconstruction": curve.reconstruction,
    }
    write_atomically(path, json.dumps(result).encode())
    return f"{name}: median {np.median(curve.log_likelihood[-1]):.2f}, {result['seconds']} s"


# -------------------------------------------------------------------------------------------------------- figures


STYLES = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2, 1, 2, 1, 2)), (0, (2, 2)))
"""Distinguishable without colour."""


def styles(count: int) -> Iterator[dict[str, Any]]:
    """Line styles whose colours fall in steps of grey."""
    from matplotlib import colormaps

    for i in range(count):
        yield {"color": colormaps["viridis"](0.8 * i / max(1, count - 1)), "linestyle": STYLES[i]}


def axes_of(figure: Figure, title: str, **labels: str) -> Axes:
    axes: Axes = figure.subplots()
    finish(axes, title, **labels)
    return axes


def finish(axes: Axes, title: str, **labels: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.set(**labels)
    axes.grid(color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def thousands(axes: Axes) -> None:
    """Updates from 0, with few and readable ticks."""
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter("{x:,.0f}")


def canvas(width: float = 6.4, height: float = 3.6) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_band(axes: Axes, updates: Sequence[int], values: Any, label: str, style: dict[str, Any]) -> None:
    """Median of the trials, and the quartiles as a band."""
    low, middle, high = np.percentile(values, (25, 50, 75), axis=1)
    axes.fill_between(updates, low, high, color=style["color"], alpha=0.18, linewidth=0)
    axes.plot(updates, middle, label=label, linewidth=1.7, **style)


def bound(data: str) -> tuple[float, int]:
    """Highest possible total log-likelihood in nats, and the number of patterns."""
    cases = np.asarray(hm.data.load(data).train[:])
    counts = np.unique(cases, axis=0, return_counts=True)[1]
    return float((counts * np.log(counts / len(cases))).sum()), len(cases)


def picture(shown: Picture, curves: dict[str, Any]) -> Figure:
    labels = {label: key for label, key in shown.curves.items() if key in curves}
    best, patterns = bound(SETTINGS[next(iter(labels.values()))].data)
    figure = canvas()
    axes = axes_of(
        figure, shown.title, xlabel="update (full batch)", ylabel=f"log-likelihood (nats, {patterns} patterns)"
    )
    axes.axhline(
        best,
        color="0.25",
        linewidth=1.0,
        linestyle=(0, (1, 2)),
        label=f"bound {best:.2f}".replace("-", "\N{MINUS SIGN}"),
    )
    for (label, key), style in zip(labels.items(), styles(len(labels)), strict=True):
        draw_band(axes, curves[key]["updates"], curves[key]["log_likelihood"], label, style)
    axes.set_ylim(bottom=shown.lowest)
    thousands(axes)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9)
    return figure


def reconstruction(curves: dict[str, Any]) -> Figure:
    """The likelihood falls while the reconstruction error does not show it."""
    figure = canvas(7.4, 3.2)
    left, right = figure.subplots(1, 2)
    names = {"no decay": "cd-1", "weight decay 0.001": "cd-1-decay-0.001"}
    for (label, key), style in zip(names.items(), styles(2), strict=True):
        draw_band(left, curves[key]["updates"], curves[key]["log_likelihood"], label, style)
        draw_band(right, curves[key]["updates"], curves[key]["reconstruction"], label, style)
    finish(left, "What is wanted", xlabel="update", ylabel="log-likelihood (nats, 32 patterns)")
    finish(right, "What is easily measured", xlabel="update", ylabel="reconstruction error (bits per case)")
    left.axhline(bound(BARS)[0], color="0.25", linewidth=1.0, linestyle=(0, (1, 2)), label="bound \N{MINUS SIGN}108.13")
    left.set_ylim(bottom=-260)
    right.set_yscale("log")
    for axes in (left, right):
        thousands(axes)
    left.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def bias() -> Figure:
    """Largest component of the bias of the CD-k gradient, exactly, at three moments of training (bars-and-stripes 3x3).

    The expectation of CD-k has the data's distribution after k sweeps for its negative phase
    (docs/theory/objectives.md).
    """
    cases = hm.data.load("bars-and-stripes-3x3").train
    states = np.array([[i >> j & 1 for j in range(9)] for i in range(512)], dtype=np.float64)
    hidden = np.array([[i >> j & 1 for j in range(4)] for i in range(16)], dtype=np.float64)
    q = np.bincount((np.asarray(cases[:]).astype(int) @ 2 ** np.arange(9)), minlength=512) / len(cases)
    figure = canvas()
    axes = axes_of(figure, "Bias of CD-k while learning", xlabel="k (sweeps)", ylabel="largest component of the bias")
    model, done, sweeps = hm.RBM(9, 4, dtype=torch.float64), 0, np.arange(1, 301)
    for updates, style in zip((200, 300, 600, 1200), styles(4), strict=True):
        hm.fit(
            model, cases, objective=hm.Exact(), metric="centered", learning_rate=1.0, epochs=updates - done,
            batch_size=len(cases),
        )  # fmt: skip
        done = updates
        W, b, c = model.to_arrays()
        weight = np.exp(states @ W @ hidden.T + (states @ b)[:, None] + hidden @ c)
        K = (weight / weight.sum(1, keepdims=True)) @ (weight / weight.sum(0)).T
        mean = model.hidden_mean(states).numpy()
        exact = exact_moments(model)["weights"].numpy()
        after, worst = q, []
        for _ in sweeps:
            after = after @ K
            worst.append(abs(exact - states.T @ (after[:, None] * mean)).max())
        axes.loglog(sweeps, worst, label=f"after {updates:,} updates", linewidth=1.7, **style)
    axes.set_ylim(bottom=1e-4, top=0.1)
    axes.legend(frameon=False, fontsize=9)
    return figure


def summary(data: str, curves: dict[str, Any]) -> str:
    """Medians over the trials: best of training, and at the end."""
    rows = []
    for name, curve in curves.items():
        setting = SETTINGS[name]
        if setting.data != data:
            continue
        values = np.array(curve["log_likelihood"])
        low, middle, high = np.percentile(values[-1], (25, 50, 75))
        decay = f", weight decay {setting.decay:g}" if setting.decay else ""
        rate = f"{setting.rate:g}" if isinstance(setting.rate, float) else f"{setting.rate.start:g} falling to 0"
        rows.append(
            [
                described(setting.objective) + decay,
                setting.metric,
                rate,
                f"{np.median(values.max(0)):.2f}",
                f"{middle:.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{curve['updates'][int(np.median(values, axis=1).argmax())]:,}",
                f"{curve['seconds']:.0f} s",
            ]
        )
    header = [
        "objective", "metric", "rate", "best of training, median", "at the end, median", "quartiles",
        "the median is best at update", "25 trials",
    ]  # fmt: skip
    return ex.table(header, rows)


def described(objective: hm.objectives.TwoPhase) -> str:
    if isinstance(objective, hm.CD):
        return f"CD-{objective.k}"
    if isinstance(objective, hm.PT):
        spacing = "" if objective.adapt else ", equally spaced"
        return f"PT-{objective.rungs}, {objective.chains} chains{spacing}"
    assert isinstance(objective, (hm.PCD, hm.FPCD))
    return f"{type(objective).__name__}-{objective.k}, {objective.chains} chains"


def write(curves: dict[str, Any]) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, shown in PICTURED.items():
        hm.plots.write(picture(shown, curves), PICTURES / f"{name}.png")
    hm.plots.write(reconstruction(curves), PICTURES / "reconstruction.png")
    hm.plots.write(bias(), PICTURES / "bias.png")
    ex.replace_section("fischer-igel", report(curves))
    reached = np.median(curves["pt-10-centered"]["log_likelihood"][-1])
    print(f"centered PT-10, rate 0.1, median at the end: {reached:.2f} (must reach: -114, go for: -111)")


def report(curves: dict[str, Any]) -> str:
    minutes = math.ceil(sum(curve["seconds"] for curve in curves.values()) / 60)
    return "\n\n".join(
        [
            f"Bars and stripes 4x4, 20,000 updates, bound {bound(BARS)[0]:.2f}:",
            summary(BARS, curves),
            f"Labelled shifter, 10,000 updates, bound {bound(SHIFTER)[0]:.2f}:",
            summary(SHIFTER, curves),
            f"The last column is processor time; all curves together took {minutes} minutes of one core. "
            + ex.machine(1, {"torch": {torch.__version__}}),
        ]
    )


def main() -> None:
    parser = ex.arguments(__doc__, out=None, threads=None, seed=False, write="draw figures and write tables into docs/")
    parser.add_argument("--out", type=Path, default=Path("runs/fischer_igel"), help="keep curves here")
    parser.add_argument("--processes", type=int, default=1, help="settings that run at a time, one thread each")
    parser.add_argument("--only", nargs="*", default=["*"], metavar="NAME", help="run these: cd-1, 'shifter*'")
    options = ex.options_of(parser)
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = dict.fromkeys(name for pattern in options.only for name in fnmatch.filter(SETTINGS, pattern))
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for line in pool.map(partial(trained, out=options.out), wanted):
            print(line, flush=True)
    if options.write:
        missing = [name for name in SETTINGS if not (options.out / f"{name}.json").exists()]
        print("left out, since their curves are missing:", ", ".join(missing) or "none")
        names = [name for name in SETTINGS if name not in missing]
        write({name: json.loads((options.out / f"{name}.json").read_text()) for name in names})


if __name__ == "__main__":
    main()
