"""What training reports: one row per epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["History", "Row"]

Row = dict[str, Any]


@dataclass
class History:
    """Rows of measurements, in order.  ``history["pseudo_log_likelihood"]`` is a column (None where not measured).

    Attributes:
        rows: one dict per epoch: "epoch", "update", "seconds", "learning_rate" and what the monitors measured.
        best: the row of the best model, where training chose one by validation.
        stopped: why training ended before its last epoch, or None.
    """

    rows: list[Row] = field(default_factory=list)
    best: Row | None = None
    stopped: str | None = None

    def __getitem__(self, column: str) -> list[Any]:
        known = {key for row in self.rows for key in row}
        if column not in known:
            raise KeyError(f"no column {column!r}; there are {', '.join(sorted(known)) or 'none yet'}")
        return [row.get(column) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        last = ", ".join(f"{key} {_short(value)}" for key, value in self.rows[-1].items()) if self.rows else "empty"
        return f"History({len(self.rows)} epochs; last: {last})"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
