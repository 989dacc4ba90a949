"""The pseudo-likelihood of binary cases by single flips, which greys have too."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from harmonium.kernels.flipped import flipped
from harmonium.models.machine.rbm import RBM

__all__ = ["flipped_log_likelihood"]


@torch.no_grad()
def flipped_log_likelihood(rbm: RBM, v: Tensor) -> Tensor:
    """sum_i log sigmoid(F(v^i) - F(v)), (batch,), float64; v^i is v with 1 - v_i in the place of v_i.

    Of binary v it is the pseudo-log-likelihood, sum_i log p(v_i | all other v) (Besag 1975), in nats.  Of greys it is
    the same formula, the mean of what scikit-learn draws, and no likelihood of anything.

    Args:
        rbm: a machine of binary units on the CPU.
        v: cases (batch, n_visible), values from 0 to 1.

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
