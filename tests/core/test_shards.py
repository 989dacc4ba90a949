"""Shards: rows of blocks, and a sum that does not know how many processes there are."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from harmonium.core.processes import Processes, differences
from harmonium.core.random import Stream
from harmonium.core.shards import LEAST, Shards, divided, in_blocks, rows_of


def test_rows_of_shards_are_all_rows_in_order() -> None:
    for total, shards in ((100, 8), (5, 8), (64, 1), (7, 7)):
        rows = [row for k in range(shards) for row in range(total)[rows_of(total, k, shards)]]
        assert rows == list(range(total))


class Threads(Processes):
    """Processes that are threads of this one."""

    box: list[Tensor]
    wait: threading.Barrier

    def exchange(self, parts: Tensor) -> Tensor:
        self.box[self.rank] = parts
        self.wait.wait(60)
        received = torch.stack([each[self.rank] for each in self.box])
        self.wait.wait(60)
        return received


def together(size: int, act: Callable[[Processes], list[Tensor]]) -> list[list[Tensor]]:
    box, wait = [torch.empty(0)] * size, threading.Barrier(size)
    found: list[list[Tensor]] = [[]] * size

    def one(rank: int) -> None:
        each = Threads(rank, size)
        object.__setattr__(each, "box", box)
        object.__setattr__(each, "wait", wait)
        found[rank] = act(each)

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("count", [1, 5, 8, 13])
def test_the_sum_has_the_same_bits_however_shards_are_divided(count: int) -> None:
    values = [torch.randn(7, 3, generator=torch.Generator().manual_seed(k)) for k in range(count)]

    def total(among: Processes) -> list[Tensor]:
        return Shards(count, among).sum(lambda k: [values[k].clone(), values[k][0] * 1e3])

    expected = total(Processes())
    torch.testing.assert_close(expected[0], torch.stack(values).sum(0))
    for size in range(2, count + 1):
        for found in together(size, total):
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_the_order_of_the_sum_matters_in_these_numbers() -> None:
    # else the test above would prove nothing
    values = [torch.randn(7, 3, generator=torch.Generator().manual_seed(k)) for k in range(13)]
    tree = Shards(13).sum(lambda k: [values[k].clone()])[0]
    assert not torch.equal(tree, sum(values, torch.zeros(7, 3)))


def test_more_processes_than_shards_are_refused() -> None:
    with pytest.raises(ValueError, match=r"9 processes cannot divide 8 shards: start at most 8, or pass shards=9"):
        Shards(8, Processes(0, 9))


def test_differences_name_what_and_who() -> None:
    found = differences([{"data": "a", "code": 1}, {"data": "b", "code": 1}, {"data": "b", "code": 2}])
    assert found == ["data: process 0 has a, processes 1, 2 have b", "code: process 0 has 1, process 2 has 2"]
    assert differences([{"data": "a"}, {"data": "a"}]) == []


def test_a_stream_goes_on_after_the_block_that_drew_most() -> None:
    """Blocks may draw differently often, such as for the orderings that occur in them: no step is used twice."""
    stream = Stream(1)

    def act(rows: slice) -> list[Tensor]:
        stream.advance(3 if rows.start == 0 else 1)
        return [torch.arange(rows.start, rows.stop)]

    with divided(4):
        (found,) = in_blocks(4 * LEAST, stream, act)
    assert stream.step == 3 and found.tolist() == list(range(4 * LEAST))
