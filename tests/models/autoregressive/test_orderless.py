"""Order-agnostic NADE: a distribution under every ordering, and one network for all conditionals."""

from __future__ import annotations

import itertools
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import harmonium as hm
from harmonium.models.autoregressive.observed_mask import (
    DenseNetwork,
    IncrementalPass,
    MaskedNetwork,
    _Recomputed,
    layers,
    linears,
    rectified,
)
from harmonium.models.autoregressive.orderings import as_orderings, random_orderings
from harmonium.models.conditionals import MixtureConditional

from .helpers import DOUBLE, everything, scattered

MODELS: dict[str, Callable[[], hm.OrderlessNADE]] = {
    "one layer": lambda: scattered(hm.OrderlessNADE(4, hidden=(5,), dtype=DOUBLE)),
    "three layers": lambda: scattered(hm.OrderlessNADE(4, hidden=(6, 3, 5), dtype=DOUBLE)),
    "categorical": lambda: scattered(hm.OrderlessNADE(hm.Categorical(3, 3), hidden=(6, 5), dtype=DOUBLE)),
    "mixed": lambda: scattered(
        hm.OrderlessNADE(hm.Mixed([hm.Bernoulli(2), hm.Categorical(1, 3), hm.Spin(1)]), hidden=(6,), dtype=DOUBLE)
    ),
    "convolutional": lambda: scattered(hm.models.ConvNADE((2, 2), channels=3, kernels=(2,), hidden=(4,), dtype=DOUBLE)),
}


@pytest.mark.parametrize("name", MODELS)
def test_sums_to_one_under_every_ordering(name: str) -> None:
    model = MODELS[name]()
    states = everything(model)
    table = []
    for ordering in itertools.permutations(range(model.visible.columns)):
        log_p = model.under(ordering).log_prob(states)
        assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-12)
        table.append(log_p)
    assert float((table[0] - table[-1]).abs().max()) > 0.01  # they are other distributions
    together = model.under(list(itertools.permutations(range(model.visible.columns))))
    torch.testing.assert_close(together.log_prob(states).exp(), torch.stack(table).exp().mean(0), rtol=1e-10, atol=0)


@pytest.mark.parametrize("name", MODELS)
def test_an_incremental_pass_equals_the_whole_network(name: str) -> None:
    """Chain rule by hand: one full pass for every position, no incremental first layer."""
    model = MODELS[name]()
    states, ordering = everything(model)[::3], list(reversed(range(model.visible.columns)))
    mask, expected = torch.zeros(len(states), len(ordering), dtype=DOUBLE), torch.zeros(len(states), dtype=DOUBLE)
    for i in ordering:
        x = model.network(states * model.visible.repeat_per_column(mask), mask)
        expected += model.outputs.log_prob(x, states)[:, i]
        mask[:, i] = 1
    torch.testing.assert_close(model.under(ordering).log_prob(states), expected.detach(), rtol=1e-12, atol=1e-12)


def test_rows_are_revealed_apart() -> None:
    """Both kinds of pass; some rows see a variable and others do not."""
    network = DenseNetwork(6, 3, 6, (5, 4), dtype=DOUBLE)
    network.initialise(hm.Stream(0))
    v, mask = torch.zeros(4, 6, dtype=DOUBLE), torch.zeros(4, 3, dtype=DOUBLE)
    passes: list[IncrementalPass] = [network.incremental(v, mask), _Recomputed(network, v, mask)]
    for column in (2, 0):
        rows = torch.tensor([True, False, column == 0, True])
        values = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=DOUBLE).repeat(2, 1)
        units = slice(2 * column, 2 * column + 2)
        v[:, units] = torch.where(rows[:, None], values, v[:, units])
        mask[:, column] = torch.where(rows, 1.0, mask[:, column])
        for each in passes:
            each.set_units(column, units, values, rows)
            torch.testing.assert_close(each.logits(slice(1, 4)), network(v, mask)[:, 1:4], rtol=0, atol=1e-14)


def test_the_training_estimate_is_unbiased_by_enumeration() -> None:
    """Over all sets of observed variables by their probabilities: the mean of log p over all orderings."""
    model = MODELS["categorical"]()
    states, columns = everything(model), model.visible.columns
    orderings = list(itertools.permutations(range(columns)))
    mean = torch.stack([model.under(o).log_prob(states) for o in orderings]).mean(0)
    expected = torch.zeros(len(states), dtype=DOUBLE)
    for bits in itertools.product([False, True], repeat=columns):
        observed = torch.tensor(bits).expand(len(states), -1)
        k = sum(bits)
        # Beta integral of q^k (1 - q)^(D - k)
        probability = 1 / ((columns + 1) * math.comb(columns, k))
        if k < columns:
            x = model.network(states * model.visible.repeat_per_column(observed), observed.to(DOUBLE))
            log_p = torch.where(observed, 0.0, model.outputs.log_prob(x, states)).sum(-1)
            expected += probability * (columns + 1) / (columns - k) * log_p.detach()
    torch.testing.assert_close(expected, mean, rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_the_training_estimate_as_it_is_drawn() -> None:
    """By Monte Carlo, in every row of the batch: 16 rows within 4.5 standard errors (1e-4 for all of them)."""
    model = scattered(MODELS["one layer"](), 0.5)
    states, stream, draws = everything(model), hm.Stream(0), 4000
    orderings = list(itertools.permutations(range(4)))
    mean = torch.stack([model.under(o).log_prob(states) for o in orderings]).mean(0)
    found = torch.stack([model.training_log_prob(states, stream) for _ in range(draws)])
    z = (found.mean(0) - mean) / (found.std(0) / draws**0.5)
    assert float(z.abs().max()) < 4.5
    assert float((found.std(0) / draws**0.5).max()) < 0.1  # so that it could fail


@torch.no_grad()
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_the_training_estimate_under_own_orderings(share: float) -> None:
    """By Monte Carlo, as above: in this share, each variable that is left is asked for after an own beginning."""
    model = scattered(hm.OrderlessNADE(4, hidden=(5,), own_orderings=share, dtype=DOUBLE), 0.5)
    model = model.under([[3, 1, 0, 2], [1, 3, 2, 0]])
    states, stream, draws = everything(model), hm.Stream(0), 4000
    own = torch.zeros(len(states), dtype=DOUBLE)
    for ordering, k in itertools.product(model.orderings.tolist(), range(4)):
        given = torch.tensor([i in ordering[:k] for i in range(4)]).expand(len(states), -1)
        for i in ordering[k:]:
            asked = torch.tensor([j == i for j in range(4)]).expand(len(states), -1)
            own += model.log_conditional(states, asked, given) / (2 * (4 - k))
    rest = torch.stack([model.under(o).log_prob(states) for o in itertools.permutations(range(4))]).mean(0)
    found = torch.stack([model.training_log_prob(states, stream) for _ in range(draws)])
    error = found.std(0) / draws**0.5
    assert float(((found.mean(0) - share * own - (1 - share) * rest) / error).abs().max()) < 4.5
    assert float((own - rest).abs().max()) > 10 * float(error.max())  # so that it could fail


@torch.no_grad()
def test_dropout_leaves_units_out_in_training_alone() -> None:
    """Of 20,000 units a share of 0.3 within 4.5 standard errors; those that are left count for more."""
    modules = layers((1, 20_000, 1), DOUBLE)
    for layer in linears(modules):
        torch.nn.init.ones_(layer.weight)
    torch.nn.init.zeros_(linears(modules)[0].bias)
    x = torch.ones(2, 1, dtype=DOUBLE)
    whole, dropped = rectified(modules, x), rectified(modules, x, 0.3, hm.Stream(0))
    assert (whole == 20_000).all() and dropped[0] != dropped[1]
    assert float((dropped / whole - 1).abs().max()) < 4.5 * (0.3 / 0.7 / 20_000) ** 0.5
    assert torch.equal(dropped, rectified(modules, x, 0.3, hm.Stream(0)))
    model = hm.OrderlessNADE(4, network=DenseNetwork(4, 4, 4, (9,), dropout=0.5), dtype=DOUBLE)
    v, mask = torch.ones(3, 4, dtype=DOUBLE), torch.ones(3, 4, dtype=DOUBLE)
    assert not torch.equal(model.network.training_forward(v, mask, hm.Stream(0)), model.network(v, mask))
    assert torch.equal(model.network(v, mask), model.network(v, mask))


@torch.no_grad()
@pytest.mark.parametrize("present", [(0, 2), (1,), (0, 1, 3)])
def test_the_training_estimate_of_the_variables_that_are_there(present: tuple[int, ...]) -> None:
    """By Monte Carlo, as above: the others are neither given nor asked for, whatever they hold."""
    model = scattered(MODELS["one layer"](), 0.5)
    states, stream, draws = everything(model), hm.Stream(0), 4000
    asked = torch.zeros(len(states), 4, dtype=torch.bool)
    asked[:, list(present)] = True
    orderings = [model.under(o) for o in itertools.permutations(range(4))]
    mean = torch.stack([each.log_conditional(states, asked, ~asked & False) for each in orderings]).mean(0)
    units = model.visible.repeat_per_column(asked)
    other = torch.where(units, states, 0.0)
    found = torch.stack([model.training_log_prob(other, stream, units) for _ in range(draws)])
    z = (found.mean(0) - mean) / (found.std(0) / draws**0.5)
    assert float(z.abs().max()) < 4.5
    assert float((found.std(0) / draws**0.5).max()) < 0.1


def test_gaps_are_learned_around() -> None:
    """Two columns that agree, each missing in a third of the cases, and filled again."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 600).astype(float)
    data = np.stack([first, first], 1)
    data[rng.random(data.shape) < 0.33] = np.nan
    model = hm.OrderlessNADE(2, hidden=(8,))
    hm.fit(model, data[~np.isnan(data).all(1)], missing="omit", epochs=60, batch_size=50, learning_rate=0.02)
    filled = hm.impute(model, [[1, np.nan], [np.nan, 0]], mean=True, samples=50)
    assert filled[0, 1] > 0.9 and filled[1, 0] < 0.1
    with pytest.raises(TypeError, match=r"missing='draw' takes a machine.*use missing='omit'"):
        hm.fit(model, data, missing="draw", epochs=1)
    with pytest.raises(TypeError, match="NADE learns from whole cases only"):
        hm.fit(hm.NADE(2, hidden=4), data, missing="omit", epochs=1)


def test_gradients_against_finite_differences() -> None:
    model = scattered(hm.OrderlessNADE(3, hidden=(4, 3), dtype=DOUBLE), 0.7).ensemble(3, seed=1)
    v = everything(model)[[1, 4, 6]]

    def estimate() -> Tensor:
        return model.training_log_prob(v, hm.Stream(5)).sum()

    def exact() -> Tensor:
        return model.log_likelihood(v).sum()

    for function in (estimate, exact):
        parameters = list(model.parameters())
        gradients = torch.autograd.grad(function(), parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            flat = parameter.data.view(-1)
            for i in range(0, len(flat), 3):
                with torch.no_grad():
                    kept = float(flat[i])
                    flat[i] = kept + 1e-6
                    above = float(function())
                    flat[i] = kept - 1e-6
                    below = float(function())
                    flat[i] = kept
                # No input of a rectified unit is within 1e-6 of zero here.
                assert float(gradient.flatten()[i]) == pytest.approx((above - below) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["three layers", "categorical", "convolutional"])
def test_samples_follow_the_model(name: str) -> None:
    """Frequencies of all states from 20,000 draws of an ensemble: within 4.5 binomial standard deviations."""
    model, n = MODELS[name]().ensemble(2, seed=3), 20_000
    states = everything(model)
    p = model.log_prob(states).exp()
    drawn = model.draw(n, hm.Stream(1))
    frequency = (drawn[:, None] == states).all(-1).double().mean(0)
    assert float(((frequency - p).abs() / (p * (1 - p) / n).sqrt().clamp(min=1 / n)).max()) < 4.5


def test_any_variables_given_any_others() -> None:
    """Marginals and conditionals under orderings that put the given first, then those asked for."""
    model = MODELS["categorical"]()
    codes = model.visible.decode(everything(model))
    for given, asked in ([[1], [0]], [[], [2, 0]], [[0, 2], [1]], [[2], [0, 1]]):
        rest = [i for i in range(3) if i not in given + asked]
        log_p = model.under(given + asked + rest).log_prob(codes)

        def summed(columns: list[int], log_p: Tensor = log_p) -> Tensor:
            same = (codes[:, None, columns] == codes[None, :, columns]).all(-1)
            return torch.log(same.double() @ log_p.exp())

        expected = summed(given + asked) - summed(given)
        masks = [[i in columns for i in range(3)] for columns in (given, asked)]
        blind = codes.clone()
        blind[:, rest] = torch.nan  # what is neither given nor asked for is not looked at
        found = hm.conditional_log_prob(model.under(given + asked + rest), blind, *masks)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_conditional_draws() -> None:
    """Rows with other held variables each: 20,000 draws against conditional probabilities, 4.5 standard deviations."""
    model, n = MODELS["three layers"](), 20_000
    mask = torch.tensor([[True, False, False, True], [False, True, False, False]])
    values = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    drawn = hm.sample(model, 2 * n, clamp=(mask.repeat(n, 1), values.repeat(n, 1)), seed=2).view(n, 2, 4)
    assert bool((drawn[:, mask] == values[mask]).all())
    for row in range(2):
        for state in itertools.product([0.0, 1.0], repeat=int((~mask[row]).sum())):
            whole = values[row].clone()
            whole[~mask[row]] = torch.tensor(state)
            p = float(hm.conditional_log_prob(model, whole[None], mask[row]).exp())
            share = float((drawn[:, row] == whole).all(-1).double().mean())
            assert abs(share - p) < 4.5 * max((p * (1 - p) / n) ** 0.5, 1 / n)
    filled = hm.impute(model, [[1.0, float("nan"), float("nan"), 0.0]], samples=50)
    assert bool((filled[..., [0, 3]] == torch.tensor([1.0, 0.0])).all()) and filled.unique().tolist() == [0.0, 1.0]


def test_a_density_of_real_values() -> None:
    """Two mixtures of Gaussians: the density integrates to one on a grid, and its marginal is summed out exactly."""
    model = scattered(hm.OrderlessNADE(outputs=MixtureConditional(2, 2, floor=0.3), hidden=(4,), dtype=DOUBLE), 0.3)
    axis = torch.linspace(-15, 15, 601, dtype=DOUBLE)
    grid = torch.cartesian_prod(axis, axis)
    area = float((axis[1] - axis[0]) ** 2)
    for ordering in ([0, 1], [1, 0]):
        assert float(model.under(ordering).log_prob(grid).exp().sum()) * area == pytest.approx(1, abs=1e-6)
    joint = model.under([1, 0]).log_prob(grid).exp().view(601, 601).sum(0) * area**0.5
    second = torch.stack((torch.full_like(axis, torch.nan), axis), -1)
    marginal = hm.conditional_log_prob(model, second, [False, False], [False, True])
    torch.testing.assert_close(marginal.exp(), joint, rtol=0, atol=1e-6)


def test_training_learns_the_data() -> None:
    """Bars and stripes of 4 x 4, whose entropy is 3.4 nats and 11.1 of independent units; an ensemble is better."""
    data = hm.data.load("bars-and-stripes").train
    model = hm.OrderlessNADE((4, 4), hidden=(64, 64))
    hm.fit(model, data, epochs=600, batch_size=32, learning_rate=hm.schedules.Linear(3e-3))
    one, many = hm.evaluate(model, data), hm.evaluate(model.ensemble(16), data)
    assert one.method == "exact" and one.lower == one.mean == one.upper
    assert one.mean > -6.5 and many.mean > one.mean


def test_an_untrained_model_is_the_base_rate() -> None:
    data = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    model = hm.OrderlessNADE(3, hidden=(50,))
    hm.fit(model, data, epochs=1, learning_rate=0.0)
    mean = data.mean(0) * 4 / 5 + 0.5 / 5  # smoothed as if by one case
    expected = (data * mean.log() + (1 - data) * (1 - mean).log()).sum(-1)
    torch.testing.assert_close(model.log_prob(data).float(), expected, rtol=0, atol=0.2)


def test_store(tmp_path: Path) -> None:
    data = hm.data.load("bars-and-stripes")
    model = hm.OrderlessNADE(hm.Bernoulli((4, 4)), hidden=(7, 6), seed=3).ensemble(3)
    hm.save(model, tmp_path / "m")
    other = hm.load(tmp_path / "m")
    assert torch.equal(other.log_prob(data.train), model.log_prob(data.train)) and other.config() == model.config()
    assert torch.equal(other.orderings, model.orderings) and not other.is_untrained
    network = DenseNetwork(4, 4, 4, (3,), dropout=0.2)
    hm.save(hm.OrderlessNADE(4, network=network, own_orderings=0.5), tmp_path / "n")
    other = hm.load(tmp_path / "n")
    assert isinstance(other, hm.OrderlessNADE) and (other.own_orderings, other.network.dropout) == (0.5, 0.2)


class Stop(hm.training.Callback):
    transient = True

    def on_update(self, training: Any) -> None:
        if training.position.update == 5:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("make", [
    lambda: hm.OrderlessNADE((4, 4), hidden=(7, 6)), lambda: hm.MADE((4, 4), hidden=(10,), masks=3),
])  # fmt: skip
def test_a_run_resumes_bit_for_bit(make: Callable[[], hm.models.Model], tmp_path: Path) -> None:
    data = hm.data.load("bars-and-stripes").train[:]
    whole, half = make(), make()
    hm.fit(whole, data, epochs=4, batch_size=10, seed=1)
    with pytest.raises(hm.errors.InterruptedRunError):
        hm.fit(half, data, epochs=4, batch_size=10, seed=1, out=tmp_path / "run", callbacks=[Stop()])
    again, _ = hm.resume(tmp_path / "run", data=data, callbacks=[Stop()])
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_orderings_share_the_parameters() -> None:
    model = hm.OrderlessNADE(5, hidden=(3,))
    view = model.ensemble(4, seed=1)
    assert sorted(model.orderings[0].tolist()) == [0, 1, 2, 3, 4] and view.orderings.shape == (4, 5)
    assert all(a is b for a, b in zip(model.parameters(), view.parameters(), strict=True))
    assert torch.equal(view.orderings, model.ensemble(4, seed=1).orderings)
    assert not torch.equal(view.orderings, model.ensemble(4, seed=2).orderings)
    table = random_orderings(3000, 3, hm.Stream(0))
    counts = torch.bincount(table @ torch.tensor([9, 3, 1]))
    counts = counts[counts > 0]
    assert len(counts) == 6 and float((counts - 500).abs().max()) < 4.5 * (3000 * 5 / 36) ** 0.5


class Wrong(MaskedNetwork):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, v: Tensor, mask: Tensor) -> Tensor:
        return v.new_zeros(len(v), self.width)

    def initialise(self, stream: hm.Stream) -> None: ...


def test_what_a_model_says_of_itself() -> None:
    dense = hm.OrderlessNADE(3, hidden=(2,))
    assert repr(dense) == f"OrderlessNADE({dense.visible!r}, DenseNetwork(hidden=(2,)), orderings=1)"
    assert "\n" not in repr(hm.models.ConvNADE((8, 8), 2, hidden=(3,)))
    assert "Wrong()" in repr(hm.OrderlessNADE(3, network=Wrong(3)))  # a network that no file can describe


def test_bad_input(tmp_path: Path) -> None:
    model = hm.OrderlessNADE(3, hidden=(2,))
    for call, message in (
        (lambda: model.under([0, 1, 1]), "orderings is not a permutation .* row 0"),
        (lambda: model.under([[0, 1, 2], [1, 2, 3]]), "orderings is not a permutation .* row 1"),
        (lambda: model.under([0, 1]), r"give integers, \(3,\)"),
        (lambda: as_orderings(torch.tensor([0.0, 1.0]), 2), "found torch.float32 of shape"),
        (lambda: model.ensemble(0), "orderings must be .*, found 0"),
        (lambda: hm.OrderlessNADE(3, hidden=()), "hidden must be"),
        (lambda: hm.OrderlessNADE(3, hidden=(4, 0)), "hidden must be"),
        (lambda: hm.OrderlessNADE(3, own_orderings=1.5), "own_orderings must be a share from 0 to 1, found 1.5"),
        (lambda: DenseNetwork(3, 3, 3, (2,), dropout=1.0), "dropout must be a probability from 0 to below 1, found 1"),
        (lambda: hm.OrderlessNADE(), "visible is missing.*outputs="),
        (lambda: hm.OrderlessNADE(3, outputs=MixtureConditional(4, 2)), "must be the same layer"),
        (lambda: hm.OrderlessNADE(3, network=Wrong(4)), r"network gives \(1, 4\).*takes \(1, 3\)"),
        (lambda: hm.OrderlessNADE(3, network=DenseNetwork(5, 5, 3, (2,))), "network does not take the 3 units"),
        (lambda: hm.OrderlessNADE(hm.ReplicatedSoftmax(3)), "drawn together"),
        (lambda: model.log_prob([[0, 2, 1]]), "value 2 in row 0, column 1"),
        (lambda: model.log_prob([[0, float("nan"), 1]]), "not finite in row 0, column 1"),
        (lambda: hm.fit(model, [[0.5, 0.0, 1.0]]), "name a binarisation"),
        (lambda: hm.evaluate(model, [[0, 1, 1]], log_partition=None, chains=5), "leave out chains"),
        (lambda: hm.conditional_log_prob(model, [[0, 1, 1]], [1, 0, 0], [1, 1, 0]), "both given and asked for"),
        (lambda: hm.conditional_log_prob(model, [[0, float("nan"), 1]], [1, 0, 0]), "not finite in row 0, column 1"),
        (lambda: hm.conditional_log_prob(model, [[0, 2, 1]], [1, 0, 0]), "value 2 in row 0, column 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="cannot be written to a file"):
        hm.save(hm.OrderlessNADE(3, network=Wrong(3)), tmp_path / "m")
