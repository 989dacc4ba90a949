"""The masked autoencoder for distribution estimation (MADE)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from harmonium import kernels
from harmonium.core.checks import check_int
from harmonium.core.progress import steps
from harmonium.core.random import Stream, as_stream
from harmonium.models.arrays import Array
from harmonium.models.autoregressive.observed_mask import check_hidden, draw_layers, layers, linears
from harmonium.models.autoregressive.orderings import as_orderings, random_orderings, slices_of
from harmonium.models.conditionals import Conditional
from harmonium.models.directed import DirectedNetwork, Tractable, as_outputs
from harmonium.models.model import as_dtype
from harmonium.models.state import Clamp
from harmonium.units import Units

__all__ = ["MADE"]


class MADE(DirectedNetwork, Tractable):
    """Masked autoencoder: exact log p(v) in one pass, samples in one pass per variable (Germain et al. 2015).

    Every unit k of every layer has a degree m(k): the degree of a visible variable is its place 1 ... D in the
    ordering, that of a hidden unit the last place it depends on.  Weights exist only if

        m(k above) >= m(k below)  between hidden layers,      m(variable) > m(k below)  at the output,

    so that the output of a variable is a function of those before it (equations 12 and 13).

    Args:
        visible: units, or an int or a shape for that many `Bernoulli` units.
        hidden: units of each layer of rectified linear units.
        masks: number of sets of masks that share the weights.  With several, p(v) is the mean of the probabilities
            under each, and every update takes one at random (order- and connectivity-agnostic training).
        orderings: of the variables, (n_visible,) for all masks or (masks, n_visible).  Default: column order for one
            mask, random orderings for several.
        outputs: the output layer, such as `MixtureConditional`.  Default: the conditional distribution of the visible
            units.
        dtype: float32 or float64.
        seed: of the masks and the initial parameters.

    Raises:
        ValueError: if a layer has no units, an ordering is not a permutation, or ``outputs`` has other units.

    Variables that come before all others in every ordering can be conditioned on (`harmonium.sample` with ``clamp``,
    `harmonium.conditional_log_prob`); `OrderlessNADE` conditions on any.

    >>> import harmonium as hm
    >>> model = hm.MADE(16, hidden=(32,), masks=4)
    >>> history = hm.fit(model, hm.data.load("bars-and-stripes").train, epochs=2)
    >>> model.log_prob([[0] * 16]).shape
    torch.Size([1])
    """

    title = "Masked autoencoder (MADE)"

    places: Tensor

    def __init__(
        self,
        visible: Units | int | tuple[int, ...] | None = None,
        hidden: Sequence[int] = (500,),
        masks: int = 1,
        *,
        orderings: Array | None = None,
        outputs: Conditional | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        super().__init__()
        masks = check_int("masks", masks)
        self.outputs = as_outputs(visible, outputs).to(as_dtype(dtype))
        units, root = self.visible, as_stream(seed)
        units.require_independent_columns("MADE")
        self.hidden, self.masks = check_hidden(hidden), masks
        self.layers = layers((units.size, *self.hidden, self.outputs.width), dtype)
        order = _orderings(orderings, masks, units.columns, root.child("orderings"))
        self.register_buffer("places", order.argsort(-1) + 1)  # degrees of the variables, (masks, columns)
        lowest = torch.ones(masks, 1, dtype=torch.long)
        for i, n in enumerate(self.hidden):
            u = kernels.uniforms(root.child("degrees", i).advance(), masks, n, torch.float64, torch.device("cpu"))
            highest = max(1, units.columns - 1)
            degrees = lowest + (u * (highest - lowest + 1)).long()
            self.register_buffer(f"degrees_{i}", degrees)  # of hidden units, (masks, n)
            lowest = degrees.amin(-1, keepdim=True)
        self.initialise(root.child("initialise"))
        self.mark_untrained()

    @property
    def orderings(self) -> Tensor:
        """The ordering of every set of masks, int64 (masks, n_visible)."""
        return self.places.argsort(-1)

    # The likelihood ----------------------------------------------------------------------------------------------

    def masked_weights(self, k: int) -> list[Tensor]:
        """Weights of all layers under the k-th set of masks, zero where there is no connection."""
        below = self.places[k][self.visible.variable_of_column().to(self.device)]
        *rectified, last = linears(self.layers)
        weights = []
        for i, layer in enumerate(rectified):
            above: Tensor = getattr(self, f"degrees_{i}")[k]
            weights.append(layer.weight * (above.unsqueeze(-1) >= below))
            below = above
        above = self.places[k][self.outputs.variable_of_column().to(self.device)]
        return [*weights, last.weight * (above.unsqueeze(-1) > below)]

    def params(self, v: Tensor, k: int) -> Tensor:
        """Inputs of the output layer under the k-th set of masks, (batch, width), for encoded v (batch, size)."""
        *weights, last = self.masked_weights(k)
        *rectified, _ = linears(self.layers)
        h = v
        for layer, weight in zip(rectified, weights, strict=True):
            h = torch.relu(functional.linear(h, weight, layer.bias))
        return functional.linear(h, last)

    def log_likelihood(self, v: Tensor) -> Tensor:
        return self._log_marginal(v, torch.ones(len(v), self.visible.columns, dtype=torch.bool, device=v.device))

    def log_conditional(self, v: Tensor, asked: Tensor, given: Tensor) -> Tensor:
        self._need_first(given, "the given variables")
        self._need_first(asked | given, "the variables given and asked for")
        return self._log_marginal(v, asked | given) - self._log_marginal(v, given)

    def _log_marginal(self, v: Tensor, first: Tensor) -> Tensor:
        """log p(v_first), (batch,), where ``first``, bool (batch, columns), come first in every ordering."""
        return torch.logsumexp(self._log_marginals(v, first), 0) - math.log(self.masks)

    def _log_marginals(self, v: Tensor, first: Tensor) -> Tensor:
        """`_log_marginal` under each set of masks, (masks, batch)."""
        each = [self.outputs.log_prob(self.params(v, k), v) for k in range(self.masks)]
        return torch.where(first, torch.stack(each), 0.0).sum(-1)

    def training_log_prob(self, v: Tensor, stream: Stream, present: Tensor | None = None) -> Tensor:
        """log p(v) under a random set of masks, (batch,)."""
        k = int(kernels.uniforms(stream.advance(), 1, 1, torch.float64, torch.device("cpu")) * self.masks)
        return self.outputs.log_prob(self.params(v, k).to(v.dtype), v).sum(-1)

    @torch.no_grad()
    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        """Independent draws, each under a random set of masks, weighted by the probabilities of the held variables."""
        units = slices_of(self.visible.variable_of_column())
        v, held = self._start(n, clamp)
        self._need_first(held, "held variables")
        u = kernels.uniforms(stream.advance(), n, 1, torch.float64, self.device)[:, 0]
        below = torch.softmax(self._log_marginals(v, held), 0).cumsum(0) <= u
        which = below.sum(0).clamp(max=self.masks - 1)
        for k in steps(torch.unique(which).tolist(), "mask"):
            rows = (which == k).nonzero()[:, 0]
            draw = stream.of_rows(rows.cpu().numpy(), "mask", k).advance()
            for i in steps(self.orderings[k].tolist(), "variable"):
                drawn = self.outputs.sample(self.params(v[rows], k), draw)[:, units[i]]
                v[rows, units[i]] = torch.where(held[rows, i : i + 1], v[rows, units[i]], drawn)
        return v

    def _need_first(self, columns: Tensor, what: str) -> None:
        """Raise ValueError unless these variables, bool (batch, columns), come before all others in every ordering."""
        places = self.places.unsqueeze(1)
        last = torch.where(columns, places, 0).amax(-1)
        if bool((last != columns.sum(-1)).any()):
            raise ValueError(
                f"{what} must come before all others in every ordering of a MADE: build it with such orderings, or "
                "use an OrderlessNADE, which conditions on any"
            )

    def initialise(self, stream: Stream) -> None:
        draw_layers(self.layers, stream)

    def config(self) -> dict[str, Any]:
        return super().config() | {"hidden": list(self.hidden), "masks": self.masks}

    def __repr__(self) -> str:
        return f"MADE({self.visible!r}, hidden={self.hidden}, masks={self.masks}{self._repr_of_outputs()})"


def _orderings(orderings: Array | None, masks: int, columns: int, stream: Stream) -> Tensor:
    if orderings is None:
        return torch.arange(columns).unsqueeze(0) if masks == 1 else random_orderings(masks, columns, stream)
    table = as_orderings(orderings, columns)
    if len(table) not in (1, masks):
        raise ValueError(f"orderings has {len(table)} rows; expected one, or one for each of the {masks} masks")
    return table.expand(masks, -1)
