"""One task of harmonium, in one process or, started by torchrun, in several: the first one answers.

A task is {"task": "pcd" | "ais" | "tempering", "model": FILE, "shards": N or null, "repeats": N, "threads": N, ...};
the answer has the seconds of every repeat, processor time of the busiest process, and a value that must not depend on
the number of processes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import harmonium as hm
from harmonium.core.processes import processes


def updates(spec: dict[str, Any]) -> tuple[Callable[[], object], Callable[[], float]]:
    """PCD-1 updates of a fresh machine on noise as dense as images of digits."""
    from harmonium.data import as_cases
    from harmonium.training.metrics import as_metric
    from harmonium.training.plan import Plan
    from harmonium.training.prepare import prepare
    from harmonium.training.schedules import Constant

    visible, hidden, batch = spec["visible"], spec["hidden"], spec["batch"]
    cases = as_cases((np.random.default_rng(0).random((2 * batch, visible)) < 0.2).astype(np.uint8))
    plan = Plan(
        hm.PCD(1, chains=batch), as_metric("centered"), Constant(0.01), batch_size=batch, epochs=1000,
        shards=spec["shards"],
    )  # fmt: skip
    training = prepare(hm.RBM(visible, hidden), cases, None, None, plan, [], None)
    index = torch.arange(batch)
    weights: Any = training.model.weights
    return lambda: training.update(index), lambda: float(weights.detach().double().sum())


def estimates(spec: dict[str, Any]) -> tuple[Callable[[], object], Callable[[], float]]:
    """log Z of a trained machine."""
    model, found = hm.load(spec["model"]), []

    def estimate() -> None:
        options: dict[str, Any] = {name: spec[name] for name in ("chains", "temperatures", "sweeps") if name in spec}
        found.append(hm.log_partition(model, spec["task"], seed=1, shards=spec["shards"], **options).value)

    return estimate, lambda: float(found[-1])


def main() -> None:
    spec = json.loads(sys.argv[1])
    torch.set_num_threads(spec["threads"])
    act, value = (updates if spec["task"] == "pcd" else estimates)(spec)
    act()  # compiles, and allocates
    seconds, busy = [], []
    for _ in range(spec["repeats"]):
        processes().told(None)  # all begin together
        begun, worked = time.perf_counter(), time.process_time()
        act()
        seconds.append(time.perf_counter() - begun)
        busy.append(time.process_time() - worked)
    busiest = [max(each) for each in zip(*processes().everyones(busy), strict=True)]
    if processes().first:
        answer = {"seconds": seconds, "processor": busiest, "value": value(), "torch": torch.__version__}
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
