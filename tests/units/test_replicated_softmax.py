"""Word counts: one model per length of a document, which no draw changes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import harmonium as hm
from harmonium.core.random import RandomAddress, Stream
from harmonium.models import RBM
from harmonium.models.deep.dbn import _log_conditional
from harmonium.recipes.up_down import ascend
from harmonium.testing.compare import assert_close, assert_counts, assert_mean
from harmonium.testing.numeric import derivative, moved, scatter
from harmonium.units import ReplicatedSoftmax

WORDS, HIDDEN = 3, 2


def model(lengths: tuple[int, ...] = (), words: int = WORDS, dtype: torch.dtype = torch.float64) -> RBM:
    rbm = RBM(ReplicatedSoftmax(words, lengths), HIDDEN, dtype=dtype)
    scatter(rbm, Stream(5), 0.6)
    return rbm


def documents(words: int, length: int) -> Tensor:
    every = [v for v in itertools.product(range(length + 1), repeat=words) if sum(v) == length]
    return torch.tensor(every, dtype=torch.float64)


def sequences(words: int, length: int) -> Tensor:
    """Counts of every order of the words: as many rows as sequences, words ** length."""
    rows = [np.bincount(w, minlength=words) for w in itertools.product(range(words), repeat=length)]
    return torch.tensor(np.stack(rows), dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize("length", [1, 4])
def test_log_z_is_the_sum_over_all_sequences_of_words(length: int) -> None:
    """The base measure counts the orders of the words, so that the table over counts is one over sequences."""
    rbm = model()
    total = []
    for h in itertools.product((0.0, 1.0), repeat=HIDDEN):
        v = sequences(WORDS, length)
        hidden = torch.tensor(h, dtype=torch.float64)
        total.append(v @ rbm.weights @ hidden + v @ rbm.visible_bias + hidden @ rbm.hidden_bias)
    expected = float(torch.logsumexp(torch.cat(total), 0))
    found = hm.log_partition(hm.models.at_length(rbm, length))
    assert (found.method, found.value) == ("exact", pytest.approx(expected, rel=1e-12))
    v = documents(WORDS, length)
    assert float(rbm.log_prob(v, found).exp().sum()) == pytest.approx(1, rel=1e-12)


@torch.no_grad()
def test_hidden_biases_times_the_length_are_a_part_of_the_weights() -> None:
    """E = -v.W.h - b.v - D c.h (Salakhutdinov & Hinton 2009) is the machine with weights W + 1 c' and no biases c."""
    rbm = model()
    W, b, c = rbm.weights.clone(), rbm.visible_bias, torch.tensor([0.3, -0.7], dtype=torch.float64)
    rbm.couplings["weights"].copy_(W + c)
    rbm.hidden_bias.zero_()
    for length in (2, 5):
        v = documents(WORDS, length)
        free = -(v @ b) - torch.nn.functional.softplus(length * c + v @ W).sum(1)
        measure = math.lgamma(length + 1) - torch.lgamma(v + 1).sum(1)
        assert_close("free energy", rbm.free_energy(v), free - measure, 1e-12, 1e-12)
        assert_close("p(h | v)", rbm.hidden_mean(v), torch.sigmoid(length * c + v @ W), 1e-12, 1e-12)


@torch.no_grad()
def test_rows_of_different_lengths_keep_their_own_distribution() -> None:
    """20,000 chains that start at p(v | D) of their own D follow it after 3 sweeps: chi-square, alarm at 1e-6."""
    rbm, generator = model(dtype=torch.float32), torch.Generator().manual_seed(0)
    starts, probability = [], []
    for length in (2, 5):
        v = documents(WORDS, length)
        p = rbm.log_prob(v, hm.log_partition(hm.models.at_length(rbm, length))).exp()
        probability.append(p)
        starts.append(v[torch.multinomial(p, 10_000, True, generator=generator)])
    mixed = torch.stack(starts, 1).flatten(0, 1).float()
    after = rbm.gibbs(mixed, 3, Stream(1))
    assert not torch.equal(after, mixed)
    assert torch.equal(after.sum(1), mixed.sum(1))
    for k, length in enumerate((2, 5)):
        match = (after[k::2, None].double() == documents(WORDS, length)).all(-1)
        assert_counts(f"documents of {length} words", match.long().argmax(1), probability[k])


@torch.no_grad()
def test_fused_and_portable_draws_of_several_lengths_agree() -> None:
    units = ReplicatedSoftmax(40, dtype=torch.float64)
    scatter(units, Stream(2), 0.5)
    counts = torch.zeros(30, 40, dtype=torch.float64)
    counts[:, 0] = torch.arange(30.0) * 11
    units, x = units.conditioned_on_total(counts), torch.linspace(-1, 1, 1200, dtype=torch.float64).view(30, 40)
    draw = RandomAddress(key=7, step=3, first=5)
    fused, portable = units.sample(x, draw), units.sample_(x.clone().requires_grad_(), draw)
    assert torch.equal(fused, portable) and torch.equal(fused.sum(1), counts[:, 0])
    # 11 * 29 words of the last row, within 5 standard errors of their mean
    many = units.conditioned_on_total(counts[-1:].expand(4000, -1)).sample(
        x[-1:].expand(4000, -1).contiguous(), RandomAddress(1, 0)
    )
    assert_mean("mean counts", many, units.conditioned_on_total(counts[-1:]).mean(x[-1:])[0])


def test_lengths_are_evenly_spaced_quantiles_of_the_data() -> None:
    units = ReplicatedSoftmax(2)
    lengths = torch.arange(1, 1001)[torch.randperm(1000, generator=torch.Generator().manual_seed(0))]
    units.set_totals(lengths)
    assert len(units.lengths) == 256 and units.lengths.tolist() == sorted(units.lengths.tolist())
    assert float(units.lengths.double().mean()) == pytest.approx(500.5, abs=2)  # half a step of 1000 / 256
    # Any number of rows takes them evenly: the golden section leaves gaps below 3 / rows.
    drawn = units.sample(torch.zeros(50, 2), RandomAddress(0, 0)).sum(1).sort().values
    assert float((drawn / 1000 - (torch.arange(50) + 0.5) / 50).abs().max()) < 0.06
    units.set_totals(torch.tensor([3.0, 8.0]), torch.tensor([1.0, 3.0]))
    assert units.lengths.tolist() == [3, 8]
    units.set_totals(torch.tensor([3.0, 8.0] * 100), torch.tensor([1.0, 3.0] * 100))
    assert units.lengths.tolist() == [3] * 50 + [8] * 150


def test_persistent_chains_have_the_lengths_of_the_data() -> None:
    rows = np.random.default_rng(0)
    lengths = rows.integers(3, 30, 300)
    v = np.stack([rows.multinomial(n, [0.5, 0.3, 0.2]) for n in lengths])
    rbm = RBM(ReplicatedSoftmax(3), 2)
    hm.fit(rbm, v, objective=hm.PCD(k=1, chains=200), epochs=2, learning_rate=1e-3)
    assert rbm.chains is not None
    assert float(rbm.chains.sum(1).mean()) == pytest.approx(lengths.mean(), abs=0.3)  # of a spread of 7.8
    assert sorted(rbm.chains.sum(1).unique().tolist())[:1] == [3]
    at_seven = hm.models.at_length(rbm, 7)
    assert at_seven.chains is not None and set(at_seven.chains.sum(1).tolist()) == {7.0}
    assert at_seven.weights is rbm.weights and rbm.chains.shape[0] == 200
    assert hm.models.at_length(rbm, 500).chains is None


@torch.no_grad()
def test_evaluate_judges_each_document_by_its_own_length() -> None:
    rbm = model()
    v = torch.cat([documents(WORDS, length)[:k] for length, k in ((2, 4), (3, 9), (5, 20))])
    found = hm.evaluate(rbm, v)
    each = [rbm.log_prob(row[None], hm.log_partition(hm.models.at_length(rbm, int(row.sum())))) for row in v]
    log_p = torch.cat(each)
    assert (found.mean, found.method) == (pytest.approx(float(log_p.mean()), rel=1e-12), "exact")
    rbm.data_mean, rbm.data_variance = torch.ones(WORDS).double(), torch.ones(WORDS).double()
    rbm.data_cases = torch.tensor(50.0)
    estimate = hm.evaluate(rbm, v, method="ais", temperatures=300, chains=400, seed=3)
    assert estimate.method == "ais" and not estimate.reliable and "3 lengths" in estimate.why
    assert estimate.upper == pytest.approx(found.mean, abs=0.1) and estimate.upper > found.mean  # three standard errors
    assert estimate.mean == pytest.approx(found.mean, abs=0.03) and estimate.lower == -math.inf
    one = hm.evaluate(rbm, v[:4], method="ais", chains=50, temperatures=50, seed=3)
    z = hm.log_partition(hm.models.at_length(rbm, 2), method="ais", chains=50, temperatures=50, seed=3)
    assert one.log_partition == z


@torch.no_grad()
def test_annealing_brackets_log_z_of_one_length() -> None:
    rbm = hm.models.at_length(model(words=5), 6)
    rbm.data_mean = rbm.data_variance = torch.ones(5).double()
    rbm.data_cases = torch.tensor(50.0)
    exact = hm.log_partition(rbm)
    chains = hm.sample(rbm, 400, sweeps=200, seed=1)
    found = hm.log_partition(rbm, method="ais", chains_from=chains, chains=400, temperatures=200)
    assert found.reliable, found.why
    assert found.lower < exact.value < found.upper and found.upper - found.lower < 0.2
    with pytest.raises(ValueError, match="chains_from has documents of other lengths than 7"):
        hm.log_partition(hm.models.at_length(rbm, 7), method="ais", chains_from=chains)


@torch.no_grad()
def test_conditionals_of_a_deep_belief_network_know_the_length() -> None:
    rbm = model()
    h = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    for length in (1, 4):
        v = documents(WORDS, length)
        log_p = _log_conditional(rbm, 0, (None, h.expand(len(v), -1)), v)
        assert float(log_p.exp().sum()) == pytest.approx(1, rel=1e-12)
        p = torch.softmax(h @ rbm.weights.T + rbm.visible_bias, -1)
        expected = math.lgamma(length + 1) - torch.lgamma(v + 1).sum(1) + (v * torch.log(p)).sum(1)
        assert_close("log p(v | h)", log_p, expected, 1e-12, 1e-12)


@torch.no_grad()
def test_the_wake_phase_climbs_log_p_of_documents() -> None:
    rbm = model()
    v = torch.cat([documents(WORDS, length) for length in (2, 5)])
    h = (torch.arange(len(v) * HIDDEN) % 3 % 2).view(-1, HIDDEN).double()
    ascend(rbm, 0, v, h)
    for name, parameter in (("weights", rbm.weights), ("visible_bias", rbm.visible_bias)):
        assert parameter.grad is not None
        for j in range(parameter.numel()):
            slope = derivative(moved(lambda: _log_conditional(rbm, 0, (None, h), v).mean(), parameter, j))
            assert_close(f"{name}[{j}]", -parameter.grad.reshape(-1)[j], slope, 1e-7, 1e-8)


@torch.no_grad()
def test_a_deep_belief_network_of_documents() -> None:
    """E_q[p*(v, h) / q] is Z p(v): weights of 4,000 draws against enumeration, 5 standard errors."""
    dbn = hm.DBN([ReplicatedSoftmax(WORDS), 3, 2], dtype=torch.float64)
    scatter(dbn, Stream(8), 0.5)
    hidden = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64)
    log_top = dbn.top.log_weight((hidden, None))
    v = torch.tensor([[2.0, 0.0, 1.0], [1.0, 4.0, 0.0]], dtype=torch.float64)
    pairs = _log_conditional(dbn.machines[0], 0, (None, hidden.repeat(2, 1)), v.repeat_interleave(8, 0)).view(2, 8)
    truth = torch.logsumexp(pairs + log_top, 1)
    weights = dbn.log_weights(v, Stream(1), 4000)
    assert_mean("weights", torch.exp(weights - truth), torch.ones(2))
    found = hm.evaluate(dbn, v, samples=2000)
    z = hm.log_partition(dbn.top).value
    assert found.mean == pytest.approx(float((truth - z).mean()), abs=0.05)
    below = hm.models.at_length(dbn, 9)
    assert set(hm.sample(below, 4, sweeps=3).sum(1).tolist()) == {9.0}


def test_training_a_stack_of_documents() -> None:
    v = np.random.default_rng(0).multinomial(12, [0.1, 0.2, 0.3, 0.4], 60)
    dbn = hm.DBN([ReplicatedSoftmax(4), 6, 4])
    hm.greedy(dbn, v, epochs=2, learning_rate=0.01)
    hm.up_down(dbn, v, epochs=1, learning_rate=1e-3)
    assert math.isfinite(hm.evaluate(dbn, v).mean)


def test_two_topics_separate() -> None:
    """Documents of two topics of ten words each, a tenth of all words from anywhere.

    Some hidden unit tells the topics; the likelihood is nearer to that of the true mixture than to one topic's."""
    rng = np.random.default_rng(0)
    topics = 0.9 * np.repeat(np.eye(2), 10, 1) / 10 + 0.1 / 20
    topic, length = rng.integers(0, 2, 400), rng.integers(10, 40, 400)
    v = np.stack([rng.multinomial(n, topics[k]) for n, k in zip(length, topic, strict=True)])
    rbm = RBM(ReplicatedSoftmax(20), 3)
    hm.fit(rbm, v, objective=hm.CD(k=1), epochs=60, batch_size=50, learning_rate=0.01)
    told = rbm.hidden_mean(v).detach().numpy() > 0.5
    assert max(max(np.mean(unit == topic), np.mean(unit != topic)) for unit in told.T) > 0.98
    counts = torch.as_tensor(v[:100]).double()
    measure = torch.lgamma(counts.sum(1) + 1) - torch.lgamma(counts + 1).sum(1)
    each = torch.stack([measure + (counts * torch.log(torch.tensor(p))).sum(1) for p in (*topics, topics.mean(0))])
    mixture = float((torch.logsumexp(each[:2], 0) - math.log(2)).mean())
    found = hm.evaluate(rbm, v[:100])
    assert found.method == "exact"
    assert found.mean > 0.7 * mixture + 0.3 * float(each[2].mean())


def test_lengths_go_with_the_file(tmp_path: Path) -> None:
    rbm = model((3, 9, 9))
    hm.save(rbm, tmp_path / "m.safetensors")
    again = hm.load(tmp_path / "m.safetensors")
    assert again.visible.lengths.tolist() == [3, 9, 9]
    fresh = RBM(ReplicatedSoftmax(WORDS), HIDDEN, dtype=torch.float64)
    fresh.load_state_dict(rbm.state_dict())
    assert fresh.visible.lengths.tolist() == [3, 9, 9]  # type: ignore[union-attr, operator]


def test_a_run_goes_on_with_its_lengths(tmp_path: Path) -> None:
    v = np.random.default_rng(0).multinomial(12, [0.1, 0.2, 0.3, 0.4], 60)
    rbm = RBM(ReplicatedSoftmax(4), 2)
    hm.fit(rbm, v, epochs=2, out=tmp_path / "run", learning_rate=0.01)
    again, _ = hm.resume(tmp_path / "run", data=v)
    assert again.visible.lengths.unique().tolist() == [12] and torch.equal(again.weights, rbm.weights)


def test_refusals() -> None:
    rbm, v = model(), documents(WORDS, 4)
    with pytest.raises(ValueError, match="these units know none: use"):
        hm.log_partition(rbm)
    with pytest.raises(ValueError, match="these units know 2, from 2 to 4"):
        hm.log_partition(model((2, 4)))
    with pytest.raises(ValueError, match="these units know 2, from 2 to 4"):
        hm.gradient(model((2, 4)), v, objective=hm.Exact())
    with pytest.raises(ValueError, match="know no length of documents: train the model"):
        hm.sample(rbm, 2)
    with pytest.raises(ValueError, match="document 1 has 0 words"):
        hm.fit(RBM(ReplicatedSoftmax(3), 2), [[1, 2, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match=r"has 1\.5 words"):
        ReplicatedSoftmax(3, lengths=[1.5])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"value 0\.5 .*pass raw counts"):
        hm.fit(RBM(ReplicatedSoftmax(3), 2), [[0.5, 0.5, 3]])
    with pytest.raises(ValueError, match=r"'hidden' .* can only be the visible layer"):
        RBM(3, ReplicatedSoftmax(3))
    with pytest.raises(ValueError, match="no couplings among themselves"):
        hm.BoltzmannMachine(ReplicatedSoftmax(3), 2)
    with pytest.raises(ValueError, match="can only be the visible layer"):
        hm.DBN([3, ReplicatedSoftmax(3), 3])
    with pytest.raises(ValueError, match="Mixed takes columns that are drawn one by one"):
        hm.ClassificationRBM(ReplicatedSoftmax(3), 2, 2)
    with pytest.raises(TypeError, match="at_length is for models of documents"):
        hm.models.at_length(RBM(3, 2), 4)
    with pytest.raises(ValueError, match="has 0 words"):
        hm.models.at_length(rbm, 0)
    mask = torch.tensor([True, False, False])
    for refused in (
        lambda: hm.sample(rbm, 15, init=v, clamp=(mask, v)), lambda: rbm.gibbs(v, 1, Stream(0), clamp=(mask, v)),
        lambda: hm.impute(rbm, v), lambda: hm.conditional_log_prob(rbm, v, mask),
        lambda: hm.likelihood.pseudo_log_likelihood(rbm, v), lambda: hm.fit(rbm, v, missing=2),
        lambda: hm.gradient(rbm, v, objective=hm.objectives.Discriminative()),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="looks at visible columns one by one"):
            refused()
    with pytest.raises(ValueError, match="documents of 101 lengths"):
        hm.evaluate(rbm, np.arange(1, 102)[:, None] * np.eye(3)[:1])
