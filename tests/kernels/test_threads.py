"""Python threads and forks: the same bits, no crash, no hang."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import warnings
from collections.abc import Callable

import pytest
import torch

from harmonium.core.random import Stream
from harmonium.models import RBM


def sweep(rbm: RBM, seed: int) -> bytes:
    v = torch.zeros(64, rbm.visible.size)
    out = rbm.gibbs(v, 20, Stream(seed))
    product = out @ rbm.weights.detach()
    return out.numpy().tobytes() + product.numpy().tobytes()


def test_four_python_threads_at_once(make_rbm: Callable[..., RBM]) -> None:
    rbm = make_rbm(50, 30, scale=0.3, dtype="float32")
    expected = [sweep(rbm, seed) for seed in range(4)]
    for _ in range(5):
        found: dict[int, bytes] = {}
        ready = threading.Barrier(4)

        def work(seed: int, found: dict[int, bytes] = found, ready: threading.Barrier = ready) -> None:
            ready.wait()
            found[seed] = sweep(rbm, seed)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found[seed] for seed in range(4)] == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_after_a_fork(make_rbm: Callable[..., RBM]) -> None:
    """A child that was forked after torch and the loops have run draws the same bits, and does not hang."""
    rbm = make_rbm(50, 30, scale=0.3, dtype="float32")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        expected = sweep(rbm, 0)
        torch.set_num_threads(2)
        large = torch.ones(500, 500)
        large @ large  # now there is a pool of OpenMP threads, which the child will miss
        read, write = os.pipe()
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # "multi-threaded process": that is the point
            child = os.fork()
        if child == 0:
            try:
                os.close(read)
                os.write(write, sweep(rbm, 0)[:60_000])
            finally:
                os._exit(0)
        os.close(write)
        got = b""
        while select.select([read], [], [], 60)[0] and (part := os.read(read, 65_536)):
            got += part
        os.close(read)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    finally:
        torch.set_num_threads(threads)
    assert len(got) > 0, "the child did not answer within a minute"
    assert got == expected[:60_000]
