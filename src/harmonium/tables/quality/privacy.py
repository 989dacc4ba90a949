"""Privacy: are synthetic rows closer to the rows that were trained on than to fresh ones?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harmonium.core.random import Stream
from harmonium.data.raw import Array
from harmonium.tables.quality.draws import draw
from harmonium.tables.quality.encoding import Encoded
from harmonium.tables.quality.neighbours import nearest, nearest_within, points

__all__ = ["Privacy", "adversarial_accuracy", "copies", "distinct", "nearer", "privacy", "wins"]


class Privacy(NamedTuple):
    """Scores of privacy of one table; see `Scores`."""

    nearer: float
    aats: float
    aats_fresh: float

    @property
    def loss(self) -> float:
        """Privacy loss."""
        return self.aats_fresh - self.aats


def privacy(train: Encoded, synthetic: Encoded, fresh: Encoded, most: int, stream: Stream) -> tuple[Privacy, Privacy]:
    """Score the privacy of a synthetic table, and that of fresh rows in its place.

    Args:
        train: the rows that the generator was trained on.
        synthetic: the rows that it drew.
        fresh: real rows that it has not seen.
        most: largest number of rows of each.
        stream: of the choice of rows.
    """
    count = min(most, len(train), len(synthetic), len(fresh))
    named = {"train": train, "fresh": fresh, "synthetic": synthetic}
    t, h, s = points([draw(table, count, stream.child(name)) for name, table in named.items()], scale=train)
    within_t, within_h, within_s = map(nearest_within, (t, h, s))
    of_fresh = adversarial_accuracy(*nearest(h, t), within_h, within_t)
    half = np.arange(len(fresh)) % 2 == 0
    return (
        Privacy(
            nearer=nearer(draw(synthetic, most, stream.child("synthetic")), train, fresh, most, stream),
            aats=adversarial_accuracy(*nearest(s, t), within_s, within_t),
            aats_fresh=adversarial_accuracy(*nearest(s, h), within_s, within_h),
        ),
        Privacy(
            nearer=nearer(fresh.take(half), train, fresh.take(~half), most, stream),  # one half in their place
            aats=of_fresh,
            aats_fresh=of_fresh,
        ),
    )


def nearer(table: Encoded, train: Encoded, fresh: Encoded, most: int, stream: Stream) -> float:
    """Return the share of rows of a table that are nearer to a training row than to a fresh one.

    Every training and every fresh row is taken once, and as many of the ones as of the others: where one table
    repeats its rows it covers less, and all others would seem nearer to the other one.
    """
    once = [distinct(train), distinct(fresh)]
    count = min(most, *map(len, once))
    some = [draw(rows, count, stream.child("once", name)) for rows, name in zip(once, ("train", "fresh"), strict=True)]
    rows, t, h = points([table, *some], scale=train)
    return wins(nearest(rows, t)[0], nearest(rows, h)[0])


def wins(here: Array, there: Array) -> float:
    """Return the share of rows for which the first of two distances, (rows,) each, is smaller; ties count half.

    >>> wins(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    0.75
    """
    return float(np.mean((here < there) + 0.5 * (here == there)))


def adversarial_accuracy(a_to_b: Array, b_to_a: Array, within_a: Array, within_b: Array) -> float:
    """Return the accuracy with which nearest neighbours tell two sets of as many rows apart.

    The share of rows whose nearest neighbour is of their own set: 1/2 for sets that cannot be told apart, 1 for sets
    that are apart, 0 if each row has a copy in the other set. Ties count half. Yale et al. 2020, "Generation and
    evaluation of privacy preserving synthetic health data", eq. 1, https://doi.org/10.1016/j.neucom.2019.12.136.

    Args:
        a_to_b: distance of every row of set A to its nearest neighbour in B, (rows,).
        b_to_a: the same from B to A.
        within_a: distance of every row of A to its nearest neighbour among the others of A.
        within_b: the same in B.
    """
    return 0.5 * (wins(within_a, a_to_b) + wins(within_b, b_to_a))


def copies(table: Encoded, train: Encoded) -> float:
    """Return the share of rows that equal a training row in every column."""
    known = set(_keys(train))
    return float(np.mean([key in known for key in _keys(table)]))


def distinct(table: Encoded) -> Encoded:
    """Return the rows of a table, each once, in their order."""
    first: dict[bytes, int] = {}
    for place, key in enumerate(_keys(table)):
        first.setdefault(key, place)
    return table.take(np.fromiter(first.values(), np.int64, len(first)))


def _keys(table: Encoded) -> list[bytes]:
    """The same bytes for equal rows."""
    plain = np.where(np.isnan(table.values), np.nan, table.values) + 0.0  # one NaN, and no negative zero
    return [row.tobytes() for row in np.ascontiguousarray(plain)]
