"""Independent variables as a model."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models.arrays import Array
from harmonium.models.baselines.baseline import Baseline
from harmonium.models.state import Clamp
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["Independent"]


class Independent(Baseline):
    """Independent variables: p(v) = prod_i p(v_i).

    Args:
        visible: an int or a shape (that many `Bernoulli`), or a unit type.
        dtype: float32 or float64.

    >>> import harmonium as hm
    >>> model = hm.baselines.Independent(2)
    >>> model.estimate([[0, 1], [1, 1], [0, 1], [0, 1]], smoothing=1e-9)
    >>> round(model.log_prob([[1, 1]]).exp().item(), 4)
    0.25
    """

    def __init__(
        self,
        visible: Units | int | tuple[int, ...],
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(as_units(visible, Bernoulli, "visible"), dtype)
        self.mark_untrained()

    def initialise(self, stream: Stream) -> None:
        self.units.set_natural(self.units.neutral_natural())

    def initialise_from_data(self, stream: Stream) -> None:
        self._set_base_rate()

    @torch.no_grad()
    def estimate(self, data: Array, *, smoothing: float = 1.0) -> None:
        """Maximum likelihood in closed form, from the mean (and variance) of every variable.

        Args:
            data: cases, (n, n_visible), in the domain of the units.
            smoothing: number of uninformative cases, with all states equally likely, that are added to the data.

        Raises:
            ValueError: for another width, values outside the domain, or no smoothing.
        """
        self._begin(data, smoothing)

    def log_likelihood(self, v: Tensor) -> Tensor:
        return self.units.log_density(torch.zeros_like(v), v).sum(-1)

    def log_marginal(self, v: Tensor, observed: Tensor) -> Tensor:
        return torch.where(observed, self.units.log_density(torch.zeros_like(v), v), 0.0).sum(-1)

    @torch.no_grad()
    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        x = torch.zeros(n, self.units.size, dtype=self.dtype, device=self.device)
        v = self.units.sample(x, stream.advance())
        return v if clamp is None else torch.where(clamp[0], clamp[1], v)
