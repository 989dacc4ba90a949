from __future__ import annotations

import numpy as np

from harmonium.sklearn import BernoulliRBM
from harmonium.sklearn.seeds import seed_of


def test_ints_are_seeds_and_states_are_asked() -> None:
    assert seed_of(np.int64(5)) == 5
    state = np.random.RandomState(3)
    expected = np.random.RandomState(3).randint(2**31 - 1, size=2).tolist()
    assert [seed_of(state), seed_of(state)] == expected


def test_none_is_new_every_time_and_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()
    X = np.eye(6)
    first, second = (BernoulliRBM(3, n_iter=1).fit(X).components_ for _ in range(2))
    assert not np.array_equal(first, second)
    after = np.random.get_state()
    assert before[2] == after[2]
    assert np.array_equal(before[1], after[1])
