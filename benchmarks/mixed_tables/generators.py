"""Who draws tables: SDV's generators by a Python of their own, and the library's."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launch import contend

__all__ = ["OURS", "PEERS", "Generator", "table_model"]

OUR_SCRIPT = "with_table_model.py"


@dataclass(frozen=True)
class Generator:
    """A generator of tables, which is run in a fresh process on one core.

    Attributes:
        script: under ``benchmarks/contenders``.
        task: of the script.
        seeds: how many tables are drawn.
        options: of the generator.
        python: a variable of the environment that names the Python to run; the present one where it is not set.
    """

    script: str
    task: str
    seeds: int
    options: dict[str, Any] = field(default_factory=dict)
    python: str = ""

    @property
    def ours(self) -> bool:
        """Whether it is the library's."""
        return self.script == OUR_SCRIPT

    def draw(self, train: Path, drawn: Path, rows: int, seed: int) -> dict[str, Any]:
        """Write a table of so many rows; the answer has ``seconds``, or ``missing`` or ``failed``."""
        spec = {
            "task": self.task, "train": str(train), "drawn": str(drawn), "rows": rows, "seed": seed, "threads": 1,
            "options": self.options,
        }  # fmt: skip
        return contend(os.environ.get(self.python, sys.executable), self.script, spec)


def _sdv(task: str, seeds: int) -> Generator:
    return Generator("with_sdv.py", task, seeds, python="HARMONIUM_SDV_PYTHON")


def table_model(**options: Any) -> Generator:
    """`hm.TableModel` with these options, three times."""
    return Generator(OUR_SCRIPT, "draw", 3, options)


PEERS = {
    "GaussianCopula": _sdv("GaussianCopula", 3),
    "TVAE": _sdv("TVAE", 1),  # one seed: its training takes minutes, and its scores are far apart from the others
    "CTGAN": _sdv("CTGAN", 1),
}
OURS = {"TableModel()": table_model(), 'TableModel("rbm")': table_model(model="rbm")}
