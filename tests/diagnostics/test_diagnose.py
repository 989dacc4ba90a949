"""`diagnose`: what it reports of chains whose state is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.testing.joint import Joint, start_at

from .helpers import far_modes, in_modes, strong

Make = Callable[..., hm.RBM]


def test_a_model_that_mixes(make_rbm: Make) -> None:
    rbm = make_rbm(8, 4)
    exact = start_at(Joint(rbm), 1200, Stream(0))[0]
    assert exact is not None
    rbm.chains = exact[:200]
    found = hm.diagnose(rbm, exact[200:].numpy(), sweeps=400)  # whose means the model does not know
    assert found.passed is True and found.concerns == ()
    assert found.verdict == ("good", "No evidence against equilibrium.")
    assert (found.chains, found.sweeps, found.start) == (100, 400, "left by training")
    energy = found.observables[0]
    truth = float(rbm.free_energy(exact).double().mean().detach())
    spread = float(rbm.free_energy(exact).double().std().detach())
    assert abs(energy.mean - truth) < 5 * spread * (1 / 1200 + 1 / energy.ess) ** 0.5
    assert all(o.tau < 20 and o.ess > 1000 and o.rhat < 1.01 for o in found.observables)
    assert found.traces.shape == (5, 100, 400) and torch.equal(rbm.chains, exact[:200])


def test_observables_are_the_free_energy_and_the_principal_projections(make_rbm: Make) -> None:
    """Of the states themselves: the same stream walked again."""
    rbm = make_rbm(8, 4)
    data = start_at(Joint(rbm), 500, Stream(0))[0]
    assert data is not None
    found = hm.diagnose(rbm, data, chains=10, sweeps=12, seed=3)
    stream = Stream(3).child("diagnose")
    index = torch.linspace(0, 499, 5).round().long()
    base = rbm.gibbs  # the chains: half data, half base rate, warmed up and lagged as `diagnose` says
    from harmonium.sampling.path import independent_sample

    start = torch.cat((data[index], independent_sample(rbm, 5, stream.child("start"))))
    v = base(base(start, 12, stream.child("warm-up")), 12, stream.child("test").child("lag"))
    v = base(v, 12, stream.child("walk"))
    _, _, directions = np.linalg.svd((data - data.mean(0)).numpy(), full_matrices=False)
    assert found.traces[0, :, -1].numpy() == pytest.approx(rbm.free_energy(v).detach().numpy())
    expected = np.abs((v - data.mean(0)).numpy() @ directions[0])
    assert np.abs(found.traces[1, :, -1].numpy()) == pytest.approx(expected)
    assert found.start == "half from the data, half from the base rate"


def test_all_chains_in_one_of_two_modes() -> None:
    """Every chain by itself looks perfect; annealed chains and the data tell."""
    rbm = far_modes()
    rbm.chains = in_modes(100, 0.0)
    found = hm.diagnose(rbm, in_modes(400, 0.5, seed=2), sweeps=200)
    assert all(observable.mixed for observable in found.observables)
    assert found.passed is False and [finding.name for finding in found.equilibrium.findings] == ["missing_mode"]
    assert found.jumps is not None and found.jumps.total == 0
    text = str(found)
    assert found.verdict.level == "bad"
    assert "The chains are not in equilibrium" in text and "less than one jump in 6.67e+03 sweeps" in text
    assert found.resemblance is not None and found.resemblance.worst > 10


def test_chains_in_both_modes_that_never_cross() -> None:
    """Such chains represent the model although none of them mixes: two different properties."""
    rbm = far_modes()
    rbm.chains = in_modes(100, 0.5)
    found = hm.diagnose(rbm, in_modes(400, 0.5, seed=2), sweeps=200)
    assert found.passed is True
    first = found.observables[1]
    assert first.rhat > 1.5 and not first.mixed and found.observables[0].mixed
    assert any("do not mix within 200 sweeps (direction 1" in concern for concern in found.concerns)
    # The tests of equilibrium pass, but a list of doubts under "no evidence" would contradict itself.
    assert found.verdict == ("unsure", "No test of equilibrium failed, but there are reasons for doubt.")
    assert "No evidence" not in str(found) and f"{found.verdict.text}\n- single chains do not mix" in str(found)


def test_jumps_are_counted_between_the_modes() -> None:
    """Near modes: the jumps are those of the projection, crossed from third to third."""
    rbm = hm.RBM.from_arrays(np.full((12, 1), 3.4), np.full(12, -1.7), np.array([-20.4]))
    exact = start_at(Joint(rbm), 400, Stream(0))[0]
    assert exact is not None
    found = hm.diagnose(rbm, exact, sweeps=200)
    assert found.jumps is not None and found.jumps.total > 20
    modes = found.jumps.modes
    assert found.jumps.total == int(hm.diagnostics.mode_jumps_along(found.traces[1], modes.low, modes.high).sum())
    assert not any("no chain changed its mode" in concern for concern in found.concerns)


def test_chains_on_their_way() -> None:
    rbm = strong()
    rbm.chains = torch.ones(100, 10, dtype=torch.float64)
    found = hm.diagnose(rbm, sweeps=50)
    assert found.passed is False and found.equilibrium.findings[0].name == "drift"
    assert found.resemblance is None and "not given" in str(found)


def test_without_data_or_chains_the_base_rate_is_the_start(make_rbm: Make) -> None:
    found = hm.diagnose(make_rbm(6, 3), chains=30, sweeps=50)
    assert found.start == "from the base rate" and found.chains == 30
    assert found.passed is None and "not every test could be made" in str(found)


def test_it_repeats_itself(make_rbm: Make) -> None:
    rbm = make_rbm(6, 3)
    one, two, other = (hm.diagnose(rbm, sweeps=20, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.traces, two.traces) and not torch.equal(one.traces, other.traces)
    assert str(one) == str(two)


@pytest.mark.parametrize("model", [
    hm.DBM([6, 4, 3]), hm.BoltzmannMachine(5), hm.RBM(hm.Gaussian(3), 2), hm.RBM(hm.Categorical(3, 4), 2),
], ids=["DBM", "BoltzmannMachine", "Gaussian", "Categorical"])  # fmt: skip
def test_every_machine(model: hm.models.Machine) -> None:
    """Zero weights: chains are independent draws, and the data are draws, too."""
    data = hm.sample(model, 300, sweeps=1, seed=5)
    found = hm.diagnose(model, data, sweeps=20)
    assert found.passed is True and all(observable.tau < 2 for observable in found.observables)
    assert found.resemblance is not None and found.resemblance.worst < 4.5
    assert found.verdict.level == "good"
    assert "No evidence against equilibrium" in str(found)


def test_cases_with_gaps_are_left_out(make_rbm: Make) -> None:
    data = np.random.default_rng(0).integers(0, 2, (50, 6)).astype(float)
    data[::2, 1] = np.nan
    found = hm.diagnose(make_rbm(6, 3), data, sweeps=20)
    assert found.resemblance is not None and len(found.resemblance.free_energies[1]) == 25


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 1}, "chains must be .*, found 1"),
        ({"sweeps": 9}, "sweeps must be .*, found 9"),
        ({"data": np.zeros((3, 5))}, "data has 5 columns; the model has 6 visible units"),
        ({"data": np.full((3, 6), 0.5)}, "binar"),
        ({"data": np.full((3, 6), np.nan)}, "data has 0 cases without missing values"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hm.diagnose(hm.RBM(6, 3), **options)
    with pytest.raises(TypeError, match=r"its top machine is dbn\.top"):
        hm.diagnose(hm.DBN([6, 4, 3]))  # type: ignore[arg-type]


def test_a_single_chain_cannot_be_compared() -> None:
    rbm = hm.RBM(4, 2)
    rbm.chains = torch.zeros(1, 4)
    with pytest.raises(ValueError, match="a single persistent chain"):
        hm.diagnose(rbm)
