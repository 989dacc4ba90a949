"""A path of models of the same variables, from the independent base-rate model (t = 0) to the target model (t = 1).

All natural parameters move linearly: eta(t) = (1 - t) eta_0 + t eta_1, precisions included, and the couplings are
t W.  A path builds no model for each t: it evaluates batches whose rows are at different t.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Self

import torch
from torch import Tensor

from harmonium.core.random import RandomAddress, Stream
from harmonium.models.machine.incremental_inputs import CachedLateral, Receive
from harmonium.models.machine.machine import Machine
from harmonium.models.state import Clamp, State
from harmonium.units import Interpolation, Natural

__all__ = ["Path", "independent_sample"]


class Path:
    """The path from a base-rate model to a machine.

    Args:
        machine: the model at t = 1.
        base: natural parameters at t = 0, one entry per layer (default: `EnergyModel.base_rate`).

    Raises:
        ValueError: if ``base`` has another number of layers, or is not a distribution.

    The layers of colour 0 are summed out analytically; the others are sampled and make up the state of a chain.  A path
    uses the parameters at the time when it is made: make a new one after they change.
    """

    def __init__(self, machine: Machine, base: Sequence[Natural] | None = None) -> None:
        self.machine = machine
        base = machine.base_rate() if base is None else base
        if len(base) != len(machine.names):
            raise ValueError(
                f"base has {len(base)} entries; expected natural parameters for {', '.join(machine.names)}"
            )
        # Rounded once: log Z at the start must belong to the distribution that is drawn from.
        base = [
            tuple(
                eta.to(machine.device, machine.dtype).expand_as(own)
                for eta, own in zip(natural, machine.units(layer).natural(), strict=True)
            )
            for layer, natural in enumerate(base)
        ]
        for layer, eta in enumerate(base):
            if not machine.units(layer).normalisable(eta):
                raise ValueError(
                    f"base of layer {machine.names[layer]!r} is not a distribution: its curvature must be negative"
                )
        zero = torch.zeros((), dtype=machine.dtype, device=machine.device)
        with torch.no_grad():
            self._lines = [machine.units(layer).line(zero, eta) for layer, eta in enumerate(base)]
        self._neighbours = [machine.neighbours(layer, lasting=True, lateral=False) for layer in range(len(base))]
        self._receive: list[Receive] = []
        for layer, neighbours in enumerate(self._neighbours):
            self._receive.append(partial(machine.layer_input, layer, neighbours))
        self._lateral: dict[int, CachedLateral] = {}
        self.marginalised, self.sampled_layers = machine.marginalised, machine.sampled_layers

    def run(self) -> Self:
        """Return the path for one run of chains, with inputs cached from step to step.

        Its results depend on earlier calls, within rounding.
        """
        running = copy.copy(self)
        running._receive = [self.machine.cached_input(layer, near) for layer, near in enumerate(self._neighbours)]
        running._lateral = self.machine.cached_lateral()
        return running

    def sampled(self, state: State) -> list[Tensor]:
        """The sampled layers of a state."""
        found = [state[layer] for layer in self.sampled_layers]
        return [s for s in found if s is not None]

    def state(self, sampled: Sequence[Tensor]) -> State:
        """A state of these sampled layers; the others are not set."""
        state: list[Tensor | None] = [None] * len(self._lines)
        for layer, s in zip(self.sampled_layers, sampled, strict=True):
            state[layer] = s
        return tuple(state)

    def lines(self, t: Tensor) -> list[Interpolation]:
        """Positions on the path of rows at t (..., batch) or (..., batch, points), for every layer."""
        return [line._replace(t=t) for line in self._lines]

    @torch.no_grad()
    def start(self, chains: int, draw: RandomAddress, clamp: Clamp | None = None) -> State:
        """Independent draws of the sampled layers at t = 0, each (chains, n), except for units that ``clamp`` holds."""
        machine = self.machine
        zero = torch.zeros(chains, dtype=machine.dtype, device=machine.device)
        state: list[Tensor | None] = [None] * len(self._lines)
        for layer in self.sampled_layers:
            units = machine.units(layer)
            own = units.natural()[0]
            x = own.new_zeros((*own.shape[:-1], chains, units.size))
            state[layer] = units.sample_(x, draw.at(layer), self._lines[layer]._replace(t=zero))
        if clamp is not None and state[0] is not None:
            state[0] = torch.where(clamp[0], clamp[1], state[0])
        return tuple(state)

    @torch.no_grad()
    def log_partition_at_start(self) -> float:
        """log Z at t = 0: exact, since the units are independent."""
        total = 0.0
        for layer, line in enumerate(self._lines):
            units = self.machine.units(layer)
            x = units.natural()[0].new_zeros((1, units.size)).double()
            start = tuple(eta.double() for eta in line.start)
            total += float(units.log_normalizer(x, Interpolation(x.new_zeros(1), start, start)))
        return total

    @torch.no_grad()
    def inputs(self, state: State) -> dict[int, Tensor]:
        """Inputs of the marginalised layers at t = 1, for weights and for the next draw."""
        return {layer: self._receive[layer](state) for layer in self.marginalised}

    @torch.no_grad()
    def log_weights(self, state: State, inputs: dict[int, Tensor], t: Tensor) -> Tensor:
        """log of the unnormalised probability of the sampled layers at t (batch, points): (batch, points), float64."""
        return self.machine.log_weight(state, 0, self.lines(t), inputs)

    @torch.no_grad()
    def log_ratio(self, state: State, inputs: dict[int, Tensor], t: Tensor) -> Tensor:
        """log p*(state; t[..., 1]) - log p*(state; t[..., 0]) of the sampled layers: (..., batch).

        t is (..., batch, 2). The difference of two `log_weights`, without the terms that do not depend on t.
        """
        total = self._linear(state)
        total = total * (t[..., 1].double() - t[..., 0].double())
        for layer, x in inputs.items():
            pair = self.machine.units(layer).log_normalizer(x, self._lines[layer]._replace(t=t))
            total = total + (pair[..., 1] - pair[..., 0])
        return total

    @torch.no_grad()
    def log_slope(self, state: State, inputs: dict[int, Tensor], t: Tensor) -> Tensor:
        """d log p*(state; t) / dt of the sampled layers at t (..., batch): (..., batch), float64."""
        total = self._linear(state)
        lines = self.lines(t)
        for layer, x in inputs.items():
            expected = self.machine.units(layer).expected_statistics(x.clone(), lines[layer])
            total = total + (expected[0].double() * x).sum(-1)
            for statistic, eta in zip(expected, self._lines[layer].slope, strict=True):
                total = total + (statistic.double() @ eta.detach().double().unsqueeze(-1)).squeeze(-1)
        return total

    def _linear(self, state: State) -> Tensor:
        """Change of the log-weight per unit of t without the marginalised layers: (..., batch), float64."""
        linear: Tensor | None = None
        for layer in self.sampled_layers:
            s, slope = state[layer], self._lines[layer].slope
            assert s is not None
            for statistic, eta in zip(self.machine.units(layer).statistics(s), slope, strict=True):
                term = (statistic @ eta.detach().unsqueeze(-1)).squeeze(-1)
                linear = term if linear is None else linear + term
        assert linear is not None
        total = linear.double()
        for name in self.machine.sampled_couplings:
            total = total + self.machine.neg_coupling_energy(name, state)
        return total

    @torch.no_grad()
    def step(
        self, state: State, inputs: dict[int, Tensor], t: Tensor, draw: RandomAddress, clamp: Clamp | None = None
    ) -> State:
        """A reversible Gibbs sweep at t (batch,): marginalised layers from their inputs, then the sampled ones.

        Sampled layers that depend on each other, and lateral ones, are drawn forward and then backward in the opposite
        order, so that one transition serves both directions of annealing.

        Args:
            state: states of the sampled layers.
            inputs: inputs of the marginalised layers; overwritten.
            t: positions of the rows, (batch,).
            draw: address of the random words.
            clamp: (mask, values) of visible units that are held.
        """
        machine = self.machine
        current = list(state)
        lines = self.lines(t)
        for layer, x in inputs.items():
            current[layer] = machine.draw_layer(layer, x, None, draw, lines[layer])
        order = [layer for colour in machine.colours[1:] for layer in colour]
        for back in (False,) if machine.bipartite else (False, True):
            for layer in reversed(order) if back else order:
                x = self._receive[layer](current)
                at = draw._replace(site=draw.site + back * len(machine.names))  # words of their own on the way back
                held = None if layer or clamp is None else clamp[0]
                current[layer] = machine.draw_layer(
                    layer,
                    x,
                    current[layer],
                    at,
                    lines[layer],
                    held=held,
                    reverse=back,
                    lateral=self._lateral.get(layer),
                )
        return tuple(current)


def independent_sample(machine: Machine, chains: int, stream: Stream) -> Tensor:
    """Packed draws of the sampled layers from the base-rate model: initial persistent chains (see `Structure.pack`)."""
    return machine.pack(Path(machine).start(chains, stream.advance()))
