"""Time harmonium against its own matrix products and against its peers; print and store one table.

    python benchmarks/speed.py --peers-python /path/to/venv/bin/python

Every contender runs in a fresh process with the same number of threads, in float32.  All contenders take part in each
round, one after the other; a contender reports the median of its own repeats, and the table shows medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import report
from launch import contend, environment

Answers = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Sizes:
    """How large everything is; the defaults are those of the published table."""

    rounds: int = 5
    threads: int = 2
    visible: int = 784
    hidden: int = 500
    chains: int = 128
    batch: int = 128
    cases: int = 12_800
    sweeps: int = 20  # Gibbs sweeps per call
    blocks: int = 40  # calls per process
    epochs: int = 8  # epochs timed per process, after one of warm-up
    ais_chains: int = 100
    temperatures: int = 1000
    ais_repeats: int = 1
    exact_hidden: int = 25
    exact_rounds: int = 3
    prepare_epochs: int = 5
    prepare_cases: int = 50_000  # of the stand-in, where the data set is missing


SMOKE = Sizes(
    rounds=2, visible=40, hidden=24, chains=24, batch=16, cases=160, sweeps=5, blocks=5, epochs=2, ais_chains=24,
    temperatures=30, exact_hidden=10, exact_rounds=1, prepare_epochs=2, prepare_cases=400,
)  # fmt: skip


@dataclass(frozen=True)
class Contender:
    """One library at one task."""

    key: str
    script: str
    task: str
    peer: bool = True


CONTENDERS = (
    Contender("gibbs", "with_harmonium.py", "gibbs", peer=False),
    Contender("gibbs.sklearn", "with_sklearn.py", "gibbs"),
    Contender("gibbs.rbms", "with_rbms.py", "gibbs"),
    Contender("pcd", "with_harmonium.py", "pcd", peer=False),
    Contender("pcd.sklearn", "with_sklearn.py", "pcd"),
    Contender("pcd.rbms", "with_rbms.py", "pcd"),
    Contender("pcd.learnergy", "with_learnergy.py", "fit"),
    Contender("pcd.learnergy.update", "with_learnergy.py", "update"),
    Contender("ais.forward", "with_harmonium.py", "ais_forward", peer=False),
    Contender("ais.bracket", "with_harmonium.py", "ais_bracket", peer=False),
    Contender("ais.rbms", "with_rbms.py", "ais"),
    Contender("exact", "with_harmonium.py", "exact", peer=False),
    Contender("help", "", "help", peer=False),
)


@dataclass(frozen=True)
class Row:
    """One line of the table and its targets.

    ``kind`` says what the targets bound: "over" the time over that of the bare products (at most), "faster" the time of
    the other over ours (at least), "seconds" our time (at most).
    """

    what: str
    ours: str
    against: str
    theirs: str | None
    kind: Literal["over", "faster", "seconds"]
    must: float | None = None
    goal: float | None = None
    note: str = ""


GIBBS = "one Gibbs sweep, {chains} chains"
PCD = "one PCD-1 update through `fit`, batch {batch}, {chains} chains"
AIS = "AIS, {ais_chains} chains x {temperatures} temperatures"

ROWS = (
    Row(GIBBS, "gibbs", "its two bare products", None, "over", 1.25, 1.10, "gibbs"),
    Row(GIBBS, "gibbs", "rbms", "gibbs.rbms", "faster", 3.5, None, "rbms gibbs"),
    Row(GIBBS, "gibbs", "scikit-learn", "gibbs.sklearn", "faster", 2.0, None, "sklearn gibbs"),
    Row(PCD, "pcd", "its six bare products", None, "over", 1.35, 1.15, "pcd"),
    Row(PCD, "pcd", "scikit-learn, PCD-1", "pcd.sklearn", "faster", 1.6, None, "sklearn pcd"),
    Row(PCD, "pcd", "rbms, PCD-1", "pcd.rbms", "faster", 2.5, None, "rbms pcd"),
    Row(PCD, "pcd", "learnergy, CD-1", "pcd.learnergy", "faster", 3.7, None, "learnergy"),
    Row(PCD, "pcd", "learnergy, CD-1, bare update", "pcd.learnergy.update", "faster", None, None, "learnergy update"),
    Row(AIS + ", one way", "ais.forward", "rbms, one way", "ais.rbms", "faster", 5.0, 7.0, "ais"),
    Row(AIS + ", full bracket", "ais.bracket", "rbms, one way", "ais.rbms", "faster", 3.0, 4.0, "bracket"),
    Row("exact log Z, {visible} x {exact_hidden}", "exact", "", None, "seconds", 60.0, None, "exact"),
    Row("`harmonium --help`", "help", "", None, "seconds", 0.5),
)

NOTES = {
    "gibbs": "`rbm.gibbs(v, {sweeps}, stream)` / {sweeps} on a trained model, in turn with `v @ W` and `h @ W.T` "
    "of the same shapes in the same process; the ratio is the median over pairs.",
    "rbms gibbs": "`sample_state`, as its training calls it. It draws the hidden units once more at the end, which "
    "counts as half a sweep here.",
    "sklearn gibbs": "`BernoulliRBM.gibbs` with float32 parameters and input; the faster of passing its boolean "
    "samples on as they are or as float32.",
    "pcd": "Whole epochs of `fit` over {cases} uint8 cases (with shuffling, gathering, centering and guards), divided "
    "by the updates, in turn with the products of as many updates: `v @ W` of the data; `v @ W`, `h @ W.T`, `v @ W` "
    "of the chains; two `v.T @ h`.",
    "sklearn pcd": "`BernoulliRBM.fit` on float32 data (`partial_fit` would convert to float64), less what `fit` takes "
    "with `n_iter=0`. It does not shuffle, and its gradient is not centered.",
    "rbms pcd": "The body of its training loop (draw of the batch, `fit_batch_pcd`, centered gradient, SGD) without "
    "its progress bar and the HDF5 log that it writes after every update.",
    "learnergy": "`RBM.fit` as it is: a DataLoader collates case by case, and each batch gets its pseudo-likelihood.",
    "learnergy update": "The update inside its `fit` alone, batches ready in memory, no monitoring, against our whole "
    "`fit`.",
    "ais": "On one model for all ({prepare}). log Z in the last round: harmonium {forward}, rbms {rbms}.",
    "bracket": "`log_partition` with the persistent chains that training left: forward run, drift test (200 sweeps), "
    "reverse run, Bennett's value; against one forward run of rbms, which has no bracket. Last round: {bracket}.",
    "exact": "Peak memory of the process {peak}, of which {before} before the call (Python, torch, Numba).",
}


def main() -> None:
    arguments = _arguments()
    sizes = SMOKE if arguments.smoke else Sizes()
    if arguments.rounds:
        sizes = replace(sizes, rounds=arguments.rounds)
    sizes = replace(sizes, threads=arguments.threads)
    chosen = [c for c in CONTENDERS if not arguments.only or c.key.split(".")[0] in arguments.only]
    warning = report.quiet()
    with tempfile.TemporaryDirectory(prefix="harmonium-speed-") as folder:
        spec = asdict(sizes) | {"folder": folder}
        prepared = contend(sys.executable, "with_harmonium.py", spec | {"task": "prepare"})
        if "failed" in prepared:
            sys.exit(f"the model to measure on could not be trained:\n{prepared.get('stderr', prepared['failed'])}")
        answers = run(chosen, sizes, spec, arguments.peers_python)
    text = render(answers, sizes, prepared["note"], warning)
    print(text)
    if arguments.json:
        raw = {"sizes": asdict(sizes), "prepared": prepared, "answers": answers}
        arguments.json.write_text(json.dumps(raw, indent=1), encoding="utf-8")
    if arguments.out or not (arguments.smoke or arguments.only):
        print(f"\nwritten to {report.replace_section('speed', text, arguments.out)}", file=sys.stderr)


def run(contenders: list[Contender], sizes: Sizes, spec: dict[str, Any], peers_python: str) -> Answers:
    """Every contender once per round, in turn; whoever is missing or broken is not asked again."""
    answers: Answers = defaultdict(list)
    for number in range(sizes.rounds):
        for contender in contenders:
            past = answers[contender.key]
            if past and "seconds" not in past[-1]:
                continue
            if contender.key == "exact" and number >= sizes.exact_rounds:
                continue
            if contender.task == "help":
                answer = time_help(sizes.threads)
            else:
                python = peers_python if contender.peer else sys.executable
                answer = contend(python, contender.script, spec | {"task": contender.task})
            past.append(answer)
            said = f"{report.duration(answer['seconds'])}" if "seconds" in answer else _absence(answer)
            print(f"round {number + 1}/{sizes.rounds}  {contender.key:22} {said}", file=sys.stderr)
            if "stderr" in answer:
                print(answer["stderr"], file=sys.stderr)
    return answers


def time_help(threads: int, repeats: int = 5) -> dict[str, Any]:
    """Median seconds of `harmonium --help` in new processes, the first of them excluded."""
    program = shutil.which("harmonium", path=str(Path(sys.executable).parent)) or shutil.which("harmonium")
    if program is None:
        return {"missing": "harmonium"}
    times = []
    command, variables = (program, "--help"), environment(threads)
    for _ in range(repeats + 1):
        start = time.perf_counter()
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        times.append(time.perf_counter() - start)
        if done.returncode != 0:
            return {"failed": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    return {"seconds": statistics.median(times[1:])}


def render(answers: Answers, sizes: Sizes, prepared: str, warning: str) -> str:
    """The section: machine, table, footnotes."""
    versions: dict[str, set[str]] = {}
    for answer in (answer for past in answers.values() for answer in past):
        for name, version in answer.get("versions", {}).items():
            versions.setdefault(name, set()).add(version)
    fields = asdict(sizes) | {"prepare": f"{sizes.visible} x {sizes.hidden}, {prepared}"}
    for name, key, entry in (
        ("forward", "ais.forward", "note"),
        ("rbms", "ais.rbms", "note"),
        ("bracket", "ais.bracket", "note"),
        ("peak", "exact", "peak"),
        ("before", "exact", "before"),
    ):
        value = answers[key][-1].get(entry, "not measured") if answers.get(key) else "not measured"
        fields[name] = report.gigabytes(value) if isinstance(value, int) else value
    lines, notes = [], []
    for row in ROWS:
        if row.ours not in answers:
            continue
        mark = ""
        if row.note:
            notes.append(NOTES[row.note].format(**fields))
            mark = f" [{len(notes)}]"
        lines.append(_line(row, answers, row.what.format(**fields) + mark))
    header = ("what", "harmonium", "against", "takes", "ratio (range over rounds)", "must reach", "go for", "met")
    parts = [
        report.machine(sizes.threads, versions),
        f"float32, {sizes.visible} x {sizes.hidden}, {sizes.rounds} rounds of fresh processes, alternating; medians of "
        "medians, warm-up and compilation excluded." + (f" **Not a quiet machine:** {warning}." if warning else ""),
        report.table(header, lines),
        "\n".join(f"{number}. {note}" for number, note in enumerate(notes, 1)),
    ]
    return "\n\n".join(parts)


def _line(row: Row, answers: Answers, what: str) -> list[str]:
    targets = [_target(row.kind, row.must), _target(row.kind, row.goal)]
    ours = answers[row.ours]
    if "seconds" not in ours[-1]:
        return [what, _absence(ours[-1]), row.against, "", "", *targets, "not measured"]
    took = statistics.median(answer["seconds"] for answer in ours)
    shown = report.duration(took)
    if row.kind == "seconds":
        values = [answer["seconds"] for answer in ours]
        return [what, shown, row.against, "", f"{min(values):.3g} to {max(values):.3g} s", *targets, _met(row, took)]
    if row.theirs is None:
        ratios = [answer["ratio"] for answer in ours]
        ratio, other = statistics.median(ratios), statistics.median(answer["bare"] for answer in ours)
    else:
        theirs = answers.get(row.theirs) or [{"failed": "not run"}]
        if "seconds" not in theirs[-1]:
            return [what, shown, row.against, _absence(theirs[-1]), "", *targets, "not measured"]
        ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, theirs, strict=False)]
        other = statistics.median(answer["seconds"] for answer in theirs)
        ratio = other / took
    word = "x" if row.kind == "over" else "x faster"
    spread = f"{ratio:.2f}{word} ({min(ratios):.2f} to {max(ratios):.2f})"
    return [what, shown, row.against, report.duration(other), spread, *targets, _met(row, ratio)]


def _target(kind: str, value: float | None) -> str:
    if value is None:
        return ""
    return {"over": f"<= {value:.2f}x", "faster": f">= {value:.1f}x", "seconds": f"<= {value:g} s"}[kind]


def _met(row: Row, value: float) -> str:
    if row.must is None:
        return ""

    def reached(target: float) -> bool:
        return value >= target if row.kind == "faster" else value <= target

    if not reached(row.must):
        return "**no**"
    return "yes" if row.goal is None else "yes, and the goal" if reached(row.goal) else "yes, not the goal"


def _absence(answer: dict[str, Any]) -> str:
    return f"{answer['missing']} not installed" if "missing" in answer else f"failed: {answer['failed'][:100]}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = os.environ.get("HARMONIUM_PEERS_PYTHON", sys.executable)
    parser.add_argument("--peers-python", default=default, help="interpreter that has the peers (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="rounds over all contenders (default: 5)")
    parser.add_argument("--threads", type=int, default=2, help="threads of every contender (default: %(default)s)")
    tasks = sorted({c.key.split(".")[0] for c in CONTENDERS})
    parser.add_argument("--only", nargs="+", choices=tasks, help="some rows only; printed, not stored")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, to see that all runs; printed, not stored")
    parser.add_argument("--out", type=Path, help="page to write (default: the one that has the table)")
    parser.add_argument("--json", type=Path, help="file for all answers of all rounds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
