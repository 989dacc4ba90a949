"""Every unit type on either side of a machine: weights, log Z, gradients, stationarity."""

from __future__ import annotations

import pytest
import torch
from scipy.integrate import simpson

from harmonium.core.random import Stream
from harmonium.likelihood.exact import exact_log_partition
from harmonium.models import RBM
from harmonium.models.machine.dbm import DBM
from harmonium.testing import check_model
from harmonium.testing.compare import assert_mean
from harmonium.testing.numeric import scatter
from harmonium.units import Binomial, Categorical, DReLU, Gaussian, Mixed, Poisson, ReLU, ReplicatedSoftmax, Spin, Units

MACHINES = [
    (Spin(4), Spin(3)), (Categorical(2, 3), 3), (3, Categorical(2, 3)), (Categorical(2, 3), Categorical(2, 2)),
    (Binomial(2, 2), Spin(2)), (3, Binomial(2, 3)), (Poisson(1), 2), (2, Poisson(1)),
    (Mixed([Spin(2), Categorical(1, 3)]), 2), (Mixed([Spin(2), Gaussian(1)]), 2),
    (ReplicatedSoftmax(3, lengths=[4]), 2), (ReplicatedSoftmax(2, lengths=[5]), Categorical(1, 3)),
    (ReplicatedSoftmax(3, lengths=[2]), Gaussian(1)),
]  # fmt: skip


@pytest.mark.parametrize(("visible", "hidden"), MACHINES, ids=repr)
def test_machines(visible: Units | int, hidden: Units | int) -> None:
    check_model(RBM(visible, hidden), spread=0.4)


def test_documents_under_two_hidden_layers() -> None:
    check_model(DBM([ReplicatedSoftmax(3, lengths=[3]), 2, 2]), spread=0.4)


@pytest.mark.parametrize("kind", [ReLU, DReLU])
@pytest.mark.parametrize("side", [0, 1])
@torch.no_grad()
def test_rectified_units_on_either_side(kind: type[Units], side: int) -> None:
    """log Z by enumeration of the binary side = quadrature of the other; chains that start there stay there.

    Simpson with a node at the kink: error below 1e-9.  Means within 5 standard errors of 20,000 chains.
    """
    layers: list[Units | int] = [2, 2]
    layers[side] = kind(1)
    rbm = RBM(*layers, dtype=torch.float64)
    scatter(rbm, Stream(3, side), 0.5)
    grid = torch.linspace(-40, 40, 40_001, dtype=torch.float64)
    grid = grid[20_000:] if kind is ReLU else grid
    both = (grid.unsqueeze(-1), None) if side == 0 else (None, grid.unsqueeze(-1))
    log_z = float(exact_log_partition(rbm))
    density = torch.exp(rbm.log_weight(both, 0 if side == 0 else 1) - log_z)
    assert float(simpson(density.numpy(), x=grid.numpy())) == pytest.approx(1, rel=1e-9)
    binary = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]], dtype=torch.float64)
    fixed = (None, binary) if side == 0 else (binary, None)
    p = torch.exp(rbm.log_weight(fixed, 1 if side == 0 else 0) - log_z)
    rows = binary[torch.multinomial(p, 20_000, True, generator=torch.Generator().manual_seed(0))]
    if side == 0:
        v = rbm.sample_visible(rows, Stream(1))
        state = rbm.sweep((v, None), Stream(2), 3)
    else:
        state = rbm.sweep((rows, None), Stream(2), 3)
    s, bits = state[side], state[1 - side]
    assert s is not None and bits is not None
    assert_mean("binary side", bits, p @ binary)
    for power in (1, 2, 3):
        expected = simpson((density * grid**power).numpy(), x=grid.numpy())
        assert_mean(f"moment {power}", s**power, torch.tensor([expected], dtype=torch.float64))
