"""One machine for the whole family: layers of units plus couplings between them.

The energy of a joint state s = (s_0, s_1, ...) is

    E(s) = sum_i U_i(s_i) - sum_(i,j) s_i . W_ij . s_j,

U_i being the energy of layer i alone.  W_ij has shape (n_i, n_j): its row index belongs to the first layer named, and
this is the only orientation in the library.  A layer may be coupled to itself, by a symmetric W_ii without a diagonal,
with the energy -s_i . W_ii . s_i / 2: a *lateral* coupling.

Layers of one *colour* share no coupling, so that they are independent given the rest and are updated together; a
*sweep* updates every colour once, the units of a lateral layer one after the other.  The layers of colour 0 have no
lateral coupling: they are *summed out* of all weights, and the others are *kept*.  A restricted Boltzmann machine is
two layers of two colours.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.random import RandomAddress, Stream
from harmonium.models.machine.colouring import colour_classes
from harmonium.models.machine.incremental_inputs import CachedInput, CachedLateral, Neighbours, Receive
from harmonium.models.model import Model
from harmonium.units import Interpolation, Natural, Units
from harmonium.units.base import UpdateOrder

__all__ = ["Clamp", "Machine", "Moments", "LayerExpectations", "State"]

State = tuple[Tensor | None, ...]
"""One tensor (..., batch, n_i) per layer; None where a layer is not set."""

Moments = dict[str, Tensor]
"""Expectations that form a gradient, by parameter name: "weights", "visible_bias", ..."""

Clamp = tuple[Tensor, Tensor]
"""(mask, values) over the visible units: where the mask is true the value is held."""


class LayerExpectations(NamedTuple):
    """What a batch contributes to a gradient: (expected) states and sufficient statistics of every layer."""

    means: tuple[Tensor, ...]
    statistics: tuple[Natural, ...]


class Machine(Model):
    """Layers, couplings and colour classes.

    Args:
        layers: unit layers by name; the first ``visible`` of them are visible.
        couplings: pairs of layer names by coupling name; W has shape (n_first, n_second).
        colours: layer names updated together, in the order of a sweep.  Colour 0 is the one summed out of weights; it
            may be empty.
        masks: for couplings that are not full, which entries of W exist, by coupling name.
    """

    def __init__(
        self,
        layers: dict[str, Units],
        couplings: dict[str, tuple[str, str]],
        colours: Sequence[Sequence[str]],
        dtype: torch.dtype,
        masks: dict[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.names = list(layers)
        # Copies: layers given twice, or to two machines, are not tied.  Module lists are slow to look into.
        self._units_of = tuple(copy.deepcopy(layer).to(dtype) for layer in layers.values())
        self.layers = nn.ModuleList(self._units_of)
        self.edges = {name: (self.names.index(a), self.names.index(b)) for name, (a, b) in couplings.items()}
        for name, units in layers.items():
            if units.conditions_on_total and (name != self.names[0] or (name, name) in couplings.values()):
                raise ValueError(
                    f"the layer {name!r} ({units!r}) draws its columns together, given their sum: such units can only "
                    "be the visible layer, and have no couplings among themselves"
                )
        for a, b in couplings.values():
            if not (layers[a].finite or layers[b].finite):
                raise ValueError(
                    f"the layers {a!r} ({layers[a]!r}) and {b!r} ({layers[b]!r}) are coupled and neither has finitely "
                    "many states: for some weights there is no normalisable distribution (log Z is infinite). Make one "
                    "of them Bernoulli, or another type with finitely many states"
                )
        self.couplings = nn.ParameterDict(
            {
                name: torch.zeros(self.units(a).size, self.units(b).size, dtype=dtype)
                for name, (a, b) in self.edges.items()
            }
        )
        self.colours = [[self.names.index(name) for name in colour] for colour in colours]
        self.marginalised = self.colours[0]
        self.sampled_layers = [layer for layer in range(len(self.names)) if layer not in self.marginalised]
        self.lateral = {a: name for name, (a, b) in self.edges.items() if a == b}
        self.hidden_couplings = [name for name, (a, b) in self.edges.items() if a and b]
        self.sampled_couplings = [name for name, ends in self.edges.items() if not set(ends) & set(self.marginalised)]
        masks = dict(masks or {})
        for layer, name in self.lateral.items():
            masks[name] = _off_diagonal(self.units(layer)) & masks.get(name, torch.tensor(True))
        self.masked = sorted(masks)
        for name, mask in masks.items():
            self.register_buffer(f"mask_{name}", mask, persistent=False)
        self.classes = {
            layer: colour_classes(self.mask(name), self.units(layer).size) for layer, name in self.lateral.items()
        }

        self._turns = {
            layer: (UpdateOrder.of(turns), UpdateOrder.of(turns[::-1])) for layer, turns in self.classes.items()
        }

    def mask(self, coupling: str) -> Tensor:
        """Which entries of a coupling exist, bool, the shape of W."""
        mask: Tensor = getattr(self, f"mask_{coupling}")
        return mask

    @property
    def bipartite(self) -> bool:
        """Whether two colours without lateral couplings make up the machine, so that a block sweep is reversible."""
        return len(self.colours) == 2 and not self.lateral

    def units(self, layer: int) -> Units:
        """The units of a layer."""
        return self._units_of[layer]

    @property
    def visible(self) -> Units:
        """The visible layer."""
        return self.units(0)

    def with_visible(self, units: Units) -> Self:
        """The machine with another visible layer of the same size: the rest, tensors included, is shared."""
        other = copy.copy(self)
        other._modules, other._buffers = dict(self._modules), dict(self._buffers)
        other._units_of = (units, *self._units_of[1:])
        other.layers = nn.ModuleList(other._units_of)
        return other

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """All parameters under the names that gradients use: "weights", "visible_bias", ..."""
        named: dict[str, nn.Parameter] = {name: self.couplings[name] for name in self.edges}
        for name, layer in zip(self.names, self._units_of, strict=True):
            for key, parameter in layer.parameters_by_name().items():
                named[f"{name}_{key}"] = parameter
        return named

    def fields(self, layer: int, named: Mapping[str, Tensor]) -> list[Tensor]:
        """Of what has an entry per parameter, those parts that add up to the field of a layer, one entry per unit."""
        return [named[f"{self.names[layer]}_{name}"] for name in self.units(layer).fields]

    # Conditionals ------------------------------------------------------------------------------------------------

    def inputs(self, layer: int, state: State) -> Tensor:
        """What the other layers send to ``layer``: the sum of s_i . W over its couplings, (..., batch, n)."""
        return self.layer_input(layer, self.neighbours(layer), state)

    def neighbours(self, layer: int, lasting: bool = False, lateral: bool = True) -> list[tuple[int, Tensor]]:
        """Neighbours of a layer, each with the matrix that turns its states into inputs.

        A layer coupled to itself is among its neighbours; without ``lateral`` it is left out, as `draw_layer` wants it.
        ``lasting`` says that the matrices serve many products before the couplings change, so that one worth turning
        over in memory is: they are then copies.
        """
        senders: list[tuple[int, Tensor]] = []
        for name, (a, b) in self.edges.items():
            if a == b and not lateral:
                continue
            if layer == b:
                senders.append((a, self.couplings[name]))
            elif layer == a:
                turned = self.couplings[name].mT
                senders.append((b, turned.detach().contiguous() if lasting else turned))
        return senders

    def cached_input(self, layer: int, senders: Neighbours) -> Receive:
        """`gather` for a run at fixed weights: it keeps inputs from call to call where that pays."""
        gather = partial(self.layer_input, layer, senders)
        pays = bool(senders) and all(kernels.flips_pay(weights) for _, weights in senders)
        return CachedInput(senders, gather) if pays else gather

    def cached_lateral(self) -> dict[int, CachedLateral]:
        """For a run at fixed weights: what `draw_layer` keeps of each lateral layer."""
        return {layer: CachedLateral(self.couplings[name]) for layer, name in self.lateral.items()}

    def layer_input(self, layer: int, senders: Neighbours, state: Sequence[Tensor | None]) -> Tensor:
        """`inputs`, with the neighbours already looked up (see `senders`).  One that is not set raises ValueError."""
        total: Tensor | None = None
        for other, weights in senders:
            s = state[other]
            if s is None:
                raise ValueError(f"layer {self.names[other]!r} is not set, and {self.names[layer]!r} needs it")
            sent = kernels.product(s, weights)
            total = sent if total is None else total.add_(sent)
        if total is not None:
            return total
        own = state[layer]
        if senders or own is None:
            raise ValueError(f"no neighbour of layer {self.names[layer]!r} is set")
        return torch.zeros_like(own)  # a layer that is coupled to itself alone

    def draw_layer(
        self,
        layer: int,
        x: Tensor,
        s: Tensor | None,
        draw: RandomAddress,
        line: Interpolation,
        *,
        held: Tensor | None = None,
        reverse: bool = False,
        lateral: CachedLateral | None = None,
    ) -> Tensor:
        """New states of one layer given what the others send, x (consumed), and its own states s where it is lateral.

        Lateral units are drawn one after the other, each given the new states of those before it; ``reverse`` takes
        them in the opposite order.  ``held`` marks units that stay as they are in s; ``lateral`` is what a run keeps of
        a lateral layer.
        """
        units, name = self.units(layer), self.lateral.get(layer)
        draw = draw.at(draw.site + layer)
        if name is None:
            new = (units if s is None else units.conditioned_on_total(s)).sample_(x, draw, line)
            return new if held is None or s is None else torch.where(held, s, new)
        assert s is not None
        sent = None if lateral is None else lateral.at(s)
        own = s.clone(memory_format=torch.contiguous_format)
        new = units.sequential_gibbs_(x, own, self.couplings[name], self._turns[layer][reverse], draw, line, held, sent)
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
        """Block Gibbs sampling: every colour in turn, ``sweeps`` times (Fischer & Igel 2014).

        Each step takes one step of the stream; a layer's index is the site of its draws.  ``lines`` places every row
        of the batch on a line between models, one line per layer.  Layers of colour 0 need not be set.  Layers in
        ``still`` are left as they are.
        """
        order = [layer for colour in self.colours for layer in colour if layer not in still]
        lines = lines or [units.line() for units in self.unit_layers()]
        # Looked up once: a small machine's sweep would otherwise be look-ups more than products.
        lasting = sweeps >= 4
        plan: list[tuple[int, Receive, Interpolation]] = []
        for layer in order:
            senders = self.neighbours(layer, lasting, lateral=False)
            receive = self.cached_input(layer, senders) if lasting else partial(self.layer_input, layer, senders)
            plan.append((layer, receive, lines[layer]))
        lateral = self.cached_lateral()
        current = list(state)
        if clamp is not None and current[0] is not None:
            current[0] = torch.where(clamp[0], clamp[1], current[0])
        for _ in range(sweeps):
            draw = stream.advance()
            for layer, receive, line in plan:
                x = receive(current)
                held = None if layer or clamp is None else clamp[0]
                current[layer] = self.draw_layer(
                    layer, x, current[layer], draw, line, held=held, lateral=lateral.get(layer)
                )
        return tuple(current)

    @torch.no_grad()
    def state_from_visible(self, v: Tensor, stream: Stream) -> State:
        """A state of all kept layers around given visible states: where a chain may begin.

        Kept hidden layers are drawn upwards, each given the layers below it alone; machines that keep nothing but the
        visible layer draw nothing.
        """
        if self.sampled_layers == [0]:
            return self.visible_only_state(v)
        draw = stream.advance()
        current = list(self.visible_only_state(v))
        last = max(self.sampled_layers)
        for layer in range(1, last + 1):
            senders = [(other, weights) for other, weights in self.neighbours(layer) if other < layer]
            x = (
                self.layer_input(layer, senders, current)
                if senders
                else v.new_zeros((*v.shape[:-1], self.units(layer).size))
            )
            current[layer] = self.units(layer).sample_(x, draw.at(layer))
        return tuple(s if layer in self.sampled_layers else None for layer, s in enumerate(current))

    def pack(self, state: State) -> Tensor:
        """The kept layers of a state side by side, (..., batch, sum of their sizes): a chain as one tensor."""
        kept = [state[layer] for layer in self.sampled_layers]
        if any(s is None for s in kept):
            raise ValueError("only a state whose kept layers are all set can be packed")
        return kept[0] if len(kept) == 1 else torch.cat([s for s in kept if s is not None], -1)  # type: ignore[return-value]

    def unpack(self, packed: Tensor) -> State:
        """The state that was packed."""
        state: list[Tensor | None] = [None] * len(self.names)
        parts = torch.split(packed, [self.units(layer).size for layer in self.sampled_layers], -1)
        for layer, part in zip(self.sampled_layers, parts, strict=True):
            state[layer] = part
        return tuple(state)

    @property
    def packed_size(self) -> int:
        """Columns of a packed state."""
        return sum(self.units(layer).size for layer in self.sampled_layers)

    def _layers_of(self, colour: int | Sequence[int]) -> Sequence[int]:
        return self.colours[colour] if isinstance(colour, int) else colour

    @torch.no_grad()
    def conditional_expectation(self, state: State, colour: int | Sequence[int] = 0) -> LayerExpectations:
        """Replace the layers of one colour, or some of them, by their conditional expectations given the others.

        Exact, and with less noise than a draw (Rao-Blackwell).
        """
        means: list[Tensor] = []
        statistics: list[Natural] = []
        for layer, s in enumerate(state):
            units = self.units(layer)
            if layer in self._layers_of(colour):
                expected = units.expected_statistics(self.inputs(layer, state))
            else:
                assert s is not None
                expected = units.statistics(s)
            means.append(expected[0])
            statistics.append(expected)
        return LayerExpectations(tuple(means), tuple(statistics))

    def visible_only_state(self, v: Tensor) -> State:
        """The state in which only the visible layer is set."""
        return (v, *[None] * (len(self.names) - 1))

    def infer(self, v: Tensor) -> LayerExpectations:
        """The clamped phase: expectations under p(hidden | v), or under its mean field.

        Exact where the hidden layers share no coupling.
        """
        if self.hidden_couplings:
            from harmonium.models.machine.mean_field import mean_field

            return mean_field(self, v).phase(self, v)
        return self.conditional_expectation(self.visible_only_state(v))

    # Gradients ---------------------------------------------------------------------------------------------------

    def moments(self, phase: LayerExpectations, weight: Tensor | None = None) -> Moments:
        """Mean over the batch of everything the gradient of the log-likelihood is made of.

        ``weight`` (batch,) weighs the cases; it is normalised to sum to one here, so each phase is divided by its own
        number of cases.
        """
        couplings = {
            name: self.add_coupling_moment(torch.empty_like(weights), name, phase, weight, keep=0.0)
            for name, weights in self.couplings.items()
        }
        return couplings | self.layer_moments(phase, weight)

    @torch.no_grad()
    def layer_moments(self, phase: LayerExpectations, weight: Tensor | None = None) -> Moments:
        """The part of `moments` that belongs to the layers: "visible_bias", "hidden_bias", ..."""
        share = None if weight is None else _share(weight).unsqueeze(-2)
        moments: Moments = {}
        for name, layer, statistics in zip(self.names, self._units_of, phase.statistics, strict=True):
            means = tuple(T.mean(-2) if share is None else (share @ T).squeeze(-2) for T in statistics)
            moments |= {f"{name}_{key}": value for key, value in layer.parameter_gradient(means).items()}
        return moments

    @torch.no_grad()
    def add_coupling_moment(
        self,
        out: Tensor,
        name: str,
        phase: LayerExpectations,
        weight: Tensor | None = None,
        scale: float = 1.0,
        keep: float = 1.0,
    ) -> Tensor:
        """out = keep * out + scale * mean over the batch of s_a s_b', for the coupling ``name``; in place."""
        a, b = self.edges[name]
        left, right = phase.means[a], phase.means[b]
        if weight is None:
            scale /= max(left.shape[-2], right.shape[-2])
        else:
            left = left * _share(weight).unsqueeze(-1)
        if out.dim() == left.dim() == right.dim() == 2:
            return self.mask_(name, out.addmm_(left.mT, right, beta=keep, alpha=scale))
        product = (left.mT @ right).mul_(scale)
        return self.mask_(name, out.copy_(product) if keep == 0 else out.mul_(keep).add_(product))

    def mask_(self, name: str, W: Tensor) -> Tensor:
        """Set the entries that a coupling does not have to zero, in place."""
        return W.mul_(self.mask(name)) if name in self.masked else W

    @torch.no_grad()
    def coupling_difference(
        self,
        out: Tensor,
        name: str,
        plus: tuple[LayerExpectations, Tensor | None],
        minus: tuple[LayerExpectations, Tensor | None],
    ) -> Tensor:
        """The moment of the coupling ``name`` under ``plus`` less that under ``minus``, each a phase with its weights.

        In ``out``, or in memory of its own.
        """
        a, b = self.edges[name]
        if not self.batched:
            pairs = [
                (phase.means[a], phase.means[b] * (1 / len(phase.means[b]) if w is None else _share(w).unsqueeze(-1)))
                for phase, w in (plus, minus)
            ]
            difference = kernels.difference_of_outers(*pairs)
            if difference is not None:
                return self.mask_(name, difference)
        self.add_coupling_moment(out, name, *plus, keep=0.0)
        return self.add_coupling_moment(out, name, *minus, scale=-1.0)

    # Energies and weights ----------------------------------------------------------------------------------------

    def joint_energy(self, state: Sequence[Tensor]) -> Tensor:
        """E(s) of joint states, (..., batch), float64."""
        energy = sum(self.units(i).energy(s) for i, s in enumerate(state))
        for name in self.edges:
            energy = energy - self.neg_coupling_energy(name, state)
        assert isinstance(energy, Tensor)
        return energy

    def neg_coupling_energy(self, name: str, state: Sequence[Tensor | None], weights: Tensor | None = None) -> Tensor:
        """s_a . W . s_b of one coupling, or of ``weights`` in its place, halved where it is lateral.

        (..., batch), float64.
        """
        a, b = self.edges[name]
        W = self.couplings[name] if weights is None else weights
        left, right = state[a], state[b]
        assert left is not None and right is not None
        exponent: Tensor = ((left.double() @ W.double()) * right).sum(-1)
        return exponent / 2 if a == b else exponent

    def log_weight(
        self,
        state: State,
        colour: int | Sequence[int] = 0,
        lines: Sequence[Interpolation] | None = None,
        inputs: dict[int, Tensor] | None = None,
    ) -> Tensor:
        """log of the unnormalised probability of the other layers' states with one colour, or some layers of
        one, summed out.

        Shape (..., batch), float64; with ``lines`` whose t is (..., batch, points): (..., batch, points).  The inputs
        of the summed-out layers may be passed where they are known.
        """
        summed = self._layers_of(colour)
        total: Tensor | float = 0.0
        for layer, s in enumerate(state):
            units, line = self.units(layer), None if lines is None else lines[layer]
            if layer in summed:
                x = self.inputs(layer, state) if inputs is None else inputs[layer]
                total = total + units.log_normalizer(x, line)
                continue
            assert s is not None
            total = total + (units.neg_energy(s) if line is None else units.neg_energy_along(s, line))
        for name in self.edges:
            if set(self.edges[name]) & set(summed):
                continue
            exponent = self.neg_coupling_energy(name, state)
            t = None if lines is None else lines[self.edges[name][0]].t
            if t is not None:
                exponent = t.double() * (exponent.unsqueeze(-1) if t.dim() > exponent.dim() else exponent)
            total = total + exponent
        assert isinstance(total, Tensor)
        return total

    @property
    def batched(self) -> bool:
        """Whether parameters have leading dimensions: a stack of models."""
        return self.visible.natural()[0].dim() > 1

    def refuse_batched(self, function: str) -> None:
        """Raise ValueError for a stack of models, where ``function`` takes one."""
        if self.batched:
            raise ValueError(f"{function} takes one model at a time, found a stack: build each with RBM.from_arrays")

    # Base rate ---------------------------------------------------------------------------------------------------

    def base_rate(self) -> tuple[Natural, ...]:
        """Natural parameters of the independent model at the start of every path, one entry per layer.

        Visible units have the stored means (and variances) of the training data; without them (`data_mean` None) the
        means of the model's own mean field.  Hidden layers are at rest.
        """
        rest = [self.units(layer).neutral_natural() for layer in range(1, len(self.names))]
        if self.data_mean is None or self.data_variance is None or self.data_cases is None:
            return self._mean_field_base(), *rest
        return self.visible.base_rate(self.data_mean, self.data_variance, float(self.data_cases)), *rest

    @torch.no_grad()
    def _mean_field_base(self, iterations: int = 100) -> Natural:
        means: list[Tensor | None] = [
            units.mean(torch.zeros_like(units.natural()[0]).unsqueeze(-2)) for units in self.unit_layers()
        ]
        for _ in range(iterations):
            for colour in self.colours:
                for layer in colour:
                    old = means[layer]
                    assert old is not None
                    means[layer] = 0.5 * old + 0.5 * self.units(layer).mean(self.inputs(layer, tuple(means)))
        mean = means[0]
        assert mean is not None
        variance = self.visible.variance(self.inputs(0, tuple(means)))
        return self.visible.base_rate(mean.squeeze(-2).double(), variance.squeeze(-2).double(), 1e4)

    def unit_layers(self) -> Iterator[Units]:
        return iter(self._units_of)

    def weights_to_decay(self) -> Iterator[nn.Parameter]:
        return (self.couplings[name] for name in self.edges)

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring all parameters back into their bounds after an update."""
        for units in self.unit_layers():
            units.constrain()
        for name in self.masked:
            self.mask_(name, self.couplings[name])
        for name in self.lateral.values():  # rounding alone would let the halves drift apart
            W = self.couplings[name]
            W.copy_(0.5 * (W + W.mT))

    @torch.no_grad()
    def initialise(self, stream: Stream) -> None:
        """Draw small normal weights (standard deviation 0.01) and put every layer at rest."""
        for name in self.edges:
            W = self.couplings[name]
            rows, columns = W.shape
            u = kernels.uniforms(stream.child(name).advance(), rows, columns, torch.float64, torch.device("cpu"))
            W.copy_(0.01 * torch.special.ndtri(u))
        for units in self.unit_layers():
            units.set_natural(units.neutral_natural())
        self.constrain()

    def initialise_from_data(self, stream: Stream) -> None:
        """Draw initial parameters; visible units begin with the moments of the data, and no chains are kept."""
        self.chains = None
        self.initialise(stream)
        self.visible.set_natural(self.base_rate()[0])

    # The likelihood ----------------------------------------------------------------------------------------------

    @property
    def energy_part(self) -> Machine:
        return self

    @property
    def likelihood_is_estimated(self) -> bool:
        return bool(self.hidden_couplings)

    def log_weights(self, v: Tensor, stream: Stream, samples: int = 1) -> Tensor:
        """log p*(v), or log of p*(v, h) / q(h | v) with q the mean field where hidden layers are coupled."""
        if not self.hidden_couplings:
            return self.log_weight(self.visible_only_state(v)).unsqueeze(0)
        from harmonium.models.machine.mean_field import importance_weights, mean_field

        return importance_weights(self, v, mean_field(self, v, iterations=100, tolerance=1e-5), stream, samples)


def as_machine(model: Any, function: str) -> Machine:
    """The model as it is.

    Raises:
        TypeError: where it is no machine, such as a deep belief network, which ``function`` does not take.
    """
    if not isinstance(model, Machine):
        raise TypeError(
            f"{function} takes a machine such as an RBM or a DBM, found {type(model).__name__}"
            + (": its top machine is dbn.top" if hasattr(model, "top") else "")
        )
    return model


def _off_diagonal(units: Units) -> Tensor:
    """Pairs of columns of a layer that belong to different units."""
    unit = variable_of_column(units)
    return unit.unsqueeze(-1) != unit


def variable_of_column(units: Units) -> Tensor:
    """Which variable every unit of a layer belongs to, int64 (size,)."""
    return units.repeat_per_column(torch.arange(units.columns))


def _share(weight: Tensor) -> Tensor:
    return weight / weight.sum(-1, keepdim=True)
