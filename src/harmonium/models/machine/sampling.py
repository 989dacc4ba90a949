"""Block Gibbs sampling of machines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.progress import steps
from harmonium.core.random import RandomAddress, Stream
from harmonium.kernels.edges import EdgeMatrix
from harmonium.models.machine.energy import EnergyModel
from harmonium.models.machine.incremental_inputs import CachedInput, CachedLateral, Neighbours, Receive
from harmonium.models.state import Clamp, State
from harmonium.units import Interpolation, Units
from harmonium.units.graph_gibbs import graph_gibbs, walks_on_graphs

__all__ = ["GibbsSampling"]

_LASTING = 4  # sweeps from which on copies of transposed weights and cached inputs pay


_AT_ONCE = 1 << 24  # draws between two looks at the progress bar


def _sweep_graph(
    units: Units, s: Tensor, graph: EdgeMatrix, stream: Stream, sweeps: int, line: Interpolation, held: Tensor | None
) -> Tensor:
    """Sweeps over a layer that is coupled to itself alone, many in one call."""
    at_once = max(1, _AT_ONCE // s.numel())
    for first in steps(range(0, sweeps, at_once), "sweep"):
        count = min(at_once, sweeps - first)
        s = graph_gibbs(units, None, s, graph, stream.advance(count), line, held=held, sweeps=count)
    return s


class GibbsSampling(EnergyModel):
    """Draws of layers given their neighbours, and sweeps over all layers."""

    def cached_input(self, layer: int, neighbours: Neighbours) -> Receive:
        """`layer_input` for a run at fixed weights: inputs are kept from call to call if that pays."""
        whole = partial(self.layer_input, layer, neighbours)
        pays = bool(neighbours) and all(kernels.flips_pay(weights) for _, weights in neighbours)
        return CachedInput(neighbours, whole) if pays else whole

    def cached_lateral(self) -> dict[int, CachedLateral]:
        """Caches of the inputs within lateral layers, for a run at fixed weights (see `draw_layer`)."""
        return {
            layer: CachedLateral(self.couplings[name])
            for layer, name in self.lateral.items()
            if name not in self.sparse
        }

    def draw_layer(
        self,
        layer: int,
        x: Tensor | None,
        s: Tensor | None,
        draw: RandomAddress,
        line: Interpolation,
        *,
        held: Tensor | None = None,
        reverse: bool = False,
        lateral: CachedLateral | None = None,
    ) -> Tensor:
        """Draw new states of one layer given its input.

        Args:
            layer: index of the layer, which is also the site of its draws.
            x: input from the other layers, (..., batch, n); overwritten.  None if a lateral layer has no others.
            s: present states of the layer; needed for lateral layers, held units and units with a fixed total.
            draw: address of the random words.
            line: where each row lies between two models.
            held: units that keep their value in s, bool.
            reverse: draw the units of a lateral layer in the opposite order.  Each is drawn given the new states of
                those before it.
            lateral: cache of a lateral layer.
        """
        units, name = self.units(layer), self.lateral.get(layer)
        draw = draw.at(draw.site + layer)
        if name is None:
            assert x is not None
            new = (units if s is None else units.conditioned_on_total(s)).sample_(x, draw, line)
            return new if held is None or s is None else torch.where(held, s, new)
        assert s is not None
        graph = self._graph(layer, s)
        if graph is not None:
            return graph_gibbs(units, x, s, graph, draw, line, held=held, reverse=reverse)
        weights = self.matrix(name)
        x = torch.zeros_like(s) if x is None else x
        within = None if lateral is None else lateral.at(s)
        own = s.clone(memory_format=torch.contiguous_format)
        order = self._update_orders[layer][reverse]
        new = units.sequential_gibbs_(x, own, weights, order, draw, line, held, within)
        if lateral is not None:
            lateral.moved(new)
        return new

    @torch.no_grad()
    def sweep(
        self,
        state: State,
        stream: Stream,
        sweeps: int = 1,
        lines: Sequence[Interpolation] | None = None,
        clamp: Clamp | None = None,
        still: Collection[int] = (),
    ) -> State:
        """Block Gibbs sampling: draw every colour in turn, ``sweeps`` times (Fischer & Igel 2014, section 4).

        Args:
            state: states of the sampled layers, each (..., batch, n), floats or bytes; marginalised layers need not be
                set.
            stream: each sweep takes one step of it.
            sweeps: number of sweeps.
            lines: where each row lies between two models, one `Interpolation` per layer.
            clamp: (mask, values) of visible units that are held.
            still: layers that are left as they are.

        Returns:
            the state after the last sweep, all layers set.
        """
        order = [layer for colour in self.colours for layer in colour if layer not in still]
        lines = lines or [units.line() for units in self.unit_layers()]
        # Looked up once: in a small machine, lookups would take longer than products.
        lasting = sweeps >= _LASTING
        plan: list[tuple[int, Receive, Interpolation, bool]] = []
        for layer in order:
            neighbours = self.neighbours(layer, lasting, lateral=False)
            receive = self.cached_input(layer, neighbours) if lasting else partial(self.layer_input, layer, neighbours)
            asked = layer in self.lateral or not neighbours or self.units(layer).conditions_on_total
            asked = asked or (layer == 0 and clamp is not None)
            plan.append((layer, receive, lines[layer], asked))
        lateral = self.cached_lateral()
        current = [s if s is None or s.is_floating_point() else s.to(self.dtype) for s in state]
        if clamp is not None and current[0] is not None:
            current[0] = torch.where(clamp[0], clamp[1], current[0])
        if order == [0] and len(self.names) == 1 and (weights := self._graph(0, current[0])) is not None:
            assert current[0] is not None
            held = None if clamp is None else clamp[0]
            return (_sweep_graph(self.visible, current[0], weights, stream, sweeps, lines[0], held),)
        for _ in steps(range(sweeps), "sweep"):
            draw = stream.advance()
            for layer, receive, line, asked in plan:
                if not asked:
                    current[layer] = None  # large chains need not be in memory twice
                x = receive(current)
                held = None if layer or clamp is None else clamp[0]
                current[layer] = self.draw_layer(
                    layer, x, current[layer], draw, line, held=held, lateral=lateral.get(layer)
                )
        return tuple(current)

    def _graph(self, layer: int, s: Tensor | None) -> EdgeMatrix | None:
        """The lateral coupling of a layer, if the fused loops draw its units along the edges of a graph."""
        weights = self.matrix(self.lateral[layer]) if layer in self.lateral else None
        one = isinstance(weights, EdgeMatrix) and weights.values.dim() == 1
        return weights if one and s is not None and walks_on_graphs(self.units(layer), s) else None  # type: ignore[return-value]

    @torch.no_grad()
    def state_from_visible(self, v: Tensor, stream: Stream) -> State:
        """A state of all sampled layers around given visible states, from which a chain can start.

        Sampled hidden layers are drawn upwards, each given only the layers below it; a machine that samples nothing but
        the visible layer draws nothing.
        """
        if self.sampled_layers == [0]:
            return self.visible_only_state(v)
        draw = stream.advance()
        current = list(self.visible_only_state(v))
        last = max(self.sampled_layers)
        for layer in range(1, last + 1):
            below = [(other, weights) for other, weights in self.neighbours(layer) if other < layer]
            x = (
                self.layer_input(layer, below, current)
                if below
                else v.new_zeros((*v.shape[:-1], self.units(layer).size))
            )
            current[layer] = self.units(layer).sample_(x, draw.at(layer))
        return tuple(s if layer in self.sampled_layers else None for layer, s in enumerate(current))
