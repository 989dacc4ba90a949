"""Order-agnostic NADE: one network for the conditional distributions of every ordering.

A network sees any subset o of the variables and answers for all others (Uria, Murray & Larochelle 2014; Uria et al.
2016, section 5).  Under an ordering (o_1, ..., o_D) of the variables

    log p(v) = sum_d log p(v_{o_d} | v_{o_1}, ..., v_{o_{d-1}}),

which is exact for each ordering, and another distribution for another one.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.checks import check_int
from harmonium.core.random import Stream, as_stream, stream_of
from harmonium.core.registry import build, find
from harmonium.models.arrays import Array, as_batch
from harmonium.models.conditionals import Conditional, UnitConditional
from harmonium.models.autoregressive.observed_mask import DenseNetwork, MaskedNetwork
from harmonium.models.autoregressive.orderings import as_orderings, random_orderings
from harmonium.models.directed import Tractable
from harmonium.models.state import Clamp
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["OrderlessNADE", "as_outputs", "unit_slices"]

_ROWS = 512  # of a walk at a time: what it keeps of them stays near the processor


class OrderlessNADE(Tractable):
    """A network trained on all orderings of the visible variables at once, exact under each of them.

    Args:
        visible: units, or an int or a shape for that many `Bernoulli` units.
        hidden: units of each layer of rectified linear units (see `DenseNetwork`).
        network: another `MaskedNetwork` in place of the dense one, such as a `ConvolutionalNetwork`; ``hidden`` is then
            not looked at.
        outputs: an output layer in place of the conditional distribution of the visible units, such as
            `MixtureConditional`; it has the visible units with it.
        dtype: float32 or float64.
        seed: of the initial parameters.

    Attributes:
        orderings: those that `log_prob`, `harmonium.evaluate` and `harmonium.sample` go by, int64 (N, n_visible): at
            first a single random one, the same for every model of this width.  With several, p(v) is the mean of the
            probabilities under each.  See `under` and `ensemble`.

    What training observes is scattered over all variables.  An ordering with a structure of its own, such as the rows
    of an image from top to bottom, asks for sets that it never saw, and can be many nats worse than a random one.

    Training (`MaximumLikelihood`) takes another random set of observed variables for every case and update: each is
    observed with probability q, q uniform in (0, 1), so that every number k of observed variables from 0 to D has
    probability 1 / (D + 1) and every set of k the same.  Then

        (D + 1) / (D - k) sum_{i not observed} log p(v_i | v_observed)

    (0 where k = D) is an unbiased estimate of the mean of log p(v) over all orderings (Uria et al. 2014, equation 9,
    where the set is drawn as the beginning of an ordering).

    Raises:
        ValueError: for layers without units, or a network or output layer that does not fit.

    Any subset of the variables can be conditioned on: `harmonium.sample` with ``clamp``, `harmonium.impute`, and
    `harmonium.conditional_log_prob`, of some variables given others, the rest summed out at no cost.

    >>> import harmonium as hm
    >>> model = hm.OrderlessNADE(16, hidden=(20, 20))
    >>> data = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(model, data, epochs=2)
    >>> hm.evaluate(model.ensemble(8), data).method
    'exact'
    """

    word = "eonade"
    title = "Order-agnostic NADE"

    orderings: Tensor

    def __init__(
        self,
        visible: Units | int | tuple[int, ...] | None = None,
        hidden: Sequence[int] = (500, 500),
        *,
        network: MaskedNetwork | None = None,
        outputs: Conditional | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        super().__init__()
        self.outputs = as_outputs(visible, outputs).to(dtype)
        units = self.visible
        units.require_independent_columns("OrderlessNADE")
        if network is None:
            network = DenseNetwork(units.size, units.columns, self.outputs.width, hidden)
        self.network = network.to(dtype)
        self.register_buffer("orderings", random_orderings(1, units.columns, Stream(0, "ordering")))
        self.initialise(as_stream(seed).child("initialise"))
        self._check_network()
        self.mark_untrained()

    @property
    def visible(self) -> Units:
        return self.outputs.units

    # Orderings ---------------------------------------------------------------------------------------------------

    def under(self, orderings: Array) -> Self:
        """The model under one ordering, (n_visible,), or the mean of its probabilities under several, (N, n_visible).

        It shares the parameters with this one.

        Raises:
            ValueError: for what is no permutation of 0 ... n_visible - 1.
        """
        other = copy.copy(self)
        other._modules, other._buffers = dict(self._modules), dict(self._buffers)
        other.orderings = as_orderings(orderings, self.visible.columns).to(self.device)
        return other

    def ensemble(self, orderings: int, seed: int | Stream = 0) -> Self:
        """The mean of the probabilities under so many random orderings; it shares the parameters with this model."""
        count = check_int("orderings", orderings)
        return self.under(random_orderings(count, self.visible.columns, stream_of(seed, "orderings")))

    # The likelihood ----------------------------------------------------------------------------------------------

    def log_likelihood(self, v: Tensor) -> Tensor:
        none = torch.zeros(len(v), self.visible.columns, dtype=torch.bool, device=v.device)
        return self.log_conditional(v, ~none, none)

    def log_prob(self, v: Array) -> Tensor:
        """log p(v) in nats, (batch,), float64; without a graph, which would hold the layers of every step.

        Args:
            v: cases, (batch, n_visible), within the domain of the visible units.

        Raises:
            ValueError: for another shape, or values outside the domain.
        """
        with torch.no_grad():
            return self.log_likelihood(as_batch(v, self, "v", domain=True))

    def log_conditional(self, v: Tensor, asked: Tensor, given: Tensor) -> Tensor:
        """log p(v_asked | v_given), (batch,), float64: under orderings that begin with the given variables.

        Args:
            v: states inside (batch, size), finite; those of the other variables are not looked at.
            asked: bool (batch, columns).
            given: likewise, and apart from those.

        Asked variables are taken in the order of `orderings`; the others would come last and are not needed.  With
        several orderings: the mean of the probabilities under each, the given variables being the same set in all.
        """
        if len(v) > _ROWS:
            parts = zip(*(torch.split(x, _ROWS) for x in (v, asked, given)), strict=True)
            return torch.cat([self.log_conditional(*part) for part in parts])
        each = [self._log_conditional(v, asked, given, ordering) for ordering in self.orderings.tolist()]
        return torch.logsumexp(torch.stack(each), 0) - math.log(len(each))

    def _log_conditional(self, v: Tensor, asked: Tensor, given: Tensor, ordering: list[int]) -> Tensor:
        units, numbers = self._slices()
        walk = self.network.walk(v * self.visible.repeat_per_column(given), given.to(v.dtype))
        x = [v.new_zeros(len(v), there.stop - there.start) for there in numbers]
        for i in ordering:
            turn = asked[:, i]
            if bool(turn.any()):
                x[i] = walk.logits(numbers[i])
                walk.set_units(i, units[i], v[:, units[i]], turn)
        log_p = self.outputs.log_prob(torch.cat(x, -1), v)
        return torch.where(asked, log_p, 0.0).sum(-1)

    def training_log_prob(self, v: Tensor, stream: Stream) -> Tensor:
        """An unbiased estimate of the mean of log p(v) over all orderings, (batch,): see the class."""
        cases, columns = len(v), self.visible.columns
        # Each q is uniform; spread evenly over the batch, they vary less together.
        shift = kernels.uniforms(stream.advance(), 1, 1, torch.float64, v.device)
        q = (shift + torch.arange(cases, device=v.device).unsqueeze(-1) / cases) % 1
        observed = kernels.uniforms(stream.advance(), cases, columns, v.dtype, v.device) < q.to(v.dtype)
        x = self.network(v * self.visible.repeat_per_column(observed), observed.to(v.dtype)).to(v.dtype)
        log_p = torch.where(observed, 0.0, self.outputs.log_prob(x, v)).sum(-1)
        return log_p * (columns + 1) / (~observed).sum(-1).clamp(min=1)

    @torch.no_grad()
    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        """Independent draws, each under an ordering taken at random, which begins with the held variables."""
        v = torch.zeros(n, self.visible.size, dtype=self.dtype, device=self.device)
        held = torch.zeros(n, self.visible.columns, dtype=torch.bool, device=self.device)
        if clamp is not None:
            first = torch.tensor([there.start for there in self._slices()[0]], device=self.device)
            held = clamp[0].expand_as(v)[:, first]
            v = torch.where(clamp[0], clamp[1], v)
        u = kernels.uniforms(stream.advance(), n, 1, torch.float64, self.device)[:, 0]
        which = (u * len(self.orderings)).long()
        for k in torch.unique(which).tolist():
            rows = (which == k).nonzero()[:, 0]
            v[rows] = self._draw(v[rows], held[rows], self.orderings[k].tolist(), stream)
        return v

    def _draw(self, v: Tensor, held: Tensor, ordering: list[int], stream: Stream) -> Tensor:
        units, numbers = self._slices()
        walk = self.network.walk(v, held.to(v.dtype))
        draw = stream.advance()
        x = v.new_zeros(len(v), self.outputs.width)
        for i in ordering:
            turn = ~held[:, i]
            if bool(turn.any()):
                x[:, numbers[i]] = walk.logits(numbers[i])
                drawn = self.outputs.sample(x, draw)[:, units[i]]  # of this variable: the others' words are their own
                v[:, units[i]] = torch.where(turn.unsqueeze(-1), drawn, v[:, units[i]])
                walk.set_units(i, units[i], v[:, units[i]], turn)
        return v

    # Training ----------------------------------------------------------------------------------------------------

    def initialise(self, stream: Stream) -> None:
        self.network.initialise(stream)

    def initialise_from_data(self, stream: Stream) -> None:
        assert self.data_mean is not None and self.data_variance is not None and self.data_cases is not None
        self.initialise(stream)
        self.outputs.set_base_rate(self.data_mean, self.data_variance, float(self.data_cases))

    def constrain(self) -> None:
        self.visible.constrain()

    # The store ---------------------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        return super().config() | {"network": self.network.config(), "outputs": self.outputs.config()}

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        outputs, network = build(arguments["outputs"]), dict(arguments["network"])
        made = find(network.pop("type")).for_outputs(outputs, **network)
        return super().from_config(arguments | {"network": made, "outputs": outputs})

    def __repr__(self) -> str:
        said = "" if isinstance(self.outputs, UnitConditional) else f", outputs={self.outputs!r}"
        return f"OrderlessNADE({self.visible!r}, {self.network!r}, orderings={len(self.orderings)}{said})"

    def _slices(self) -> tuple[list[slice], list[slice]]:
        """Where each variable stands among the units and among the outputs."""
        return unit_slices(self.visible.variable_of_column()), unit_slices(self.outputs.variable_of_column())

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


def unit_slices(owner: Tensor) -> list[slice]:
    """Where each variable stands, from the variable that every place belongs to, ascending."""
    ends = [0, *torch.bincount(owner).cumsum(0).tolist()]
    return [slice(*ends) for ends in pairwise(ends)]


def as_outputs(visible: Units | int | tuple[int, ...] | None, outputs: Conditional | None) -> Conditional:
    """The output layer itself, or the conditional distribution of the visible units (by default Bernoulli).

    Raises:
        ValueError: where not exactly one of the two is given.
    """
    if (visible is None) == (outputs is None):
        raise ValueError("name the visible units, or an output layer that has them with it (outputs=...): one of them")
    if outputs is not None:
        return outputs
    assert visible is not None
    return UnitConditional(as_units(visible, Bernoulli))
