"""Time harmonium with all instructions of the processor at hand, and without AVX-512; print and store one table.

    python benchmarks/processors.py --write

AVX-512 is hidden from the loops (Numba), torch and its libraries (MKL, oneDNN, FBGEMM) by variables of the environment,
which each of them reads when it starts; every measurement runs in a fresh process, with and without them in turn.  The
clock rate and the caches stay those of the processor at hand.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import report
from launch import contend, environment
from speed import SMOKE, Sizes

WITHOUT_AVX512 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt",  # or those of the processor at hand
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
}
WAYS: dict[str, dict[str, str]] = {"all": {}, "AVX2": WITHOUT_AVX512}


class Row(NamedTuple):
    """A line of the table: a task, and targets for AVX2 (a ratio where there is something to compare with)."""

    task: str
    what: str
    against: str
    must: float
    goal: float


ROWS = (
    Row("gibbs", "one Gibbs sweep, {chains} chains", "its two bare products", 1.25, 1.10),
    Row("pcd", "one PCD-1 update through `fit`, batch {batch}, {chains} chains", "its six bare products", 1.30, 1.15),
    Row("update", "one update of `reproduce/mnist_rbm.py`", "", 5e-3, 4e-3),
    Row("draw", "drawing a binary unit", "", 2e-9, 1.2e-9),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to see that all runs; not stored")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    options = parser.parse_args()
    sizes = replace(SMOKE if options.smoke else Sizes(), threads=options.threads, rounds=options.rounds)
    text = render(*measure(sizes), sizes, report.quiet())
    print(text)
    if options.write and not options.smoke:
        print(f"\nwritten to {report.replace_section('processors', text)}", file=sys.stderr)


def measure(sizes: Sizes) -> tuple[dict[tuple[str, str], list[dict[str, Any]]], dict[str, str]]:
    """Answers by task and way, in rounds that alternate; what each library says of itself, by way."""
    answers: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="harmonium-processors-") as folder:
        spec = asdict(sizes) | {"folder": folder, "draws": 20 if sizes.visible < 100 else 400}
        spec["processor_time"] = sizes.threads == 1
        ask(spec | {"task": "prepare"}, {})
        for number in range(sizes.rounds):
            for row in ROWS:
                for way, variables in WAYS.items():
                    answer = ask(spec | {"task": row.task}, variables)
                    answers[row.task, way].append(answer)
                    said = f"{answer['seconds']:.3g} s {answer.get('ratio', '')}"
                    print(f"round {number + 1}/{sizes.rounds}  {row.task:8}{way:6}{said}", file=sys.stderr)
    used = {way: answers["draw", way][0]["instructions"] | {"MKL": mkl(WAYS[way])} for way in WAYS}
    return answers, {way: ", ".join(f"{name}: {kind}" for name, kind in found.items()) for way, found in used.items()}


def ask(spec: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    answer = contend(sys.executable, "with_harmonium.py", spec, variables)
    if "failed" in answer:
        sys.exit(f"{spec['task']}: {answer.get('stderr', answer['failed'])}")
    return answer


def mkl(variables: dict[str, str]) -> str:
    """The instructions that MKL says it uses."""
    command = [sys.executable, "-c", "import torch; torch.ones(99, 99) @ torch.ones(99, 99)"]
    everything = environment(1) | variables | {"MKL_VERBOSE": "1"}
    said = subprocess.run(command, env=everything, capture_output=True, text=True, check=False).stdout
    found = re.search(
        r"64 architecture Intel Advanced Vector Extensions \d+ \(Intel ([\w-]+)\)", said.replace("(R)", "")
    )
    return found[1] if found else "does not say"


def render(
    answers: dict[tuple[str, str], list[dict[str, Any]]], used: dict[str, str], sizes: Sizes, warning: str
) -> str:
    """The section: table, how AVX-512 was hidden, machine."""
    lines = []
    for row in ROWS:
        for way in WAYS:
            found = answers[row.task, way]
            took = statistics.median(answer["seconds"] for answer in found)
            value, bare, ratio = took, "", ""
            if row.against:
                ratios = [answer["ratio"] for answer in found]
                value, bare = statistics.median(ratios), shown(statistics.median(a["bare"] for a in found))
                ratio = f"{value:.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
            targets = ["", "", ""]
            if way == "AVX2":
                bounds = [f"<= {b:.2f}x" if row.against else f"<= {shown(b)}" for b in (row.must, row.goal)]
                met = (
                    "yes, and the goal" if value <= row.goal else "yes, not the goal" if value <= row.must else "**no**"
                )
                targets = [*bounds, met]
            lines.append([row.what.format(**asdict(sizes)), way, shown(took), row.against, bare, ratio, *targets])
    header = ("what", "instructions", "harmonium", "against", "takes", "ratio (range over rounds)", "must reach",
              "go for", "met")  # fmt: skip
    times = "medians of processor time" if sizes.threads == 1 else "medians"
    hidden = " ".join(f"`{name}={value}`" for name, value in WITHOUT_AVX512.items())
    notes = [
        f"float32, {sizes.visible} x {sizes.hidden}, {sizes.rounds} rounds of fresh processes that alternate; {times}.",
        "What the libraries say they use: " + "; ".join(f"{way} ({found})" for way, found in used.items()) + ".",
        f"AVX-512 is hidden by {hidden}.",
        report.machine(sizes.threads, {}),
        f"**Not a quiet machine:** {warning}." if warning else "",
    ]
    return f"{report.table(header, lines)}\n\n{' '.join(notes).strip()}"


def shown(seconds: float) -> str:
    return f"{seconds * 1e9:.2f} ns" if seconds < 1e-7 else report.duration(seconds)


if __name__ == "__main__":
    main()
