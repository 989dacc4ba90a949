"""The restricted Boltzmann machine."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from harmonium.core.checks import check_int
from harmonium.core.random import Stream, as_cursor, as_stream
from harmonium.models.arrays import Array, as_batch, as_clamp, as_matrix
from harmonium.models.machine.machine import Machine
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["RBM"]


class RBM(Machine):
    """Restricted Boltzmann machine: E(v, h) = -v.W.h - b.v - c.h for binary units (Smolensky 1986; Hinton 2002).

    W has shape (n_visible, n_hidden).  Methods take cases as `harmonium.fit` does, (batch, features) or images, and
    return torch tensors without a graph.

    Args:
        visible: visible units: an int or a shape (that many `Bernoulli`), or a unit type.
        hidden: hidden units, likewise.
        dtype: float32 or float64.
        seed: of the initial weights, normal with standard deviation 0.01.  `harmonium.fit` initialises an untrained
            model again, from its own seed.

    >>> import harmonium as hm
    >>> rbm = hm.RBM(4, 2)
    >>> rbm.hidden_mean([[0, 1, 1, 0]]).shape
    torch.Size([1, 2])
    """

    title = "Restricted Boltzmann machine"

    def __init__(
        self,
        visible: Units | int | tuple[int, ...],
        hidden: Units | int | tuple[int, ...],
        *,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        layers = {"visible": as_units(visible, Bernoulli, "visible"), "hidden": as_units(hidden, Bernoulli, "hidden")}
        super().__init__(layers, {"weights": ("visible", "hidden")}, [["hidden"], ["visible"]], dtype)
        self.initialise(as_stream(seed))
        self.mark_untrained()

    @classmethod
    def from_arrays(cls, weights: Array, visible_bias: Array, hidden_bias: Array) -> Self:
        """Build a binary RBM from its arrays: E = -v.W.h - b.v - c.h.

        Leading dimensions make several models as one.  Floating precision is kept; integers become float32.

        Args:
            weights: W (n_visible, n_hidden).
            visible_bias: b (n_visible,).
            hidden_bias: c (n_hidden,).

        Returns:
            a machine with copies of the arrays.

        Raises:
            ValueError: if shapes do not fit together, or a value is not finite.

        >>> import harmonium as hm
        >>> hm.RBM.from_arrays([[1.0, -1.0]], [0.0], [0.5, 0.5]).hidden_bias.tolist()
        [0.5, 0.5]
        """
        W, b, c = (
            _parameter(a, name)
            for a, name in ((weights, "weights"), (visible_bias, "visible_bias"), (hidden_bias, "hidden_bias"))
        )
        if W.dim() < 2 or b.shape != W.shape[:-1] or c.shape != (*W.shape[:-2], W.shape[-1]):
            raise ValueError(
                f"weights {tuple(W.shape)}, visible_bias {tuple(b.shape)} and hidden_bias {tuple(c.shape)} do not fit: "
                "expected (n_visible, n_hidden), (n_visible,), (n_hidden,)"
            )
        if W.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"weights are {W.dtype}: pass float32 or float64")
        b, c = (_parameter(bias.to(W.dtype), name) for bias, name in ((b, "visible_bias"), (c, "hidden_bias")))
        rbm = cls(W.shape[-2], W.shape[-1], dtype=W.dtype)
        rbm.couplings["weights"] = nn.Parameter(W)
        rbm.visible.bias = nn.Parameter(b)
        rbm.hidden.bias = nn.Parameter(c)
        return rbm

    def to_arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Copies of (weights, visible_bias, hidden_bias) as NumPy arrays; the reverse of `from_arrays`.

        Raises:
            ValueError: for units that are not Bernoulli.
        """
        if not all(isinstance(units, Bernoulli) for units in self.unit_layers()):
            raise ValueError("to_arrays is for Bernoulli units only: use harmonium.save, or state_dict()")
        W, b, c = (p.detach().cpu().numpy().copy() for p in (self.weights, self.visible_bias, self.hidden_bias))
        return W, b, c

    @property
    def hidden(self) -> Units:
        """The hidden layer."""
        return self.units(1)

    @property
    def weights(self) -> nn.Parameter:
        """W, (n_visible, n_hidden)."""
        return self.parameters_by_name()["weights"]

    @property
    def visible_bias(self) -> Tensor:
        """b, (n_visible,)."""
        return self.parameters_by_name()["visible_bias"]

    @property
    def hidden_bias(self) -> Tensor:
        """c, (n_hidden,)."""
        return self.parameters_by_name()["hidden_bias"]

    @torch.no_grad()
    def energy(self, v: Array, h: Array) -> Tensor:
        """E(v, h) in nats, (batch,)."""
        v, h = as_batch(v, self, "v"), as_batch(h, self, "h", layer=1)
        if v.shape[-2] != h.shape[-2]:
            raise ValueError(f"v has {v.shape[-2]} rows and h has {h.shape[-2]}: energy takes pairs of states")
        return self.joint_energy((v, h)).to(self.dtype)

    @torch.no_grad()
    def free_energy(self, v: Array) -> Tensor:
        """F(v) = -log sum_h exp(-E(v, h)) in nats, (batch,): p(v) = exp(-F(v)) / Z.

        Without a graph, as all methods that take arrays; `log_weight` of encoded states is differentiable.
        """
        return -self.log_weight((as_batch(v, self, "v"), None)).to(self.dtype)

    @torch.no_grad()
    def log_prob(self, v: Array, log_partition: Any) -> Tensor:
        """log p(v) = -F(v) - log Z in nats, (batch,), float64.

        Args:
            v: cases, (batch, n_visible), within the domain of the visible units.
            log_partition: log Z as a number, or the result of `harmonium.log_partition` (its value is used).

        Raises:
            ValueError: for another shape, or values outside the domain.
        """
        v = as_batch(v, self, "v", domain=True)
        found = getattr(log_partition, "value", log_partition)
        if isinstance(found, (str, bool)) or not (isinstance(found, Tensor) or hasattr(found, "__float__")):
            raise TypeError(f"log_partition must be a number, or what harmonium.log_partition returns, found {found!r}")
        log_z: Tensor | float = found if isinstance(found, Tensor) else float(found)
        return self.log_weight((v, None)) - log_z

    @torch.no_grad()
    def hidden_mean(self, v: Array) -> Tensor:
        """E[h | v], (batch, n_hidden): for binary units p(h_j = 1 | v) = sigmoid(c_j + sum_i v_i W_ij)."""
        return self.hidden.mean(self.inputs(1, (as_batch(v, self, "v"), None)))

    @torch.no_grad()
    def visible_mean(self, h: Array) -> Tensor:
        """E[v | h], (batch, n_visible): for binary units p(v_i = 1 | h) = sigmoid(b_i + sum_j W_ij h_j)."""
        return self.visible.mean(self.inputs(0, (None, as_batch(h, self, "h", layer=1))))

    @torch.no_grad()
    def sample_hidden(self, v: Array, stream: Stream) -> Tensor:
        """Draw h given v, (batch, n_hidden).  Takes one step of the stream."""
        x = self.inputs(1, (as_batch(v, self, "v"), None))
        return self.hidden.sample(x, as_cursor(stream).advance().at(1))

    @torch.no_grad()
    def sample_visible(self, h: Array, stream: Stream) -> Tensor:
        """Draw v given h, (batch, n_visible).  Takes one step of the stream."""
        x = self.inputs(0, (None, as_batch(h, self, "h", layer=1)))
        return self.visible.decode(self.visible.sample(x, as_cursor(stream).advance().at(0)))

    @torch.no_grad()
    def gibbs(
        self,
        v: Array,
        sweeps: int,
        stream: Stream,
        beta: float | Array = 1.0,
        clamp: tuple[Array, Array] | None = None,
    ) -> Tensor:
        """v after ``sweeps`` full sweeps (h given v, then v given h) at exp(-beta E), (batch, n_visible).

        ``beta`` is one inverse temperature or one per row, (batch,).
        """
        v = as_batch(v, self, "v")
        sweeps = check_int("sweeps", sweeps, least=0)
        t = as_matrix(beta, "beta", self.dtype, self.device)
        if t.dim() > 1:
            raise ValueError(f"beta has shape {tuple(t.shape)}; expected a number, or one for each row of v")
        if not bool(torch.isfinite(t).all()) or bool((t < 0).any()):
            raise ValueError(f"beta must be finite and not negative, found {beta!r}")
        flat = [
            units for units in self.unit_layers() if not units.normalisable(tuple(0 * eta for eta in units.natural()))
        ]
        if flat and bool((t == 0).any()):
            raise ValueError(f"beta must be positive with {flat[0]!r}: at 0 such units have no distribution")
        lines = None
        if not bool((t == 1).all()):
            lines = [units.line(t.expand(v.shape[:-1])) for units in self.unit_layers()]
        held = None if clamp is None else as_clamp(clamp, v, self)
        out = self.sweep((v, None), as_cursor(stream), sweeps, lines, held)[0]
        assert out is not None
        return self.visible.decode(out)

    def config(self) -> dict[str, Any]:
        return super().config() | {"visible": self.visible.config(), "hidden": self.hidden.config()}

    def __repr__(self) -> str:
        return f"RBM(visible={self.visible!r}, hidden={self.hidden!r})"


def _parameter(array: Array, name: str) -> Tensor:
    # torch takes no read-only, big-endian or negatively strided memory.
    own = array.astype(array.dtype.newbyteorder("=")) if isinstance(array, np.ndarray) else array
    tensor = torch.as_tensor(own).detach().clone()
    if not tensor.is_floating_point():
        tensor = tensor.float()
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} has values that are not finite")
    return tensor
