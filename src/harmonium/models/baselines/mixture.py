"""Mixtures of independent variables, by expectation maximisation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.checks import check_int
from harmonium.core.random import Stream, as_stream
from harmonium.models.arrays import Array
from harmonium.models.baselines.baseline import Baseline, pick
from harmonium.models.initial import normal_
from harmonium.models.state import Clamp
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["BernoulliMixture"]


class BernoulliMixture(Baseline):
    """Mixture p(v) = sum_k pi_k prod_i p(v_i | k): one hidden variable with K states (Lazarsfeld & Henry 1968).

    Component k gives the visible units the input x_k, on top of biases at the base rate: log p(v | k) = x_k . v - U(v)
    - A(x_k).  It takes `Categorical` variables (latent classes) as well as `Bernoulli` ones.

    Args:
        visible: an int or a shape (that many `Bernoulli`), or a unit type of finitely many states.
        components: K.
        dtype: float32 or float64.
        seed: of the initial inputs.

    Raises:
        ValueError: for no component, or units with infinitely many states.

    >>> import harmonium as hm
    >>> mixture = hm.baselines.BernoulliMixture(2, 2)
    >>> gains = mixture.estimate([[0, 0], [1, 1]] * 50, smoothing=1e-3)
    >>> round(mixture.log_prob([[1, 1]]).exp().item(), 2)
    0.5
    """

    def __init__(
        self,
        visible: Units | int | tuple[int, ...],
        components: int,
        *,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        units = as_units(visible, Bernoulli, "visible")
        components = check_int("components", components)
        if not units.finite or len(units.natural()) != 1:
            raise ValueError(f"BernoulliMixture takes binary or categorical units, found {units!r}")
        super().__init__(units, dtype)
        self.inputs = nn.Parameter(torch.zeros(components, units.size, dtype=dtype))
        self.logits = nn.Parameter(torch.zeros(components, dtype=dtype))
        self.initialise(as_stream(seed))
        self.mark_untrained()

    @property
    def components(self) -> int:
        """Number of components."""
        return len(self.logits)

    @torch.no_grad()
    def initialise(self, stream: Stream) -> None:
        normal_(self.inputs, 0.5, stream)
        self.logits.zero_()

    def initialise_from_data(self, stream: Stream) -> None:
        self._set_base_rate()
        self.initialise(stream)

    def config(self) -> dict[str, Any]:
        return super().config() | {"components": self.components}

    # The likelihood ----------------------------------------------------------------------------------------------

    def log_joint(self, v: Tensor) -> Tensor:
        """log pi_k + log p(v | k), (batch, K), float64, for encoded v (batch, size)."""
        log_pi = torch.log_softmax(self.logits.double(), 0)
        # x_k . v for all k is one product; terms that do not depend on k are added once.
        terms = v.double() @ self.inputs.double().T - self.units.log_normalizer(self.inputs)
        return log_pi + terms + self.units.neg_energy(v).unsqueeze(-1)

    def log_likelihood(self, v: Tensor) -> Tensor:
        return torch.logsumexp(self.log_joint(v), -1)

    def log_marginal(self, v: Tensor, observed: Tensor) -> Tensor:
        return torch.logsumexp(self.log_joint_of(v, observed), -1)

    def log_joint_of(self, v: Tensor, observed: Tensor) -> Tensor:
        """log pi_k + log p(v_observed | k), (batch, K), float64."""
        each = [torch.where(observed, self.units.log_density(x.expand_as(v), v), 0.0).sum(-1) for x in self.inputs]
        return torch.log_softmax(self.logits.double(), 0) + torch.stack(each, -1)

    @torch.no_grad()
    def draw(self, n: int, stream: Stream, clamp: Clamp | None = None) -> Tensor:
        log_p = self.logits.double().expand(n, -1)
        if clamp is not None:
            log_p = self.log_joint_of(clamp[1], self.units.one_per_column(clamp[0]))
        u = kernels.uniforms(stream.advance(), n, 1, torch.float64, self.device)[:, 0]
        v = self.units.sample(self.inputs[pick(log_p, u)], stream.advance())
        return v if clamp is None else torch.where(clamp[0], clamp[1], v)

    # Expectation maximisation ------------------------------------------------------------------------------------

    @torch.no_grad()
    def estimate(
        self,
        data: Array,
        *,
        smoothing: float = 1.0,
        iterations: int = 200,
        tolerance: float = 1e-4,
        seed: int | Stream = 0,
    ) -> list[float]:
        """Estimate by expectation maximisation (Dempster, Laird & Rubin 1977) from new random components.

        Each step computes r_nk = p(k | v_n) and sets component k to the smoothed r-weighted mean of the cases, and pi_k
        to the smoothed fraction of r.  It ascends the mean of log p(v_n) plus, per case, ``smoothing`` / N times the
        expected log-likelihood of a case with all states equally likely, which is the log-density of a conjugate prior.

        Args:
            data: cases, (n, n_visible); of cases that are drawn in every epoch, those of epoch 0.
            smoothing: number of uninformative cases that are added to every component.
            iterations: maximal number of steps.
            tolerance: stop when a step gains less than this, in nats per case.
            seed: of the cases near which components start, an int or a stream.

        Returns:
            the objective, in nats per case, before every step and at the end; it never falls.

        Raises:
            ValueError: for another width, values outside the domain, or no smoothing.
        """
        iterations = check_int("iterations", iterations)
        cases = self._begin(data, smoothing)
        self._start(cases, as_stream(seed).child("em"), smoothing)
        history: list[float] = []
        while True:
            mass = torch.zeros(self.components, dtype=torch.float64, device=self.device)
            sums = torch.zeros(*self.inputs.shape, dtype=torch.float64, device=self.device)
            total = self._log_prior(smoothing)
            for v in self._batches(cases):
                joint = self.log_joint(v)
                total += float(torch.logsumexp(joint, -1).sum())
                r = torch.softmax(joint, -1)
                mass += r.sum(0)
                sums += r.T @ v.double()
            history.append(total / len(cases))
            if len(history) > iterations or (len(history) > 1 and history[-1] - history[-2] < tolerance):
                return history
            self._maximise(mass, sums, smoothing)

    def _start(self, cases: Any, stream: Stream, smoothing: float) -> None:
        """Place each component halfway between the mean of the data and a random case."""
        order = kernels.permutation(stream.advance(), len(cases))
        index = order[torch.arange(self.components) % len(cases)]
        v = self.units.encode(cases.rows(index, dtype=torch.float64, device=self.device))
        assert self.data_mean is not None
        self.logits.zero_()
        self._set_components(0.5 * (v + self.data_mean), torch.full((len(v),), len(cases) / len(v)), smoothing)

    def _maximise(self, mass: Tensor, sums: Tensor, smoothing: float) -> None:
        self.logits.copy_(torch.log(mass + smoothing / self.components))
        self._set_components(sums / mass.clamp(min=1e-300).unsqueeze(-1), mass, smoothing)

    def _set_components(self, means: Tensor, mass: Tensor, smoothing: float) -> None:
        (bias,) = self.units.natural()
        for k, (mean, count) in enumerate(zip(means, mass.tolist(), strict=True)):
            (field,) = self.units.base_rate(mean, torch.zeros_like(mean), count / smoothing)
            self.inputs[k] = field - bias

    def _log_prior(self, smoothing: float) -> float:
        """Log-density of the conjugate prior that smoothing corresponds to, up to a constant."""
        zero = torch.zeros(1, self.units.size, dtype=self.dtype, device=self.device)
        uniform = self.units.mean(zero, self.units.line(torch.zeros(1, dtype=self.dtype, device=self.device)))
        (bias,) = self.units.natural()
        fields = (self.inputs + bias).double()
        per_component = fields @ uniform[0].double() - self.units.log_normalizer(self.inputs)
        log_pi = torch.log_softmax(self.logits.double(), 0).mean()
        return smoothing * (float(per_component.sum()) + float(log_pi))
