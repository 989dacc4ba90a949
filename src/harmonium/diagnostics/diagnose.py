"""`diagnose`: how well chains sample a model, in numbers with their meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.core.random import Stream, stream_of
from harmonium.core.rows import evenly_spaced
from harmonium.data import as_cases
from harmonium.diagnostics.convergence import LEAST_ESS, MOST_RHAT, Observable, summarise
from harmonium.diagnostics.data_comparison import LEAST_PAIRS, MOST_SHIFT, Resemblance, resemblance
from harmonium.diagnostics.drift import LIMIT
from harmonium.diagnostics.equilibrium import EquilibriumTest, equilibrium_test
from harmonium.diagnostics.modes import TwoModes, mode_jumps_along, two_modes
from harmonium.models.arrays import Array
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.sampling.path import independent_sample
from harmonium.units import Natural

__all__ = ["Diagnosis", "Jumps", "diagnose"]

_DIRECTIONS = 4  # principal ones; digits have 0.1, 0.07, 0.06 and 0.05 of their variance along theirs
_CASES = 2000  # of the data, evenly spaced
_TEMPERATURES = 500  # of the annealing, at least
_SNAPSHOTS = 10  # of the chains, for comparison with the data


class Jumps(NamedTuple):
    """Two modes along the first direction, and how many jumps between them all chains made together."""

    modes: TwoModes
    total: int


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found; printed, it says what every number means.

    Attributes:
        chains: how many.
        sweeps: of each, all recorded.
        start: where the chains came from.
        observables: free energy and principal projections, with autocorrelation time, effective sample size and R-hat.
        jumps: between two modes along the first direction; None where it is not bimodal.
        equilibrium: drift, standstill, collapse, unseen modes.
        resemblance: of the chains to the data; None without data.
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
        """Whether the chains may stand for the model: see `harmonium.diagnostics.equilibrium.EquilibriumTest`."""
        return self.equilibrium.passed

    @cached_property
    def concerns(self) -> tuple[str, ...]:
        """What there is to worry about, each with what to do; empty where nothing is."""
        found = [str(finding) for finding in self.equilibrium.findings]
        slowest = max(self.observables, key=lambda observable: observable.rhat)
        poorest = min(self.observables, key=lambda observable: observable.ess)
        if not slowest.mixed:
            found.append(
                f"single chains do not mix within {self.sweeps} sweeps ({slowest.name}: R-hat {slowest.rhat:.3f}). Run "
                "them longer or temper them; until then their averages are as good as the places they began at"
            )
        if poorest.ess < LEAST_ESS:
            found.append(
                f"all chains together are worth {poorest.ess:.0f} independent draws ({poorest.name}). Run them longer, "
                f"or more of them, to reach {LEAST_ESS:.0f}"
            )
        if self.jumps is not None and self.jumps.total == 0:
            found.append(
                f"no chain changed its mode: they do so less than once in {self.chains * self.sweeps / 3:.3g} sweeps "
                "(at 95 % confidence), so that the shares of the modes are those they began with. Temper them"
            )
        alike = self.resemblance
        if alike is not None and alike.worst > LIMIT:
            found.append(
                f"the mean of visible variable {alike.worst_variable} differs from the data by {alike.worst:.1f} "
                "standard errors. Either training has not come to its end, or the chains do not stand for the model"
            )
        if alike is not None and alike.pairs_differ:
            found.append(
                f"pairs of units vary together otherwise than in the data (r = {alike.pairs:.2f}, two halves of the "
                f"data {alike.pairs_of_halves:.2f}). Either training has not come to its end, or the chains do not "
                "stand for the model"
            )
        if alike is not None and alike.shift > MOST_SHIFT:
            found.append(
                f"the free energies of chains and data are {alike.distance:.2f} nats apart, {alike.shift:.1f} of their "
                "standard deviations. The model dreams of other states than the data"
            )
        return tuple(found)

    def __str__(self) -> str:
        width = max(len(observable.name) for observable in self.observables)
        lines = [
            f"{self.chains} chains {self.start}, {self.sweeps} sweeps each",
            "",
            f"{'':{width}}  {'mean':>10}  {'tau':>9}  {'ESS':>9}  {'R-hat':>7}",
            *(
                f"{o.name:{width}}  {o.mean:>10.3f}  {o.tau:>9.1f}  {o.ess:>9.0f}  {o.rhat:>7.3f}"
                + ("" if o.mixed and o.ess >= LEAST_ESS else "  *")
                for o in self.observables
            ),
            "tau: autocorrelation time in sweeps, after which a chain counts as a new draw.",
            f"ESS: independent draws that all chains are worth; worry below {LEAST_ESS:.0f}.",
            f"R-hat: spread of all chains over that within one; worry above {MOST_RHAT}: a chain alone has not mixed.",
            "",
            f"drift:        {self.equilibrium.lag.why}",
            f"unseen modes: {self.equilibrium.unseen.why}",
        ]
        if self.jumps is None:
            lines.append("mode jumps:   the first direction has one mode, so there is nothing to count")
        else:
            low, high = self.jumps.modes.centres
            lines.append(
                f"mode jumps:   {self.jumps.total} in {self.chains * self.sweeps} sweeps of a chain, between modes at "
                f"{low:.2f} and {high:.2f} of the first direction"
            )
        if self.resemblance is None:
            lines.append("data:         none given, so the chains were not compared with any")
        else:
            alike = self.resemblance
            lines += [
                f"unit means:   chains against data r = {alike.means:.3f}; the worst, variable {alike.worst_variable}, "
                f"is {alike.worst:.1f} standard errors off (worry above {LIMIT})",
                f"unit pairs:   covariances r = {alike.pairs:.3f}; two halves of the data agree to "
                f"{alike.pairs_of_halves:.3f} (worry below {LEAST_PAIRS} of that)",
                f"free energy:  distributions {alike.distance:.2f} nats apart, {alike.shift:.2f} standard deviations "
                f"of that of the data (worry above {MOST_SHIFT})",
            ]
        verdict = {
            True: "Nothing speaks against equilibrium. That is no proof: a mode that neither these chains nor annealed "
            "ones visit is not seen.",
            False: "The chains do not stand for the model.",
            None: "Nothing speaks against equilibrium, but not everything could be judged.",
        }[self.passed]
        worries = ["To worry about:", *(f"- {concern}." for concern in self.concerns)] if self.concerns else []
        return "\n".join([*lines, "", verdict, *worries])


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

    The chains are the persistent ones that training left in the model.  Where there are none, half begin at the data
    and half at the base rate (all of them, without data), and run for ``sweeps`` before anything is looked at: two
    starts far apart, whose disagreement R-hat shows.

    Args:
        model: any machine.
        data: cases (n, n_visible); their principal directions are observed, and the chains compared with them.  The
            training data are the ones that the model should resemble.  Without data the directions are the chains' own,
            and a model that was not trained by `fit` may hide a mode from the annealed chains, too.
        chains: at most so many, evenly spaced.
        sweeps: of every chain; they run twice as many, and three times without persistent ones.  Annealed chains walk
            through 2 * sweeps temperatures, at least 500.
        seed: an int or a stream.

    Returns:
        a `Diagnosis`; ``print`` it.

    Raises:
        ImportError: without arviz-stats (``pip install 'harmonium[diagnostics]'``).
        ValueError: for data of another width or outside the domain; fewer than 2 chains, asked for or left in the
            model; fewer than 10 sweeps.

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
            "the model holds a single persistent chain, and R-hat compares chains: train it with more, such as "
            "hm.PCD(chains=100), or set model.chains = None, so that new ones begin far apart"
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
    state = model.unpack(test.lag.chains)
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
    if cases.shape[1] != model.visible.columns:
        raise ValueError(f"data has {cases.shape[1]} columns; the model has {model.visible.columns} visible units")
    index = evenly_spaced(len(cases), min(_CASES, len(cases)))
    v = cases.rows(index, dtype=model.dtype, device=model.device)
    v = model.visible.encode(v[~torch.isnan(v).any(-1)], "data")
    if len(v) < 2:
        raise ValueError(f"data has {len(v)} cases without missing values; at least 2 are needed")
    model.visible.check(v, "data")
    return v


def _base(model: Machine, cases: Tensor | None) -> tuple[Natural, ...] | None:
    """Where annealing begins: at the means of the data where the model does not know them; None: at its own."""
    if cases is None or model.data_mean is not None:
        return None
    x = cases.double()
    rest = model.base_rate()[1:]
    return model.visible.base_rate(x.mean(0), x.var(0, correction=0), float(len(x))), *rest


def _start(model: Machine, cases: Tensor | None, chains: int, sweeps: int, stream: Stream) -> tuple[Tensor, str]:
    """Packed chains, and a word about where they came from."""
    own = model.chains
    if own is not None:
        index = evenly_spaced(len(own), min(chains, len(own)))
        return own[index].to(model.dtype), "that training left in the model"
    if cases is None:
        packed, start = independent_sample(model, chains, stream.child("start")), "from the base rate"
    else:
        index = evenly_spaced(len(cases), chains // 2)
        at_data = model.pack(model.state_from_visible(cases[index], stream.child("data")))
        elsewhere = independent_sample(model, chains - len(at_data), stream.child("start"))
        packed, start = torch.cat((at_data, elsewhere)), "half from the data, half from the base rate"
    return model.pack(model.sweep(model.unpack(packed), stream.child("warm-up"), sweeps)), start


def _principal(centred: Tensor) -> Tensor:
    """The leading principal directions of centred cases, (directions, size); those without variance are left out."""
    _, scale, directions = torch.linalg.svd(centred, full_matrices=False)
    kept: Tensor = directions[:_DIRECTIONS][scale[:_DIRECTIONS] > 1e-6 * len(centred) ** 0.5]
    return kept


def _jumps(traces: Tensor, cases: Tensor | None, centre: Tensor, directions: Tensor) -> Jumps | None:
    """Along the first direction, between the two modes of the data, or of the chains without data."""
    if len(directions) == 0:
        return None
    values = traces[1].flatten() if cases is None else (cases.double() - centre) @ directions[0]
    modes = two_modes(values)
    if modes is None:
        return None
    return Jumps(modes, int(mode_jumps_along(traces[1], modes.low, modes.high).sum()))
