"""Products with few active units: the same numbers as the dense products."""

import pytest
import torch

from harmonium.kernels import sparse


def states(rows: int, units: int, share: float, seed: int = 0) -> torch.Tensor:
    return (torch.rand(rows, units, generator=torch.Generator().manual_seed(seed)) < share).float()


def normal(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


bags = pytest.mark.skipif(not sparse.BAGS, reason="embedding bags are used on x86-64 only")


@bags
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("rows", [1, 3, 50])
def test_product_of_sparse_states(rows: int, share: float) -> None:
    s, W = states(rows, 90, share), normal(90, 130)
    s[0] = 0  # a row without any
    assert sparse.active(s, 130) is not None
    torch.testing.assert_close(sparse.product(s, W), s @ W, rtol=1e-5, atol=1e-5)


@bags
def test_the_list_names_the_active_units() -> None:
    s = states(20, 90, 0.1)
    on = sparse.active(s, 200)
    assert on is not None
    rows, units = s.nonzero(as_tuple=True)
    assert on.index.tolist() == units.tolist()
    assert on.starts.tolist() == [0, *torch.bincount(rows, minlength=20).cumsum(0).tolist()]


@pytest.mark.parametrize(
    "s",
    [
        states(20, 90, 0.6),
        0.5 * states(20, 90, 0.05),
        -states(20, 90, 0.05),
        states(20, 90, 0.05).double(),
        states(20, 90, 0.05).view(2, 10, 90),
    ],
    ids=["many active", "grey", "negative", "float64", "a stack"],
)
def test_everything_else_is_dense(s: torch.Tensor) -> None:
    W = normal(90, 130).to(s.dtype)
    assert sparse.active(s, 130) is None
    assert torch.equal(sparse.product(s, W), s @ W)


@bags
@pytest.mark.parametrize("shares", [(0.05, 0.1, 0.2), (0.1, 0.9, 0.1), (0.9, 0.1, 0.1)])
def test_a_stack_is_its_members(shares: tuple[float, ...]) -> None:
    s = torch.stack([states(20, 90, share, seed) for seed, share in enumerate(shares)])
    W = torch.stack([normal(90, 130, seed=seed) for seed in range(3)])
    found = sparse.product(s, W)
    torch.testing.assert_close(found, s @ W, rtol=1e-4, atol=1e-4)
    if shares[0] < 0.25:  # by the first of them all are judged
        assert torch.equal(found, torch.stack([sparse.product(s[r], W[r]) for r in range(3)]))


@pytest.mark.parametrize("models", [0, 3])
def test_states_that_all_models_of_a_stack_share(models: int) -> None:
    s, W = states(20, 90, 0.05).unsqueeze(0), torch.stack([normal(90, 130, seed=seed) for seed in range(3)])[:models]
    assert torch.equal(sparse.product(s, W), s @ W)


def test_states_with_nan_are_dense_and_stay_visible() -> None:
    s = states(20, 90, 0.05)
    s[3, 4] = torch.nan
    assert sparse.product(s, normal(90, 130))[3].isnan().all()


def test_active_units_that_pile_up_in_late_rows_are_dense() -> None:
    s = states(40, 90, 0.0)
    s[20:] = 1
    assert sparse.active(s, 130) is None


def test_a_graph_is_recorded() -> None:
    W = normal(90, 130).requires_grad_()
    s = states(20, 90, 0.1)
    sparse.product(s, W).sum().backward()
    assert W.grad is not None
    torch.testing.assert_close(W.grad, s.sum(0).unsqueeze(-1).expand(90, 130))


@bags
@pytest.mark.parametrize("rows", [(30, 30), (30, 7), (1, 40)])
def test_difference_of_outers(rows: tuple[int, int]) -> None:
    left = [states(n, 90, 0.15, seed) for seed, n in enumerate(rows)]
    right = [normal(n, 130, seed=seed) for seed, n in enumerate(rows)]
    difference = sparse.difference_of_outers((left[0], right[0]), (left[1], right[1]))
    assert difference is not None
    torch.testing.assert_close(difference, left[0].T @ right[0] - left[1].T @ right[1], rtol=1e-4, atol=1e-4)


def test_no_difference_of_outers_where_one_side_is_dense() -> None:
    right = normal(20, 130)
    assert sparse.difference_of_outers((states(20, 90, 0.1), right), (states(20, 90, 0.9), right)) is None
