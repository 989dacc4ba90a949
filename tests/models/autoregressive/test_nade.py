"""NADE: normalised under every ordering, drawn from as it says, and the mean field of the RBM it begins with."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.models.autoregressive.nade import NADE
from harmonium.testing.numeric import normals, scatter

from ...training.helpers import Break


def scattered(model: NADE, spread: float = 0.7) -> NADE:
    scatter(model, Stream(3), spread)
    return model


def every(model: NADE) -> torch.Tensor:
    return model.visible.states(torch.arange(model.visible.count))


@pytest.mark.parametrize("ordering", list(itertools.permutations(range(4))))
def test_binary_models_sum_to_one_under_every_ordering(ordering: tuple[int, ...]) -> None:
    model = scattered(NADE(4, 5, ordering=ordering, dtype=torch.float64))
    log_prob = model.log_prob(every(model)).detach()
    assert abs(float(torch.logsumexp(log_prob, 0))) < 1e-12
    assert float(log_prob.std()) > 0.1


@pytest.mark.parametrize(
    "visible", [hm.Categorical(3, 3), hm.Spin(4), hm.Mixed([hm.Bernoulli(2), hm.Categorical(2, 3)])], ids=repr
)
@pytest.mark.parametrize("rectified", [False, True])
def test_finite_models_sum_to_one(visible: hm.units.Units, rectified: bool) -> None:
    order = torch.arange(visible.columns).flip(0)
    model = scattered(NADE(visible, 5, ordering=order, rectified=rectified, dtype=torch.float64))
    assert abs(float(torch.logsumexp(model.log_prob(every(model)).detach(), 0))) < 1e-12


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_mixtures_of_two_variables_integrate_to_one(family: str) -> None:
    outputs = hm.models.MixtureConditional(2, 3, family, 0.2)
    model = scattered(NADE(2, 4, ordering=[1, 0], outputs=outputs, dtype=torch.float64), 0.2)
    grid = torch.arange(-12, 12, 0.05, dtype=torch.float64)
    density = model.log_prob(torch.cartesian_prod(grid, grid)).detach().exp()
    # Gaussians: the trapezoidal rule is exact; at kinks of Laplace densities of scale 1 it errs by h^2 / 12 or so.
    assert abs(float(density.sum()) * 0.05**2 - 1) < (1e-6 if family == "gaussian" else 2e-3)


def test_the_conditionals_are_those_of_the_formula() -> None:
    model = scattered(NADE(3, 4, ordering=[2, 0, 1], dtype=torch.float64))
    v = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
    W, c, V = model.weights, model.hidden_bias, model.output_weights
    b, a, log_p = model.visible.bias, model.hidden_bias, 0.0
    for i in (2, 0, 1):
        p = torch.sigmoid(b[i] + V[i] @ torch.sigmoid(a))
        log_p = log_p + torch.log(p if v[0, i] else 1 - p)
        a = a + v[0, i] * W[i]
    assert c is model.hidden_bias
    torch.testing.assert_close(model.log_prob(v)[0], log_p)


@pytest.mark.parametrize(
    "visible", [hm.Bernoulli(4), hm.Categorical(2, 3), hm.Mixed([hm.Spin(1), hm.Categorical(2, 3)])], ids=repr
)
def test_draws_follow_the_distribution(visible: hm.units.Units) -> None:
    order = torch.arange(visible.columns).flip(0)
    model = scattered(NADE(visible, 5, ordering=order))
    n = 20_000
    states = every(model)
    p = model.log_prob(states).detach().exp()
    s = model.draw(n, Stream(1))
    counts = (s.unsqueeze(1) == states).all(-1).sum(0)
    chi2 = float(((counts - n * p) ** 2 / (n * p)).sum())
    freedom = len(states) - 1
    assert chi2 < freedom + 4.5 * math.sqrt(2 * freedom)  # a fixed seed; 4.5 standard deviations


def test_fused_and_portable_draws_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = scattered(NADE(12, 9, ordering=torch.randperm(12, generator=torch.Generator().manual_seed(0))))
    fused = model.draw(100, Stream(5))
    monkeypatch.setattr(type(model.visible), "loops", model.visible.loops._replace(ancestral=None))
    # The same words against probabilities that agree to rounding.
    assert int((model.draw(100, Stream(5)) != fused).any(-1).sum()) <= 1


@pytest.mark.parametrize("fused", [True, False])
def test_given_the_first_variables_draws_are_exact(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = scattered(NADE(4, 5, ordering=[2, 0, 3, 1]))
    if not fused:
        monkeypatch.setattr(type(model.visible), "loops", model.visible.loops._replace(ancestral=None))
    n = 20_000
    s = hm.sample(model, n, clamp=([1, 0, 1, 0], [1, 0, 0, 0]))
    assert bool((s[:, 0] == 1).all()) and bool((s[:, 2] == 0).all())
    states = every(model)
    states = states[(states[:, 0] == 1) & (states[:, 2] == 0)]
    p = torch.softmax(model.log_prob(states).detach(), 0)
    counts = (s.unsqueeze(1) == states).all(-1).sum(0)
    assert float(((counts - n * p) ** 2 / (n * p)).sum()) < 3 + 4.5 * math.sqrt(6)


@torch.no_grad()
def test_probabilities_given_the_first_variables() -> None:
    model = scattered(NADE(4, 5, ordering=[2, 0, 3, 1], dtype=torch.float64))
    states = every(model)
    p = model.log_prob(states).exp()
    given, asked = [True, False, True, False], [False, False, False, True]

    def of(columns: list[int]) -> torch.Tensor:
        """The marginal probability of what each state says in these columns."""
        return (states[:, None, columns] == states[:, columns]).all(-1).double() @ p

    blind = states.clone()
    blind[:, 1] = torch.nan  # comes last, and is not looked at
    found = hm.conditional_log_prob(model, blind, given, asked)
    torch.testing.assert_close(found.exp(), of([0, 2, 3]) / of([0, 2]), rtol=0, atol=1e-12)
    found = hm.conditional_log_prob(model, states, [False] * 4, [False, False, True, False])
    torch.testing.assert_close(found.exp(), of([2]), rtol=0, atol=1e-12)
    for wrong in ([False, True, False, False], [False] * 4):
        with pytest.raises(ValueError, match="condition on its first variables"):
            hm.conditional_log_prob(model, states, wrong, asked)


def test_what_is_no_prefix_is_refused() -> None:
    with pytest.raises(ValueError, match=r"first variables, and in row 0.*OrderlessNADE"):
        hm.sample(NADE(4, 2), 2, clamp=([0, 1, 0, 0], [0, 1, 0, 0]))
    v = hm.impute(NADE(3, 2), [[1, float("nan"), float("nan")]])
    assert float(v[0, 0]) == 1 and not bool(v.isnan().any())


def test_real_draws_have_the_density() -> None:
    outputs = hm.models.MixtureConditional(2, 3)
    model = scattered(NADE(2, 4, outputs=outputs, dtype=torch.float64), 0.3)
    s = model.draw(4000, Stream(0))
    grid = torch.arange(-15, 15, 0.02, dtype=torch.float64)
    first = s[:1, :1].expand(len(grid), 1)
    # Rosenblatt's transform of the second variable given the first is uniform.
    u = []
    for row in s[:200]:
        first = row[:1].expand(len(grid), 1)
        density = model.log_prob(torch.cat((first, grid.unsqueeze(-1)), -1)).detach().exp()
        u.append(float(density[grid < row[1]].sum() / density.sum()))
    rank = (torch.arange(200) + 0.5) / 200
    assert float((torch.tensor(u).sort().values - rank).abs().max()) * math.sqrt(200) < 1.95  # Kolmogorov, 0.1 %


@pytest.mark.parametrize("visible", [hm.Bernoulli(5), hm.Categorical(3, 3)], ids=repr)
def test_from_an_rbm_the_conditionals_are_one_step_of_its_mean_field(visible: hm.units.Units) -> None:
    rbm = hm.RBM(visible, 4, dtype=torch.float64)
    rbm.double()
    scatter(rbm, Stream(2), 0.8)
    order = torch.arange(visible.columns).flip(0)
    model = NADE.from_rbm(rbm, order)
    v = rbm.visible.sample(torch.zeros(6, rbm.visible.size, dtype=torch.float64), Stream(0).advance())
    means = model.visible.mean(model.inputs(v).detach())
    variable_of_column = rbm.visible.repeat_per_column(torch.arange(visible.columns))
    known = torch.zeros_like(v)
    for i in order.tolist():
        # hidden means with all unknown visible means at zero, then the visible means they give
        field = rbm.visible_mean(rbm.hidden_mean(known))
        own = variable_of_column == i
        torch.testing.assert_close(means[:, own], field[:, own].detach())
        known[:, own] = v[:, own]
    assert not model.is_untrained and model.weights.data_ptr() != rbm.weights.data_ptr()


def test_training_learns_and_resumes_bit_for_bit(tmp_path) -> None:
    data = hm.data.load("bars-and-stripes")
    arguments = {"epochs": 20, "batch_size": 10, "learning_rate": 0.05, "seed": 4}
    model = NADE(16, 10, ordering=list(range(15, -1, -1)))
    before = hm.evaluate(model, data.train)
    hm.fit(model, data.train, **arguments)
    after = hm.evaluate(model, data.train)
    assert after.method == "exact" and after.mean > before.mean + 0.2
    other = NADE(16, 10, ordering=list(range(15, -1, -1)))
    with pytest.raises((KeyboardInterrupt, hm.errors.InterruptedRunError)):
        hm.fit(other, data.train, out=tmp_path / "run", callbacks=[Break(7)], **arguments)
    resumed, _ = hm.resume(tmp_path / "run", callbacks=[hm.training.Callback()])
    for a, b in zip(model.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_fresh_model_begins_at_the_base_rate() -> None:
    data = (normals(Stream(0), 50, 6) > 1).float()
    model = NADE(6, 3)
    hm.fit(model, data, epochs=1, learning_rate=0.0)
    base = model.visible.base_rate(data.double().mean(0), data.double().var(0), 50)[0]
    torch.testing.assert_close(model.visible.bias.detach(), base)


@pytest.mark.parametrize(
    "model",
    [
        NADE((2, 3), 4, ordering=[5, 4, 3, 2, 1, 0]),
        NADE(hm.Categorical(3, 4), 2, dtype=torch.float64),
        NADE(3, 4, outputs=hm.models.MixtureConditional(3, 2, "laplace", 0.05)),
    ],
    ids=repr,
)
def test_files_hold_the_whole_model(model: NADE, tmp_path) -> None:
    scattered(model, 0.3)
    hm.save(model, tmp_path / "model.safetensors")
    again = hm.load(tmp_path / "model.safetensors")
    v = model.draw(5, Stream(0))
    assert torch.equal(again.log_likelihood(v), model.log_likelihood(v)) and repr(again) == repr(model)


def test_bad_input_is_refused() -> None:
    for ordering in ([0, 1, 1], [0, 1, 3], [-1, 0, 1]):
        with pytest.raises(ValueError, match=r"ordering (must be permutations|is not a permutation) of 0 ... 2"):
            NADE(3, 2, ordering=ordering)
    for ordering in ([0, 1], [0.0, 1.0, 2.0]):
        with pytest.raises(ValueError, match=r"found \S+ of shape"):
            NADE(3, 2, ordering=ordering)
    with pytest.raises(ValueError, match=r"hidden must be .*, found 0"):
        NADE(3, 0)
    with pytest.raises(ValueError, match="they must be the same layer"):
        NADE(3, 2, outputs=hm.models.MixtureConditional(4, 2))
    with pytest.raises(ValueError, match="name a binarisation"):
        NADE(3, 2).log_prob([[0.0, 0.5, 1.0]])
    with pytest.raises(ValueError, match="not finite in row 0, column 1"):
        NADE(3, 2).log_prob([[0.0, float("nan"), 1.0]])
    with pytest.raises(ValueError, match="name a binarisation"):
        hm.fit(NADE(3, 2), [[0.0, 0.5, 1.0]])
    with pytest.raises(ValueError, match="Bernoulli hidden units"):
        NADE.from_rbm(hm.RBM(3, hm.Spin(2)))
    with pytest.raises(TypeError, match="from_rbm takes an RBM, found NADE"):
        NADE.from_rbm(NADE(3, 2))
