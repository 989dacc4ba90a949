"""Rows divided among threads: every row once, the same bits, and no hang after a fork or an error."""

from __future__ import annotations

import os
import select
import signal
import threading
import warnings

import numpy as np
import pytest
import torch

from harmonium import units
from harmonium.core.random import RandomAddress
from harmonium.kernels import workers
from harmonium.kernels.subset_sums import multiply, pack
from harmonium.kernels.workers import WORTH, divided


@pytest.fixture(params=[1, 2, 3, 7])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(torch, "get_num_threads", lambda: request.param)
    return int(request.param)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_every_number_is_in_one_range(threads: int, count: int) -> None:
    seen: list[tuple[int, int]] = []
    divided(lambda low, high: seen.append((low, high)), count, WORTH)
    assert sorted(k for low, high in seen for k in range(low, high)) == list(range(count))
    assert len(seen) == min(threads, count)


def test_ranges_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    together = threading.Barrier(3, timeout=30)
    divided(lambda low, high: together.wait() and None, 3, WORTH)  # would break the barrier one after the other


def test_little_work_stays_in_this_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    found: list[object] = []
    divided(lambda low, high: found.append((low, high, threading.current_thread())), 9, WORTH - 1)
    assert found == [(0, 9, threading.current_thread())]


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_arrives_after_all_have_ended(bad: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    ended: list[int] = []

    def task(low: int, high: int) -> None:
        if low == bad:
            raise ValueError(f"range {low}")
        ended.append(low)

    with pytest.raises(ValueError, match=f"range {bad}"):
        divided(task, 3, WORTH)
    assert sorted(ended) == [k for k in range(3) if k != bad]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("numbers", ["from a first", "listed"])
@pytest.mark.parametrize(
    "layer", [units.Bernoulli(1000), units.Gaussian(1000), units.Categorical(250, 4)], ids=["binary", "real", "groups"]
)
def test_draws_do_not_depend_on_threads(
    threads: int, layer: units.Units, numbers: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, rows = layer.to(dtype), WORTH // 1000 + 3
    x = torch.as_tensor(np.random.default_rng(0).normal(size=(rows, 1000)), dtype=dtype)
    first = 100 if numbers == "from a first" else np.random.default_rng(1).permutation(rows)
    draw = RandomAddress(12345, 7, 1, first)
    at = torch.linspace(0.5, 1, 2 * rows, dtype=dtype).view(rows, 2)
    results = []
    for number in (threads, 1):
        monkeypatch.setattr(torch, "get_num_threads", lambda number=number: number)
        with torch.no_grad():
            results.append((layer.sample(x, draw), layer.mean(x), layer.log_normalizer(x, layer.line(at))))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_products_do_not_depend_on_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    s, W = (torch.rand(1030, 300, generator=generator) < 0.5).float(), torch.randn(300, 300, generator=generator)
    many = multiply(pack(s), W)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert torch.equal(many, multiply(pack(s), W))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    divided(lambda low, high: None, 2, WORTH)
    assert workers._pools
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # "multi-threaded process": that is the point
        child = os.fork()
    if child == 0:
        try:
            divided(lambda low, high: os.write(write, b"x") and None, 2, WORTH)
        finally:
            os._exit(0)
    os.close(write)
    got = b""
    while len(got) < 2 and select.select([read], [], [], 60)[0] and (part := os.read(read, 2)):
        got += part
    os.close(read)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert got == b"xx"
