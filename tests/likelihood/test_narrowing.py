"""Brackets that are narrowed until they are as wide as asked for, or the time is over."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm
from harmonium.likelihood.exact import exact_log_partition
from harmonium.likelihood.log_z import LogPartition
from harmonium.likelihood.narrowing import narrowed

STREAM = hm.Stream(0)


class Fake:
    """Estimates whose width is 8 / length, and a clock that they move on by their length."""

    def __init__(self, upper: float = 1.0) -> None:
        self.now, self.lengths, self.streams, self.upper = 0.0, [], [], upper

    def __call__(self, length: int, stream: hm.Stream) -> LogPartition:
        self.streams.append(stream.key)
        self.lengths.append(length)
        self.now += length
        return LogPartition(0.0, 0.0, self.upper * 8 / length, 50, "ais", True, "fine")

    def clock(self) -> float:
        return self.now


def test_runs_get_longer_until_the_bracket_is_narrow() -> None:
    fake = Fake()
    found = narrowed(fake, 5, STREAM, 1000, clock=fake.clock)
    assert fake.lengths == [5, 20, 80]  # widths 1.6, 0.4, 0.1
    assert found.upper == pytest.approx(0.1) and found.why == "fine"
    assert fake.streams[0] == STREAM.key and len(set(fake.streams)) == 3  # every run draws anew


def test_the_last_run_uses_the_time_that_is_left_and_says_what_is_missing() -> None:
    fake = Fake()
    found = narrowed(fake, 5, STREAM, 65, clock=fake.clock)
    assert fake.lengths == [5, 20, 40]
    assert found.upper == pytest.approx(0.2)
    # The width falls as 1 / length: a run of 80 seconds would do.
    assert found.why == "fine; the bracket is 0.20 nats wide, about 80 seconds would make it 0.1"


def test_a_run_that_would_hardly_be_longer_is_not_begun() -> None:
    fake = Fake()
    # The width of 0.16 is thought to fall with the power 3/4 of the length: 50 seconds times 16^(4/3).
    assert "about 34 minutes would make it 0.01" in narrowed(fake, 50, STREAM, 60, width=0.01, clock=fake.clock).why
    assert fake.lengths == [50]


def test_without_a_time_there_is_one_run() -> None:
    fake = Fake()
    assert narrowed(fake, 5, STREAM, None, clock=fake.clock).upper == pytest.approx(1.6) and fake.lengths == [5]


def test_without_an_upper_bound_nothing_is_narrowed() -> None:
    fake = Fake(upper=float("inf"))
    assert narrowed(fake, 5, STREAM, 1000, clock=fake.clock).why == "fine" and fake.lengths == [5]


def test_a_longer_run_without_an_upper_end_does_not_take_the_bracket_away() -> None:
    fake = Fake()

    def run(length: int, stream: hm.Stream) -> LogPartition:
        found = fake(length, stream)
        return LogPartition(0.0, 0.0, float("inf"), 50, "ais", False, "drift") if length > 5 else found

    found = narrowed(run, 5, STREAM, 1000, clock=fake.clock)
    assert found.upper == pytest.approx(1.6)
    assert found.why == "fine; the bracket is 1.60 nats wide, and a longer run had no upper end: drift"


def model(scale: float = 0.6) -> hm.RBM:
    """24 x 22 units: too many to enumerate by default, few enough to enumerate here."""
    generator = torch.Generator().manual_seed(0)
    weights = scale * torch.randn(24, 22, generator=generator, dtype=torch.float64)
    return hm.RBM.from_arrays(weights, torch.zeros(24), torch.zeros(22))


def test_minutes_narrow_the_bracket_of_annealing() -> None:
    rbm = model()
    exact = float(exact_log_partition(rbm))
    chains = hm.sample(rbm, 100, sweeps=1000)
    options = {"method": "ais", "temperatures": 20, "chains_from": chains}
    once, longer = hm.log_partition(rbm, **options), hm.log_partition(rbm, minutes=0.2, **options)
    assert longer.upper - longer.lower < min(0.5, once.upper - once.lower)
    assert longer.lower <= exact <= longer.upper  # three standard errors on both sides, one seed


def test_minutes_narrow_the_bracket_of_a_ladder() -> None:
    rbm = model()
    once = hm.log_partition(rbm, "tempering", sweeps=20)
    longer = hm.log_partition(rbm, "tempering", sweeps=20, minutes=1)
    assert longer.upper - longer.lower < once.upper - once.lower
    assert longer.lower <= float(exact_log_partition(rbm)) <= longer.upper  # a 99 % interval, one seed


def test_what_is_exact_takes_no_minutes() -> None:
    assert hm.log_partition(hm.RBM(4, 2), minutes=1).method == "exact"
    found = hm.evaluate(hm.RBM(4, 2), [[0, 1, 1, 0]], minutes=1)
    assert found.method == "exact"


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="minutes"):
        hm.log_partition(model(), minutes=0)
    with pytest.raises(ValueError, match=r"minutes= takes more and more temperatures.*leave out one of them"):
        hm.log_partition(model(), "ais", minutes=1, temperatures=[0.0, 0.5, 1.0])
    with pytest.raises(ValueError, match="differs between processes: leave out minutes or shards"):
        hm.log_partition(model(), minutes=1, shards=2)
