"""log p(v) of a decoder by annealing its latent units from the prior to the posterior (Wu et al. 2017).

The path for a case v is p_t(z) proportional to p(z) p(v | z)^t, t from 0 to 1: its normaliser goes from 1 to p(v).  It
does not use the encoder, on which importance sampling relies: if the encoder misses a part of the posterior, the two
estimates disagree.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.checks import check_int
from harmonium.core.random import Stream, stream_of
from harmonium.models.arrays import Array, as_batch
from harmonium.models.vae.vae import VAE

__all__ = ["AnnealedPosterior", "anneal_posterior"]

_TARGET = 0.65  # acceptance rate to which the pilot tunes step sizes (Neal 2011, section 4.4)
_GAIN = 0.2  # change of log step size per unit of acceptance


class AnnealedPosterior(NamedTuple):
    """Result of `anneal_posterior` for each case.

    Attributes:
        log_prob: log p(v) in nats, (batch,), float64: the log of a mean weight, on average too low.
        stderr: its standard error over chains, (batch,) (delta method).
        accepted: fraction of accepted moves, (batch,).
    """

    log_prob: Tensor
    stderr: Tensor
    accepted: Tensor


@torch.no_grad()
def anneal_posterior(
    model: VAE, v: Array, *, chains: int = 16, temperatures: int = 500, leapfrog: int = 10, seed: int | Stream = 0
) -> AnnealedPosterior:
    """Estimate log p(v) of a VAE by annealed importance sampling with Hamiltonian moves (Neal 2001; Wu et al. 2017).

    Chains start from draws of the prior and make ``leapfrog`` steps of Hamiltonian dynamics at each temperature, all
    latent layers together, with the gradient of log p(z) + t log p(v | z).  A pilot run tunes step sizes for each case
    and temperature; they are then fixed, so that the weights are unbiased.  A check on importance sampling
    (`harmonium.evaluate`), which costs 2 x temperatures x leapfrog gradients per chain.

    Args:
        model: a VAE with Gaussian latent units.
        v: cases (batch, n_visible).
        chains: chains per case.
        temperatures: number of points of the path, evenly spaced from 0 to 1.
        leapfrog: steps of each move.
        seed: an int or a stream.

    Returns:
        estimates with standard errors.

    Raises:
        TypeError: for a model that is not a VAE.
        ValueError: if the prior is a machine: its latent units are binary and have no gradient.

    >>> import harmonium as hm
    >>> found = anneal_posterior(hm.VAE(4, latent=2, hidden=(3,)), [[0, 1, 1, 0]], chains=10, temperatures=20)
    >>> found.log_prob.shape
    torch.Size([1])
    """
    if not isinstance(model, VAE):
        raise TypeError(f"anneal_posterior takes a VAE, found {type(model).__name__}")
    if model.prior is not None:
        raise ValueError("anneal_posterior moves latent units along gradients, and those of a machine prior are binary")
    chains = check_int("chains", chains)
    temperatures = check_int("temperatures", temperatures, least=2)
    leapfrog = check_int("leapfrog", leapfrog)
    v = as_batch(v, model, "v", domain=True)
    stream = stream_of(seed, "anneal_posterior")
    t = torch.linspace(0, 1, temperatures, dtype=torch.float64).tolist()
    steps = torch.full((temperatures, len(v)), 0.1, dtype=torch.float64, device=model.device)
    _anneal(model, v, t, steps, chains, leapfrog, stream.child("pilot"), tune=True)
    log_w, accepted = _anneal(model, v, t, steps, chains, leapfrog, stream.child("anneal"), tune=False)
    log_prob = torch.logsumexp(log_w, 0) - math.log(chains)
    relative = torch.exp(log_w - log_prob)
    spread = relative.std(0) / math.sqrt(chains) if chains > 1 else torch.full_like(log_prob, math.inf)
    return AnnealedPosterior(log_prob, spread, accepted)


def _anneal(
    model: VAE, v: Tensor, t: list[float], steps: Tensor, chains: int, leapfrog: int, stream: Stream, *, tune: bool
) -> tuple[Tensor, Tensor]:
    """log-weights (chains, batch) and acceptance (batch,); step sizes ``steps`` are read, or tuned and written."""
    z = _prior_states(model, chains, len(v), stream)
    fit = _densities(model, v, z)[1]
    log_w, accepted = torch.zeros_like(fit), torch.zeros_like(fit)
    step = steps[0].clone()
    for k in range(1, len(t)):
        log_w += (t[k] - t[k - 1]) * fit
        if k == len(t) - 1:  # the last states are not moved: their weights are complete
            break
        if tune:
            steps[k] = step
        z, fit, share = _move(model, v, z, t[k], steps[k], leapfrog, stream)
        accepted += share / max(1, len(t) - 2)
        step = step * torch.exp(_GAIN * (share.mean(0) - _TARGET))
    return log_w, accepted.mean(0)


def _move(
    model: VAE, v: Tensor, z: Tensor, t: float, step: Tensor, leapfrog: int, stream: Stream
) -> tuple[Tensor, Tensor, Tensor]:
    """One Hamiltonian move at temperature t: the states, log p(v | z) there, and the probability of acceptance."""
    chains, batch, n = z.shape
    u = kernels.uniforms(stream.advance(), chains * batch, n + 1, torch.float64, z.device).view(chains, batch, n + 1)
    momentum: Tensor = torch.special.ndtri(u[..., :n]).to(z.dtype)
    h = step.to(z.dtype).unsqueeze(-1)

    prior, fit, slope = _slope(model, v, z, t)
    before = prior + t * fit - 0.5 * momentum.square().sum(-1, dtype=torch.float64)
    place, force, p = z, slope, momentum
    for _ in range(leapfrog):
        p = p + 0.5 * h * force
        place = place + h * p
        new_prior, new_fit, force = _slope(model, v, place, t)
        p = p + 0.5 * h * force
    after = new_prior + t * new_fit - 0.5 * p.square().sum(-1, dtype=torch.float64)
    share = torch.exp((after - before).clamp(max=0)).nan_to_num(0.0)
    taken = u[..., n] < share
    return torch.where(taken.unsqueeze(-1), place, z), torch.where(taken, new_fit, fit), share


def _slope(model: VAE, v: Tensor, z: Tensor, t: float) -> tuple[Tensor, Tensor, Tensor]:
    """log p(z), log p(v | z), and the gradient of log p(z) + t log p(v | z) in z."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        prior, fit = _densities(model, v, z)
        slope = torch.autograd.grad((prior + t * fit).sum(), z)[0]
    return prior.detach(), fit.detach(), slope


def _densities(model: VAE, v: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """log p(z_1, ..., z_L) and log p(v | z_1), (chains, batch), for all latent layers side by side."""
    layers = torch.split(z, [layer.n for layer in model.latents], -1)
    prior = model.log_prior(layers[-1])
    for k in range(1, len(layers)):
        prior = prior + model.log_layer(k, layers[k], layers[k - 1])
    return prior, model.log_layer(0, layers[0], v)


def _prior_states(model: VAE, chains: int, batch: int, stream: Stream) -> Tensor:
    """Draws of all latent layers from the model, side by side, (chains, batch, n)."""
    states = model.sample_latents(model.sample_prior(chains * batch, stream), stream)
    return torch.cat(states, -1).view(chains, batch, -1)
