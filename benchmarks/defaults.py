"""Judge what the library does without a single option, against the usual baselines.

    python benchmarks/defaults.py --out RUN [--job classifiers,imputation] [--sets digits] [--seeds 3] [--processes 2]

Each result is a line of JSON in RUN: baselines in `baselines.jsonl`, the library's in `defaults.jsonl`.  Called again,
the script computes what is missing or made by other code, and prints the tables; `--write` puts them into
docs/benchmarks/defaults.md.  `--only baselines` or `--only ours` computes a part, `--print` nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import report
from by_default import budgets, classifiers, density, imputation, large, outliers, ratings, table_imputation, tables
from by_default.job import Cells, Job
from by_default.sources import HELD_BACK, UnavailableError
from by_default.store import Key, Store, fingerprint
from launch import environment

JOBS: dict[str, Job] = {
    "classifiers": classifiers.JOB, "imputation": imputation.JOB, "outliers": outliers.JOB, "density": density.JOB,
    "tables": tables.JOB, "budgets": budgets.JOB, "ratings": ratings.JOB, "table_imputation": table_imputation.JOB,
    "large": large.JOB,
}  # fmt: skip
"""By the names of their modules."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--job", type=_words, default=list(JOBS), help=f"of {', '.join(JOBS)}")
    parser.add_argument("--sets", type=_words, default=[], help="beginnings of the names of sets")
    parser.add_argument("--methods", type=_words, default=[], help="beginnings of the names of methods")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--only", choices=("baselines", "ours"), help="compute these alone")
    parser.add_argument("--print", action="store_true", help="compute nothing")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks")
    options = parser.parse_args()
    if unknown := set(options.job) - set(JOBS):
        parser.error(f"there is no job {', '.join(unknown)}: choose from {', '.join(JOBS)}")
    os.environ.update(environment(threads=1))  # of the processes that compute: one core for every method
    noise = report.quiet()
    store = Store(options.out)
    if not options.print:
        compute(store, options)
    for name in options.job:
        text = section(name, store, options.seeds)
        print(f"\n{JOBS[name].title}\n\n{text}")
        if options.write:
            whole = filter(None, (text, report.machine(1, {}), noise and f"Note: {noise}."))
            report.replace_section(f"defaults-{name}", "\n\n".join(whole))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def compute(store: Store, options: argparse.Namespace) -> None:
    """Fill the store with what is missing."""
    wanted = [(key, ours) for key, ours in keys(options) if key not in store]
    context = get_context("spawn")  # nothing that one result leaves in memory reaches another
    with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
        running = {pool.submit(result, key, ours): (key, ours) for key, ours in wanted}
        for done, future in enumerate(as_completed(running), 1):
            key, ours = running[future]
            record = future.result()
            store.add(key, ours, record)
            found = record.get("failed") or ", ".join(f"{name} {value:.4g}" for name, value in record["scores"].items())
            print(f"{done}/{len(wanted)} {key.job}: {key.set}, {key.method}, seed {key.seed}: {found} "
                  f"({record['seconds']:.1f} s)", file=sys.stderr, flush=True)  # fmt: skip


def keys(options: argparse.Namespace) -> Iterator[tuple[Key, bool]]:
    """What is asked for, and whether it is ours."""
    for seed in range(options.seeds):
        for name in options.job:
            job = JOBS[name]
            for place in job.sets:
                if options.sets and not place.startswith(tuple(options.sets)):
                    continue
                for ours, methods in ((False, job.peers), (True, job.ours)):
                    if options.only == ("baselines" if ours else "ours"):
                        continue
                    for method in methods:
                        if not options.methods or method.startswith(tuple(options.methods)):
                            yield Key(name, place, method, seed, fingerprint(name, ours)), ours


def result(key: Key, ours: bool) -> dict[str, Any]:
    """Scores of a method on a set, and seconds of one core; runs in a process of its own."""
    job = JOBS[key.job]
    method = (job.ours if ours else job.peers)[key.method]
    seconds = 0.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            task = _task(key.job, key.set, key.seed)
            began = time.process_time()
            record: dict[str, Any] = {"scores": method(task, key.seed)}
            seconds = time.process_time() - began
        except UnavailableError as reason:
            record = {"scores": {}, "unavailable": True, "failed": str(reason)}
        except Exception as error:  # a method that breaks is a result, too
            record = {"scores": {}, "failed": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    said = sorted({str(warning.message).split("\n")[0][:300] for warning in caught})
    return record | {"seconds": round(seconds, 2)} | ({"warnings": said[:5]} if ours and said else {})


@cache
def _task(job: str, place: str, seed: int) -> Any:
    return JOBS[job].sets[place](seed)


def section(name: str, store: Store, seeds: int) -> str:
    """The table of a job: a row for each set and measure; and what could not be measured."""
    job = JOBS[name]
    methods = {method: ours for ours, group in ((False, job.peers), (True, job.ours)) for method in group}
    rows, failures, reached = [], {}, []
    for place in job.sets:
        records = {}
        for method, ours in methods.items():
            made = (store.get(Key(name, place, method, seed, fingerprint(name, ours))) for seed in range(seeds))
            records[method] = [record for record in made if record is not None]
            for record in records[method]:
                if "failed" in record:
                    failures.setdefault((record["failed"], method), []).append(place)
        for measure, how in job.measures.items():
            cells = medians(records, measure)
            if not cells:
                continue
            broken = any("failed" in record for method in job.ours for record in records[method])
            met = "no" if broken else verdict(how.reached, cells)
            reached += [met] if met else []
            label = f"{place} (held back)" if place.startswith(HELD_BACK) else place
            texts = [how.text(cells[method]) if method in cells else "" for method in methods]
            rows.append([label, measure, *texts, how.goal, met])
    head = ["set", "measure", *methods, "must reach", "met"]
    parts = [report.table(head, rows), f"{job.about} {'One seed' if seeds == 1 else f'Medians over {seeds} seeds'}."]
    if reached:
        parts.append(f"Reached: {reached.count('yes')} of {len(reached)} rows.")
    parts += [f"{method}: {', '.join(dict.fromkeys(where))}: {why}." for (why, method), where in failures.items()]
    return "\n\n".join(parts)


def medians(records: dict[str, list[dict[str, Any]]], measure: str) -> Cells:
    """Medians over seeds, of the methods that have the measure."""
    found = {}
    for method, made in records.items():
        values = [record["scores"][measure] for record in made if measure in record["scores"]]
        if values:
            found[method] = statistics.median(values)
    return found


def verdict(reached: Any, cells: Cells) -> str:
    try:
        return "yes" if reached(cells) else "no"
    except KeyError:  # a method that the goal speaks of is missing
        return ""


if __name__ == "__main__":
    main()
