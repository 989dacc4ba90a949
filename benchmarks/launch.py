"""Start one contender in a fresh process and read its answer."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONTENDERS = Path(__file__).resolve().parent / "contenders"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def environment(threads: int) -> dict[str, str]:
    """The environment of a contender: the same number of threads for every library."""
    return os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads)) | {"PYTHONHASHSEED": "0"}


def contend(
    python: str, script: str, spec: dict[str, Any], variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The answer of ``contenders/script`` to a task, with further variables of the environment.

    ``{"missing": library}`` where it is not installed, ``{"failed": last line of the error}`` where it broke.
    """
    command = [python, str(CONTENDERS / script), json.dumps(spec)]
    try:
        everything = environment(spec["threads"]) | dict(variables or {})
        done = subprocess.run(command, env=everything, capture_output=True, text=True, check=False)
    except OSError as error:
        return {"failed": f"{python}: {error.strerror}"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        errors = done.stderr.strip().splitlines()
        return {"failed": errors[-1] if errors else f"exit code {done.returncode}", "stderr": done.stderr}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer
