"""Commands that messages and pages tell the user to type."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from harmonium.core.registry import modules_of

__all__ = ["command"]


def command(action: str, run: str | Path, config: Any) -> str:
    """Spell a command about a run, with the modules that its classes come from.

    Args:
        action: what comes before the run, such as "train --resume".
        run: the run folder or model file.
        config: what describes the classes, such as ``config.json``.

    >>> command("evaluate", "runs/x", {"type": "RBM", "visible": {"type": "mymodule:MyUnits"}})
    'harmonium --import mymodule evaluate runs/x'
    """
    modules = "".join(f"--import {module} " for module in modules_of(config))
    return f"harmonium {modules}{action} {shlex.quote(str(run))}"
