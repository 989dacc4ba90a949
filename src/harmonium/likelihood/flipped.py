"""The pseudo-likelihood of binary cases by single flips, a formula that also applies to grey values."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from harmonium.kernels.flipped import flipped
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.rbm import RBM
from harmonium.units.bernoulli import Bernoulli

__all__ = ["can_flip", "flipped_log_likelihood"]


# sigmoid(+-x) times exp(+-w), the kernel's factors, stay within float64.
_MAX_WEIGHT = 700


def can_flip(model: Machine) -> TypeGuard[RBM]:
    """Return whether `flipped_log_likelihood` takes this model and is its pseudo-likelihood.

    >>> import harmonium as hm
    >>> can_flip(hm.RBM(4, 2)), can_flip(hm.RBM(hm.Spin(4), 2))
    (True, False)
    """
    return (
        type(model) is RBM
        and not model.batched
        and all(type(units) is Bernoulli for units in (model.visible, model.hidden))
        and model.weights.device.type == "cpu"
        and float(model.weights.detach().abs().max()) < _MAX_WEIGHT
    )


@torch.no_grad()
def flipped_log_likelihood(rbm: RBM, v: Tensor) -> Tensor:
    """Compute sum_i log sigmoid(F(v^i) - F(v)), where v^i is v with v_i replaced by 1 - v_i.

    For binary v it is the pseudo-log-likelihood, sum_i log p(v_i | all other v) (Besag 1975).  For grey values it is
    the expectation of scikit-learn's estimate, and not a likelihood.

    Args:
        rbm: a machine of binary units on the CPU.
        v: cases (batch, n_visible), values from 0 to 1.

    Returns:
        nats, (batch,), float64.

    >>> import harmonium as hm
    >>> flipped_log_likelihood(hm.RBM.from_arrays([[0.0], [0.0]], [0.0, 0.0], [0.0]), torch.ones(1, 2)).exp().tolist()
    [0.25]
    """
    W, b, c = (p.detach().double() for p in (rbm.weights, rbm.visible_bias, rbm.hidden_bias))
    v = v.double().contiguous()
    x = v @ W + c
    change = np.empty(v.shape)
    probabilities = [torch.sigmoid(s).numpy() for s in (x, -x)]
    flipped(v.numpy(), *probabilities, W.contiguous().numpy(), b.numpy(), float(W.abs().max()), change)
    return functional.logsigmoid(-torch.from_numpy(change)).sum(-1)
