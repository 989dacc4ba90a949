"""The models that cost nothing, against enumeration and brute force."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.models.baselines.tree import _mutual_information

ROWS = torch.tensor(np.random.default_rng(0).integers(0, 2, (60, 4)), dtype=torch.float64)
ROWS[:, 1] = torch.where(torch.arange(60) % 5 == 0, ROWS[:, 1], ROWS[:, 0])
ROWS[:, 3] = torch.where(torch.arange(60) % 3 == 0, ROWS[:, 3], 1 - ROWS[:, 1])
CODES = torch.tensor(np.random.default_rng(1).integers(0, 3, (50, 3)), dtype=torch.float64)
CODES[:, 2] = torch.where(torch.arange(50) % 4 == 0, CODES[:, 2], CODES[:, 0])
TABLE = torch.stack([ROWS[:50, 0], CODES[:, 0], CODES[:, 2]], -1)
MIXED = (hm.Bernoulli(1), hm.Categorical(2, 3))

MODELS: dict[str, tuple[Callable[[], Any], torch.Tensor]] = {
    "independent": (lambda: hm.baselines.Independent(4, dtype=torch.float64), ROWS),
    "independent codes": (lambda: hm.baselines.Independent(hm.Categorical(3, 3), dtype=torch.float64), CODES),
    "mixture": (lambda: hm.baselines.BernoulliMixture(4, 3, dtype=torch.float64), ROWS),
    "mixture of codes": (lambda: hm.baselines.BernoulliMixture(hm.Categorical(3, 3), 2, dtype=torch.float64), CODES),
    "mixture of spins": (lambda: hm.baselines.BernoulliMixture(hm.Spin(4), 2, dtype=torch.float64), 2 * ROWS - 1),
    "tree": (lambda: hm.baselines.ChowLiuTree(4, dtype=torch.float64), ROWS),
    "tree of codes": (lambda: hm.baselines.ChowLiuTree(hm.Categorical(3, 3), dtype=torch.float64), CODES),
    "tree of spins": (lambda: hm.baselines.ChowLiuTree(hm.Spin(4), dtype=torch.float64), 2 * ROWS - 1),
    "tree of a table": (lambda: hm.baselines.ChowLiuTree(hm.Mixed(MIXED), dtype=torch.float64), TABLE),
}
each = pytest.mark.parametrize(("build", "data"), MODELS.values(), ids=MODELS.keys())


def all_states(model: Any) -> torch.Tensor:
    return model.visible.states(torch.arange(model.visible.count))


@each
def test_probabilities_sum_to_one_and_samples_follow_them(build: Callable[[], Any], data: torch.Tensor) -> None:
    model = build()
    model.estimate(data)
    states = all_states(model)
    p = model.log_prob(states).detach().exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)
    n = 40_000
    drawn = model.visible.encode(hm.sample(model, n, seed=3).double())
    counts = (drawn[:, None] == states).all(-1).double().sum(0)
    assert float(counts.sum()) == n
    # Every count is binomial; 5 standard deviations for at most 27 states: alarm rate below 2e-5.
    assert bool(((counts - n * p).abs() <= 5 * (n * p * (1 - p)).sqrt() + 1e-9).all())


@each
def test_draws_given_held_variables_follow_the_conditional(build: Callable[[], Any], data: torch.Tensor) -> None:
    model = build()
    model.estimate(data)
    columns, n = model.visible.columns, 40_000
    mask = torch.zeros(columns, dtype=torch.bool)
    mask[[0, columns - 1]] = True  # the root of the tree, and a leaf or an inner node
    values = data[7]
    drawn = hm.sample(model, n, clamp=(mask, values), seed=4).double()
    assert bool((drawn[:, mask] == values[mask]).all())
    states = all_states(model)
    outside = model.visible.decode(states)
    fits = (outside[:, mask] == values[mask]).all(-1)
    p = torch.where(fits, model.log_prob(states).detach().exp(), 0.0)
    p = p / p.sum()
    counts = (drawn[:, None] == outside).all(-1).double().sum(0)
    assert bool(((counts - n * p).abs() <= 5 * (n * p * (1 - p)).sqrt() + 1e-9).all())


@each
def test_some_variables_given_others_are_as_probable_as_the_table_says(
    build: Callable[[], Any], data: torch.Tensor
) -> None:
    model = build()
    model.estimate(data)
    columns = model.visible.columns
    table, outside = model.log_prob(all_states(model)).detach().exp(), model.visible.decode(all_states(model))

    def marginal(row: torch.Tensor, known: list[int]) -> float:
        return float(table[(outside[:, known] == row[known]).all(-1)].sum())

    for asked, given in [([0], [columns - 1]), ([1, columns - 1], [0]), ([0, 1], []), ([1], [0, 2])]:
        masks = [[i in chosen for i in range(columns)] for chosen in (given, asked)]
        found = hm.conditional_log_prob(model, data[:5], given=masks[0], asked=masks[1])
        wanted = [marginal(row, asked + given) / marginal(row, given) for row in data[:5]]
        assert found.detach().exp().tolist() == pytest.approx(wanted, rel=1e-9)


@each
def test_gradients_agree_with_finite_differences(build: Callable[[], Any], data: torch.Tensor) -> None:
    model = build()
    model.estimate(data)
    v = model.visible.encode(data[:20])
    model.log_likelihood(v).mean().backward()
    for parameter in model.parameters():
        flat = parameter.data.view(-1)
        grad = torch.zeros_like(flat) if parameter.grad is None else parameter.grad.view(-1)  # the tree has no biases
        for i in range(0, len(flat), max(1, len(flat) // 7)):
            kept, step = float(flat[i]), 1e-5
            ends = []
            for sign in (1, -1):
                flat[i] = kept + sign * step
                ends.append(float(model.log_likelihood(v).detach().mean()))
            flat[i] = kept
            # Central differences err by about step^2 = 1e-10.
            assert float(grad[i]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-8)


@each
def test_files_hold_the_model(build: Callable[[], Any], data: torch.Tensor, tmp_path: Path) -> None:
    model = build()
    model.estimate(data)
    hm.save(model, tmp_path / "model.safetensors")
    back = hm.load(tmp_path / "model.safetensors")
    assert type(back) is type(model)
    assert torch.equal(back.log_prob(data), model.log_prob(data))
    result = hm.evaluate(back, data)
    assert result.method == "exact" and result.lower == result.mean == result.upper
    assert result.mean == pytest.approx(float(model.log_prob(data).detach().mean()))


@each
def test_fit_reaches_no_more_than_the_estimate(build: Callable[[], Any], data: torch.Tensor) -> None:
    """Of the tree only given its edges; the mixture is not convex, and its optimum is where it was already."""
    model = build()
    model.estimate(data, smoothing=1e-6)
    best = float(model.log_prob(data).detach().mean())
    hm.fit(model, data, epochs=3, batch_size=len(data), learning_rate=1e-3, seed=0)
    slack = 1e-3 if isinstance(model, hm.baselines.BernoulliMixture) else 1e-9  # EM stops before its optimum
    assert best - 0.05 < float(model.log_prob(data).detach().mean()) <= best + slack


@pytest.mark.parametrize(
    "build", [lambda: hm.baselines.Independent(4), lambda: hm.baselines.ChowLiuTree(4)], ids=["independent", "tree"]
)
def test_fit_of_a_fresh_baseline_starts_at_the_base_rate(build: Callable[[], Any]) -> None:
    model, known = build(), hm.baselines.Independent(4)
    known.estimate(ROWS)
    hm.fit(model, ROWS, epochs=1, batch_size=60, learning_rate=0.0)
    assert torch.allclose(model.log_prob(ROWS), known.log_prob(ROWS), atol=1e-6)


def test_independent_is_the_smoothed_mean() -> None:
    model = hm.baselines.Independent(4, dtype=torch.float64)
    model.estimate(ROWS, smoothing=2.0)
    p = (ROWS.sum(0) + 1.0) / 62
    assert torch.allclose(model.log_prob(ROWS), (ROWS * p.log() + (1 - ROWS) * (1 - p).log()).sum(-1))


def test_independent_reals_are_normal() -> None:
    x = torch.randn(500, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 + 1
    model = hm.baselines.Independent(hm.Gaussian(2), dtype=torch.float64)
    model.estimate(x)
    normal = torch.distributions.Normal(x.mean(0), x.std(0, correction=0))
    assert torch.allclose(model.log_prob(x), normal.log_prob(x).sum(-1), atol=1e-9)
    # Draws given a held column: the other is as it was (4.5 standard errors).
    drawn = hm.sample(model, 20_000, clamp=([True, False], [5.0, 0.0]), seed=0).double()
    assert bool((drawn[:, 0] == 5).all())
    assert float(drawn[:, 1].mean()) == pytest.approx(float(x[:, 1].mean()), abs=4.5 * 2.1 / math.sqrt(20_000))


@pytest.mark.parametrize("smoothing", [0.1, 5.0])
@pytest.mark.parametrize("name", ["mixture", "mixture of codes", "mixture of spins"])
def test_every_step_of_em_climbs(name: str, smoothing: float) -> None:
    build, data = MODELS[name]
    model = build()
    climbed = model.estimate(data, smoothing=smoothing, tolerance=-1.0, iterations=40, seed=5)
    assert len(climbed) == 41
    assert min(np.diff(climbed)) >= -1e-12 and climbed[-1] > climbed[0] + 1e-3
    again = build()
    assert again.estimate(data, smoothing=smoothing, tolerance=-1.0, iterations=40, seed=5) == climbed


def test_a_mixture_finds_its_own_components() -> None:
    rng = np.random.default_rng(2)
    component = rng.random(3000) < 0.3
    data = (rng.random((3000, 8)) < np.where(component[:, None], 0.9, 0.15)).astype(int)
    model = hm.baselines.BernoulliMixture(8, 2)
    model.estimate(data, seed=0)
    shares = torch.softmax(model.logits.detach(), 0).sort().values
    means = model.visible.mean(model.inputs.detach()).mean(-1).sort().values
    # Standard errors: sqrt(.3 * .7 / 3000) = 0.0084 of the share, below 0.006 of the means; 5 of them.
    assert float(shares[0]) == pytest.approx(0.3, abs=0.042)
    assert means.tolist() == pytest.approx([0.15, 0.9], abs=0.03)


def trees(n: int) -> list[list[tuple[int, int]]]:
    """Every spanning tree of n variables."""
    edges = list(itertools.combinations(range(n), 2))
    found = []
    for chosen in itertools.combinations(edges, n - 1):
        part = list(range(n))
        for a, b in chosen:
            part = [part[a] if p == part[b] else p for p in part]
        if len(set(part)) == 1:
            found.append(list(chosen))
    return found


def test_the_tree_is_the_best_of_all() -> None:
    model = hm.baselines.ChowLiuTree(4, dtype=torch.float64)
    model.estimate(ROWS, smoothing=1e-9)
    best = float(model.log_prob(ROWS).detach().mean())
    assert len(trees(4)) == 16  # Cayley: 4^2
    reached = []
    for edges in trees(4):
        total = 0.0
        for i in range(4):
            p = float(ROWS[:, i].mean())
            total += p * math.log(p) + (1 - p) * math.log(1 - p)
        for i, j in edges:
            for a, b in itertools.product((0, 1), repeat=2):
                joint = float(((ROWS[:, i] == a) & (ROWS[:, j] == b)).double().mean())
                one, other = float((ROWS[:, i] == a).double().mean()), float((ROWS[:, j] == b).double().mean())
                total += joint * math.log(joint / (one * other)) if joint else 0.0
        reached.append(total)
    assert best == pytest.approx(max(reached), abs=1e-7)
    assert best > sorted(reached)[-2] + 1e-4


def test_mutual_information_of_a_fair_copy_is_ln_2() -> None:
    joint = torch.tensor([[0.5, 0.0], [0.0, 0.5]], dtype=torch.float64).expand(1, 1, 2, 2)
    assert float(_mutual_information(joint)) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: hm.baselines.BernoulliMixture(4, 0), "components must be .*, found 0"),
        (lambda: hm.baselines.BernoulliMixture(hm.Gaussian(4), 2), "binary or categorical units, found Gaussian(4)"),
        (lambda: hm.baselines.ChowLiuTree(hm.Gaussian(4)), "finitely many states, found Gaussian(4)"),
        (lambda: hm.baselines.ChowLiuTree(hm.Categorical(4, 65)), "at most 64 states, found one of 65"),
        (lambda: hm.baselines.Independent(4).estimate(ROWS, smoothing=0), "smoothing must be "),
        (lambda: hm.baselines.Independent(3).estimate(ROWS), "data has 4 columns; the model has 3"),
        (lambda: hm.baselines.ChowLiuTree(4).estimate(ROWS / 2), "name a binarisation"),
        (lambda: hm.baselines.BernoulliMixture(4, 2).estimate(torch.full((3, 4), torch.nan)), "not finite"),
        (
            lambda: hm.baselines.BernoulliMixture(4, 2).estimate(ROWS, iterations=0),
            "iterations must be ",
        ),
        (lambda: hm.baselines.ChowLiuTree(hm.Categorical(3, 2)).estimate(CODES), "give the layer more states"),
        (lambda: hm.baselines.Independent(4).log_prob(ROWS[:, :3]), "expected (batch, 4)"),
    ],
)
def test_bad_input_is_refused_in_words(act: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=r".*" + words.replace("(", r"\(").replace(")", r"\)")):
        act()
