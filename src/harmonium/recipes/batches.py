"""Shuffled batches of several passes over the data, for recipes with a loop of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self

import torch
from torch import Tensor
from tqdm import tqdm

from harmonium import kernels
from harmonium.core.errors import DivergedError
from harmonium.core.random import Stream

__all__ = ["Batches", "check_finite"]


class Batches:
    """Batches of all epochs of a training, with a progress bar; a context manager.

    Args:
        cases: number of cases.
        epochs: passes over them.
        batch_size: cases per batch.
        stream: of the order of cases, which is another one in every epoch.
        progress: show a progress bar.
    """

    def __init__(self, cases: int, epochs: int, batch_size: int, stream: Stream, progress: bool) -> None:
        self._cases, self._batch_size, self._stream = cases, batch_size, stream
        self._total = epochs * -(-cases // batch_size)
        self._done = 0
        self.bar = tqdm(total=self._total, unit="update", disable=not progress, dynamic_ncols=True)

    def of_epoch(self, epoch: int) -> Iterator[tuple[Tensor, float]]:
        """Case numbers of every batch of an epoch, with the fraction of the training that is done."""
        order = kernels.permutation(self._stream.child("shuffle", epoch).advance(), self._cases)
        for index in torch.split(order, self._batch_size):
            yield index, self._done / self._total
            self._done += 1
            self.bar.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()


def check_finite(parameters: Iterable[Tensor], epoch: int) -> None:
    """Raise DivergedError unless all parameters are finite after this epoch, counted from 0."""
    if not all(bool(torch.isfinite(parameter).all()) for parameter in parameters):
        raise DivergedError(f"parameters are no longer finite in epoch {epoch + 1}: lower the learning rate")
