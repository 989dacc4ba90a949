"""`diagnose`: how well Gibbs chains sample a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.core.numbers import fixed
from harmonium.core.random import Stream, stream_of
from harmonium.core.rows import evenly_spaced, some_rows
from harmonium.data import as_cases
from harmonium.diagnostics.convergence import LEAST_ESS, MOST_RHAT, Observable, summarise
from harmonium.diagnostics.data_comparison import LEAST_PAIRS, MOST_SHIFT, Resemblance, resemblance
from harmonium.diagnostics.drift import LIMIT
from harmonium.diagnostics.equilibrium import EquilibriumTest, equilibrium_test
from harmonium.diagnostics.modes import TwoModes, mode_jumps_along, two_modes
from harmonium.models.arrays import Array, check_columns
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.sampling.path import independent_sample
from harmonium.units import Natural

__all__ = ["Diagnosis", "Jumps", "Verdict", "diagnose"]

_DIRECTIONS = 4  # principal directions to observe; those of MNIST have 10, 7, 6 and 5 % of the variance
_CASES = 2000  # cases of the data to use, evenly spaced
_TEMPERATURES = 500  # least number of temperatures of the annealing
_SNAPSHOTS = 10  # states of each chain to compare with the data


class Jumps(NamedTuple):
    """Two modes along the first principal direction, and the total number of jumps between them of all chains."""

    modes: TwoModes
    total: int


class Verdict(NamedTuple):
    """What all tests and comparisons together say, in one sentence.

    Attributes:
        level: "good", "unsure" or "bad".
        text: the sentence.
    """

    level: str
    text: str


@dataclass(frozen=True)
class Diagnosis:
    """Result of `diagnose`; ``print`` shows every number with its meaning.

    Attributes:
        chains: number of chains.
        sweeps: number of recorded sweeps of each chain.
        start: where the chains started, in words.
        observables: free energy and principal projections, with autocorrelation time, effective sample size and R-hat.
        jumps: jumps between two modes along the first direction; None if the direction is not bimodal.
        equilibrium: tests of drift, standstill, collapse and missing modes.
        resemblance: comparison with the data; None without data.
        traces: the observables, (observables, chains, sweeps), float64.
    """

    chains: int
    sweeps: int
    start: str
    observables: tuple[Observable, ...]
    jumps: Jumps | None
    equilibrium: EquilibriumTest
    resemblance: Resemblance | None
    traces: Tensor = field(repr=False, compare=False)

    @property
    def passed(self) -> bool | None:
        """Whether the chains pass the tests of equilibrium (`harmonium.diagnostics.equilibrium.EquilibriumTest`)."""
        return self.equilibrium.passed

    @property
    def verdict(self) -> Verdict:
        """The one conclusion from the tests of equilibrium and from all other `concerns`."""
        if self.passed is False:
            return Verdict("bad", "The chains are not in equilibrium.")
        if self.concerns:
            return Verdict("unsure", "No test of equilibrium failed, but there are reasons for doubt.")
        if self.passed is None:
            return Verdict("unsure", "No evidence against equilibrium, but not every test could be made.")
        return Verdict("good", "No evidence against equilibrium.")

    @cached_property
    def concerns(self) -> tuple[str, ...]:
        """The problems found, each with its remedy."""
        found = [str(finding) for finding in self.equilibrium.findings]
        slowest = max(self.observables, key=lambda observable: observable.rhat)
        poorest = min(self.observables, key=lambda observable: observable.ess)
        if not slowest.mixed:
            found.append(
                f"single chains do not mix within {self.sweeps} sweeps ({slowest.name}: R-hat {slowest.rhat:.3f}), so "
                "averages depend on where the chains started. Run them longer or use tempered chains"
            )
        if poorest.ess < LEAST_ESS:
            found.append(
                f"all chains together are worth {poorest.ess:.0f} independent draws ({poorest.name}). Use more sweeps "
                f"or more chains to reach {LEAST_ESS:.0f}"
            )
        if self.jumps is not None and self.jumps.total == 0:
            found.append(
                f"no chain changed its mode (less than one jump in {self.chains * self.sweeps / 3:.3g} sweeps, at 95 % "
                "confidence), so the chains cannot tell the probabilities of the modes. Use tempered chains"
            )
        alike = self.resemblance
        if alike is not None and alike.worst > LIMIT:
            found.append(
                f"the mean of visible variable {alike.worst_variable} differs from the data by {alike.worst:.1f} "
                "standard errors. Either training has not converged, or the chains are not at equilibrium"
            )
        if alike is not None and alike.pairs_differ:
            found.append(
                f"covariances of units differ from those of the data (r = {alike.pairs:.2f}; two halves of the data "
                f"have {alike.pairs_of_halves:.2f}). Either training has not converged, or the chains are not at "
                "equilibrium"
            )
        if alike is not None and alike.shift > MOST_SHIFT:
            found.append(
                f"the free energies of chains and data are {fixed(alike.distance)} nats apart, {alike.shift:.1f} of "
                "their standard deviations: the samples of the model do not resemble the data"
            )
        return tuple(found)

    def __str__(self) -> str:
        width = max(len(observable.name) for observable in self.observables)
        lines = [
            f"{self.chains} chains {self.start}, {self.sweeps} sweeps each",
            "",
            f"{'':{width}}  {'mean':>10}  {'tau':>9}  {'ESS':>9}  {'R-hat':>7}",
            *(
                f"{o.name:{width}}  {fixed(o.mean, 3):>10}  {o.tau:>9.1f}  {o.ess:>9.0f}  {o.rhat:>7.3f}"
                + ("" if o.mixed and o.ess >= LEAST_ESS else "  *")
                for o in self.observables
            ),
            "tau: autocorrelation time in sweeps; states this far apart count as independent.",
            f"ESS: number of independent draws that all chains are worth; should be at least {LEAST_ESS:.0f}.",
            f"R-hat: spread of all chains over that within one; above {MOST_RHAT}, single chains have not mixed.",
            "",
            f"drift:         {self.equilibrium.drift.why}",
            f"missing modes: {self.equilibrium.missing_modes.why}",
        ]
        if self.jumps is None:
            lines.append("mode jumps:    the first direction has a single mode")
        else:
            low, high = self.jumps.modes.centres
            lines.append(
                f"mode jumps:    {self.jumps.total} in {self.chains * self.sweeps} sweeps of a chain, between modes at "
                f"{low:.2f} and {high:.2f} of the first direction"
            )
        if self.resemblance is None:
            lines.append("data:          not given, so the chains were not compared with data")
        else:
            alike = self.resemblance
            lines += [
                f"unit means:    r = {alike.means:.3f} between chains and data; the largest difference, variable "
                f"{alike.worst_variable}, is {alike.worst:.1f} standard errors (limit {LIMIT})",
                f"covariances:   r = {alike.pairs:.3f} between chains and data; {alike.pairs_of_halves:.3f} for two "
                f"halves of the data (limit {LEAST_PAIRS} times that)",
                f"free energy:   distributions {fixed(alike.distance)} nats apart, {alike.shift:.2f} standard "
                f"deviations of that of the data (limit {MOST_SHIFT})",
            ]
        level, verdict = self.verdict
        if level == "good":
            verdict += (
                " This is not a proof: a mode that neither these chains nor the annealed ones visit goes unnoticed."
            )
        return "\n".join([*lines, "", verdict, *(f"- {concern}." for concern in self.concerns)])


@torch.no_grad()
def diagnose(
    model: Machine,
    data: Array | None = None,
    *,
    chains: int = 100,
    sweeps: int = 1000,
    seed: int | Stream = 0,
) -> Diagnosis:
    """Run chains of a model and report how well they sample it.

    The chains are the persistent ones that training left in the model. If there are none, half of the chains start at
    the data and half at the base rate (all of them, without data), and the first ``sweeps`` sweeps are discarded as
    burn-in. R-hat then shows whether the two starts still disagree.

    Args:
        model: an RBM, DBM or another machine.
        data: cases (n, n_visible), usually the training data. The chains are compared with them and observed along
            their principal directions. Without data the directions are those of the chains, and for a model that `fit`
            did not train, annealed chains may miss a mode as well.
        chains: largest number of chains; of more persistent ones, evenly spaced ones are taken.
        sweeps: recorded sweeps per chain, after as many for the drift test (and burn-in without persistent chains).
            Annealed chains use 2 * sweeps temperatures, at least 500.
        seed: an int or a stream.

    Returns:
        A `Diagnosis`; ``print`` it.

    Raises:
        ImportError: if arviz-stats is not installed (``pip install 'harmonium[diagnostics]'``).
        ValueError: if data has another width or values outside the domain; if fewer than 2 chains are asked for or left
            in the model; if sweeps is below 10.

    >>> import harmonium as hm
    >>> bars, rbm = hm.data.load("bars-and-stripes").train, hm.RBM(16, 4)
    >>> history = hm.fit(rbm, bars, epochs=5, learning_rate=0.01)
    >>> diagnosis = diagnose(rbm, bars, sweeps=200)
    >>> diagnosis.passed, diagnosis.observables[0].name, diagnosis.observables[0].tau < 3
    (True, 'free energy', True)
    """
    model = as_machine(model, "diagnose")
    model.refuse_batched("diagnose")
    chains = check_int("chains", chains, least=2)
    sweeps = check_int("sweeps", sweeps, least=10)
    stream = stream_of(seed, "diagnose")
    cases = None if data is None else _cases(model, data)
    if model.chains is not None and len(model.chains) < 2:
        raise ValueError(
            "model has a single persistent chain, but R-hat compares chains: train it with more, such as "
            "hm.PCD(chains=100), or set model.chains = None to start new ones"
        )
    packed, start = _start(model, cases, chains, sweeps, stream)
    test = equilibrium_test(
        model,
        packed,
        stream.child("test"),
        sweeps=sweeps,
        temperatures=max(_TEMPERATURES, 2 * sweeps),
        base=_base(model, cases),
    )
    state = model.unpack(test.drift.chains)
    reference = cases if cases is not None else state[0]
    assert reference is not None
    centre = reference.double().mean(0)
    directions = _principal(reference.double() - centre)
    traces = torch.empty(1 + len(directions), len(packed), sweeps, dtype=torch.float64)
    snapshots, walk = [], stream.child("walk")
    for sweep in range(sweeps):
        state = model.sweep(state, walk)
        v = state[0]
        assert v is not None
        traces[0, :, sweep] = -model.log_weight(state)
        traces[1:, :, sweep] = directions @ (v.double() - centre).T
        if (sweep + 1) * _SNAPSHOTS // sweeps > sweep * _SNAPSHOTS // sweeps:
            snapshots.append(v)
    names = ["free energy", *(f"direction {k + 1}" for k in range(len(directions)))]
    return Diagnosis(
        chains=len(packed),
        sweeps=sweeps,
        start=start,
        observables=tuple(summarise(name, trace) for name, trace in zip(names, traces, strict=True)),
        jumps=_jumps(traces, cases, centre, directions),
        equilibrium=test,
        resemblance=None if cases is None else resemblance(model, torch.stack(snapshots), cases),
        traces=traces,
    )


def _cases(model: Machine, data: Array) -> Tensor:
    cases = as_cases(data)
    check_columns(cases, model.visible)
    v = cases.rows(some_rows(len(cases), _CASES), dtype=model.dtype, device=model.device)
    v = model.visible.encode(v[~torch.isnan(v).any(-1)], "data")
    if len(v) < 2:
        raise ValueError(f"data has {len(v)} cases without missing values; at least 2 are needed")
    model.visible.check(v, "data")
    return v


def _base(model: Machine, cases: Tensor | None) -> tuple[Natural, ...] | None:
    """Base of the annealing: the means of the data if the model does not store its own, else None."""
    if cases is None or model.data_mean is not None:
        return None
    x = cases.double()
    hidden = model.base_rate()[1:]
    return model.visible.base_rate(x.mean(0), x.var(0, correction=0), float(len(x))), *hidden


def _start(model: Machine, cases: Tensor | None, chains: int, sweeps: int, stream: Stream) -> tuple[Tensor, str]:
    """Packed chains, and where they started, in words."""
    own = model.chains
    if own is not None:
        return own[some_rows(len(own), chains)].to(model.dtype), "left by training"
    if cases is None:
        packed, start = independent_sample(model, chains, stream.child("start")), "from the base rate"
    else:
        index = evenly_spaced(len(cases), chains // 2)
        at_data = model.pack(model.state_from_visible(cases[index], stream.child("data")))
        elsewhere = independent_sample(model, chains - len(at_data), stream.child("start"))
        packed, start = torch.cat((at_data, elsewhere)), "half from the data, half from the base rate"
    return model.pack(model.sweep(model.unpack(packed), stream.child("warm-up"), sweeps)), start


def _principal(centred: Tensor) -> Tensor:
    """Leading principal directions of centred cases, (directions, size), without those of zero variance."""
    _, scale, directions = torch.linalg.svd(centred, full_matrices=False)
    leading: Tensor = directions[:_DIRECTIONS][scale[:_DIRECTIONS] > 1e-6 * len(centred) ** 0.5]
    return leading


def _jumps(traces: Tensor, cases: Tensor | None, centre: Tensor, directions: Tensor) -> Jumps | None:
    """Jumps along the first direction between the two modes of the data (without data: of the chains)."""
    if len(directions) == 0:
        return None
    values = traces[1].flatten() if cases is None else (cases.double() - centre) @ directions[0]
    modes = two_modes(values)
    if modes is None:
        return None
    return Jumps(modes, int(mode_jumps_along(traces[1], modes.low, modes.high).sum()))
