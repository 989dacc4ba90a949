"""Mean field: the posterior of machines whose hidden layers are coupled, and the bound that comes with it.

The posterior p(h | v) is approximated by independent units, q(h) = prod_j q_j(h_j), where q_j is the conditional
distribution of its unit at some input x_j.  With m = E_q[h], Jensen's inequality gives

    log p(v) + log Z  >=  E_q[-E(v, h)] + H(q)  =  -E_v(v) + sum_j (A_j(x_j) - x_j m_j) + sum_edges s_a . W . s_b,

where s is v and the m, and A_j is the unit's log-normaliser (lateral edges count half).  Setting x_j to the input that
the unit receives maximises the bound over q_j, all else fixed (Salakhutdinov & Hinton 2009, equations 8 and 9).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.machine.energy import EnergyModel
from harmonium.models.machine.forms import Matrix
from harmonium.models.state import LayerExpectations
from harmonium.units.joint import joint_log_density

__all__ = ["FactorisedPosterior", "importance_weights", "mean_field", "variational_bound"]


class FactorisedPosterior(NamedTuple):
    """q(h): the input of every hidden layer at which its units are independent, each (..., batch, n)."""

    inputs: tuple[Tensor, ...]

    def expectations(self, machine: EnergyModel, v: Tensor) -> LayerExpectations:
        """Expectations under q, with v clamped."""
        expected = [machine.visible.statistics(v)]
        expected += [machine.units(layer).expected_statistics(x.clone()) for layer, x in enumerate(self.inputs, 1)]
        return LayerExpectations(tuple(statistics[0] for statistics in expected), tuple(expected))


@torch.no_grad()
def mean_field(machine: EnergyModel, v: Tensor, iterations: int = 30, tolerance: float = 1e-3) -> FactorisedPosterior:
    """Coordinate ascent on the bound, colour by colour, starting from one upward pass.

    Lateral layers are updated in parallel and half-way: their bound may fall now and then.

    Args:
        machine: the machine.
        v: visible states (..., batch, n_visible).
        iterations: maximal number of updates of every layer.
        tolerance: stop when no mean moves by more than this.
    """
    hidden = range(1, len(machine.names))
    # The input from the visible units does not change: the largest product is done once.
    from_v: dict[int, Tensor] = {}
    above: dict[int, list[tuple[int, Matrix]]] = {}
    for layer in hidden:
        neighbours = machine.neighbours(layer)
        visible = [pair for pair in neighbours if pair[0] == 0]
        if visible:
            from_v[layer] = machine.layer_input(layer, visible, machine.visible_only_state(v))
        above[layer] = [pair for pair in neighbours if pair[0] > 0]
    means: list[Tensor | None] = list(machine.visible_only_state(v))
    x: dict[int, Tensor] = {}

    def receive(layer: int) -> Tensor:
        computed = [pair for pair in above[layer] if means[pair[0]] is not None]
        if not computed:
            return from_v[layer].clone() if layer in from_v else v.new_zeros((*v.shape[:-1], machine.units(layer).size))
        received = machine.layer_input(layer, computed, means)
        return received.add_(from_v[layer]) if layer in from_v else received

    for layer in hidden:
        x[layer] = receive(layer)
        means[layer] = machine.units(layer).mean(x[layer])
    order = [layer for colour in machine.colours for layer in colour if layer]
    for _ in range(iterations):
        change = 0.0
        for layer in order:
            old, received = means[layer], receive(layer)
            assert old is not None
            x[layer] = received.lerp_(x[layer], 0.5) if layer in machine.lateral else received
            new = machine.units(layer).mean(x[layer])
            change, means[layer] = max(change, float((new - old).abs().max())), new
        if change < tolerance:
            break
    return FactorisedPosterior(tuple(x[layer] for layer in hidden))


@torch.no_grad()
def variational_bound(machine: EnergyModel, v: Tensor, posterior: FactorisedPosterior | None = None) -> Tensor:
    """A lower bound of log sum_h exp(-E(v, h)) in nats, (..., batch), float64.

    Exact if no hidden layers are coupled.

    Args:
        machine: the machine.
        v: visible states (..., batch, n_visible).
        posterior: what `mean_field` found (default: run it).
    """
    if not machine.hidden_couplings:
        return machine.log_weight(
            machine.visible_only_state(v), machine.colours.index(list(range(1, len(machine.names))))
        )
    posterior = mean_field(machine, v) if posterior is None else posterior
    state = [v]
    bound = machine.visible.neg_energy(v)
    for layer, x in enumerate(posterior.inputs, 1):
        units = machine.units(layer)
        x = x.double()
        m = units.mean(x)
        bound = bound + units.log_normalizer(x) - (x * m).sum(-1)
        state.append(m)
    for name in machine.edges:
        bound = bound + machine.neg_coupling_energy(name, state)
    return bound


@torch.no_grad()
def importance_weights(
    machine: EnergyModel, v: Tensor, posterior: FactorisedPosterior, stream: Stream, samples: int
) -> Tensor:
    """log p*(v, h) - log q(h) for draws h from the mean field, (samples, batch), float64.

    The mean of their exponentials is an unbiased estimate of sum_h exp(-E(v, h)).  Layers of colour 0 are summed out
    rather than drawn.  Each draw takes one step of the stream.
    """
    log_w = []
    for _ in range(samples):
        draw = stream.advance()
        state: list[Tensor | None] = list(machine.visible_only_state(v))
        log_q = torch.zeros(v.shape[:-1], dtype=torch.float64, device=v.device)
        for layer in machine.sampled_layers[1:]:
            units, x = machine.units(layer), posterior.inputs[layer - 1]
            h = units.sample(x, draw.at(layer))
            log_q += joint_log_density(units, x, h)
            state[layer] = h
        log_w.append(machine.log_weight(tuple(state)) - log_q)
    return torch.stack(log_w)
