"""Time Gibbs sampling of spins on lattices, against thrml, and machines with a million spins or edges.

    python benchmarks/graphs.py --thrml-python PYTHON [--rounds 5] [--write]

Every measurement runs in a fresh process; contenders take turns, and the table shows medians.  PYTHON is an interpreter
with thrml 0.1.4 (`pip install thrml==0.1.4` in an environment of its own, or HARMONIUM_THRML_PYTHON).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import report
from launch import contend

SQUARES = {"64 x 64 spins, 32 chains": (64, 64), "100 x 100 spins, 32 chains": (100, 100)}
CUBE = (100, 100, 100)
HEADER = (
    "model", "threads", "million updates a second", "thrml", "faster", "... of processor time", "thrml",
    "building", "memory above start-up", "must reach", "go for",
)  # fmt: skip


def lattice(*sides: int) -> np.ndarray[Any, Any]:
    """Edges (edges, 2) of a periodic lattice."""
    site = np.arange(np.prod(sides)).reshape(sides)
    steps = [np.stack((site, np.roll(site, -1, axis)), -1).reshape(-1, 2) for axis in range(len(sides))]
    return np.concatenate(steps)


def parity(*sides: int) -> np.ndarray[Any, Any]:
    """The two colours of a lattice with even sides, (sites,)."""
    return np.indices(sides).sum(0).reshape(-1) % 2


class Table:
    """Answers of all rounds by what was measured."""

    def __init__(self) -> None:
        self.rounds: dict[str, list[dict[str, Any]]] = {}
        self.versions: dict[str, set[str]] = {}

    def ask(self, name: str, python: str, script: str, spec: dict[str, Any]) -> None:
        found = contend(python, script, spec)
        if "versions" not in found:
            print(f"{name}: {found.get('failed') or found}", file=sys.stderr)
            return
        for library, version in found["versions"].items():
            self.versions.setdefault(library, set()).add(version)
        print(name, {key: value for key, value in found.items() if key != "versions"}, file=sys.stderr, flush=True)
        self.rounds.setdefault(name, []).append(found)

    def median(self, name: str, key: str) -> float | None:
        """Median over rounds, of medians within a round; None if nothing was measured."""
        found = [answer[key] for answer in self.rounds.get(name, [])]
        each = [statistics.median(value) if isinstance(value, list) else value for value in found]
        return statistics.median(each) if each else None


def measure(options: argparse.Namespace, folder: Path) -> Table:
    table = Table()
    for sides in (*SQUARES.values(), CUBE):
        np.save(_file(folder, sides), lattice(*sides))
        np.save(_file(folder, sides, "colour"), parity(*sides))
    pairs = np.random.default_rng(0).integers(0, 500_000, (1_000_000, 2))
    np.save(folder / "random.npy", pairs[pairs[:, 0] != pairs[:, 1]])
    for _ in range(options.rounds):
        for name, sides in SQUARES.items():
            spec: dict[str, Any] = {
                "task": "sweeps", "edges": str(_file(folder, sides)), "colour": str(_file(folder, sides, "colour")),
                "units": int(np.prod(sides)), "chains": 32, "sweeps": options.sweeps, "repeats": 3, "coupling": 0.4,
            }  # fmt: skip
            for threads in (2, 1):
                table.ask(f"{name}, {threads}", sys.executable, "graphs.py", spec | {"threads": threads})
            if options.thrml_python:
                table.ask(f"{name}, thrml", options.thrml_python, "with_thrml.py", spec | {"threads": 2})
        spec = {
            "task": "sweeps", "edges": str(_file(folder, CUBE)), "units": int(np.prod(CUBE)), "chains": 8,
            "sweeps": 20, "repeats": 3, "coupling": 0.2,
        }  # fmt: skip
        for threads in (2, 1):
            table.ask(f"cube, {threads}", sys.executable, "graphs.py", spec | {"threads": threads})
    spec = {"task": "files", "edges": str(folder / "random.npy"), "units": 500_000, "threads": 2}
    table.ask("files", sys.executable, "graphs.py", spec)
    return table


def rows(table: Table) -> list[list[str]]:
    out = []
    targets = {**dict.fromkeys(SQUARES, (">= 5x, < 1 s, < 100 MB", "15x"))}
    for name in SQUARES:
        other = [table.median(f"{name}, thrml", key) for key in ("rates", "per_processor_second")]
        out += [_row(table, name, threads, other, *targets[name]) for threads in (2, 1)]
    out += [
        _row(
            table,
            "cube",
            threads,
            [None, None],
            ">= 100, < 1 GB" if threads == 2 else "",
            "300" if threads == 2 else "",
        )
        for threads in (2, 1)
    ]
    return out


def _row(table: Table, name: str, threads: int, other: list[float | None], must: str, aim: str) -> list[str]:
    key = f"{name}, {threads}"
    rate, own, built, memory = (
        table.median(key, what) for what in ("rates", "per_processor_second", "built", "memory")
    )
    assert rate is not None and own is not None and built is not None and memory is not None
    wall, processor = other
    return [
        "1,000,000 spins on a cubic lattice, 8 chains" if name == "cube" else name,
        str(threads),
        f"{rate / 1e6:.0f}",
        "" if wall is None else f"{wall / 1e6:.0f}",
        "" if wall is None else f"{rate / wall:.1f}x",
        f"{own / 1e6:.0f}",
        "" if processor is None else f"{processor / 1e6:.0f}",
        report.duration(built),
        f"{memory / 1e6:.0f} MB",
        must if threads == 2 else "",
        aim if threads == 2 else "",
    ]


def notes(table: Table) -> str:
    (found,) = table.rounds["files"]
    lines = [
        f"A machine with {found['entries']:,} edges between 500,000 units, drawn at random: built in "
        f"{report.duration(found['built'])}, saved in {report.duration(found['saved'])}, loaded in "
        f"{report.duration(found['loaded'])}; the file has {found['bytes'] / 1e6:.1f} MB.",
    ]
    for name in SQUARES:
        other = table.median(f"{name}, thrml", "energy")
        if other is not None:
            built, compiled = (table.median(f"{name}, thrml", key) for key in ("built", "compiled"))
            ours = table.median(f"{name}, 2", "energy")
            lines.append(
                f"{name.split(',')[0]}: thrml takes {report.duration(built or 0)} to build its program and "
                f"{report.duration(compiled or 0)} to compile it; energy per spin at a coupling of 0.4 after its run "
                f"{other:.3f}, ours {ours:.3f}."
            )
    return "\n".join(f"- {line}" for line in lines)


def _file(folder: Path, sides: tuple[int, ...], what: str = "edges") -> Path:
    return folder / f"{what}-{'-'.join(map(str, sides))}.npy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sweeps", type=int, default=1000, help="of the squares, in one measurement")
    parser.add_argument("--thrml-python", default=os.environ.get("HARMONIUM_THRML_PYTHON"))
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    noise = report.quiet()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(options, Path(folder))
    parts = [
        report.machine(2, table.versions) + (f" **Not a quiet machine:** {noise}." if noise else ""),
        report.table(HEADER, rows(table)),
        notes(table),
    ]
    text = "\n\n".join(parts)
    print(text)
    if options.write:
        report.replace_section("graphs", text)


if __name__ == "__main__":
    main()
