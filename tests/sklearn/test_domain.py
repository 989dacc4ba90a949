from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

import harmonium as hm
from harmonium.sklearn.domain import Activations, DomainWarning, into_domain, lend, lenient, strict

GREYS = np.array([[-1.0, 0.0, 0.5], [0.6, 1.0, 3.0]])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("clip", [[0, 0, 0.5], [0.6, 1, 1]]),
        ("binarize", [[0, 0, 0], [1, 1, 1]]),
        ("raise", GREYS.tolist()),
    ],
)
def test_each_domain(kind: type, domain: str, expected: list[list[float]]) -> None:
    given = kind(GREYS)
    found = into_domain(given, hm.Bernoulli(3), domain, warn=False)  # type: ignore[arg-type]
    assert type(found) is type(given)
    dense = found.toarray() if sparse.issparse(found) else found
    assert dense.tolist() == expected
    assert (given.toarray() if sparse.issparse(given) else given).tolist() == GREYS.tolist()


def test_other_columns_and_gaps_stay() -> None:
    units = hm.Mixed([hm.Gaussian(1), hm.Bernoulli(2)])
    found = into_domain(np.array([[-7.5, np.nan, 0.7]]), units, "binarize", warn=True)
    np.testing.assert_array_equal(found, [[-7.5, np.nan, 1.0]])


def test_a_warning_names_the_range() -> None:
    with pytest.warns(DomainWarning, match="from -1 to 3"):
        into_domain(GREYS, hm.Bernoulli(3), "clip", warn=True)


def test_an_unknown_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="domain must be 'clip', 'binarize' or 'raise', found 'round'"):
        into_domain(GREYS, hm.Bernoulli(3), "round", warn=False)  # type: ignore[arg-type]


def test_activations_take_means_and_nothing_else() -> None:
    units = lenient(hm.Mixed([hm.Bernoulli((1, 2)), hm.Gaussian(1)]))
    units.check(torch.tensor([[0.2, 1.0, -5.0]]), "v")
    for value in (-0.1, 1.1):
        with pytest.raises(ValueError, match="column 1"):
            units.check(torch.tensor([[0.2, value, 0.0]]), "v")
    assert lenient(hm.Bernoulli((1, 2))).shape == (1, 2)


def test_strict_and_lent_are_the_same_model() -> None:
    machine = hm.RBM(Activations(4), 3, dtype=torch.float64)
    hm.fit(machine, GREYS[:, [1, 2, 1, 2]].clip(0, 1), epochs=2)
    kept = strict(machine)
    greys = torch.full((1, 4), 0.25, dtype=torch.float64)
    with pytest.raises(ValueError, match="Bernoulli units take 0 and 1"):
        hm.evaluate(kept, greys)
    v = torch.tensor([[0.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    for other in (kept, lend(kept)):
        assert torch.equal(other.free_energy(v), machine.free_energy(v))
        assert torch.equal(other.data_mean, machine.data_mean)
    lend(kept).visible.check(greys, "v")
    assert type(kept.visible) is hm.Bernoulli
