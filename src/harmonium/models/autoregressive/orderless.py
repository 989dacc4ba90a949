"""Order-agnostic NADE: one network for the conditional distributions of every ordering."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.checks import check_int, check_number
from harmonium.core.progress import steps
from harmonium.core.random import Stream, as_stream, stream_of
from harmonium.core.registry import build, find
from harmonium.models.arrays import Array
from harmonium.models.autoregressive.observed_mask import DenseNetwork, IncrementalPass, MaskedNetwork
from harmonium.models.autoregressive.orderings import as_orderings, random_orderings, slices_of
from harmonium.models.conditionals import Conditional
from harmonium.models.directed import DirectedNetwork, Tractable, as_outputs
from harmonium.models.model import as_dtype
from harmonium.models.state import Clamp
from harmonium.units import Units

__all__ = ["OrderlessNADE"]

_ROWS = 512  # cases per incremental pass, so that its state stays in the processor's cache


class OrderlessNADE(DirectedNetwork, Tractable):
    """Order-agnostic NADE: a network trained on all orderings of the variables at once, exact under each of them.

    The network sees any subset of the variables and predicts all others (Uria, Murray & Larochelle 2014; Uria et al.
    2016, section 5).  Under an ordering (o_1, ..., o_D) of the variables

        log p(v) = sum_d log p(v_{o_d} | v_{o_1}, ..., v_{o_{d-1}}),

    which is exact for each ordering; different orderings give different distributions.

    Training (`MaximumLikelihood`) draws a new random set of observed variables for every case and update: each is
    observed with probability q, q uniform in (0, 1), so that every number k of observed variables from 0 to D has
    probability 1 / (D + 1), and all sets of k variables are equally probable.  Then

        (D + 1) / (D - k) sum_{i not observed} log p(v_i | v_observed)

    (0 if k = D) is an unbiased estimate of the mean of log p(v) over all orderings (Uria et al. 2014, equation 9, where
    the set is the beginning of a random ordering).

    With ``own_orderings``, that share of the sets are beginnings of `orderings`: the model learns better what it is
    asked under them.  There the estimate is that of sum_k mean_i log p(v_i | v_{o_1}, ..., v_{o_k}) over the variables
    i that are left: each of them is learned from, and not the next one alone.

    Any subset of the variables can be conditioned on: `harmonium.sample` with ``clamp``, `harmonium.impute`, and
    `harmonium.conditional_log_prob` of some variables given others, with the rest summed out at no cost.

    The sets that training observes are scattered over all variables.  A structured ordering, such as the rows of an
    image from top to bottom, needs sets that training never saw, and can be many nats worse than a random one.

    Args:
        visible: units, or an int or a shape for that many `Bernoulli` units.
        hidden: units of each layer of rectified linear units (see `DenseNetwork`).
        network: another `MaskedNetwork`, such as a `ConvolutionalNetwork`; ``hidden`` is then ignored.
        outputs: the output layer, such as `MixtureConditional`.  Default: the conditional distribution of the visible
            units.
        own_orderings: share of the cases in training of which the beginning of one of `orderings` is observed.
        dtype: float32 or float64.
        seed: of the initial parameters.

    Attributes:
        orderings: the orderings that `log_prob`, `harmonium.evaluate` and `harmonium.sample` use, int64 (N, n_visible);
            initially a single random one, the same for every model of this width.  With several, p(v) is the mean of
            the probabilities under each.  See `under` and `ensemble`.
        offsets: None, or (N, width of the outputs): added to the outputs for each variable under each of `orderings`
            where exactly the variables before it are observed.  Training leaves them as they are.  See `under`.

    Raises:
        ValueError: if a layer has no units, or the network or output layer does not fit.

    >>> import harmonium as hm
    >>> model = hm.OrderlessNADE(16, hidden=(20, 20))
    >>> data = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(model, data, epochs=2)
    >>> hm.evaluate(model.ensemble(8), data).method
    'exact'
    """

    word = "eonade"
    title = "Order-agnostic NADE"
    takes_gaps = True

    orderings: Tensor
    offsets: Tensor | None

    def __init__(
        self,
        visible: Units | int | tuple[int, ...] | None = None,
        hidden: Sequence[int] = (500, 500),
        *,
        network: MaskedNetwork | None = None,
        outputs: Conditional | None = None,
        own_orderings: float = 0.0,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        super().__init__()
        self.own_orderings = check_number("own_orderings", own_orderings, "a share from 0 to 1", lambda p: 0 <= p <= 1)
        self.outputs = as_outputs(visible, outputs).to(as_dtype(dtype))
        units = self.visible
        units.require_independent_columns("OrderlessNADE")
        if network is None:
            network = DenseNetwork(units.size, units.columns, self.outputs.width, hidden)
        self.network = network.to(dtype)
        self.register_buffer("orderings", random_orderings(1, units.columns, Stream(0, "ordering")))
        self.register_buffer("offsets", None)
        self.initialise(as_stream(seed).child("initialise"))
        self._check_network()
        self.mark_untrained()

    # Orderings ---------------------------------------------------------------------------------------------------

    def under(self, orderings: Array, offsets: Tensor | None = None) -> Self:
        """Return the model with other orderings; it shares the parameters with this one.

        Args:
            orderings: one ordering, (n_visible,), or several, (N, n_visible), whose probabilities are averaged.
            offsets: see the class, (N, width of the outputs).  Default: none.

        Raises:
            ValueError: if one is not a permutation of 0 ... n_visible - 1, or for offsets of another shape.
        """
        other = copy.copy(self)
        other._modules, other._buffers = dict(self._modules), dict(self._buffers)
        other.orderings = as_orderings(orderings, self.visible.columns).to(self.device)
        shape = (len(other.orderings), self.outputs.width)
        if offsets is not None and offsets.shape != shape:
            raise ValueError(f"offsets must have the shape {shape}, found {tuple(offsets.shape)}")
        other.offsets = None if offsets is None else offsets.to(self.device, self.dtype)
        return other

    def ensemble(self, orderings: int, seed: int | Stream = 0) -> Self:
        """Return the model with several random orderings, whose probabilities are averaged; parameters are shared.

        Args:
            orderings: number of orderings.
            seed: an int or a stream.
        """
        count = check_int("orderings", orderings)
        return self.under(random_orderings(count, self.visible.columns, stream_of(seed, "orderings")))

    # The likelihood ----------------------------------------------------------------------------------------------

    def log_likelihood(self, v: Tensor) -> Tensor:
        none = torch.zeros(len(v), self.visible.columns, dtype=torch.bool, device=v.device)
        return self.log_conditional(v, ~none, none)

    def log_conditional(self, v: Tensor, asked: Tensor, given: Tensor) -> Tensor:
        """log p(v_asked | v_given), (batch,), float64, under orderings that start with the given variables.

        Variables asked for are taken in the order of `orderings`; the others would come last and are not needed.  With
        several orderings, the probabilities under each are averaged.  See `Directed.log_conditional`.
        """
        if len(v) > _ROWS:
            parts = zip(*(torch.split(x, _ROWS) for x in (v, asked, given)), strict=True)
            return torch.cat([self.log_conditional(*part) for part in parts])
        each = [self._log_conditional(v, asked, given, k) for k in range(len(self.orderings))]
        return torch.logsumexp(torch.stack(each), 0) - math.log(len(each))

    def _log_conditional(self, v: Tensor, asked: Tensor, given: Tensor, k: int) -> Tensor:
        units, outputs = self._slices()
        network = self.network.incremental(v * self.visible.repeat_per_column(given), given.to(v.dtype))
        x = [v.new_zeros(len(v), own.stop - own.start) for own in outputs]
        seen = given.clone()
        for place, i in enumerate(self.orderings[k].tolist()):
            turn = asked[:, i]
            if bool(turn.any()):
                x[i] = self._logits(network, outputs[i], k, place, seen)
                network.set_units(i, units[i], v[:, units[i]], turn)
            seen[:, i] |= turn
        log_p = self.outputs.log_prob(torch.cat(x, -1), v)
        return torch.where(asked, log_p, 0.0).sum(-1)

    def training_log_prob(self, v: Tensor, stream: Stream, present: Tensor | None = None) -> Tensor:
        """An unbiased estimate of the mean of log p(v) over all orderings, (batch,) (see the class).

        With ``present``, bool (batch, size), it is that of the units that are there: the others are never given and
        never asked for.
        """
        cases, columns = len(v), self.visible.columns
        # Each q is uniform; spread evenly over the batch, they vary less as a whole.
        shift = kernels.uniforms(stream.advance(), 1, 1, torch.float64, v.device)
        q = (shift + torch.arange(cases, device=v.device).unsqueeze(-1) / cases) % 1
        observed = kernels.uniforms(stream.advance(), cases, columns, v.dtype, v.device) < q.to(v.dtype)
        if self.own_orderings:
            own = kernels.uniforms(stream.advance(), cases, 2, torch.float64, v.device)
            rank = self.orderings.argsort(1)[(own[:, 0] * len(self.orderings)).long()]
            beginning = rank < (q * (columns + 1)).floor()  # of k variables, k uniform as for the other sets
            observed = torch.where(own[:, 1:] < self.own_orderings, beginning, observed)
        asked, there = ~observed, torch.tensor(columns, device=v.device)
        if present is not None:
            whole = self.visible.one_per_column(present.to(v.dtype)) > 0
            observed, asked, there = observed & whole, asked & whole, whole.sum(-1)
        seen = v * self.visible.repeat_per_column(observed)
        x = self.network.training_forward(seen, observed.to(v.dtype), stream).to(v.dtype)
        log_p = torch.where(asked, self.outputs.log_prob(x, v), 0.0).sum(-1)
        return log_p * (there + 1) / asked.sum(-1).clamp(min=1)

    @torch.no_grad()
    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        """Independent draws, each under a random one of the orderings, with the held variables first."""
        v, held = self._start(n, clamp)
        u = kernels.uniforms(stream.advance(), n, 1, torch.float64, self.device)[:, 0]
        which = (u * len(self.orderings)).long()
        for k in steps(torch.unique(which).tolist(), "ordering"):
            rows = (which == k).nonzero()[:, 0]
            own = stream.of_rows(rows.cpu().numpy(), "ordering", k)
            v[rows] = self._draw(v[rows], held[rows], k, own)
        return v

    def _draw(self, v: Tensor, held: Tensor, k: int, stream: Stream) -> Tensor:
        units, outputs = self._slices()
        network = self.network.incremental(v, held.to(v.dtype))
        draw = stream.advance()
        x = v.new_zeros(len(v), self.outputs.width)
        seen = held.clone()
        for place, i in enumerate(steps(self.orderings[k].tolist(), "variable")):
            turn = ~held[:, i]
            if bool(turn.any()):
                x[:, outputs[i]] = self._logits(network, outputs[i], k, place, seen)
                drawn = self.outputs.sample(x, draw)[:, units[i]]  # every variable has random words of its own
                v[:, units[i]] = torch.where(turn.unsqueeze(-1), drawn, v[:, units[i]])
                network.set_units(i, units[i], v[:, units[i]], turn)
            seen[:, i] = True
        return v

    def _logits(self, network: IncrementalPass, own: slice, k: int, place: int, seen: Tensor) -> Tensor:
        """The outputs of the network for the variable at a place of ordering k, (batch, outputs of the variable).

        Offsets are added for rows of which exactly the variables before it are observed.  ``seen`` says which are
        observed, bool (batch, columns).
        """
        x = network.logits(own)
        if self.offsets is None:
            return x
        meant = seen[:, self.orderings[k, :place]].all(1) & (seen.sum(1) == place)
        return x + self.offsets[k, own] * meant.unsqueeze(-1)

    def initialise(self, stream: Stream) -> None:
        self.network.initialise(stream)

    def config(self) -> dict[str, Any]:
        return super().config() | {
            "network": self.network.config(), "own_orderings": self.own_orderings,
            "has_offsets": self.offsets is not None,
        }  # fmt: skip

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        network = dict(arguments["network"])
        kind = find(network.pop("type"))
        built = {name: value for name, value in arguments.items() if name != "has_offsets"}
        model = super().from_config(built | {"network": kind.for_outputs(build(arguments["outputs"]), **network)})
        if arguments.get("has_offsets"):  # room for those of the file
            model.offsets = torch.zeros(len(model.orderings), model.outputs.width, dtype=model.dtype)
        return model

    def __repr__(self) -> str:
        outputs = self._repr_of_outputs()
        return f"OrderlessNADE({self.visible!r}, {self.network!r}, orderings={len(self.orderings)}{outputs})"

    def _slices(self) -> tuple[list[slice], list[slice]]:
        """The columns of each variable among the units and among the outputs of the network."""
        return slices_of(self.visible.variable_of_column()), slices_of(self.outputs.variable_of_column())

    @torch.no_grad()
    def _check_network(self) -> None:
        units = self.visible
        try:
            x = self.network(torch.zeros(1, units.size).to(self.dtype), torch.zeros(1, units.columns).to(self.dtype))
        except RuntimeError as error:
            raise ValueError(
                f"network does not take the {units.size} units of {units!r} and a mask: {error}"
            ) from error
        if x.shape != (1, self.outputs.width):
            raise ValueError(
                f"network gives {tuple(x.shape)} for one case; the output layer takes (1, {self.outputs.width})"
            )
