"""What training reports: one row per epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harmonium.core import notebook

__all__ = ["History", "Row"]

_CURVES = 6  # shown in a notebook

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
        best = "" if self.best is None else f"; best: epoch {self.best['epoch']}"
        stopped = "" if self.stopped is None else f"; stopped: {self.stopped}"
        return f"History({len(self.rows)} epochs; last: {last}{best}{stopped})"

    def _repr_html_(self) -> str:
        """Show the curves of what was measured, and the last row and the best one."""
        if not self.rows:
            return notebook.rows("History, empty", [])
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        chosen = [("last", self.rows[-1])] + ([] if self.best is None else [("best", self.best)])
        caption = f"History of {len(self.rows)} epochs"
        shown = notebook.table(
            ("", *names),
            [(label, *("" if row.get(name) is None else _short(row[name]) for name in names)) for label, row in chosen],
            caption,
            [] if self.stopped is None else [f"stopped: {self.stopped}"],
        )
        measured = [name for name in names if name not in ("epoch", "update", "seconds", "learning_rate")]
        return shown + "".join(map(self._curve, measured[:_CURVES] or ["learning_rate"]))

    def _curve(self, name: str) -> str:
        pairs = [
            (float(row["epoch"]), float(row[name]))
            for row in self.rows
            if "epoch" in row and isinstance(row.get(name), (int, float))
        ]
        return notebook.curve(name, [epoch for epoch, _ in pairs], [value for _, value in pairs])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
