"""The page: sections into one file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

import torch
from torch import Tensor

from harmonium.core.files import write_atomically
from harmonium.core.version import __version__
from harmonium.data import Dataset
from harmonium.likelihood.evaluate import Evaluation
from harmonium.models.machine.machine import Machine
from harmonium.report import judgement, pictures, training
from harmonium.report.live import NotPlayableError, payload
from harmonium.report.markup import Section, escape, number, paragraph
from harmonium.report.subject import ReportInput, open_subject
from harmonium.runs.names import REPORT

__all__ = ["MODULES", "bundle", "default_path", "write"]

MODULES = (
    "random", "units", "machine", "stack", "session", "dom", "ink", "board", "columns", "switches", "trace", "play",
)  # fmt: skip
"""The scripts of the page, each after those that it imports."""


def write(run: str | Path, out: str | Path | None = None, *, data: Dataset | None = None, seed: int = 0) -> Path:
    """Write the report of a run as one HTML file that needs no network.

    The model is judged anew (`harmonium.evaluate`, `harmonium.diagnose`), which takes some seconds for a small one and
    a minute or two for one of MNIST.  The page holds the model and some cases of the data: give it to those who may
    have both.

    Args:
        run: a run folder, finished or broken off after a checkpoint, or a model file.
        out: the file to write.  Default: ``report.html`` in the folder; beside a model file, its name with .html.
        data: what to judge by.  Default: the data of the run, where they can be loaded again.
        seed: of everything that is drawn.

    Returns:
        the path of the file, which is written whole or not at all.

    Raises:
        FileNotFoundError: where there is no such run, or its training has not come to an end or a checkpoint.
        ValueError: for data that the model does not fit, or a damaged file.

    >>> import harmonium as hm, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> bars = hm.data.load("bars-and-stripes")
    >>> history = hm.fit(hm.RBM(16, 4), bars.train, epochs=2, learning_rate=0.01, out=f"{folder}/run")
    >>> write(f"{folder}/run").name
    'report.html'
    """
    subject = open_subject(str(run), data, seed)
    path = default_path(run) if out is None else Path(out).expanduser()
    write_atomically(path, render(subject).encode())
    return path


def default_path(run: str | Path) -> Path:
    """Where the report of a run goes."""
    path = Path(run).expanduser()
    return path / REPORT if path.is_dir() else path.with_suffix(".html")


def render(subject: ReportInput) -> str:
    """The whole page."""
    found = judgement.judge(subject)
    energies = judgement.free_energies(subject)
    live, play = _playground(subject, energies)
    sections = [
        play,
        judgement.likelihood(subject, found),
        training.curves(subject),
        pictures.samples(subject),
        pictures.filters(subject),
        pictures.activity(subject),
        judgement.histograms(subject, energies),
        judgement.equilibrium(subject),
        training.reproduce(subject),
    ]
    present = [section for section in sections if section is not None]
    script = bundle()
    title = training.title(subject)
    return Template(_asset("page.html")).substitute(
        version=escape(__version__),
        policy=f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'",
        style=_asset("style.css"),
        title=escape(title),
        kind=escape(f"harmonium \N{MIDDLE DOT} {subject.run.name}"),
        lead=escape(training.lead(subject)),
        notice=_notice(subject),
        facts=_facts(subject, found),
        contents="".join(f'<a href="#{section.key}">{escape(section.title)}</a>' for section in present),
        sections="\n".join(map(str, present)),
        payload=live,
        script=script,
    )


def bundle() -> str:
    """The modules as one: a page opened from disk may not import others."""
    texts = []
    for name in MODULES:
        text = re.sub(r"^import .*;\n", "", _asset(f"{name}.js"), flags=re.MULTILINE)
        texts.append(re.sub(r"^export ", "", text, flags=re.MULTILINE))
    return "\n" + "\n".join(texts)


def _asset(name: str) -> str:
    return (files("harmonium.report") / "assets" / name).read_text(encoding="utf-8")


def _playground(subject: ReportInput, energies: dict[str, Tensor]) -> tuple[str, Section]:
    """The model for the page, and the section in which it lives; or the reason why it does not."""
    title, model = "Playground", subject.model
    same = isinstance(model, Machine) and model.sampled_layers == [
        0
    ]  # the page's free energy is then that of the histogram
    try:
        live = payload(subject, energies.get("train") if same else None)
    except NotPlayableError as error:
        return "", Section("play", title, paragraph(f"This page does not run the model: {error}."))
    what = (
        "The model runs in this page. The large picture is one chain of Gibbs sampling, the small ones are others."
        if subject.image_shape
        else "The model runs in this page: Gibbs sampling of 32 chains. The controls show the first of them."
    )
    if model.dtype != torch.float32:
        what += " It was trained in float64, and runs here in float32."
    waiting = "<noscript>The playground needs JavaScript; the rest of the page does not.</noscript>"
    return live, Section("play", title, f'{paragraph(what)}<div id="playground">{waiting}</div>')


def _notice(subject: ReportInput) -> str:
    if subject.run.finished:
        return ""
    return paragraph(
        f"Unfinished: training was broken off. This is the model of the last checkpoint, at {subject.run.position}; it "
        "has not been judged.", "notice"
    )  # fmt: skip


def _facts(subject: ReportInput, found: Evaluation | str) -> str:
    tiles: Sequence[tuple[str, str, str]] = list(training.facts(subject))
    if not isinstance(found, str):
        split = "" if subject.judged is None else subject.judged[0]
        bracket = f"bracket {number(found.lower)} to {number(found.upper)}"
        trust = f"{bracket}, {'trusted' if found.trusted else 'NOT trusted'}"
        if found.kind == "exact" or found.log_partition is None:
            trust = "exact" if found.kind == "exact" else "an estimate from below"
        tiles = [(f"Log-likelihood, {split}", f"{number(found.mean)} nats per case", trust), *tiles]
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(remark)}</small></dd></div>"
        for name, value, remark in tiles
    )
