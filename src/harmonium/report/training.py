"""Sections about training: what was trained on what, its curves, the commands that repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from harmonium.data.dataset import describe
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine
from harmonium.plots import panels
from harmonium.plots.canvas import svg
from harmonium.report.inputs import ReportInput
from harmonium.report.markup import Section, figure, number, pair, paragraph, pre, table
from harmonium.runs.names import CONFIG
from harmonium.training.trackers import flatten
from harmonium.units import Mixed, Units

__all__ = ["curves", "facts", "kind", "lead", "reproduce", "title"]


def kind(report: ReportInput) -> str:
    """Name the kind of model."""
    kind = type(report.model)
    return str(vars(kind).get("title") or kind.__name__)


def title(report: ReportInput) -> str:
    """Title of the page."""
    about = report.data.name if report.data is not None else Path(report.run.name).name
    return f"{kind(report)} of {about}"


def lead(report: ReportInput) -> str:
    """Say what was trained on what, in a sentence or two."""
    layers = [_units(units) for units in report.layers]
    above = f"; hidden: {', '.join(layers[1:])}" if len(layers) > 1 else ""
    if isinstance(report.model, Directed):
        above = f"; network: {report.model!r}"
    text = f"Visible: {layers[0]}{above}"
    if report.run.config is not None:
        plan = report.run.config["plan"]
        text += f". Trained by {_objective(plan['objective'])}, in batches of {plan['batch_size']}"
        machine = isinstance(report.model, Machine)
        text += f", with the {_metric(plan['metric'])}" if machine else f", by {plan['optimizer']}"
    if report.data is not None:
        text += f". Data: {describe(report.data)}"
    return f"{text}."


def facts(report: ReportInput) -> Iterator[tuple[str, str, str]]:
    """Collect key facts besides the likelihood, as (name, value, remark)."""
    numbers = sum(parameter.numel() for parameter in report.model.parameters())
    yield "Parameters", f"{numbers:,}", str(report.model.dtype).removeprefix("torch.")
    rows, best = report.run.rows, report.run.best_epoch
    if not rows:
        return
    last = rows[-1]
    kept = "" if best is None else f"the model of epoch {best} was kept"
    yield "Epochs", f"{last['epoch']:,}", kept
    yield "Trained in", _duration(float(last.get("seconds", 0.0))), f"{last['update']:,} updates"


def curves(report: ReportInput) -> Section | None:
    """Draw what was measured during training."""
    rows, best = report.run.rows, report.run.best_epoch
    charts = []
    for key, (title, _) in panels.CURVES.items():
        if panels.column(rows, key)[0]:
            caption = " ".join(title.split())
            charts.append(figure(svg(caption, partial(panels.curve, rows=rows, key=key, best=best)), caption))
    if not charts:
        return None
    marks = [] if best is None else [f"Dashed: epoch {best}, whose model was kept."]
    if panels.column(rows, "log_likelihood_gained")[0]:
        marks.append("Dash-dotted: independent columns.")
    note = paragraph(" ".join(marks), "note") if marks else ""
    return Section("curves", "Learning curves", pair(*charts) + note)


def reproduce(report: ReportInput) -> Section:
    """List the commands that train, resume and evaluate; versions and settings."""
    run, environment = report.run, report.run.environment
    parts = []
    typed = _command(environment.get("command"))
    if typed is not None:
        parts += [paragraph("This command trained the model:"), pre(typed)]
    elif run.config is not None:
        parts.append(paragraph(f"The model was trained from Python; all settings are below, and in {CONFIG}."))
    if run.finished:
        then = [run.command("evaluate")]
        if run.config is not None:
            then.insert(0, f"{run.command('sample')} --out samples.png")
        if isinstance(report.model, Machine):
            then.append(run.command("diagnose"))
    else:
        then = [run.command("train --resume")]
    parts += [paragraph("To evaluate it again:" if run.finished else "To continue:"), pre("\n".join(then))]
    known = {key: environment[key] for key in environment if key != "command"}
    if known:
        parts.append(table(("Trained with", ""), known.items()))
    if run.config is not None:
        settings = table(("Setting", ""), flatten({key: run.config[key] for key in ("plan", "data")}))
        parts.append(f"<details><summary>All settings</summary>{settings}</details>")
    return Section("reproduce", "Reproduce", "".join(parts))


def _units(units: Units, noun: str = " units") -> str:
    if isinstance(units, Mixed):
        return f"{units.columns} columns ({', '.join(_units(part, '') for part in units.parts)})"  # type: ignore[arg-type]
    shape = " \N{MULTIPLICATION SIGN} ".join(map(str, units.shape))
    states = f" of {units.size // units.columns} states" if units.size > units.columns else ""
    return f"{shape} {type(units).__name__}{noun}{states}"


def _objective(config: dict[str, Any] | None) -> str:
    if config is None:
        return "your own objective"
    sweeps, chains = config.get("k"), config.get("chains")
    return str(config["type"]) + (f"-{sweeps}" if sweeps else "") + (f" with {chains} chains" if chains else "")


def _metric(config: dict[str, Any] | None) -> str:
    return f"{config['type'].lower() if config else 'own'} gradient"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{number(seconds, 1)} s"
    return f"{number(seconds / 60, 1)} min" if seconds < 7200 else f"{number(seconds / 3600, 1)} h"


def _command(arguments: Any) -> str | None:
    """Reconstruct the command line that was typed; None if there was none."""
    if not isinstance(arguments, list) or not arguments or arguments[0] in ("", "-", "-c", "-m"):
        return None
    program = Path(str(arguments[0]))
    if program.stem == "ipykernel_launcher":  # a notebook: its cells are what was typed
        return None
    if program.name == "__main__.py":
        return " ".join(
            [f"python -m {program.parent.name}", *(shlex.quote(str(argument)) for argument in arguments[1:])]
        )
    first = program.name if program.suffix != ".py" else f"python {shlex.quote(str(program))}"
    return " ".join([first, *(shlex.quote(str(argument)) for argument in arguments[1:])])
