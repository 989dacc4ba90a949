"""Networks that start from the mean field of a DBM: by value against the mean field itself."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm
from harmonium.models.deep.unrolled_mean_field import Augment, Unrolled
from harmonium.models.machine.mean_field import mean_field


def deep(sizes: list[int], scale: float = 0.8) -> tuple[hm.DBM, torch.Tensor]:
    dbm, generator = hm.DBM(sizes, dtype=torch.float64), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in dbm.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return dbm, torch.randint(0, 2, (9, sizes[0]), generator=generator).double()


def means_of(dbm: hm.DBM, v: torch.Tensor, iterations: int) -> list[torch.Tensor]:
    fields = mean_field(dbm, v, iterations, tolerance=0.0)
    return [dbm.units(k).mean(x).detach() for k, x in enumerate(fields.inputs, 1)]


@pytest.mark.parametrize("sizes", [[6, 5, 4], [6, 5, 4, 3], [4, 3, 4, 3, 2]], ids=str)
@pytest.mark.parametrize("iterations", [0, 1, 2, 7])
def test_the_unrolled_means_are_the_mean_field_after_as_many_iterations(sizes: list[int], iterations: int) -> None:
    dbm, v = deep(sizes)
    network = dbm.to_classifier(3, unroll=True, iterations=iterations)
    unrolled = network[0]
    assert isinstance(unrolled, Unrolled)
    for found, expected in zip(unrolled.means(v), means_of(dbm, v, iterations), strict=True):
        torch.testing.assert_close(found.detach(), expected, rtol=0, atol=1e-12)
    assert torch.equal(network(v), network[1](unrolled.means(v)[-1]))


def test_the_fixed_point_is_the_mean_field_and_the_first_layers_leave_it_alone() -> None:
    dbm, v = deep([6, 5, 4])
    m1, m2 = means_of(dbm, v, 500)
    network = dbm.to_classifier(3, iterations=200)
    x = network[0](v)
    torch.testing.assert_close(x, torch.cat((v, m2), -1), rtol=0, atol=1e-5)
    h1 = network[2](network[1](x)).detach()
    torch.testing.assert_close(h1, m1, rtol=0, atol=1e-5)
    torch.testing.assert_close(network[4](network[3](h1)).detach(), m2, rtol=0, atol=1e-5)


def test_augmented_layers_are_one_more_iteration() -> None:
    dbm, v = deep([6, 5, 4])
    network = dbm.to_classifier(3, iterations=2)
    m1, m2 = means_of(dbm, v, 3)
    h1 = network[:3](v).detach()
    torch.testing.assert_close(h1, m1, rtol=0, atol=1e-12)
    torch.testing.assert_close(network[:5](v).detach(), m2, rtol=0, atol=1e-12)


def test_training_moves_copies_and_not_the_augmentation() -> None:
    dbm, v = deep([6, 5, 4])
    before = [parameter.detach().clone() for parameter in dbm.parameters()]
    y = torch.arange(9) % 3
    for unroll in (False, True):
        network = dbm.to_classifier(3, unroll=unroll)
        start = [parameter.detach().clone() for parameter in network.parameters()]
        hm.finetune(network, v, y, epochs=2, batch_size=3, learning_rate=0.05)
        moved = [not torch.equal(a, b) for a, b in zip(start, network.parameters(), strict=True)]
        frozen = 4 if not unroll else 0  # two matrices and two biases of the augmentation
        assert moved == [False] * frozen + [True] * (len(moved) - frozen)
    assert all(torch.equal(a, b) for a, b in zip(before, dbm.parameters(), strict=True))


def test_gradients_go_through_all_iterations() -> None:
    """Finite differences of the logits in one weight of the unrolled machine, float64."""
    dbm, v = deep([4, 3, 2], scale=0.5)
    network = dbm.to_classifier(2, unroll=True, iterations=4)
    W2 = network[0].weights[1]
    network(v).sum().backward()
    with torch.no_grad():
        sums = []
        for step in (1e-5, -2e-5):
            W2[1, 0] += step
            sums.append(float(network(v).sum()))
    assert float(W2.grad[1, 0]) == pytest.approx((sums[0] - sums[1]) / 2e-5, rel=1e-6)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="this one has 3: pass unroll=True"):
        hm.DBM([4, 3, 3, 2]).to_classifier(2)
    with pytest.raises(ValueError, match=r"needs Bernoulli units, found Spin\(3\)"):
        hm.DBM([4, hm.Spin(3), 2]).to_classifier(2)
    with pytest.raises(ValueError, match="n_classes must be "):
        hm.DBM([4, 3, 2]).to_classifier(1)
    for iterations in (-1, 1.5, True):
        with pytest.raises(ValueError, match="iterations must be"):
            hm.DBM([4, 3, 2]).to_classifier(2, iterations=iterations)  # type: ignore[arg-type]
    assert isinstance(hm.DBM([4, 3, 2]).to_classifier(2)[0], Augment)
