"""Lower bounds of log p(v) by a recognition model: ELBO and the importance-weighted bound.

With w = p(v, z) / q(z | v) and K draws of q (Burda et al. 2016, equation 8),

    ELBO = E_q[log w]  <=  L_K = E[log mean_k w_k]  <=  log p(v).

Draws are functions z(phi, noise) of the encoder's parameters phi, so that both bounds are differentiated inside the
expectation (Kingma & Welling 2014; Rezende et al. 2014).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.models.vae.vae import VAE, Inferred
from harmonium.objectives.base import Batch, Objective, ObjectiveState, TwoPhase
from harmonium.objectives.maximum_likelihood import descend
from harmonium.objectives.pcd import PCD

__all__ = ["ELBO", "IWAE", "evidence_bound"]

_PCD = PCD()
_MEMORY = 0.01  # of the running means of the latent units, the base rate of a machine prior


@dataclass(frozen=True)
class ELBO(Objective):
    """The evidence lower bound of a VAE (Kingma & Welling 2014, equation 10).

    E_q[log p(v | z)] - beta KL(q || p), with the divergence in closed form where there is one: of the top layer from a
    standard normal prior, and the entropy of every layer.

    Args:
        k: draws of q for each case.
        warm_up: updates over which beta rises from 0 to 1; 0: always 1.
        prior: how a machine prior is trained, on binary draws of q in place of data: `PCD` or another two-phase
            objective.  Its negative phase is the gradient of log Z.
        relaxation: temperature at which binary latent units are relaxed to (0, 1) where the decoder and the prior see
            them, so that they have a derivative (the binary concrete distribution, Maddison et al. 2017).  The gradient
            of the encoder is then biased, and less noisy than an unbiased one; likelihoods are always of binary units.

    Raises:
        ValueError: for a setting out of range.
        TypeError: for models without latent units to infer.

    >>> import harmonium as hm
    >>> vae = hm.VAE(16, latent=2, hidden=(8,))
    >>> history = hm.fit(vae, hm.data.load("bars-and-stripes").train, objective=hm.ELBO(warm_up=4), epochs=2)
    """

    by_chain = ()

    k: int = 1
    warm_up: int = 0
    prior: TwoPhase = _PCD
    relaxation: float = 0.5

    def __post_init__(self) -> None:
        check_int_fields(self, k=1, warm_up=0)
        if not isinstance(self.prior, TwoPhase) or self.prior.can_reject:
            raise ValueError(f"ELBO(prior=...) must be a two-phase objective that undoes nothing, such as "
                             f"harmonium.PCD(k=1), found {self.prior!r}")  # fmt: skip
        if not 0 < self.relaxation < math.inf:
            raise ValueError(f"ELBO(relaxation=...) must be a positive temperature, found {self.relaxation!r}")

    def check(self, model: Any) -> None:
        _check_vae(self, model)
        if model.prior is not None:
            self.prior.check(model.prior)

    def check_parts(self, model: VAE, shards: int) -> None:
        if model.prior is not None:
            raise ValueError(
                "a VAE whose prior is a machine is not trained in shards: start one process, without shards="
            )
        super().check_parts(model, shards)

    def init_state(self, model: VAE, stream: Stream) -> ObjectiveState:
        state: ObjectiveState = {}
        if model.prior is not None:
            machine = model.prior
            if machine.data_mean is None:
                half = torch.full((machine.visible.size,), 0.5, dtype=torch.float64, device=model.device)
                machine.data_mean, machine.data_variance = half, half / 2
                assert model.data_cases is not None
                machine.data_cases = model.data_cases.clone()
            state = self.prior.init_state(machine, stream)
        return state | {"updates": torch.zeros((), dtype=torch.int64)}

    def gradient(self, model: VAE, batch: Batch, state: ObjectiveState, stream: Stream) -> None:
        beta = min(1.0, (int(state["updates"]) + 1) / self.warm_up) if self.warm_up else 1.0
        state["updates"] = state["updates"] + 1
        noise = model.noise(stream, self.k, len(batch.v))
        relaxation = None if model.prior is None else self.relaxation
        with torch.enable_grad():
            inferred = model.infer(batch.v, noise, relaxation)
            descend(model, evidence_bound(model, batch.v, inferred, beta).mean(0), batch)
        if model.prior is not None:
            # Draws of q in place of data: the positive phase of E_q[log p(z)], and the negative one, of log Z.
            z = (inferred[-1].z.detach() > 0.5).to(model.dtype).flatten(0, 1)
            weight = None if batch.weight is None else batch.weight.repeat(self.k)
            self._remember(model, z)
            self.prior.gradient(model.prior, Batch(z, weight), state, stream)
            for parameter in model.prior.parameters():
                assert parameter.grad is not None
                parameter.grad.mul_(beta)

    def model_chains(self, state: ObjectiveState) -> Tensor | None:
        return self.prior.model_chains(state)

    def _remember(self, model: VAE, z: Tensor) -> None:
        machine = model.prior
        assert machine is not None and machine.data_mean is not None and machine.data_variance is not None
        machine.data_mean.lerp_(z.mean(0).double(), _MEMORY)
        machine.data_variance.copy_(machine.data_mean * (1 - machine.data_mean))


@dataclass(frozen=True)
class IWAE(Objective):
    """The importance-weighted bound L_K of a VAE (Burda et al. 2016).

    Args:
        k: importance samples K for each case; k = 1 is the ELBO.
        doubly_reparametrised: take the gradient of the encoder by Tucker et al. (2019, equation 8): of the same
            expectation, sum_k w~_k^2 (d log w_k / dz_k) (dz_k / dphi) with normalised weights w~, whose signal does
            not drown in noise as K grows.  False: the plain derivative of the bound.
        bfloat16: see `MaximumLikelihood`.

    Raises:
        ValueError: for a k that is not positive.
        TypeError: for models without latent units to infer, or with binary ones.

    >>> import harmonium as hm
    >>> vae = hm.VAE(16, latent=2, hidden=(8,))
    >>> history = hm.fit(vae, hm.data.load("bars-and-stripes").train, objective=hm.IWAE(k=5), epochs=2)
    """

    by_chain = ()

    k: int = 50
    doubly_reparametrised: bool = True
    bfloat16: bool = False

    def __post_init__(self) -> None:
        check_int_fields(self, k=1)

    def check(self, model: Any) -> None:
        _check_vae(self, model)
        if model.prior is not None:
            raise TypeError("IWAE differentiates its weights in the latent units, and those of a machine prior are "
                            "binary: use ELBO(k=...)")  # fmt: skip

    def gradient(self, model: VAE, batch: Batch, state: ObjectiveState, stream: Stream) -> None:
        noise = model.noise(stream, self.k, len(batch.v))
        share: list[Tensor] = []
        seen_as = (lambda z: _scaled(z, share)) if self.doubly_reparametrised else None
        with torch.enable_grad():
            with torch.autocast(batch.v.device.type, torch.bfloat16, enabled=self.bfloat16):
                log_w = model.importance_weights(batch.v, noise, seen_as)
            # The derivative of the bound is that of the sum of log w_k by their shares, here constants.
            share.append(torch.softmax(log_w.detach(), 0))
            descend(model, (share[0] * log_w).sum(0), batch)


def evidence_bound(model: VAE, v: Tensor, inferred: Sequence[Inferred], beta: float = 1.0) -> Tensor:
    """log p(v | z_1) - beta (log q - log p) of the latent layers at one draw each, (samples, batch), float64.

    What has a closed form is its expectation: the entropy of each q, the divergence of the top one from a standard
    normal prior.
    """
    states = [z for _, z in inferred]
    top = inferred[-1].q
    closer: Tensor | float = 0.0
    for k in range(1, len(states)):
        closer = closer + _entropy(inferred[k - 1]) + model.log_layer(k, states[k], states[k - 1])
    if model.prior is None:
        divergence: Tensor = kl_divergence(top, model.standard_normal())
        closer = closer - divergence.sum(-1, dtype=torch.float64)
    else:
        closer = closer + _entropy(inferred[-1]) + model.log_prior(states[-1])
    return model.log_layer(0, states[0], v) + beta * closer


def _scaled(z: Tensor, share: list[Tensor]) -> Tensor:
    """z, whose gradient is scaled by the shares of the samples once these are known."""
    copy = z.view_as(z)
    copy.register_hook(lambda gradient: gradient * share[0].unsqueeze(-1).to(gradient.dtype))  # type: ignore[no-untyped-call]
    return copy


def _entropy(inferred: Inferred) -> Tensor:
    entropy: Tensor = inferred.q.entropy()
    return entropy.sum(-1, dtype=torch.float64)


def _check_vae(objective: Registered, model: Any) -> None:
    if not isinstance(model, VAE):
        raise TypeError(
            f"{type(objective).__name__} trains models that infer latent units (VAE), found {type(model).__name__}: "
            "a machine wants PCD(), a NADE MaximumLikelihood()"
        )
