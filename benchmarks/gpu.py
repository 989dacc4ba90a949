"""Time sweeps, updates and annealing on a GPU, in each way of drawing, beside their bare products and rbms.

    python benchmarks/gpu.py [--device cuda] [--minutes 9] [--write]

It runs anywhere: on the CPU at toy size, and what is not there (a GPU, Triton, rbms, memory) is named in its place.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from typing import Any

import report
import torch
from torch import Tensor

import harmonium as hm
from harmonium.kernels import devices
from harmonium.kernels.recording import Recording
from harmonium.objectives import Batch

SIZES = ((784, 500), (784, 2000), (10_000, 1000))
CHAINS = (100, 2000, 20_000)
TOY_SIZES, TOY_CHAINS = ((24, 16), (40, 30)), (10, 50)
TEMPERATURES = 100
BATCH = 2000  # cases of an update, at most; as many as chains if these are fewer
RATE = 1e-4  # small: every way is to measure the same model
SECONDS = 0.2  # of one measurement, at least

Work = Callable[[], object]


class AbsentError(Exception):
    """What is missing, in words."""


class Clock:
    """Seconds of one call, until a time at which all measurements end."""

    def __init__(self, device: torch.device, minutes: float) -> None:
        self.device, self.end = device, time.perf_counter() + 60 * minutes

    def seconds(self, prepare: Callable[[], Work], once: bool = False) -> float | str:
        """Seconds of a call of the work that ``prepare`` makes ready, or why there are none."""
        if time.perf_counter() > self.end:
            return "left out: time is up"
        try:
            work = prepare()
            self._of(work, 1)
            took = self._of(work, 1)
            return took if once else self._of(work, max(2, min(1000, int(SECONDS / max(took, 1e-6)))))
        except AbsentError as missing:
            return str(missing)
        except torch.OutOfMemoryError:
            return "out of memory"
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return f"failed: {type(error).__name__}"
        finally:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _of(self, work: Work, calls: int) -> float:
        self._wait()
        start = time.perf_counter()
        for _ in range(calls):
            work()
        self._wait()
        return (time.perf_counter() - start) / calls

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class Ours:
    """One way of drawing, from call to call or recorded as a graph."""

    def __init__(self, name: str, way: devices.Portable | None, recorded: bool = False) -> None:
        self.name, self.way, self.recorded = name, way, recorded

    def sweep(self, model: hm.RBM, v: Tensor) -> Work:
        return self._chains(lambda stream, v: model.pack(model.sweep((v, None), stream)), model, v)

    def update(self, model: hm.RBM, v: Tensor) -> Work:
        objective, batch = hm.PCD(chains=len(v)), v[:BATCH].clone()

        def update(stream: hm.Stream, chains: Tensor) -> Tensor:
            state = {"chains": chains}
            objective.gradient(model, Batch(batch), state, stream)
            with torch.no_grad():
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter.sub_(parameter.grad, alpha=RATE)
            return state["chains"]

        return self._chains(update, model, v)

    def anneal(self, model: hm.RBM, v: Tensor) -> Work:
        if self.recorded:
            raise AbsentError("not recorded")
        self._check(v.device)
        t = torch.linspace(0, 1, TEMPERATURES, dtype=torch.float64)

        def work() -> None:
            with self._chosen():
                hm.log_partition(model, "ais", chains=len(v), temperatures=t)

        return work

    def _chains(self, function: Callable[..., Tensor], model: hm.RBM, v: Tensor) -> Work:
        self._check(v.device)
        stream, chains = hm.Stream(0), [v]
        with self._chosen():
            call: Any = Recording(function, stream, v) if self.recorded else lambda v: function(stream, v)

        def work() -> None:
            with self._chosen():
                chains[0] = call(chains[0])

        return work

    def _chosen(self) -> Any:
        return nullcontext() if self.way is None else devices.using(self.way)

    def _check(self, device: torch.device) -> None:
        triton = isinstance(self.way, devices.Triton)
        if device.type != "cuda" and (self.recorded or triton):
            raise AbsentError("needs a CUDA device")
        if (triton or (device.type == "cuda" and isinstance(self.way, devices.Compiled))) and not devices.has_triton():
            raise AbsentError("Triton is not installed")


class Rbms:
    """rbms (DsysDML), as its training loop calls it."""

    name = "rbms"

    def sweep(self, model: hm.RBM, v: Tensor) -> Work:
        parameters = self._parameters(model)
        chains = parameters.init_chains(num_samples=len(v), start_v=v)
        # It draws the hidden units once more at the end.
        return lambda: parameters.sample_state(chains=chains, n_steps=1)

    def update(self, model: hm.RBM, v: Tensor) -> Work:
        parameters = self._parameters(model)
        from rbms.training.pcd import fit_batch_pcd

        parameters.init_grad()
        optimizer = torch.optim.SGD(parameters.parameters(), lr=RATE, maximize=True)
        held = [parameters.init_chains(num_samples=len(v), start_v=v)]
        batch = v[:BATCH].clone()
        ones = torch.ones(len(batch), device=v.device)

        def work() -> None:
            with torch.no_grad():
                optimizer.zero_grad(set_to_none=False)
                held[0], _ = fit_batch_pcd((batch, ones), held[0], parameters, gibbs_steps=1, beta=1.0, centered=False)
                optimizer.step()

        return work

    def anneal(self, model: hm.RBM, v: Tensor) -> Work:
        parameters = self._parameters(model)
        from rbms.partition_function.ais import compute_partition_function_ais

        return lambda: compute_partition_function_ais(len(v), TEMPERATURES, parameters)

    def _parameters(self, model: hm.RBM) -> Any:
        try:
            from rbms.bernoulli_bernoulli.classes import BBRBM
        except ImportError:
            raise AbsentError("rbms is not installed") from None
        W, b, c = (p.detach().clone() for p in (model.weights, model.visible.bias, model.hidden.bias))
        return BBRBM(weight_matrix=W, vbias=b, hbias=c)


class Bare:
    """The matrix products alone, in one precision."""

    def __init__(self, name: str, dtype: torch.dtype) -> None:
        self.name, self.dtype = name, dtype

    def sweep(self, model: hm.RBM, v: Tensor) -> Work:
        W, v, h = self._matrices(model, v)
        return lambda: (v @ W, h @ W.mT)

    def update(self, model: hm.RBM, v: Tensor) -> Work:
        W, v, h = self._matrices(model, v)
        batch, hidden = v[:BATCH], h[:BATCH]
        return lambda: (batch @ W, v @ W, h @ W.mT, v @ W, batch.mT @ hidden, v.mT @ h)

    def anneal(self, model: hm.RBM, v: Tensor) -> Work:
        sweep = self.sweep(model, v)
        return lambda: [sweep() for _ in range(TEMPERATURES)]

    def _matrices(self, model: hm.RBM, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        W = model.weights.detach().to(self.dtype)
        return W, v.to(self.dtype), torch.ones(len(v), W.shape[1], dtype=self.dtype, device=v.device)


def contenders(device: torch.device) -> list[Any]:
    recorded = devices.Triton() if devices.has_triton() else devices.Portable()
    ours = (
        Ours("plain torch", devices.Portable()),
        Ours("torch.compile", devices.Compiled()),
        Ours("Triton", devices.Triton()),
        Ours(f"graph of {'Triton' if devices.has_triton() else 'plain torch'}", recorded, recorded=True),
    )
    fused = () if device.type == "cuda" else (Ours("the CPU's loops", None),)
    return [*fused, *ours, Rbms(), Bare("bare products, float32", torch.float32), Bare("bfloat16", torch.bfloat16)]


def model_of(visible: int, hidden: int, device: torch.device) -> hm.RBM:
    """An RBM with random weights whose hidden units are neither all on nor all off."""
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(visible, hidden, generator=generator) / visible**0.5
    return hm.RBM.from_arrays(W, torch.zeros(visible), -0.5 * W.sum(0)).to(device)


def measure(device: torch.device, minutes: float) -> Iterator[list[str]]:
    toy = device.type != "cuda"
    clock, found = Clock(device, minutes), contenders(device)
    for visible, hidden in TOY_SIZES if toy else SIZES:
        model = model_of(visible, hidden, device)
        for chains in TOY_CHAINS if toy else CHAINS:
            v = torch.randint(0, 2, (chains, visible), generator=torch.Generator().manual_seed(1)).float().to(device)
            for line in lines(clock, found, model, v):
                print(" | ".join(line), file=sys.stderr, flush=True)
                yield line


def lines(clock: Clock, found: list[Any], model: hm.RBM, v: Tensor) -> Iterator[list[str]]:
    """The rows of one model and one number of chains."""
    visible, hidden = model.weights.shape
    units, start = len(v) * (visible + hidden), [f"{visible:,} x {hidden:,}", f"{len(v):,}"]
    took = [clock.seconds(partial(each.sweep, model, v)) for each in found]
    yield [*start, "chain updates, millions a second", *(_cell(t, lambda t: f"{units / t / 1e6:,.3g}") for t in took)]
    took = [clock.seconds(partial(each.update, model, v)) for each in found]
    yield [*start, "PCD updates a second", *(_cell(t, lambda t: f"{1 / t:,.0f}") for t in took)]
    took = [clock.seconds(partial(each.anneal, model, v), once=True) for each in found]
    yield [*start, f"AIS, {TEMPERATURES} temperatures", *(_cell(t, report.duration) for t in took)]


def _cell(took: float | str, text: Callable[[float], str]) -> str:
    return took if isinstance(took, str) else text(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=here, help="default here: %(default)s")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which nothing new is begun (default: 9)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks; needs a CUDA device")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA device is present, so nothing was measured: --device cpu runs everything else at toy size")
    if options.write and device.type != "cuda":
        sys.exit("--write needs a CUDA device: numbers of toy models on a CPU say nothing")
    noise = report.quiet()
    rows = list(measure(device, options.minutes))
    known = {name: {version(name)} for name in ("torch", "triton", "rbms") if _installed(name)}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "toy sizes on the CPU, which say nothing"
    header = ["model", "chains", "what", *(each.name for each in contenders(device))]
    text = "\n\n".join(
        [
            f"{name}. {report.machine(torch.get_num_threads(), known)}" + (f" Note: {noise}." if noise else ""),
            report.table(header, rows),
        ]
    )
    print(text)
    if options.write:
        report.replace_section("gpu", text)


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    main()
