"""harmonium, and the bare matrix products that it is measured against."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol import Answer, Spec, answer, clock_of, interleave, peak_bytes, repeat, seconds

if TYPE_CHECKING:
    import numpy as np

    import harmonium as hm


def _torch(spec: Spec) -> Any:
    import torch

    torch.set_num_threads(spec["threads"])
    return torch


def prepare(spec: Spec) -> Answer:
    """Train the model that Gibbs sampling and AIS are timed on; write it, its arrays and the training cases."""
    _torch(spec)
    import numpy as np

    import harmonium as hm

    folder = Path(spec["folder"])
    cases, note = _cases(spec)
    rbm = hm.RBM(spec["visible"], spec["hidden"])
    objective = hm.PCD(k=1, chains=spec["chains"])
    epochs = spec["prepare_epochs"]
    hm.fit(
        rbm, cases, objective=objective, epochs=epochs, batch_size=100, learning_rate=hm.schedules.Linear(0.05), seed=0
    )
    hm.save(rbm, folder / "model.safetensors")
    W, b, c = rbm.to_arrays()
    assert rbm.chains is not None
    np.savez(folder / "model.npz", W=W, b=b, c=c, chains=rbm.chains.numpy())
    np.save(folder / "cases.npy", np.ascontiguousarray(cases[: spec["cases"]]))
    return {"note": f"{note}, PCD-1, {epochs} epochs"}


def _cases(spec: Spec) -> tuple[np.ndarray, str]:
    """Binarized MNIST, or a stand-in of the same kind (noisy prototypes) where it is not at hand."""
    import os

    import numpy as np

    source = Path(os.environ.get("HARMONIUM_DATA", ""), "binarized_mnist.npz")
    if spec["visible"] == 784 and "HARMONIUM_DATA" in os.environ and source.exists():
        with np.load(source, allow_pickle=False) as arrays:
            return arrays["train"].astype(np.uint8), "binarized MNIST"
    rng = np.random.default_rng(0)
    prototypes = rng.random((20, spec["visible"])) < 0.2
    count = max(spec["cases"], spec["prepare_cases"])
    noise = rng.random((count, spec["visible"])) < 0.05
    return (prototypes[rng.integers(20, size=count)] ^ noise).astype(np.uint8), "a stand-in for binarized MNIST"


def gibbs(spec: Spec) -> Answer:
    """Sweeps v -> h -> v, in turn with the two bare products of each."""
    torch = _torch(spec)
    import harmonium as hm

    rbm = hm.load(Path(spec["folder"]) / "model.safetensors")
    assert rbm.chains is not None
    v, sweeps, stream = rbm.chains.clone(), spec["sweeps"], hm.Stream(0)
    W = rbm.weights.detach().clone()
    h = rbm.sample_hidden(v, stream)

    def work() -> None:
        rbm.gibbs(v, sweeps=sweeps, stream=stream)

    def bare() -> None:
        for _ in range(sweeps):
            v @ W
            h @ W.T

    with torch.no_grad():
        ours, products, ratio = interleave(work, bare, spec["blocks"], 5, clock_of(spec))
    return {"seconds": ours / sweeps, "bare": products / sweeps, "ratio": ratio}


def pcd(spec: Spec) -> Answer:
    """`fit` with PCD-1, in turn with the bare products of as many updates; one pair of times per epoch."""
    torch = _torch(spec)
    import numpy as np

    import harmonium as hm

    cases = np.load(Path(spec["folder"]) / "cases.npy")
    updates = -(-len(cases) // spec["batch"])
    rbm = hm.RBM(spec["visible"], spec["hidden"])
    clock = _clock(_update_products(torch, spec), updates, clock_of(spec))
    objective = hm.PCD(k=1, chains=spec["chains"])
    # The first epoch is the warm-up.
    hm.fit(
        rbm, cases, objective=objective, epochs=1 + spec["epochs"], batch_size=spec["batch"], learning_rate=0.05,
        callbacks=[clock], seed=0,
    )  # fmt: skip
    pairs = clock.pairs[1:]
    return {
        "seconds": statistics.median(a for a, _ in pairs) / updates,
        "bare": statistics.median(b for _, b in pairs) / updates,
        "ratio": statistics.median(a / b for a, b in pairs),
    }


def _update_products(torch: Any, spec: Spec) -> Callable[[], None]:
    """The products of one PCD-1 update: hidden units of the data; h, v, h of the chains; two outer products."""
    generator = torch.Generator().manual_seed(0)

    def states(rows: int, units: int) -> Any:
        return (torch.rand(rows, units, generator=generator) < 0.3).float()

    v, h = states(spec["batch"], spec["visible"]), states(spec["batch"], spec["hidden"])
    chain_v, chain_h = states(spec["chains"], spec["visible"]), states(spec["chains"], spec["hidden"])
    W = 0.01 * torch.randn(spec["visible"], spec["hidden"], generator=generator)

    def bare() -> None:
        v @ W
        chain_v @ W
        chain_h @ W.T
        chain_v @ W
        v.T @ h
        chain_v.T @ chain_h

    return bare


def _clock(bare: Callable[[], None], updates: int, now: Callable[[], float]) -> Any:
    """A callback that times whole epochs and, between them, the bare products of as many updates."""
    import torch

    import harmonium as hm

    def bare_epoch() -> None:
        for _ in range(updates):
            bare()

    class Clock(hm.training.Callback):
        def __init__(self) -> None:
            self.pairs: list[tuple[float, float]] = []
            self._start = 0.0

        def on_begin(self, training: Any) -> None:
            self._start = now()

        def on_epoch(self, training: Any, row: Any) -> None:
            epoch = now() - self._start
            with torch.no_grad():
                self.pairs.append((epoch, seconds(bare_epoch, now)))
            self._start = now()

    return Clock()


def draw(spec: Spec) -> Answer:
    """Draws of both layers from their inputs: seconds of one unit, and what the processor is taken for.

    Least processor time of many calls, less that of the copy that renews the inputs.
    """
    torch = _torch(spec)
    import harmonium as hm
    from harmonium.core.random import RandomAddress

    def least(work: Callable[[], object]) -> float:
        times = []
        for _ in range(spec["draws"]):
            start = time.process_time_ns()
            work()
            times.append((time.process_time_ns() - start) * 1e-9)
        return min(times)

    took, address = 0.0, RandomAddress(1, 2)
    for units in (spec["visible"], spec["hidden"]):
        layer, x = (
            hm.Bernoulli(units),
            3 * torch.randn(spec["chains"], units, generator=torch.Generator().manual_seed(0)),
        )
        fields = x.clone()
        took += least(lambda: layer.sample_(fields.copy_(x), address)) - least(lambda: fields.copy_(x))  # noqa: B023
    return {"seconds": took / (spec["chains"] * (spec["visible"] + spec["hidden"])), "instructions": _instructions()}


def _instructions() -> dict[str, str]:
    """What torch and Numba use of the processor; MKL says it itself if MKL_VERBOSE is 1."""
    import torch
    from numba.core.registry import cpu_target

    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    widest = next(
        (kind for kind in ("avx512f", "avx2", "avx", "neon") if f"+{kind}" in features.split(",")), "no vectors"
    )
    return {"torch": torch.backends.cpu.get_cpu_capability(), "Numba": f"{name} with {widest}"}


def update(spec: Spec) -> Answer:
    """Processor seconds of an update as `reproduce/mnist_rbm.py` makes them: the least of all epochs but the first."""
    _torch(spec)
    import numpy as np

    import harmonium as hm

    cases = np.load(Path(spec["folder"]) / "cases.npy")
    updates, times = -(-len(cases) // 100), []

    class Clock(hm.training.Callback):
        def on_epoch(self, training: Any, row: Any) -> None:
            times.append(time.process_time())

    rbm = hm.load(Path(spec["folder"]) / "model.safetensors")
    hm.fit(
        rbm, cases, objective=hm.PCD(k=1, chains=100), batch_size=100, epochs=1 + spec["epochs"],
        learning_rate=hm.schedules.Linear(0.05), penalties=[hm.training.WeightDecay(1e-3)], callbacks=[Clock()], seed=0,
    )  # fmt: skip
    return {"seconds": min(after - before for before, after in itertools.pairwise(times)) / updates}


def ais_forward(spec: Spec) -> Answer:
    """`log_partition` of a model without persistent chains: forward AIS alone."""
    took, z = _ais(spec, chains_kept=False)
    return {"seconds": took, "note": f"{z.value:.2f}"}


def ais_bracket(spec: Spec) -> Answer:
    """`log_partition`: forward, lag test of the persistent chains, reverse, Bennett's value."""
    took, z = _ais(spec, chains_kept=True)
    trust = "log Z reliable" if z.reliable else f"log Z not reliable ({z.why})"
    return {"seconds": took, "note": f"{z.value:.2f} in [{z.lower:.2f}, {z.upper:.2f}], {trust}"}


def _ais(spec: Spec, chains_kept: bool) -> tuple[float, hm.likelihood.LogPartition]:
    _torch(spec)
    import harmonium as hm

    rbm = hm.load(Path(spec["folder"]) / "model.safetensors")
    if not chains_kept:
        rbm.chains = None
    values: list[hm.likelihood.LogPartition] = []

    def work(temperatures: int = spec["temperatures"]) -> None:
        values.append(hm.log_partition(rbm, method="ais", chains=spec["ais_chains"], temperatures=temperatures))

    work(20)
    return repeat(work, spec["ais_repeats"], warmup=0), values[-1]


def exact(spec: Spec) -> Answer:
    """log Z by enumeration of the hidden units."""
    torch = _torch(spec)
    import harmonium as hm

    def model(hidden: int) -> hm.RBM:
        generator = torch.Generator().manual_seed(0)
        W = 0.1 * torch.randn(spec["visible"], hidden, generator=generator)
        return hm.RBM.from_arrays(W, -torch.ones(spec["visible"]), torch.zeros(hidden))

    hm.log_partition(model(min(8, spec["exact_hidden"])), method="exact")
    rbm, before = model(spec["exact_hidden"]), peak_bytes()
    took = seconds(lambda: hm.log_partition(rbm, method="exact"))
    return {"seconds": took, "peak": peak_bytes(), "before": before}


def mapped(spec: Spec) -> Answer:
    """Train from a memory-mapped table: one whole pass for its means, then updates from all over the file."""
    _torch(spec)
    import numpy as np

    import harmonium as hm

    class Stop(hm.training.Callback):
        begun = 0.0

        def on_begin(self, training: Any) -> None:
            self.begun = time.perf_counter()

        def on_update(self, training: Any) -> None:
            if training.position.update == spec["updates"]:
                training.stop = "enough for a measurement"

    table = np.load(spec["table"], mmap_mode="r")
    before, stop = peak_bytes(), Stop()
    start = time.perf_counter()
    hm.fit(
        hm.RBM(table.shape[1], spec["hidden"]), table, objective=hm.PCD(k=1, chains=spec["chains"]), epochs=1,
        batch_size=spec["batch"], learning_rate=0.01, callbacks=[stop], seed=0,
    )  # fmt: skip
    end = time.perf_counter()
    return {"peak": peak_bytes(), "before": before, "first_pass": stop.begun - start, "training": end - stop.begun}


def wide(spec: Spec) -> Answer:
    """Train a wide model with many chains from a folder of files: peak memory, and the time of an update."""
    torch = _torch(spec)
    import functools
    import hashlib
    import tempfile

    import harmonium as hm

    class Clock(hm.training.Callback):
        transient = True

        def __init__(self) -> None:
            self.times: list[tuple[float, float]] = []

        def on_begin(self, training: Any) -> None:
            self.times.append((time.perf_counter(), time.process_time()))

        def on_update(self, training: Any) -> None:
            self.on_begin(training)
            if training.position.update == spec["updates"]:
                training.stop = "enough for a measurement"

    if spec.get("floats"):
        from harmonium.objectives import negative

        negative.LARGE = 1 << 62
    table = hm.data.load(spec["table"]).train
    rbm, clock = hm.RBM(table.shape[1], spec["hidden"]), Clock()
    built = peak_bytes()
    options: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=Path(spec["table"]).parent) as folder:
        if spec.get("momentum"):
            options = {"optimizer": functools.partial(torch.optim.SGD, lr=0.01, momentum=0.9), "out": f"{folder}/run"}
        hm.fit(
            rbm, table, objective=hm.PCD(k=1, chains=spec["chains"]), epochs=1, batch_size=spec["batch"],
            learning_rate=0.01, callbacks=[clock], seed=0, **options,
        )  # fmt: skip
    gaps = [[b[i] - a[i] for a, b in itertools.pairwise(clock.times)] for i in (0, 1)]
    update, processor = map(statistics.median, gaps)
    peak, digest = peak_bytes(), hashlib.sha256()
    for each in (rbm.weights, rbm.chains):
        assert each is not None
        digest.update(each.detach().numpy().data)
    return {"peak": peak, "built": built, "update": update, "processor": processor, "digest": digest.hexdigest()}


if __name__ == "__main__":
    answer(
        "harmonium",
        {
            "prepare": prepare,
            "gibbs": gibbs,
            "pcd": pcd,
            "draw": draw,
            "update": update,
            "ais_forward": ais_forward,
            "ais_bracket": ais_bracket,
            "exact": exact,
            "mapped": mapped,
            "wide": wide,
        },
    )
