"""The check kit must notice what is wrong: each break fails, and the message names the identity."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.models import RBM
from harmonium.models.machine.machine import Machine
from harmonium.models.state import Moments
from harmonium.testing import check_model, check_units
from harmonium.testing.compare import assert_close, assert_counts, assert_mean
from harmonium.testing.joint import Joint, start_at
from harmonium.units import Bernoulli, Binomial, Categorical, FusedKernels, Gaussian, Natural, Units


class WrongVariance(Bernoulli):
    def _variance(self, eta: Natural) -> Tensor:
        return torch.sigmoid(eta[0])


class WrongMean(Gaussian):
    def mean(self, x: Tensor, line: Any = None) -> Tensor:
        return super().mean(x, line) * 1.01


class WrongCumulant(Gaussian):
    def log_normalizer(self, x: Tensor, line: Any = None) -> Tensor:
        return super().log_normalizer(x, line) + 0.5 * math.log(2)


class WrongPull(Gaussian):
    def parameter_gradient(self, moments: Natural) -> dict[str, Tensor]:
        return super().parameter_gradient(moments) | {"log_variance": moments[1]}


class WrongMode(Bernoulli):
    def _mode(self, eta: Natural) -> Tensor:
        return (eta[0] < 0).to(eta[0].dtype)


class WrongPortable(Gaussian):
    loops = Gaussian.loops

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        return super()._draw(eta, 1 - u)


class WrongDraw(Bernoulli):
    def sample_(self, x: Tensor, draw: Any, line: Any = None) -> Tensor:
        return super().sample_(x * 0.9, draw, line)


class ForgetsFirst(Bernoulli):
    def sample_(self, x: Tensor, draw: Any, line: Any = None) -> Tensor:
        return super().sample_(x, draw._replace(first=0), line)


class WrongLine(Bernoulli):
    def line(self, t: Any = None, base: Any = None) -> Any:
        line = super().line(t, base)
        return line if base is None else line._replace(start=self.natural())


class AcceptsAll(Bernoulli):
    def check(self, s: Tensor, name: str) -> None:
        pass


class WrongBase(Bernoulli):
    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        return (torch.logit(mean),)


class ForgetsMeasure(Binomial):
    def neg_energy(self, s: Tensor, natural: Natural | None = None) -> Tensor:
        return self.linear_terms(s, (self.natural() if natural is None else natural,))[..., 0]


class NeighboursCode(Categorical):
    def decode(self, inside: Tensor) -> Tensor:
        return super().decode(inside).flip(-1)


class RareStates(Categorical):
    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        return (mean.to(self.bias),)


class ForgetsArgument(Binomial):
    def config(self) -> dict[str, Any]:
        return {key: value for key, value in super().config().items() if key != "trials"}


class DividesByZero(Bernoulli):
    loops = FusedKernels()

    def _mean(self, eta: Natural) -> Tensor:
        return super()._mean(eta) * eta[0] / eta[0]


class ClaimsBounds(Gaussian):
    bounded = True


class Overflows(Bernoulli):
    loops = FusedKernels()

    def _log_normalizer(self, eta: Natural) -> Tensor:
        return torch.log1p(torch.exp(eta[0]))


class WrongOnTensors(Gaussian):
    loops = Gaussian.loops

    def _mean(self, eta: Natural) -> Tensor:
        return super()._mean(eta) * 1.01


UNITS = [
    (partial(ForgetsArgument, trials=2), "config.*'trials'"), (DividesByZero, "mean at fields of 0"),
    (ClaimsBounds, "bounded units refuse"),
    (Overflows, "log_normalizer in float32 at fields of 0 to 700"), (WrongOnTensors, r"mean on tensors = E\[s"),
    (partial(ForgetsMeasure, trials=2), "energy = - log m"), (partial(NeighboursCode, states=3), "encode"),
    (partial(RareStates, states=3), "base_rate has the mean"),
    (WrongVariance, r"variance = Var\[s \| x\]"), (WrongMean, r"mean = E\[s \| x\]"),
    (WrongCumulant, "log_normalizer = log sum"),
    (WrongPull, r"parameter_gradient\(T\(s\) - E\[T\]\) = autograd .* in log_variance"), (WrongMode, "mode maximises"),
    (WrongPortable, "fused draws = portable draws"), (WrongDraw, "draws have the conditional mean"),
    (ForgetsFirst, "row chunks"), (WrongLine, "at t = 0.0 of line"), (AcceptsAll, "refuses NaN"),
    (WrongBase, "base_rate of a constant unit is finite"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "identity"), UNITS)
def test_a_broken_unit_is_noticed(family: type, identity: str) -> None:
    with pytest.raises(AssertionError, match=identity):
        check_units(family(4))


class Incomplete(Bernoulli):
    _mode = Units._mode


class OnTensors(Bernoulli):
    """Units that have their formulas on tensors only."""

    loops = FusedKernels()


def test_fused_loops_may_be_left_out() -> None:
    check_units(OnTensors(4))
    fused, tensors = RBM(4, 3), RBM(OnTensors(4), OnTensors(3))
    tensors.load_state_dict(fused.state_dict())
    assert torch.equal(fused.gibbs(torch.zeros(5, 4), 3, Stream(1)), tensors.gibbs(torch.zeros(5, 4), 3, Stream(1)))


def test_a_missing_formula_is_named() -> None:
    with pytest.raises(NotImplementedError, match="Incomplete has no formula _mode"):
        check_units(Incomplete(2))


class WrongWeight(RBM):
    def log_weight(self, state: Any, colour: int = 0, lines: Any = None, inputs: Any = None) -> Tensor:
        return super().log_weight(state, colour, lines, inputs) * 1.001


class WrongMoments(RBM):
    def moments(self, phase: Any) -> Moments:
        moments = super().moments(phase)
        return moments | {"hidden_bias": moments["hidden_bias"] * 0.99}


class IgnoresWeights(RBM):
    def layer_moments(self, phase: Any) -> Moments:
        # Of the batch of seven cases, not of the enumeration.
        cases = not isinstance(phase, dict) and phase.means[0].shape[-2] == 7
        return super().layer_moments(replace(phase, weight=None) if cases else phase)


class Synchronous(RBM):
    """Both layers from the old state: a common mistake, stationary only in products of chains."""

    def sweep(self, state: Any, stream: Any, steps: int = 1, lines: Any = None, clamp: Any = None) -> Any:
        current = list(state)
        for _ in range(steps):
            draw = stream.advance()
            if current[1] is None:
                current[1] = Machine.sweep(self, state, stream, 1, lines)[1]
            new = []
            for layer in (0, 1):
                x = self.inputs(layer, tuple(current))
                new.append(self.units(layer).sample(x, draw.at(0), None if lines is None else lines[layer]))
            current = new
        return tuple(current)


class WrongTemperature(RBM):
    """The visible layer forgets its line."""

    def sweep(self, state: Any, stream: Any, steps: int = 1, lines: Any = None, clamp: Any = None) -> Any:
        if lines is not None:
            lines = [lines[0]._replace(t=torch.ones_like(lines[0].t)), lines[1]]
        return super().sweep(state, stream, steps, lines, clamp)


MODELS = [
    (WrongWeight, "log_weight with hidden summed out"), (WrongMoments, r"exact_moments = d log Z / d hidden_bias"),
    (IgnoresWeights, "-grad of Exact = d weighted mean log-likelihood"),
    (Synchronous, "stationarity of [15] sweeps"),
    (WrongTemperature, "sweeps at inverse temperature"),
]  # fmt: skip


@pytest.mark.parametrize(("family", "identity"), MODELS)
def test_a_broken_machine_is_noticed(family: type, identity: str) -> None:
    with pytest.raises(AssertionError, match=identity):
        check_model(family(3, 2), spread=1.0)


def test_comparisons() -> None:
    one = torch.ones(3)
    assert_close("x", one, one + 1e-9, 0, 1e-8)
    with pytest.raises(AssertionError, match=r"x: found 1, expected 1.5 .*2 of 3 values differ"):
        assert_close("x", one, torch.tensor([1.0, 1.5, 1.2]), 0, 1e-8)
    with pytest.raises(AssertionError, match="x: found nan"):
        assert_close("x", one * math.nan, one, 1, 1)
    assert_close("x", one * math.inf, one * math.inf, 0, 1e-9)
    with pytest.raises(AssertionError, match="shapes"):
        assert_close("x", one, one[:2], 0, 0)
    values = torch.linspace(-1, 1, 1001)[:, None]
    assert_mean("m", values, torch.zeros(1))
    with pytest.raises(AssertionError, match=r"m: mean .* of 1001 draws, expected 0.1, -5.* standard errors away"):
        assert_mean("m", values, torch.tensor([0.1]))
    with pytest.raises(AssertionError, match="mean nan"):
        assert_mean("m", values * math.nan, torch.zeros(1))


def test_counts_alarm_at_their_rate(make_rbm: Callable[..., RBM]) -> None:
    """Draws of the table itself pass; a distribution 2 per cent away in total variation does not."""
    joint = Joint(make_rbm(3, 2))
    log_p = joint.log_weights()
    p = torch.softmax(log_p, 0)
    state = start_at(joint, 40_000, Stream(1))
    index, probability = joint.index_of(state, [0, 1]), joint.probability(p, [0, 1])
    assert_counts("true", index, probability)
    bent = probability.clone()
    bent[int(bent.argmax())] += 0.04
    with pytest.raises(AssertionError, match="in total variation from the distribution"):
        assert_counts("bent", index, bent / bent.sum())


def test_limits_are_said() -> None:
    with pytest.raises(ValueError, match="joint states"):
        check_model(RBM(20, 10))
    with pytest.raises(ValueError, match="at most two continuous units"):
        check_model(RBM(Gaussian(3), 2))
