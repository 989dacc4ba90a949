"""Descent along orthogonal matrices: all directions of a weight matrix learn as fast as the strongest one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.core.checks import check_int, check_number
from harmonium.models.machine.machine import as_machine
from harmonium.models.model import Model
from harmonium.training.eager import Eager

__all__ = ["Muon", "matrices_of", "polar"]

_COARSE, _COARSE_STEPS = (3.4445, -4.7750, 2.0315), 5  # of Muon: singular values come near 1 fast, and stay around it
_FINE, _FINE_STEPS = (15 / 8, -10 / 8, 3 / 8), 3  # from there they converge, with the third power of what is missing


class Muon(Eager):
    """Spectral descent with momentum on weight matrices, plain descent on all other parameters.

    The change of a probability model by a change of its weights is bounded by their largest singular value (Carlson,
    Cevher & Carin 2015, "Stochastic spectral descent for restricted Boltzmann machines").  Under that bound a gradient
    G = U S V' is best followed along U V', in which all directions are equally long; Muon (Jordan et al. 2024) does
    this with the running mean of gradients.  Here a step has the length of a plain one,

        W -= rate |G| / sqrt(r) U V'

    with the Frobenius norm |G| and the rank r, so that a learning rate means what it means for "sgd".

    Args:
        parameters: of a model.
        lr: learning rate.
        matrices: those of the parameters that are weight matrices (..., n, m).  Default: all with two dimensions or
            more.
        momentum: of the running mean; the gradient counts once more beside it (Nesterov).  0: the gradient alone.
        every: updates between directions.  To find one takes the time of about eight updates of an RBM of 784 x 500
            units on a CPU, so that the last one is followed until then.

    Raises:
        ValueError: for a momentum outside [0, 1), or ``every`` below 1.

    >>> import harmonium as hm
    >>> bars = hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(hm.RBM(16, 4), bars, epochs=2, optimizer="muon")
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.05,
        matrices: Sequence[Tensor] | None = None,
        momentum: float = 0.9,
        every: int = 5,
    ) -> None:
        check_number("Muon(momentum=...)", momentum, "a number in [0, 1)", lambda momentum: 0 <= momentum < 1)
        self.momentum, self.every = momentum, check_int("Muon(every=...)", every)
        listed = list(parameters)
        spectral = [each for each in listed if each.dim() > 1] if matrices is None else matrices
        chosen = {id(each) for each in spectral}
        groups: list[dict[str, Any]] = [
            {"params": [each for each in listed if (id(each) in chosen) == matrix], "spectral": matrix}
            for matrix in (True, False)
        ]
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    direction = self._spectral(parameter) if group["spectral"] else parameter.grad
                    parameter.add_(direction, alpha=-group["lr"])

    step.hooked = True  # type: ignore[attr-defined]  # else the base class wraps it

    def _spectral(self, parameter: Tensor) -> Tensor:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if not state:
            state |= {"age": 0, "mean": gradient.clone(), "direction": torch.zeros_like(gradient)}
        state["mean"].lerp_(gradient, 1 - self.momentum)
        if state["age"] % self.every == 0:
            ahead = torch.lerp(gradient, state["mean"], self.momentum)
            length = torch.linalg.matrix_norm(ahead, keepdim=True) / min(ahead.shape[-2:]) ** 0.5
            state["direction"] = polar(ahead).mul_(length)
        state["age"] += 1
        direction: Tensor = state["direction"]
        return direction


def polar(gradient: Tensor) -> Tensor:
    """Return U V' of U S V', (..., n, m).

    Singular values that are lost in rounding beside the largest stay as small as they are.  On the CPU by the
    eigenvalues of the smaller of G'G and G G', which takes half of the time of Newton-Schulz steps there; elsewhere by
    those steps, which are products alone.
    """
    tall = gradient if gradient.shape[-2] >= gradient.shape[-1] else gradient.mT
    found = _by_eigenvalues(tall) if gradient.device.type == "cpu" else _by_newton_schulz(tall)
    return found if tall is gradient else found.mT


def _by_eigenvalues(tall: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(tall.mT @ tall)
    least = values[..., -1:] * tall.shape[-1] * torch.finfo(tall.dtype).eps
    roots = values.clamp(min=least).clamp(min=torch.finfo(tall.dtype).tiny).rsqrt()
    found: Tensor = tall @ ((vectors * roots.unsqueeze(-2)) @ vectors.mT)
    return found


def _by_newton_schulz(tall: Tensor) -> Tensor:
    """Odd polynomials of the matrix, which move all its singular values towards 1 (Bernstein & Newhouse 2024)."""
    tiny = torch.finfo(tall.dtype).tiny
    wide: Tensor = (tall / torch.linalg.matrix_norm(tall, keepdim=True).clamp(min=tiny)).mT
    for a, b, c in [_COARSE] * _COARSE_STEPS + [_FINE] * _FINE_STEPS:
        square = wide @ wide.mT
        wide = a * wide + (b * square + c * (square @ square)) @ wide
    return wide.mT


def matrices_of(model: Model) -> list[Tensor]:
    """Return the weight matrices of a machine: its couplings that are kept as matrices.

    Raises:
        TypeError: for a model that is no machine.
        ValueError: for a machine without a matrix.
    """
    machine = as_machine(model, 'the optimizer "muon"')
    found: list[Tensor] = [machine.couplings[name] for name in machine.edges if name not in machine.sparse]
    if not found:
        why = "keeps one value per edge" if machine.sparse else "has no weights"
        raise ValueError(
            f'the optimizer "muon" steps along orthogonal matrices, and this {type(machine).__name__} {why}, no '
            'matrix: use optimizer="sgd"'
        )
    return found
