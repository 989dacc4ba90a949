"""What a model gained over independent columns: the number, its error, and the words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data import as_cases
from harmonium.data.cases import Standardization
from harmonium.likelihood import Gain
from harmonium.likelihood.independent import independent_log_prob

RNG = np.random.default_rng(0)
COLUMNS = {
    "bernoulli": (hm.Bernoulli(3), RNG.integers(0, 2, (50, 3))),
    "spin": (hm.Spin(3), 2 * RNG.integers(0, 2, (50, 3)) - 1),
    "categorical": (hm.Categorical(2, 4), RNG.integers(0, 4, (50, 2))),
    "gaussian": (hm.Gaussian(3), RNG.normal(size=(50, 3))),
    "poisson": (hm.Poisson(3), RNG.poisson(3.0, (50, 3))),
    "mixed": (
        hm.Mixed([hm.Gaussian(2), hm.Bernoulli(1)]),
        np.c_[RNG.normal(size=(50, 2)), RNG.integers(0, 2, (50, 1))],
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_it_is_the_likelihood_of_the_baseline(name: str) -> None:
    units, data = COLUMNS[name]
    baseline = hm.baselines.Independent(units, dtype=torch.float64)
    baseline.estimate(data)
    found = independent_log_prob(baseline, baseline.visible.encode(torch.as_tensor(data, dtype=torch.float64)))
    assert found is not None and found.numpy() == pytest.approx(baseline.log_prob(data).detach().numpy(), rel=1e-9)


def test_documents_are_draws_from_one_distribution_of_words() -> None:
    """With the shares of the words in the training data, smoothed by one word: multinomial probabilities."""
    documents = np.array([[3, 1, 0], [1, 1, 1], [0, 2, 4]])
    model = hm.RBM(hm.ReplicatedSoftmax(3), 2, dtype=torch.float64)
    hm.fit(model, documents, epochs=1)
    mean = documents.mean(0)
    share = (mean * 3 + 1 / 3) / (mean.sum() * 3 + 1)
    expected = torch.distributions.Multinomial(4, torch.tensor(share)).log_prob(torch.tensor([3.0, 1.0, 0.0]))
    found = independent_log_prob(model, torch.tensor(documents[:1], dtype=torch.float64))
    assert found is not None and float(found) == pytest.approx(float(expected), rel=1e-7)  # float32 shares


def test_an_evaluation_says_what_was_learned(tmp_path: Path) -> None:
    data = hm.data.load("digits")
    rbm = hm.RBM(64, 8)
    hm.fit(rbm, data.train, epochs=20, learning_rate=0.1)
    baseline = hm.baselines.Independent(64)
    baseline.estimate(data.train)
    found, plain = hm.evaluate(rbm, data.test), hm.evaluate(baseline, data.test)
    assert found.independent == pytest.approx(plain.mean, abs=1e-4)
    assert found.gained == pytest.approx(found.mean - plain.mean, abs=1e-4) and found.gained > 0.2
    difference = (rbm.log_prob(data.test, found.log_partition) - baseline.log_prob(data.test)).detach().numpy()
    assert found.gain is not None and found.gain.stderr == pytest.approx(
        difference.std(ddof=1) / np.sqrt(300), rel=1e-3
    )
    assert str(found).splitlines()[1] == (
        f"learned {found.gained:.2f} nats per case (+- {found.gain.stderr:.2f}) more than independent columns "
        f"({plain.mean:.2f})"
    )
    hm.save(rbm, tmp_path / "model.safetensors")
    assert hm.evaluate(hm.load(tmp_path / "model.safetensors"), data.test).gain == found.gain


def test_a_model_without_means_of_its_data_has_no_gain() -> None:
    found = hm.evaluate(hm.RBM.from_arrays([[0.0]], [0.0], [0.0]), [[0], [1]])
    assert (found.gain, found.independent, found.gained, found.learned) == (None, None, None, None)
    assert len(str(found).splitlines()) == 1


def test_a_belief_network_is_compared_by_the_means_of_its_first_machine() -> None:
    data = hm.data.load("digits")
    dbn = hm.DBN([64, 6, 4])
    hm.greedy(dbn, data.train, epochs=1)
    baseline = hm.baselines.Independent(64)
    baseline.estimate(data.train)
    found = hm.evaluate(dbn, data.test, samples=2)
    assert found.independent == pytest.approx(hm.evaluate(baseline, data.test).mean, abs=1e-4)


def test_standardised_values_are_compared_as_the_original_ones() -> None:
    x = RNG.normal(size=(200, 2)) * 50 + 7
    standard = Standardization(x.mean(0), x.std(0))
    cases = as_cases(x).derive(standard=standard)
    rbm = hm.RBM(hm.Gaussian(2), 1, dtype=torch.float64)
    hm.fit(rbm, cases, epochs=1, learning_rate=1e-9)  # stays at the base rate: two independent normals
    found = hm.evaluate(rbm, cases)
    # The maximum likelihood of a normal with standard deviation s is -log(s sqrt(2 pi e)).
    expected = -np.log(x.std(0) * np.sqrt(2 * np.pi * np.e)).sum()
    assert found.independent == pytest.approx(expected, rel=1e-4)
    assert found.gained == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("nats", "words"),
    [
        (-3.0, "learned nothing: 3.00 nats per case (+- 0.10) worse than independent columns (-20.00)"),
        (-0.05, "learned nothing: no better than independent columns (-20.00)"),
        (0.1, "learned nothing: no better than independent columns (-20.00)"),
        (0.15, "learned 0.15 nats per case (+- 0.10) more than independent columns (-20.00): next to nothing"),
        (2.0, "learned 2.00 nats per case (+- 0.10) more than independent columns (-20.00)"),
    ],
)
def test_words_follow_the_size(nats: float, words: str) -> None:
    assert str(Gain(nats, 0.1, -20.0, 40.0)) == words


@pytest.mark.parametrize("nats", [-0.004, 0.004])
def test_what_would_be_printed_as_zero_is_nothing(nats: float) -> None:
    assert str(Gain(nats, 0.0001, -2.0, 2.0)) == "learned nothing: no better than independent columns (-2.00)"


def test_far_below_is_more_than_a_tenth_of_what_independent_columns_take() -> None:
    assert Gain(-4.1, 0.1, -20.0, 40.0).far_below and not Gain(-3.9, 0.1, -20.0, 40.0).far_below
    assert not Gain(-4.1, 2.0, -20.0, 40.0).far_below  # three standard errors


def test_one_case_has_no_error() -> None:
    assert Gain.of(torch.tensor([-1.0]), torch.tensor([-2.0])) == Gain(1.0, 0.0, -2.0, 2.0)


def test_gains_of_weighted_cases_are_those_of_cases_that_come_several_times() -> None:
    rng = np.random.default_rng(0)
    mine, theirs = (torch.tensor(rng.normal(size=500)) for _ in range(2))
    weight = torch.tensor(rng.integers(1, 3, 500), dtype=torch.float64)
    found = Gain.of(mine, theirs, 0.5, weight)
    often = weight.long()
    expected = Gain.of(mine.repeat_interleave(often), theirs.repeat_interleave(often), 0.5)
    assert found[0] == pytest.approx(expected[0]) and found[2:] == pytest.approx(expected[2:])
    assert found.stderr > 1.05 * expected.stderr  # a case that weighs double is one observation, not two
    equal = Gain.of(mine, theirs, 0.5, torch.full((500,), 3.0))
    assert equal == pytest.approx(Gain.of(mine, theirs, 0.5), rel=0.002)  # n in the place of n - 1
