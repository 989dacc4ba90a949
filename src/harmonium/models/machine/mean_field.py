"""Mean field: the clamped phase of machines whose hidden layers are coupled, and the bound that comes with it.

The posterior p(h | v) is approximated by independent units q(h) = prod q_j(h_j), q_j being the conditional distribution
of its unit at some input x_j.  With m = E_q[h], Jensen's inequality gives

    log p(v) + log Z  >=  E_q[-E(v, h)] + H(q)  =  -E_v(v) + sum_j (A_j(x_j) - x_j m_j) + sum_edges s_a . W . s_b,

s being v and the m (A_j is the unit's cumulant, and lateral edges count half).  Setting x_j to what the unit receives
maximises the bound over q_j, all else fixed (Salakhutdinov & Hinton 2009, equations 8 and 9).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.machine.machine import LayerExpectations, Machine

__all__ = ["Fields", "importance_weights", "mean_field", "variational_bound"]


class Fields(NamedTuple):
    """Inputs of every hidden layer at which the independent units of q stand, each (..., batch, n)."""

    inputs: tuple[Tensor, ...]

    def phase(self, machine: Machine, v: Tensor) -> LayerExpectations:
        """Expectations under q, with v clamped."""
        expected = [machine.visible.statistics(v)]
        expected += [machine.units(layer).expected_statistics(x.clone()) for layer, x in enumerate(self.inputs, 1)]
        return LayerExpectations(tuple(statistics[0] for statistics in expected), tuple(expected))


@torch.no_grad()
def mean_field(machine: Machine, v: Tensor, iterations: int = 30, tolerance: float = 1e-3) -> Fields:
    """Coordinate ascent on the bound, colour by colour, from one pass upwards.

    Stops when no mean moves by more than ``tolerance``.  Lateral layers are updated in parallel, half-way: their bound
    may fall now and then.
    """
    hidden = range(1, len(machine.names))
    # What the visible units send does not change: the largest product is done once.
    from_v: dict[int, Tensor] = {}
    senders: dict[int, list[tuple[int, Tensor]]] = {}
    for layer in hidden:
        split: tuple[list[tuple[int, Tensor]], list[tuple[int, Tensor]]] = ([], [])
        for other, weights in machine.neighbours(layer):
            split[other > 0].append((other, weights))
        if split[0]:
            from_v[layer] = machine.layer_input(layer, split[0], machine.visible_only_state(v))
        senders[layer] = split[1]
    means: list[Tensor | None] = list(machine.visible_only_state(v))
    x: dict[int, Tensor] = {}

    def receive(layer: int) -> Tensor:
        known = [pair for pair in senders[layer] if means[pair[0]] is not None]
        if not known:
            return from_v[layer].clone() if layer in from_v else v.new_zeros((*v.shape[:-1], machine.units(layer).size))
        received = machine.layer_input(layer, known, means)
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
            means[layer] = machine.units(layer).mean(x[layer])
            change = max(change, float((means[layer] - old).abs().max()))  # type: ignore[operator]
        if change < tolerance:
            break
    return Fields(tuple(x[layer] for layer in hidden))


@torch.no_grad()
def variational_bound(machine: Machine, v: Tensor, fields: Fields | None = None) -> Tensor:
    """A lower bound of log sum_h exp(-E(v, h)) in nats, (..., batch), float64.

    Exact where no hidden layers are coupled.

    Args:
        machine: the machine.
        v: visible states (..., batch, n_visible).
        fields: of the mean field (default: `mean_field`).
    """
    if not machine.hidden_couplings:
        return machine.log_weight(
            machine.visible_only_state(v), machine.colours.index(list(range(1, len(machine.names))))
        )
    fields = mean_field(machine, v) if fields is None else fields
    state = [v]
    bound = machine.visible.neg_energy(v)
    for layer, x in enumerate(fields.inputs, 1):
        units = machine.units(layer)
        x = x.double()
        m = units.mean(x)
        bound = bound + units.log_normalizer(x) - (x * m).sum(-1)
        state.append(m)
    for name in machine.edges:
        bound = bound + machine.neg_coupling_energy(name, state)
    return bound


@torch.no_grad()
def importance_weights(machine: Machine, v: Tensor, fields: Fields, stream: Stream, samples: int) -> Tensor:
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
            units, x = machine.units(layer), fields.inputs[layer - 1]
            h = units.sample(x, draw.at(layer))
            log_q += units.neg_energy(h) + (x.double() * h).sum(-1) - units.log_normalizer(x)
            state[layer] = h
        log_w.append(machine.log_weight(tuple(state)) - log_q)
    return torch.stack(log_w)
