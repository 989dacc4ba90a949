"""`gradient`: both phases of the gradient on some cases, to look at."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from harmonium.core import notebook
from harmonium.core.random import Stream, stream_of
from harmonium.models.arrays import Array, as_batch, as_weights
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.models.state import Moments
from harmonium.objectives.base import Batch, TwoPhase
from harmonium.objectives.cd import CD
from harmonium.objectives.named import as_objective

__all__ = ["Gradient", "gradient"]


@dataclass(frozen=True, repr=False)
class Gradient:
    """Both phases of the gradient of the mean log-likelihood (nats per case), by parameter name.

    Attributes:
        positive: moments under the data, such as "weights" (n_visible, n_hidden), "visible_bias" (n_visible,).
        negative: moments under the model.
    """

    positive: Moments
    negative: Moments

    @property
    def difference(self) -> Moments:
        """Positive minus negative moments: the direction of ascent."""
        return {name: self.positive[name] - self.negative[name] for name in self.positive}

    def __repr__(self) -> str:
        lines = [
            f"  {name} {shape}: length {length}, largest {largest}" for name, shape, length, largest in self._rows()
        ]
        return "\n".join(["Gradient of the mean log-likelihood, positive minus negative phase:", *lines])

    def _repr_html_(self) -> str:
        """Show how long the gradient of each parameter is."""
        head = ("parameter", "shape", "length of the difference", "largest entry")
        return notebook.table(head, self._rows(), "Gradient of the mean log-likelihood, nats per case")

    def _rows(self) -> list[tuple[str, tuple[int, ...], str, str]]:
        return [
            (name, tuple(part.shape), f"{float(part.norm()):.4g}", f"{float(part.abs().max()):.4g}")
            for name, part in self.difference.items()
        ]


@torch.no_grad()
def gradient(
    model: Machine,
    v: Array,
    *,
    objective: TwoPhase | str | None = None,
    sample_weight: Array | None = None,
    seed: int | Stream = 0,
) -> Gradient:
    """Estimate both phases of the gradient of the mean log-likelihood on cases v, so that a bias can be *seen*.

    Args:
        model: any machine.
        v: cases (batch, n_visible) in the domain of the visible units.
        objective: how the negative phase is estimated, an objective or its name (default: CD-1).
        sample_weight: weights of the cases, (batch,).
        seed: an int or a stream.

    Returns:
        A `Gradient` with ``positive``, ``negative`` and ``difference``: dicts of moments by parameter name, such as
        "weights" (n_visible, n_hidden), "visible_bias" (n_visible,), "hidden_bias" (n_hidden,).

    Raises:
        TypeError: if the model is not a machine, or the objective has no two phases.
        ValueError: if the cases or weights do not fit the model.

    >>> import harmonium as hm
    >>> cd, exact = (hm.gradient(hm.RBM(4, 2), [[0, 1, 1, 0]], objective=o) for o in (hm.CD(k=1), hm.Exact()))
    >>> bias = cd.difference["weights"] - exact.difference["weights"]
    """
    as_machine(model, "gradient")
    chosen = CD() if objective is None else as_objective(objective)
    if not isinstance(chosen, TwoPhase):
        raise TypeError(f"objective {type(chosen).__name__} has no two phases to look at: pass one of a machine, such "
                        "as CD, PCD or Exact")  # fmt: skip
    chosen.check(model)
    stream = stream_of(seed, "gradient")
    batch = as_batch(v, model, "v", domain=True)
    weight = None if sample_weight is None else as_weights(sample_weight, len(batch)).to(model.device, model.dtype)
    state = chosen.init_state(model, stream.child("begin"))
    phases = chosen.phases(model, Batch(batch, weight), state, stream.child("objective"))
    return Gradient(model.moments(phases.positive), model.moments(phases.negative))
