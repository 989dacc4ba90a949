"""What trackers of experiments (`MLflow`, `TensorBoard`) record: nested settings by dotted names, numbers of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["flatten", "numbers"]


def flatten(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dicts with their dotted names.

    >>> list(flatten({"plan": {"epochs": 3, "objective": {"k": 1}}}))
    [('plan.epochs', 3), ('plan.objective.k', 1)]
    """
    if isinstance(settings, dict):
        for key, value in settings.items():
            yield from flatten(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, settings


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """Select the finite numbers that were measured in an epoch."""
    return {
        name: float(value)
        for name, value in row.items()
        if name != "epoch" and isinstance(value, (int, float)) and math.isfinite(value)
    }
