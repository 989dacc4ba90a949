"""The mean field of a deep Boltzmann machine as layers of a torch network.

With m_0 = v, weights W_k between layers k - 1 and k, and biases c_k, the fixed point of `mean_field` is

    m_k = sigmoid(m_{k-1} W_k + m_{k+1} W_{k+1}' + c_k)        (k = 1, ..., L; no layer L + 1)

(Salakhutdinov & Hinton 2009, equation 9).  The first pass goes upwards, without the term from above; each iteration
then updates the odd layers and after them the even ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.core.checks import check_int

__all__ = ["Augment", "Unrolled"]


class Unrolled(nn.Module):
    """Mean-field iterations as layers that share weights: v (batch, n_0) to the top means m_L (batch, n_L).

    Differentiable through all iterations, so that fine-tuning changes inference itself.

    Args:
        weights: W_1, ..., W_L, each (n_{k-1}, n_k), L at least 1; copied.
        biases: c_1, ..., c_L of the hidden layers, each (n_k,); copied.
        iterations: updates of every layer after the upward pass.

    >>> unrolled = Unrolled([torch.ones(3, 2), torch.ones(2, 2)], [torch.zeros(2), torch.zeros(2)], iterations=5)
    >>> unrolled(torch.zeros(1, 3)).shape
    torch.Size([1, 2])
    """

    def __init__(self, weights: Sequence[Tensor], biases: Sequence[Tensor], iterations: int) -> None:
        super().__init__()
        iterations = check_int("iterations", iterations, least=0)
        self.weights = nn.ParameterList(W.detach().clone() for W in weights)
        self.biases = nn.ParameterList(c.detach().clone() for c in biases)
        self.iterations = iterations
        self.in_features = len(weights[0])

    def means(self, v: Tensor) -> list[Tensor]:
        """(m_1, ..., m_L) after the iterations, each (batch, n_k)."""
        W, c, top = list(self.weights), list(self.biases), len(self.weights)
        from_v = v @ W[0] + c[0]  # the same in all iterations
        m = [torch.sigmoid(from_v)]
        for k in range(1, top):
            m.append(torch.sigmoid(m[k - 1] @ W[k] + c[k]))
        for _ in range(self.iterations):
            for k in [*range(0, top, 2), *range(1, top, 2)]:
                x = m[k - 1] @ W[k] + c[k] if k else from_v
                m[k] = torch.sigmoid(x + m[k + 1] @ W[k + 1].mT if k + 1 < top else x)
        return m

    def forward(self, v: Tensor) -> Tensor:
        return self.means(v)[-1]


class Augment(nn.Module):
    """Cases augmented by the mean field of the second hidden layer: v (batch, n_0) to [v, m_2] (batch, n_0 + n_2).

    Training does not change it: its parameters do not require gradients.
    """

    def __init__(self, inference: Unrolled) -> None:
        super().__init__()
        self.inference = inference.requires_grad_(False)
        self.in_features = inference.in_features

    def forward(self, v: Tensor) -> Tensor:
        return torch.cat((v, self.inference.means(v)[1]), -1)
