"""What ``config.json`` and ``run.json`` say: what is trained on what, how, and where."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from typing import Any

import numba
import numpy as np
import torch

from harmonium.core.version import __version__
from harmonium.data import Cases
from harmonium.training.callbacks import ProgressBar
from harmonium.training.loop import Training

__all__ = ["configuration", "environment", "identity"]


def configuration(training: Training, cases: Cases, validation: Cases | None, fresh: bool) -> dict[str, Any]:
    """Describe a training that begins, as ``config.json`` has it."""
    return {
        "format": 1,
        "model": training.model.config(),
        "fresh": fresh,
        "plan": training.plan.config(),
        "data": _cases(cases),
        "validation": None if validation is None else _cases(validation),
        "callbacks": [
            callback.config() if callback.described else None
            for callback in training.callbacks
            if not isinstance(callback, ProgressBar)
        ],
    }


def _cases(cases: Cases) -> dict[str, Any]:
    return {"source": cases.source, "shape": list(cases.shape), "fingerprint": cases.fingerprint()}


def identity(config: dict[str, Any]) -> str:
    """Hash what is trained on what and how: the checkpoints of a run carry it."""
    parts = {name: config[name] for name in ("model", "plan", "data", "validation", "fresh")}
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()


def environment(device: torch.device) -> dict[str, Any]:
    """Describe this process, as ``run.json`` has it."""
    import llvmlite.binding as llvm

    return {
        "harmonium": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "numba": numba.__version__,
        "processor": f"{platform.machine()} {llvm.get_host_cpu_name()}",
        "threads": torch.get_num_threads(),
        "device": str(device),
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
