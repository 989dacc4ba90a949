"""The negative phase from an expansion in the couplings instead of chains: naive mean field and TAP.

Around independent units with means m the log partition function has an expansion in powers of the couplings (Plefka
1982; Georges & Yedidia 1991).  kappa_k(m) being the k-th cumulant of a unit with mean m, and S(m) its entropy and own
energy, the expansion of a bipartite machine up to third order is

    Phi(m) = sum_i S_i(m_i) + sum_k 1/k! sum_ij W_ij^k kappa_k(m_i) kappa_k(m_j),    k = 1, ..., order,

since in a graph without triangles every other term of these orders vanishes.  log Z is Phi at a stationary point,

    inputs x_i = sum_k 1/k! kappa_(k+1)(m_i) / kappa_2(m_i) sum_j W_ij^k kappa_k(m_j),    m_i = E[s_i | x_i],

with an error of order W^(order + 1).  Order 1 is the naive mean field (Welling & Teh 2003), order 2 adds Onsager's
reaction term (Thouless, Anderson & Palmer 1977), order 3 is that of Gabrie, Tramel & Krzakala 2015.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.checks import check_int, check_int_fields
from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.models.state import LayerExpectations, Moments
from harmonium.objectives.base import Batch, ObjectiveState, Phases, TwoPhase
from harmonium.objectives.inference import Inference, MeanField
from harmonium.objectives.negative import starting_chains
from harmonium.units import Units

__all__ = ["TAP", "relax", "tap_log_partition", "tap_moments"]

_MEANS = "means."


@dataclass(frozen=True)
class TAP(TwoPhase):
    """Negative phase: the derivatives of the TAP log partition function (Gabrie, Tramel & Krzakala 2015).

    Nothing is drawn.  Persistent means of all units, several copies of them, are relaxed some iterations per update
    towards a stationary point, and the phase is what the expansion says there (`tap_moments`).  Good where weights are
    weak; the expansion errs where they are strong.  Means are no states: the trained model has no chains to judge by.

    Args:
        order: of the expansion: 1 (naive mean field), 2 or 3.
        iterations: updates of all means per update of the parameters.
        chains: copies of the means, which start at independent states and may settle at different points.
        inference: how the states of coupled hidden layers are found given the data.

    >>> import harmonium as hm
    >>> history = hm.fit(hm.RBM(16, 4), hm.data.load("bars-and-stripes").train, objective=hm.TAP(order=2), epochs=2)
    """

    order: int = 2
    iterations: int = 3
    chains: int = 100
    inference: Inference = MeanField()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        check_int_fields(self, order=1, iterations=1, chains=1)
        check_int("TAP(order=...)", self.order, most=3)

    @torch.no_grad()
    def init_state(self, model: Machine, stream: Stream) -> ObjectiveState:
        _check(model)
        chains = starting_chains(model, self.chains, stream)
        means = model.conditional_expectation(model.unpack(chains)).means
        return {_MEANS + name: m.clone() for name, m in zip(model.names, means, strict=True)}

    def phases(self, model: Machine, batch: Batch, state: ObjectiveState, stream: Stream) -> Phases:
        means = relax(model, [state[_MEANS + name] for name in model.names], self.order, self.iterations)
        state |= {_MEANS + name: m for name, m in zip(model.names, means, strict=True)}
        data = self.inference(model, batch.v, stream).weighted(batch.weight)
        return Phases(data, tap_moments(model, means, self.order))


@torch.no_grad()
def relax(machine: Machine, means: Sequence[Tensor], order: int, iterations: int) -> list[Tensor]:
    """Means (..., batch, n) of every layer after a number of rounds, colour by colour (see the top of this file)."""
    means = list(means)
    powers = _powers(machine, order)
    for _ in range(iterations):
        for layer in (layer for colour in machine.colours for layer in colour):
            x = torch.zeros_like(means[layer])
            for name, (a, b) in machine.edges.items():
                if layer not in (a, b):
                    continue
                other = b if layer == a else a
                there = _cumulants(machine.units(other), means[other], order)
                here = _ratios(machine.units(layer), means[layer], order)
                for W, kappa, ratio in zip(powers[name], there, here, strict=True):
                    matrix = machine.form(name).matrix(W)
                    x += ratio * kernels.product(kappa, matrix.mT if layer == a else matrix)
            means[layer] = machine.units(layer).mean(x)
    return means


@torch.no_grad()
def tap_log_partition(machine: Machine, means: Sequence[Tensor], order: int) -> Tensor:
    """Phi of means (..., batch, n) of every layer, in nats, (..., batch), float64.

    Raises:
        ValueError: for machines that the expansion does not cover.

    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM.from_arrays(0.1 * torch.ones(3, 2), torch.zeros(3), torch.zeros(2))
    >>> means = relax(rbm, [torch.full((1, 3), 0.5), torch.full((1, 2), 0.5)], order=3, iterations=20)
    >>> round(float(tap_log_partition(rbm, means, 3)), 5), round(float(hm.log_partition(rbm).value), 5)
    (3.62756, 3.62756)
    """
    _check(machine)
    means = [m.double() for m in means]
    total = torch.zeros(means[0].shape[:-1], dtype=torch.float64, device=means[0].device)
    cumulants = []
    for layer, m in enumerate(means):
        units = machine.units(layer)
        low, width = _levels(units)
        p = (m - low) / width
        total += units.neg_energy(m) - (torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).sum(-1)
        cumulants.append(_cumulants(units, m, order))
    for name, (a, b) in machine.edges.items():
        for W, left, right in zip(_powers(machine, order)[name], cumulants[a], cumulants[b], strict=True):
            total += machine.form(name).energy(left, W, right)
    return total


@torch.no_grad()
def tap_moments(machine: Machine, means: Sequence[Tensor], order: int) -> Moments:
    """The derivatives of Phi in every parameter at fixed means (..., batch, n), averaged over the batch.

    That of a bias is m; that of W_ij is sum_k W_ij^(k-1) / (k-1)! kappa_k(m_i) kappa_k(m_j).  At a stationary point of
    Phi they are its total derivatives.
    """
    cumulants = [_cumulants(machine.units(layer), m, order) for layer, m in enumerate(means)]
    moments: Moments = {}
    for name, W in machine.couplings.items():
        moments[name] = torch.zeros_like(W)
        for k in range(order):
            phase = LayerExpectations(tuple(kappa[k] for kappa in cumulants), ())
            pairs = machine.add_coupling_moment(torch.empty_like(W), name, phase, keep=0.0)
            moments[name] += W**k / math.factorial(k) * pairs
    return moments | machine.layer_moments(LayerExpectations(tuple(means), tuple((m,) for m in means)))


def _powers(machine: Machine, order: int) -> dict[str, list[Tensor]]:
    """W^k / k!, by coupling name."""
    return {name: [W**k / math.factorial(k) for k in range(1, order + 1)] for name, W in machine.couplings.items()}


def _levels(units: Units) -> tuple[float, float]:
    """The lower of a unit's two states, and the distance to the upper one."""
    low, high = units.unit_states().tolist()
    return low, high - low


def _cumulants(units: Units, m: Tensor, order: int) -> list[Tensor]:
    """The first cumulants of units with two states and means m."""
    low, width = _levels(units)
    p = (m - low) / width
    variance = p * (1 - p)
    return [m, width**2 * variance, width**3 * variance * (1 - 2 * p)][:order]


def _ratios(units: Units, m: Tensor, order: int) -> list[Tensor]:
    """kappa_(k+1) / kappa_2, finite where a unit does not vary."""
    low, width = _levels(units)
    p = (m - low) / width
    return [torch.ones_like(m), width * (1 - 2 * p), width**2 * (1 - 6 * p * (1 - p))][:order]


def _check(machine: Machine) -> None:
    if not machine.bipartite:
        raise ValueError(
            "TAP takes machines whose layers fall into two colours without couplings inside (an RBM or a DBM): "
            "in others the expansion has terms of triangles. Use PCD"
        )
    for layer, name in enumerate(machine.names):
        units = machine.units(layer)
        if not (units.finite and units.size == units.columns and len(units.unit_states()) == 2):
            raise ValueError(
                f"TAP takes units with two states (Bernoulli, Spin); the layer {name!r} is {units!r}: use PCD"
            )
