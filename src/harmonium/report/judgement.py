"""Sections on how good a model is: likelihood, free energies, equilibrium."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.core.rows import some_rows
from harmonium.diagnostics.diagnose import Diagnosis, diagnose
from harmonium.likelihood.evaluate import Evaluation, affordable, evaluate
from harmonium.likelihood.independent import Gain
from harmonium.models.deep.dbn import DBN
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.mean_field import variational_bound
from harmonium.plots import panels
from harmonium.plots.canvas import svg
from harmonium.report.inputs import ReportInput
from harmonium.report.markup import Section, escape, figure, number, pair, paragraph, signed, table, typeset
from harmonium.sampling.sample import affordable_sweeps

if TYPE_CHECKING:
    from harmonium.data import Cases

__all__ = ["agreed", "diagnosis", "equilibrium", "free_energies", "histograms", "judge", "likelihood"]

DEEP_CASES = 500  # each needs importance samples of its hidden layers
CHAINS, CHAINS_SHOWN = 100, 6


def judge(report: ReportInput) -> Evaluation | str:
    """Estimate the log-likelihood of held-out cases; if there is none, say why."""
    if not report.run.finished:
        return "The likelihood is estimated when a run has finished."
    if report.judged is None:
        return f"There are no cases to evaluate on: {report.unjudged}."
    try:
        few = _few(report, report.judged[1])
        return evaluate(report.model, few, seed=report.seed, **affordable(report.model))
    except ValueError as error:
        return f"This could not be computed: {error}."


def agreed(found: Evaluation | str, chains: Diagnosis | str) -> Evaluation | str:
    """Withdraw a log Z that rests on chains which the diagnosis rejects: the page has one verdict on them."""
    if isinstance(found, str) or isinstance(chains, str) or chains.passed is not False or not found.reliable:
        return found
    if found.log_partition is None or found.log_partition.method != "ais":
        return found
    # The reasons for which it seemed reliable would be a second verdict.
    why = "its upper bound rests on the chains of training, which are not in equilibrium (see below)"
    return replace(found, reliable=False, why=why)


def _few(report: ReportInput, cases: Cases) -> Cases:
    """Take all cases, but only some for deep models, which need importance samples for each."""
    if len(cases) <= DEEP_CASES or not report.model.likelihood_is_estimated:
        return cases
    return cases.select(some_rows(len(cases), DEEP_CASES).numpy())


def likelihood(report: ReportInput, found: Evaluation | str) -> Section:
    """Report the log-likelihood with its bracket, and whether its log Z is reliable."""
    name = "Log-likelihood"
    if isinstance(found, str):
        return Section("likelihood", name, paragraph(found))
    split, cases = report.judged or ("", None)
    of = "" if cases is None or len(cases) == found.cases else f" of {len(cases):,}, evenly spaced"
    exact = found.method == "exact"

    def shown(value: float) -> str:
        return typeset(found.text(value))

    rows: list[tuple[str, str]] = [
        (f"mean over {found.cases:,} {split} cases{of}", f"{shown(found.mean)} nats per case"),
        ("standard error over cases", shown(found.stderr)),
    ]
    if found.gain is not None:
        rows.append(("independent columns, the same cases", f"{shown(found.gain.independent)} nats per case"))
    z = found.log_partition
    if z is not None and not exact:
        rows.append(("bracket of log Z alone", f"{shown(found.lower)} to {shown(found.upper)}"))
    if found.bound is not None:
        rows.append(("variational bound", shown(found.bound)))
    if found.log_jacobian:
        rows.append(("the same for the standardised values", f"{shown(found.mean - found.log_jacobian)} nats per case"))
    if z is not None:
        rows.append(("log Z", number(z.value) + ("" if exact else f", {number(z.lower)} to {number(z.upper)}")))
        method = "enumeration" if exact else found.method.replace("ais", "annealed importance sampling")
        rows.append(("found by", method))
    elif not exact:
        rows.append(("found by", "importance sampling"))
    elif z is None:
        rows.append(("found by", "the chain rule: the model is normalised by construction"))
    colour, verdict = _verdict(found)
    words = "" if found.learned is None else f'<p class="verdict {_worth(found.gain)}">{_sentence(found.learned)}</p>'
    words += f'<p><span class="verdict {colour}">{verdict}:</span> {escape(signed(found.why))}.</p>'
    notes = ""
    if split == "train":
        notes = paragraph("No cases were set aside: these are the training cases.", "note")
    elif z is not None and not exact:
        notes = paragraph(
            "The bracket covers log Z only; the standard error over cases is extra. That two estimates agree is no "
            "evidence: the grounds for the upper bound of log Z are given above.", "note"
        )  # fmt: skip
    return Section("likelihood", name, words + table(("", ""), rows) + notes)


def _worth(gain: Gain | None) -> str:
    """Choose a colour for what was learned."""
    if gain is None or gain.nothing:
        return "bad"
    return "unsure" if gain.little else "good"


def _sentence(text: str) -> str:
    return escape(f"{signed(text[:1].upper() + text[1:])}.")


def _verdict(found: Evaluation) -> tuple[str, str]:
    """Choose a colour and words for how reliable the number is."""
    if not found.reliable:
        return "bad", "Log Z not reliable"
    return {
        "exact": ("good", "Exact"),
        "bracketed": ("good", "Log Z reliable"),
        "bound": ("unsure", "An estimated lower bound"),
    }[found.kind]


@torch.no_grad()
def free_energies(report: ReportInput) -> dict[str, Tensor]:
    """Free energies of each split and of samples, in nats, at most `ROWS` of each; -log p(v) for normalised models."""
    model = report.model
    groups = {name: report.rows_of(cases)[0] for name, cases in report.splits.items() if name != "test"}
    groups["samples"] = report.samples.to(model.dtype)
    found = {}
    for name, outside in groups.items():
        if not len(outside):
            continue
        v = model.visible.encode(outside)
        if bool(model.visible.invalid(v).any()):
            continue
        if isinstance(model, DBN):
            found[name] = -model.log_weights(v, Stream(report.seed, "report"), samples=10).mean(0)
        elif not isinstance(model, Machine):
            log_w = model.log_weights(v, Stream(report.seed, "report"), samples=10)
            found[name] = math.log(len(log_w)) - torch.logsumexp(log_w, 0)
        elif model.hidden_couplings:
            found[name] = -variational_bound(model, v)
        else:
            found[name] = -model.log_weight(model.visible_only_state(v))
    return {name: energies.cpu() for name, energies in found.items() if bool(torch.isfinite(energies).all())}


def histograms(report: ReportInput, energies: dict[str, Tensor]) -> Section | None:
    """Draw the distributions of free energies of data and samples."""
    if not energies:
        return None
    model = report.model
    machine = isinstance(model, (Machine, DBN))
    if not machine:
        name, axis = "Surprise", "-log p(v) (nats)".replace("-", "\N{MINUS SIGN}")
        meaning = "A normalised model has no free energy; this is minus the log-likelihood of single cases" + (
            ", by ten importance samples each. " if model.likelihood_is_estimated else ". "
        )
    else:
        deep = isinstance(model, DBN) or bool(model.hidden_couplings)
        name, axis, meaning = "Free energies", f"{'variational ' if deep else ''}free energy (nats)", ""
    named = {"train": "training cases", "valid": "validation cases", "samples": "samples of the model"}
    groups = {named[name]: values.numpy() for name, values in energies.items()}
    drawn = svg(name, partial(panels.histogram, groups=groups, label=axis))
    text = meaning + (
        "Samples should have the same distribution as the data. Validation cases to the right of training cases: the "
        "model overfits. Samples to the left: it prefers states that are not in the data."
    )
    means = table(("", "mean", "deviation"), [(name, number(v.mean()), number(v.std())) for name, v in groups.items()])
    return Section("energies", name, pair(figure(drawn, ""), f"<div>{paragraph(text)}{means}</div>"))


def equilibrium(found: Diagnosis | str) -> Section:
    """Report whether the chains have reached equilibrium."""
    name = "Equilibrium"
    if isinstance(found, str):
        return Section("equilibrium", name, paragraph(found))
    colour, verdict = found.verdict
    body = f'<p class="verdict {colour}">{verdict}</p>'
    if found.concerns:
        body += f"<ul>{''.join(f'<li>{escape(signed(concern))}.</li>' for concern in found.concerns)}</ul>"
    rows = [(o.name, number(o.mean), _short(o.tau, 1), number(o.ess, 0), _short(o.rhat, 3)) for o in found.observables]
    drift, modes = signed(found.equilibrium.drift.why), signed(found.equilibrium.missing_modes.why)
    numbers = table(("", "mean", "tau", "ESS", "R-hat"), rows) + paragraph(
        "tau: autocorrelation time in sweeps; ESS: independent draws that all chains are worth; R-hat: spread of all "
        f"chains over that within one. {found.chains} chains {found.start}, {found.sweeps:,} sweeps each. Drift: "
        f"{drift}. Missing modes: {modes}.", "note"
    )  # fmt: skip
    energies, shown = found.traces[0].numpy(), min(CHAINS_SHOWN, found.chains)
    chart = svg("Traces of chains", partial(panels.traces, values=energies, count=shown, label="free energy (nats)"))
    drawn = figure(chart, f"{shown} of {found.chains} chains")
    return Section("equilibrium", name, body + pair(f"<div>{numbers}</div>", drawn))


def _short(value: float, digits: int) -> str:
    """A number in a narrow column."""
    return "\N{INFINITY}" if math.isinf(value) else number(value, digits)


def diagnosis(report: ReportInput) -> Diagnosis | str:
    """Run the chains of a model; if there are none, say why."""
    if isinstance(report.model, Directed):
        what = f"A {type(report.model).__name__} is sampled from its roots, without chains"
        if report.model.energy_part is None:
            return f"{what}: there is no equilibrium to reach."
        return "The chains of this model are those of its prior: diagnose the prior by itself."
    if importlib.util.find_spec("arviz_stats") is None:
        return "Chains were not diagnosed, since arviz-stats is missing: pip install 'harmonium[diagnostics]'."
    if not isinstance(report.model, Machine):
        return "A deep belief network is sampled through its top machine: diagnose dbn.top by itself."
    if not report.run.finished:
        return "Chains are diagnosed when a run has finished."
    try:
        sweeps = affordable_sweeps(report.model, 3 * CHAINS)  # walked twice, and annealed for as long again
        return diagnose(report.model, report.splits.get("train"), chains=CHAINS, sweeps=sweeps, seed=report.seed)
    except ValueError as error:
        return f"This could not be computed: {error}."
