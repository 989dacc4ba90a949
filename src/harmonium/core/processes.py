"""The processes of one program: what `torchrun` started, or this process alone."""

from __future__ import annotations

import atexit
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from harmonium.core.errors import LostProcessError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ALONE", "Processes", "alone", "differences", "processes", "rank", "restarts", "several"]

T = TypeVar("T")

_PATIENCE = timedelta(days=7)  # one may measure while the others wait; a process that ends closes its connections
_NOTE = 1024  # bytes of a message that fit into one broadcast

_together: Processes | None = None
_alone: ContextVar[bool] = ContextVar("alone", default=False)


@dataclass(frozen=True)
class Processes:
    """The processes that work together, and which of them this is.

    All of them must call each method, in the same order.

    Args:
        rank: number of this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is process 0, which measures, prints and writes."""
        return self.rank == 0

    def exchange(self, parts: Tensor) -> Tensor:
        """Send row j of ``parts`` (processes, ...) to process j; returns what came from each, of the same shape."""
        import torch

        received = torch.empty_like(parts)
        self._do("all_to_all_single", received, parts.contiguous())
        return received

    def gather(self, rows: Tensor) -> Tensor:
        """Join the rows (rows, ...) of all processes, in their order; their numbers may differ."""
        if self.size == 1:
            return rows
        import torch

        counts = [int(n) for n in self.exchange(torch.full((self.size,), len(rows)))]
        joined = rows.new_empty((sum(counts), *rows.shape[1:]))
        self._do(
            "all_to_all_single", joined, rows.repeat(self.size, *[1] * (rows.dim() - 1)), counts,
            [len(rows)] * self.size,
        )  # fmt: skip
        return joined

    def everyones(self, value: Any) -> list[Any]:
        """JSON-able values of all processes, in their order."""
        if self.size == 1:
            return [value]
        import torch

        text = json.dumps(value).encode()
        lengths = self.gather(torch.tensor([len(text)]))
        joined = bytes(self.gather(torch.frombuffer(bytearray(text), dtype=torch.uint8)).numpy())
        ends = lengths.cumsum(0).tolist()
        return [json.loads(joined[end - n : end]) for n, end in zip(lengths.tolist(), ends, strict=True)]

    def told(self, value: Any) -> Any:
        """The JSON-able value of process 0; what others pass is ignored."""
        if self.size == 1:
            return value
        import torch

        text = json.dumps(value).encode() if self.first else b""
        note = torch.zeros(_NOTE, dtype=torch.uint8)
        head = len(text).to_bytes(8, "little") + text[: _NOTE - 8]
        note[: len(head)] = torch.frombuffer(bytearray(head), dtype=torch.uint8)
        self._do("broadcast", note, 0)
        found = bytes(note.numpy())
        length = int.from_bytes(found[:8], "little")
        if length > _NOTE - 8:
            rest = torch.zeros(length, dtype=torch.uint8)
            if self.first:
                rest = torch.frombuffer(bytearray(text), dtype=torch.uint8)
            self._do("broadcast", rest, 0)
            return json.loads(bytes(rest.numpy()))
        return json.loads(found[8 : 8 + length])

    def by_first(self, act: Callable[[], Any]) -> Any:
        """Let process 0 do something alone, and give its JSON-able result to all.

        Raises:
            LostProcessError: in the others, if it raised an error.
        """
        if self.size == 1:
            return act()
        if not self.first:
            answer = self.told(None)
            if "error" in answer:
                raise LostProcessError(f"process 0 stopped: {answer['error']}", told=True)
            return answer["value"]
        try:
            with alone():
                answer = {"value": act()}
        except BaseException as error:
            self.told({"error": str(error) or type(error).__name__})
            raise
        return self.told(answer)["value"]

    def _do(self, collective: str, *arguments: Any) -> None:
        import torch.distributed as distributed

        try:
            getattr(distributed, collective)(*arguments)
        except RuntimeError as error:
            raise LostProcessError(
                f"process {self.rank} lost one of the {self.size - 1} others, which may have said why "
                f"({_reason(error)})"
            ) from error


ALONE = Processes()


@contextmanager
def alone() -> Iterator[None]:
    """Let this process compute by itself what others do not compute with it."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def rank() -> int:
    """The number of this process as `torchrun` says it, from 0, without meeting the others."""
    return int(os.environ.get("RANK", "0")) if _size() > 1 else 0


def several() -> bool:
    """Whether `torchrun` has started more than one process."""
    return _size() > 1


def restarts() -> int:
    """How often `torchrun` has started the processes again after one was lost."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) if _size() > 1 else 0


def _size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def processes() -> Processes:
    """The processes that `torchrun` started (or whose group the program has made), else this one alone.

    The first call meets the others.

    Raises:
        LostProcessError: if they do not meet.
    """
    global _together
    if _alone.get() or (_together is None and not _expected()):
        return ALONE
    if _together is None:
        _together = _meet()
    return _together


def _expected() -> bool:
    """Whether there are other processes, without the import of torch."""
    if _size() > 1:
        return True
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return False
    return bool(distributed.get_world_size() > 1)


def _meet() -> Processes:
    import torch
    import torch.distributed as distributed

    # Of the group of all: in torch 2.13 other groups look for the processes of before a restart.
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    try:
        if not distributed.is_initialized():
            distributed.init_process_group(backend, timeout=_PATIENCE)
            atexit.register(_part)
    except (RuntimeError, ValueError) as error:
        raise LostProcessError(_unmet(error)) from error
    return Processes(distributed.get_rank(), distributed.get_world_size())


def _reason(error: Exception) -> str:
    """The first sentence of an error of gloo or NCCL, without the place in their sources."""
    return re.sub(r"^\[[^]]*\]\s*", "", str(error).splitlines()[0]).partition(". ")[0][:200]


def _unmet(error: Exception) -> str:
    """What went wrong when processes did not meet, and what to do."""
    text, place = str(error), f"{os.environ.get('MASTER_ADDR', '?')}:{os.environ.get('MASTER_PORT', '?')}"
    if "EADDRINUSE" in text or "already in use" in text:
        return (
            f"the port {place} is in use by another program: name a free one, `torchrun --master-port PORT ...`, or "
            "let torchrun find one, `torchrun --standalone ...` on one machine"
        )
    if isinstance(error, ValueError):
        return f"the processes were not started by torchrun ({text}): `torchrun --nproc-per-node N SCRIPT`"
    return f"the processes did not meet at {place} ({_reason(error)}): see that all were started"


def _part() -> None:
    global _together
    import torch.distributed as distributed

    _together = None
    if distributed.is_initialized():
        distributed.destroy_process_group()


def differences(found: Sequence[dict[str, Any]]) -> list[str]:
    """What differs between process 0 and others, in words; empty if nothing does."""
    lines = []
    for name, own in found[0].items():
        others: dict[str, list[int]] = {}
        for rank, each in enumerate(found):
            if each.get(name) != own:
                others.setdefault(str(each.get(name)), []).append(rank)
        for value, ranks in others.items():
            who = f"process {ranks[0]} has" if len(ranks) == 1 else f"processes {', '.join(map(str, ranks))} have"
            lines.append(f"{name}: process 0 has {own}, {who} {value}")
    return lines
