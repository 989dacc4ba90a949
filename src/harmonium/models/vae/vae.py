"""Variational autoencoders: a decoder from latent units to data, and an encoder that approximates the posterior.

With z_0 = v and L layers of latent units (Kingma & Welling 2014; Rezende et al. 2014; Burda et al. 2016, section 2),

    p(v, z) = p(z_L) prod_{l=1}^L p(z_{l-1} | z_l),        q(z | v) = prod_{l=1}^L q(z_l | z_{l-1}),

where each conditional has independent units given the outputs of a network.  p(z_L) is standard normal, or a machine:
its visible units are then the (binary) latent units, and its hidden ones are summed out (compare Rolfe 2017).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal
from torch.func import functional_call

from harmonium import kernels
from harmonium.core.checks import check_int
from harmonium.core.random import Stream, as_stream
from harmonium.models.arrays import Array, as_batch, as_matrix
from harmonium.models.conditionals import Conditional
from harmonium.models.directed import DirectedNetwork, as_outputs
from harmonium.models.initial import normal
from harmonium.models.machine.machine import Machine
from harmonium.models.model import as_dtype
from harmonium.models.state import Clamp
from harmonium.models.vae.architecture import Architecture, as_architecture, draw_glorot
from harmonium.models.vae.latents import BernoulliLatents, GaussianLatents, Latents
from harmonium.units import Bernoulli, Units

__all__ = ["VAE", "Inferred"]

ROWS = 4096  # importance samples per batch: the outputs of the decoder are dropped before the next
SWEEPS = 1000  # of a machine prior before its states are decoded, by default


class Inferred(NamedTuple):
    """q(z_l | z_{l-1}) of a latent layer, and draws of it (samples, batch, n)."""

    q: Distribution
    z: Tensor


class VAE(DirectedNetwork):
    """A variational autoencoder (Kingma & Welling 2014).

    log p(v) is intractable: `harmonium.evaluate` estimates it by importance sampling from q, on average too low.

    Args:
        visible: visible units: an int or a shape (that many `Bernoulli`), or a unit type.
        latent: number of latent units; a sequence, from the data up, makes several stochastic layers.  Default: 50, or
            the number of visible units of the prior.
        hidden: widths of the tanh layers between the data and the latent units, mirrored in the decoder, or
            `Convolutional`; with several stochastic layers one of these for each.
        outputs: the output layer p(v | z), such as ``MixtureConditional``.  Default: the conditional distribution of
            the visible units, which take the outputs of the decoder like the input from a hidden layer.
        prior: a machine with Bernoulli visible units and hidden units that can be summed out (`RBM`); the latent units
            are then binary.  It is not copied.
        encoder: your own module from (..., visible.size) to the parameters of q(z | v): means, then logarithms of
            standard deviations, or the fields of binary units.  Such a model cannot be saved, since a file cannot
            describe your code.
        decoder: your own module from (..., latent) to (..., outputs.width).
        dtype: float32 or float64.
        seed: of the initial weights (Glorot & Bengio 2010).

    Raises:
        ValueError: for sizes below one, or a prior or outputs that do not fit.

    >>> import harmonium as hm
    >>> vae = hm.VAE(6, latent=2, hidden=(5,))
    >>> mean, scale = vae.encode([[0, 1, 1, 0, 0, 1]])
    >>> vae.decode(mean).shape
    torch.Size([1, 6])
    """

    title = "Variational autoencoder"

    def __init__(
        self,
        visible: Units | int | tuple[int, ...],
        latent: int | Sequence[int] | None = None,
        hidden: Architecture | Sequence[Any] = (200, 200),
        *,
        outputs: Conditional | None = None,
        prior: Machine | None = None,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        super().__init__()
        self.outputs = copy.deepcopy(as_outputs(visible, outputs)).to(as_dtype(dtype))
        if prior is not None:
            _check_prior(prior, dtype)
        sizes = _sizes(latent, prior)
        kind = GaussianLatents if prior is None else BernoulliLatents
        self.latents: list[Latents] = [kind(n) for n in sizes]
        self.hidden = _architectures(hidden, len(sizes))
        self.prior = prior
        own = (encoder, decoder)
        if any(module is not None for module in own) and len(sizes) > 1:
            raise ValueError("an encoder or decoder of your own makes one stochastic layer: give one latent size")
        self._described = encoder is None and decoder is None
        shapes = [self.visible.shape, *((n,) for n in sizes)]
        states = [self.visible.size, *sizes]
        widths = [self.outputs.width, *(layer.width for layer in self.latents)]
        self.encoders, self.decoders = nn.ModuleList(), nn.ModuleList()
        for k, (networks, layer) in enumerate(zip(self.hidden, self.latents, strict=True)):
            up = encoder or networks.encoder(shapes[k], states[k], layer.width, dtype)
            down = decoder or networks.decoder(layer.n, shapes[k], widths[k], k > 0, dtype)
            self.encoders.append(up.to(dtype))
            self.decoders.append(down.to(dtype))
        self.initialise(as_stream(seed))
        self.mark_untrained()

    @property
    def energy_part(self) -> Machine | None:
        return self.prior

    @property
    def likelihood_is_estimated(self) -> bool:
        return True

    def unit_layers(self) -> Iterator[Units]:
        yield self.visible
        if self.prior is not None:
            yield from self.prior.unit_layers()

    # Training ----------------------------------------------------------------------------------------------------

    def initialise(self, stream: Stream) -> None:
        draw_glorot(self.encoders, stream.child("encoder"))
        draw_glorot(self.decoders, stream.child("decoder"))
        if self.prior is not None:
            self.prior.initialise(stream.child("prior"))

    def initialise_from_data(self, stream: Stream) -> None:
        super().initialise_from_data(stream)
        if self.prior is not None:
            self.prior.chains = self.prior.data_mean = self.prior.data_variance = self.prior.data_cases = None

    def constrain(self) -> None:
        super().constrain()
        if self.prior is not None:
            self.prior.constrain()

    # From data to latent units -----------------------------------------------------------------------------------

    def noise(self, stream: Stream, samples: int, cases: int) -> list[Tensor]:
        """Uniforms for all latent layers, each (samples, cases, n), float64.

        Every sample takes one step of the stream, so it does not depend on the number drawn at once.
        """
        draws = [stream.advance() for _ in range(samples)]
        return [
            torch.stack([kernels.uniforms(d.at(k), cases, layer.n, torch.float64, self.device) for d in draws])
            for k, layer in enumerate(self.latents)
        ]

    def infer(self, v: Tensor, noise: Sequence[Tensor], relaxation: float | None = None) -> list[Inferred]:
        """q of every latent layer and draws of it, as functions of the noise, for encoded v (batch, size)."""
        below, inferred = v, []
        for layer, encoder, u in zip(self.latents, self.encoders, noise, strict=True):
            x = encoder(below)
            below = layer.rsample(x, u, relaxation)
            inferred.append(Inferred(layer.distribution(x), below))
        return inferred

    @torch.no_grad()
    def encode(self, v: Array) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the top latent layer given v, each (batch, latent).

        Latent layers below the top one are set to their means.

        Args:
            v: cases, (batch, n_visible).

        Raises:
            ValueError: for another shape, or values outside the domain.
        """
        mean = as_batch(v, self, "v", domain=True)
        for layer, encoder in zip(self.latents, self.encoders, strict=True):
            q: Any = layer.distribution(encoder(mean))
            mean = q.mean
        return mean, q.stddev

    # From latent units to data -----------------------------------------------------------------------------------

    @torch.no_grad()
    def decode(self, z: Array) -> Tensor:
        """E[v | z] of encoded states, (batch, visible.size).

        Latent layers below the top one are set to their means.

        Args:
            z: states of the top latent layer, (batch, latent).

        Raises:
            ValueError: for another width.
        """
        z = as_matrix(z, "z", self.dtype, self.device)
        if z.dim() != 2 or z.shape[1] != self.latents[-1].n:
            raise ValueError(f"z has shape {tuple(z.shape)}; expected (batch, {self.latents[-1].n})")
        for k in range(len(self.latents) - 1, 0, -1):
            q: Any = self.latents[k - 1].distribution(self.decoders[k](z))
            z = q.mean
        return self.outputs.mean(self.decoders[0](z))

    def log_layer(self, k: int, above: Tensor, below: Tensor) -> Tensor:
        """log p(z_k | z_{k+1}) of states ``below`` given states ``above``, (..., batch), float64; k = 0 is the data."""
        x = self.decoders[k](above).to(self.dtype)  # from bfloat16, if training uses it for products
        if k == 0:
            return self.outputs.joint_log_prob(x, below)
        return _total(self.latents[k - 1].distribution(x), below)

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z_L), or log p*(z_L) if the prior is a machine, (..., batch), float64."""
        if self.prior is None:
            return _total(self.standard_normal(), z)
        return self.prior.log_weight(self.prior.visible_only_state(z))

    def log_joint(self, v: Tensor, z: Sequence[Tensor]) -> Tensor:
        """log p(v, z_1, ..., z_L), or log p* if the prior is a machine, (..., batch), float64."""
        states = [v, *z]
        total = self.log_prior(states[-1])
        for k in range(len(z)):
            total = total + self.log_layer(k, states[k + 1], states[k])
        return total

    def standard_normal(self) -> Normal:
        """The distribution of one unit of z_L."""
        zero = torch.zeros((), dtype=self.dtype, device=self.device)
        return Normal(zero, zero + 1, validate_args=False)

    @torch.no_grad()
    def log_weights(self, v: Tensor, stream: Stream, samples: int = 1, *, common: bool = False) -> Tensor:
        """See `Model.log_weights`.  With ``common`` noise for all cases, the weights of a case depend on it only."""
        at_once = max(1, ROWS // len(v))
        parts = []
        for done in range(0, samples, at_once):
            noise = self.noise(stream, min(at_once, samples - done), 1 if common else len(v))
            parts.append(self.importance_weights(v, [u.expand(-1, len(v), -1) for u in noise]))
        return torch.cat(parts)

    def importance_weights(
        self, v: Tensor, noise: Sequence[Tensor], seen_as: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """log p(v, z) - log q(z | v) of draws z, functions of the noise: (samples, batch), float64.  Differentiable.

        Args:
            v: encoded cases (batch, size).
            noise: uniforms for every latent layer, (samples, batch, n) (see `noise`).
            seen_as: the densities see a copy of z made by this function, which may change the gradient on its way to
                z; the parameters of q in its density are then constants, so that the encoder gets its gradient through
                z only.
        """
        below = seen_below = v
        total: Tensor | float = 0.0
        for k, (layer, encoder, u) in enumerate(zip(self.latents, self.encoders, noise, strict=True)):
            x = encoder(below).to(self.dtype)
            z = layer.rsample(x, u)
            seen = z
            if seen_as is not None:
                seen = seen_as(z)
                x = x.detach() if k == 0 else _frozen(encoder, seen_below).to(self.dtype)
            total = total - _total(layer.distribution(x), seen) + self.log_layer(k, seen, seen_below)
            below, seen_below = z, seen
        return total + self.log_prior(seen_below)

    @torch.no_grad()
    def sample_prior(self, n: int, stream: Stream) -> Tensor:
        """States of the top latent layer, (n, latent); from a machine, 1,000 sweeps after its persistent chains."""
        if self.prior is None:
            return normal(stream.advance(), n, self.latents[-1].n, self.device).to(self.dtype)
        if self.prior.chains is None:
            z = self.prior.visible.sample(torch.zeros(n, self.latents[-1].n, dtype=self.dtype, device=self.device),
                                          stream.advance())  # fmt: skip
        else:
            index = torch.arange(n, device=self.device) % len(self.prior.chains)
            z = self.prior.chains[index].to(self.dtype)
        top = self.prior.sweep(self.prior.state_from_visible(z, stream), stream, SWEEPS)[0]
        assert top is not None
        return top

    @torch.no_grad()
    def sample_latents(self, z: Tensor, stream: Stream) -> list[Tensor]:
        """States of all latent layers, z_1 first, drawn downwards from states of the top one."""
        states = [z]
        for layer, decoder in zip(self.latents[-2::-1], list(self.decoders)[:0:-1], strict=True):
            u = kernels.uniforms(stream.advance(), len(z), layer.n, torch.float64, self.device)
            states.insert(0, layer.rsample(decoder(states[0]), u))
        return states

    @torch.no_grad()
    def sample_down(self, z: Tensor, stream: Stream) -> Tensor:
        """A draw of encoded v, (batch, size), given states of the top latent layer."""
        return self.outputs.sample(self.decoders[0](self.sample_latents(z, stream)[0]), stream.advance())

    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        if clamp is not None:
            raise ValueError(
                "a VAE cannot draw visible units given others, since it has no posterior of its latent units given "
                "these: use a machine (RBM) or an OrderlessNADE for that"
            )
        return self.sample_down(self.sample_prior(n, stream), stream)

    # Description -------------------------------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """Describe the model: a JSON-able dict of its type and the arguments that build it again.

        Raises:
            ValueError: if the encoder or the decoder is your own.
        """
        if not self._described:
            raise ValueError(
                "this VAE has an encoder or decoder of your own, which a file cannot describe: keep its state_dict() "
                "beside your code, and load that into a VAE built by it"
            )
        return super().config() | {
            "latent": [layer.n for layer in self.latents],
            "hidden": [networks.config() for networks in self.hidden],
            "prior": None if self.prior is None else self.prior.config(),
        }

    def __repr__(self) -> str:
        sizes = [layer.n for layer in self.latents]
        prior = "" if self.prior is None else f", prior={self.prior!r}"
        return f"VAE({self.visible!r}, latent={sizes[0] if len(sizes) == 1 else tuple(sizes)}{prior})"


def _frozen(network: nn.Module, x: Tensor) -> Tensor:
    """The output of a network as a function of x only: its parameters get no gradient."""
    constants = {name: parameter.detach() for name, parameter in network.named_parameters()}
    out: Tensor = functional_call(network, constants, (x,))
    return out


def _total(distribution: Distribution, z: Tensor) -> Tensor:
    """log-density of all units, (..., batch), float64."""
    density: Tensor = distribution.log_prob(z)
    return density.sum(-1, dtype=torch.float64)


def _sizes(latent: int | Sequence[int] | None, prior: Machine | None) -> list[int]:
    if latent is None:
        return [50 if prior is None else prior.visible.size]
    sizes: list[Any] = list(latent) if isinstance(latent, (list, tuple)) else [latent]
    sizes = [check_int("latent", n) for n in sizes]
    if not sizes:
        raise ValueError("latent is empty: give the number of units of at least one layer")
    if prior is not None and sizes != [prior.visible.size]:
        raise ValueError(
            f"latent is {latent!r}, but the prior has {prior.visible.size} visible units: leave latent out"
        )
    return sizes


def _architectures(hidden: Architecture | Sequence[Any], layers: int) -> list[Architecture]:
    several = isinstance(hidden, (list, tuple)) and not all(isinstance(width, int) for width in hidden)
    each = list(hidden) if several else [hidden]  # type: ignore[arg-type]
    if len(each) != layers:
        raise ValueError(
            f"hidden describes the networks of {len(each)} stochastic layers, and latent has {layers}: give one for "
            "each, such as hidden=((200, 200), (100, 100)) for latent=(100, 50)"
        )
    return [as_architecture(networks) for networks in each]


def _check_prior(prior: Machine, dtype: torch.dtype) -> None:
    if not isinstance(prior, Machine):
        raise TypeError(f"prior must be a machine such as harmonium.RBM(100, 100), found {type(prior).__name__}")
    prior.refuse_batched("VAE(prior=...)")
    if type(prior.visible) is not Bernoulli or prior.sampled_layers != [0]:
        raise ValueError(
            f"prior must have Bernoulli visible units and hidden ones that can be summed out, such as an RBM; found "
            f"{prior!r}"
        )
    if prior.dtype != dtype:
        raise ValueError(f"prior is {prior.dtype} and the VAE {dtype}: give both one dtype")
