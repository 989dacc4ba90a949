"""The page: all sections in one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from harmonium.core.files import write_atomically
from harmonium.data import Dataset
from harmonium.likelihood.evaluate import Evaluation
from harmonium.models.machine.machine import Machine
from harmonium.report import judgement, pictures, training
from harmonium.report.inputs import ReportInput, gather
from harmonium.report.live import NotPlayableError, payload
from harmonium.report.markup import Section, paragraph, tiles, typeset
from harmonium.report.shell import page
from harmonium.runs.names import REPORT

__all__ = ["MODULES", "default_path", "write"]

MODULES = (
    "random", "units", "machine", "stack", "session", "floats", "dom", "ink", "board", "columns", "switches", "trace",
    "play",
)  # fmt: skip
"""Scripts of the page, each after those that it imports."""


def write(run: str | Path, out: str | Path | None = None, *, data: Dataset | None = None, seed: int = 0) -> Path:
    """Write the report of a run as one HTML file that needs no network.

    The model is evaluated again (`harmonium.evaluate`, `harmonium.diagnose`), which takes seconds for a small model and
    a minute or two for one of MNIST.  The page contains the model and some cases of the data: share it only with people
    who may see both.

    Args:
        run: a run folder, finished or stopped after a checkpoint, or a model file.
        out: the file to write.  Default: ``report.html`` in the folder; beside a model file, its name with .html.
        data: data to evaluate on.  Default: those of the run, if they can be loaded again.
        seed: seed of all samples.

    Returns:
        the path of the file.

    Raises:
        FileNotFoundError: if there is no such run, or it has neither finished nor written a checkpoint.
        ValueError: for data of another width than the model, or a damaged file.

    >>> import harmonium as hm, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> bars = hm.data.load("bars-and-stripes")
    >>> history = hm.fit(hm.RBM(16, 4), bars.train, epochs=2, learning_rate=0.01, out=f"{folder}/run")
    >>> write(f"{folder}/run").name
    'report.html'
    """
    report = gather(str(run), data, seed)
    path = default_path(run) if out is None else Path(out).expanduser()
    write_atomically(path, render(report).encode())
    return path


def default_path(run: str | Path) -> Path:
    """Default path of the report of a run."""
    path = Path(run).expanduser()
    return path / REPORT if path.is_dir() else path.with_suffix(".html")


def render(report: ReportInput) -> str:
    """Write the whole page as HTML."""
    chains = judgement.diagnosis(report)
    found = judgement.agreed(judgement.judge(report), chains)
    energies = judgement.free_energies(report)
    live, play = _playground(report, energies)
    sections = [
        play,
        judgement.likelihood(report, found),
        training.curves(report),
        pictures.samples(report),
        pictures.filters(report),
        pictures.activity(report),
        judgement.histograms(report, energies),
        judgement.equilibrium(chains),
        training.reproduce(report),
    ]
    present = [section for section in sections if section is not None]
    return page(
        training.title(report),
        kind=f"harmonium \N{MIDDLE DOT} {report.run.name}",
        lead=training.lead(report),
        notice=_notice(report, found),
        facts=_facts(report, found),
        sections=present,
        payload=live,
        modules=MODULES,
    )


def _playground(report: ReportInput, energies: dict[str, Tensor]) -> tuple[str, Section]:
    """Write the model for the page and the section that runs it, or the reason why there is none."""
    title, model = "Playground", report.model
    same = isinstance(model, Machine) and model.sampled_layers == [
        0
    ]  # the page's free energy is then that of the histogram
    try:
        live = payload(report, energies.get("train") if same else None)
    except NotPlayableError as error:
        return "", Section("play", title, paragraph(f"This page does not run the model: {error}."))
    what = (
        "The model runs in this page. The large picture is one chain of Gibbs sampling, the small ones are others."
        if report.image_shape
        else "The model runs in this page: Gibbs sampling of 32 chains. The controls show the first of them."
    )
    if model.dtype != torch.float32:
        what += " It was trained in float64, and runs here in float32."
    waiting = "<noscript>The playground needs JavaScript; the rest of the page does not.</noscript>"
    return live, Section("play", title, f'{paragraph(what)}<div id="playground">{waiting}</div>')


def _notice(report: ReportInput, found: Evaluation | str) -> str:
    notices = ""
    if report.unnamed:
        notices += paragraph(
            "What the columns of the table are is not known: the run folder does not say it, and the table cannot be "
            "read again. Numbers are those of the model, standardised, and labels are codes.", "notice"
        )  # fmt: skip
    if not isinstance(found, str) and found.gain is not None and found.gain.far_below:
        notices += paragraph(
            "Training went wrong: cases are far less probable than under independent columns. Train again with a lower "
            "learning rate.", "notice wrong"
        )  # fmt: skip
    if report.run.finished:
        return notices
    return notices + paragraph(
        f"Unfinished: training was stopped. This is the model of the last checkpoint, at {report.run.position}; its "
        "likelihood has not been estimated.", "notice"
    )  # fmt: skip


def _facts(report: ReportInput, found: Evaluation | str) -> str:
    facts: Sequence[tuple[str, str, str]] = list(training.facts(report))
    if not isinstance(found, str):
        split = "" if report.judged is None else report.judged[0]
        bracket = f"bracket {typeset(found.text(found.lower))} to {typeset(found.text(found.upper))}"
        trust = f"{bracket}, log Z {'reliable' if found.reliable else 'NOT reliable'}"
        if found.kind == "exact" or found.log_partition is None:
            trust = "exact" if found.kind == "exact" else "an estimated lower bound"
        facts = [
            (f"Log-likelihood, {split}", f"{typeset(found.text(found.mean))} nats per case", trust),
            *_learned(found),
            *facts,
        ]
    return tiles(facts)


def _learned(found: Evaluation) -> Iterator[tuple[str, str, str]]:
    if found.gain is None:
        return
    value = "nothing" if found.gain.nothing else f"{typeset(found.gain.text)} nats per case"
    than = "no better than" if found.gain.nothing else "more than"
    than = f"{typeset(found.gain.text)} nats worse than" if found.gain.worse else than
    little = ": next to nothing" if found.gain.little and not found.gain.nothing else ""
    yield "Learned", value, f"{than} independent columns{little}"
