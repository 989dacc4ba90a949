"""Pictures of contacts and mutations."""

from __future__ import annotations

import numpy as np
import pytest

import harmonium as hm


def scores() -> np.ndarray:
    table = np.zeros((8, 8))
    for (i, j), score in {(0, 1): 3.0, (1, 6): 2.0, (2, 5): 1.0, (3, 7): -1.0}.items():
        table[i, j] = table[j, i] = score
    return table


def test_the_best_pairs_are_marked() -> None:
    axes = hm.plots.contact_map(scores(), top=2).axes[0]
    assert axes.collections[0].get_offsets().tolist() == [[1, 0], [6, 1]]
    assert np.asarray(axes.images[0].get_array()).min() == 0
    axes = hm.plots.contact_map(scores(), top=2, separation=3).axes[0]
    assert axes.collections[0].get_offsets().tolist() == [[6, 1], [5, 2]]


def test_known_contacts_are_below_the_diagonal() -> None:
    known = np.zeros((8, 8), bool)
    known[1, 6] = known[6, 1] = True
    axes = hm.plots.contact_map(scores(), known).axes[0]
    assert axes.collections[1].get_offsets().tolist() == [[1, 6]]
    assert not np.tril(np.asarray(axes.images[0].get_array()), -1).any()


def test_mutations_and_the_sequence() -> None:
    changes = np.random.default_rng(0).normal(size=(7, 4))
    axes = hm.plots.mutation_map(changes, [0, 1, 2, 3, 0, 1, 2], "ACGU").axes[0]
    assert np.asarray(axes.images[0].get_array()).tolist() == changes.T.tolist()
    assert axes.lines[0].get_ydata().tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert [label.get_text() for label in axes.get_xticklabels()][:2] == ["A\n0", "C"]
    assert [label.get_text() for label in axes.get_yticklabels()] == list("ACGU")
    assert hm.plots.mutation_map(changes).axes[0].get_xlabel() == "site"


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"expected \(sites, sites\)"):
        hm.plots.contact_map(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="contacts have shape"):
        hm.plots.contact_map(np.zeros((3, 3)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="letters has 3 letters"):
        hm.plots.mutation_map(np.zeros((5, 4)), letters="ABC")
    with pytest.raises(ValueError, match=r"a code 0 \.\.\. 3"):
        hm.plots.mutation_map(np.zeros((5, 4)), [0, 1, 2, 3, 4])
