"""Functions of tensors that a CUDA device repeats without the host: CUDA graphs.

A sweep of a small machine takes a device less time than the host needs to start its kernels.  A graph starts all of
them at once.  It repeats the same kernels on the same memory, so whatever changes must lie on the device, the step of
the random stream as well (see `harmonium.core.random.RandomAddress`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from harmonium.core.random import Stream

__all__ = ["Recording"]

Result = TypeVar("Result")

_WARM_UP = 2  # calls before the recorded one, in which Triton and cuBLAS prepare themselves


class Recording(Generic[Result]):
    """A function that is recorded on a CUDA device and then repeated; elsewhere it is simply called.

    Args:
        function: takes a stream and tensors.  It must not read values from the device, and every call must take the
            same number of steps of the stream.  What it changes in place (parameters, gradients) is changed by every
            call, also by the two before the recording.
        stream: of all draws; calls advance it as calls of the function would, so that they draw the same words.
        examples: tensors of the shapes, types and device of all later calls.

    >>> import torch, harmonium as hm
    >>> from harmonium.kernels.recording import Recording
    >>> rbm, stream = hm.RBM(6, 3), hm.Stream(0)
    >>> sweep = Recording(lambda stream, v: rbm.sweep((v, None), stream)[0], stream, torch.zeros(4, 6))
    >>> tuple(sweep(torch.zeros(4, 6)).shape), stream.step
    ((4, 6), 1)
    """

    def __init__(self, function: Callable[..., Result], stream: Stream, *examples: Tensor) -> None:
        self._function, self._stream = function, stream
        self._graph: torch.cuda.CUDAGraph | None = None
        if examples[0].device.type == "cuda":
            self._record(examples)

    def __call__(self, *tensors: Tensor) -> Result:
        """Call the function, or repeat its recording.

        Args:
            tensors: as the examples; they are copied.

        Returns:
            What the function returned.  Its tensors are overwritten by the next call.
        """
        if self._graph is None:
            return self._function(self._stream, *tensors)
        for own, given in zip(self._inputs, tensors, strict=True):
            own.copy_(given)
        self._step.fill_(self._stream.step)
        self._stream.advance(self._steps)
        self._graph.replay()
        return self._result

    def _record(self, examples: tuple[Tensor, ...]) -> None:
        device, start = examples[0].device, self._stream.step
        self._inputs = [example.clone() for example in examples]
        self._step = torch.full((), int(start), dtype=torch.int64, device=device)

        def call() -> tuple[Result, Stream]:
            path, first = self._stream.path, self._stream.first
            stream = Stream(self._stream.seed, *path, step=self._step, first=first)
            return self._function(stream, *self._inputs), stream

        with torch.cuda.device(device):
            beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                for _ in range(_WARM_UP):
                    _, moved = call()
                self._steps = int(moved.step) - int(start)
            torch.cuda.current_stream().wait_stream(beside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._result, _ = call()
        self._graph = graph
