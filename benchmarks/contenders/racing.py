"""Snapshots of a training at given seconds, the same for every library."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocol import Answer, Spec


def race(spec: Spec, parameters: Callable[[], tuple[Any, Any, Any]], advance: Callable[[], object]) -> Answer:
    """Train until the last time is over, and leave weights and biases at each.

    Args:
        spec: "seconds", the times, of the processor; "out", where NAME-SECONDS.npz go; "name".
        parameters: weights (visible, hidden), visible and hidden biases, as arrays.
        advance: some updates.
    """
    import numpy as np

    spent, taken = 0.0, []
    for due in spec["seconds"]:
        while spent < due:
            begun = time.process_time()
            advance()
            spent += time.process_time() - begun
        W, b, c = parameters()
        path = Path(spec["out"]) / f"{spec['name']}-{due}.npz"
        np.savez(path, W=W, b=b, c=c)
        taken.append({"seconds": spent, "model": str(path)})
    return {"snapshots": taken}
