"""Names of the files in a run folder."""

from __future__ import annotations

__all__ = [
    "CHECKPOINT", "COLUMNS", "CONFIG", "CURVES", "ENVIRONMENT", "FILTERS", "LOCK", "METRICS", "MODEL", "REPORT",
    "SAMPLES", "TABLE", "WEIGHTS", "WRITTEN_BY_TRAINING",
]  # fmt: skip

CONFIG = "config.json"
"""How to train: model, plan, data, callbacks."""

ENVIRONMENT = "run.json"
"""Where it was trained: versions, processor, threads, command."""

METRICS = "metrics.jsonl"
"""One row per epoch."""

CHECKPOINT = "checkpoint.safetensors"
"""The whole state of training, to be resumed."""

MODEL = "model.safetensors"
"""The trained model, the file of `harmonium.save`; written last."""

WEIGHTS = "sample_weight.safetensors"
"""Weights of the training cases, if there were any."""

COLUMNS = "columns.json"
"""What the columns of a table are: names, categories, means and scales."""

TABLE = "table.json"
"""Of what rows a `TableModel` was fitted, and how."""

LOCK = ".lock"
"""Held by the process that trains in the folder."""

FILTERS, SAMPLES, CURVES, REPORT = "filters.png", "samples.png", "curves.png", "report.html"
"""Pictures and the page."""

WRITTEN_BY_TRAINING = (CONFIG, ENVIRONMENT, METRICS, CHECKPOINT, MODEL, WEIGHTS)
