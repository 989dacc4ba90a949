"""Every family from training to log Z on one device, which HARMONIUM_TEST_DEVICE names (default: the CPU).

Expected values come from enumeration, and from a copy of the model on the CPU, which draws the same words.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.kernels import devices
from harmonium.models import Machine

Make = Callable[[], Machine]

FAMILIES: dict[str, Make] = {
    "Bernoulli": lambda: hm.RBM(6, 3),
    "Spin": lambda: hm.RBM(hm.Spin(6), hm.Spin(3)),
    "Categorical": lambda: hm.RBM(hm.Categorical(3, 3), 3),
    "Binomial": lambda: hm.RBM(hm.Binomial(4, 2), 3),
    "Poisson": lambda: hm.RBM(hm.Poisson(3), 3),
    "Gaussian": lambda: hm.RBM(hm.Gaussian(4), 3),
    "ReLU": lambda: hm.RBM(6, hm.ReLU(3)),
    "DReLU": lambda: hm.RBM(6, hm.DReLU(3)),
    "Mixed": lambda: hm.RBM(hm.Mixed([hm.Bernoulli(3), hm.Gaussian(2)]), 3),
    "DBM": lambda: hm.DBM([6, 3, 2]),
    "BoltzmannMachine": lambda: hm.BoltzmannMachine(5),
}
ROWS = 60


def cases(model: Machine) -> np.ndarray:
    """Raw data, (ROWS, columns), whose columns go up and down together."""
    rng = np.random.default_rng(0)
    common = rng.integers(0, 2, (ROWS, 1))
    columns = []
    for units, _ in model.visible.by_type():
        noisy = np.where(rng.uniform(size=(ROWS, units.columns)) < 0.1, 1 - common, common)
        real = common + 0.5 * rng.standard_normal((ROWS, units.columns)) - 0.5
        columns.append({"Spin": 2 * noisy - 1, "Gaussian": real}.get(type(units).__name__, noisy))
    return np.concatenate(columns, 1).astype(np.float32)


@pytest.fixture(scope="module", params=FAMILIES)
def trained(request: pytest.FixtureRequest, device: torch.device) -> tuple[Machine, np.ndarray]:
    """A model trained on the device, and its data."""
    model = FAMILIES[request.param]().to(device)
    data = cases(model)
    hm.fit(model, data, epochs=6, batch_size=20, learning_rate=0.02, objective=hm.PCD(chains=20), progress=False)
    return model, data


def on_cpu(model: Machine) -> Machine:
    return copy.deepcopy(model).to("cpu")


def test_fit_leaves_all_on_the_device(trained: tuple[Machine, np.ndarray], device: torch.device) -> None:
    model, _ = trained
    assert model.chains is not None
    for tensor in (*model.parameters(), model.chains):
        assert tensor.device.type == device.type
        assert bool(torch.isfinite(tensor).all())


def test_likelihood_is_that_of_the_cpu(trained: tuple[Machine, np.ndarray]) -> None:
    model, data = trained
    found, expected = (hm.evaluate(each, data, method="exact") for each in (model, on_cpu(model)))
    assert found.mean == pytest.approx(expected.mean, rel=1e-4)  # float32 states and weights
    assert found.learned


def test_samples_are_those_of_the_cpu(trained: tuple[Machine, np.ndarray]) -> None:
    """The words are the same, so chains part only where a comparison falls within rounding."""
    model, data = trained
    found, expected = (torch.as_tensor(hm.sample(each, 50, sweeps=5, seed=1)).cpu() for each in (model, on_cpu(model)))
    assert tuple(found.shape) == (50, data.shape[1])
    same = torch.isclose(found, expected, rtol=1e-3, atol=1e-3).all(1)
    assert int(same.sum()) >= 45


def test_annealing_agrees_with_enumeration(trained: tuple[Machine, np.ndarray]) -> None:
    model, _ = trained
    exact = hm.log_partition(on_cpu(model), method="exact").value
    found = hm.log_partition(model, method="ais", chains=100, temperatures=50)
    assert found.lower <= exact <= found.upper
    assert found.value == pytest.approx(exact, abs=0.1)


def test_tempering_agrees_with_enumeration(trained: tuple[Machine, np.ndarray]) -> None:
    model, _ = trained
    exact = hm.log_partition(on_cpu(model), method="exact").value
    found = hm.log_partition(model, method="tempering", chains=20, sweeps=100)
    assert found.value == pytest.approx(exact, abs=0.1)


def test_plain_torch_draws_what_the_fused_loops_draw(trained: tuple[Machine, np.ndarray]) -> None:
    """The code of other devices, on the CPU: the same words, from the first state to the last."""
    model, _ = trained
    here = on_cpu(model)
    expected = hm.sample(here, 50, sweeps=5, seed=1)
    with devices.using(devices.Portable()):
        found = hm.sample(here, 50, sweeps=5, seed=1)
        annealed = hm.log_partition(here, method="ais", chains=100, temperatures=50)
    assert int(torch.isclose(found, expected, rtol=1e-3, atol=1e-3).all(1).sum()) >= 45
    assert annealed.value == pytest.approx(hm.log_partition(here, method="exact").value, abs=0.1)
