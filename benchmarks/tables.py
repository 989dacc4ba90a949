"""Who draws the best tables: `hm.TableModel` and SDV's generators, on tables that packages ship, by one scorer.

    python benchmarks/tables.py --out RUN [--sets wages] [--methods TableModel] [--seeds 3] [--write]

Drawn tables and scores are kept in RUN, and only what is missing or made by other code is computed.  The variable
HARMONIUM_SDV_PYTHON names the Python of an environment with SDV.  `--draw` draws tables without scoring them, `--write`
puts the results into docs/benchmarks/tables.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sized
from pathlib import Path

import report
from by_default.sources import UnavailableError
from by_default.store import Store
from launch import environment
from mixed_tables.contest import FRESH, Contest
from mixed_tables.generators import OURS, PEERS
from mixed_tables.scores import HEADER, behind, medians, row
from mixed_tables.sets import SETS, split

WITHIN = 0.02  # of the best in every measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--sets", type=_words, default=list(SETS), help=f"of {', '.join(SETS)}")
    parser.add_argument("--methods", type=_words, default=[], help="beginnings of the names of generators")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draw", action="store_true", help="score nothing")
    parser.add_argument("--print", action="store_true", help="draw nothing")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks")
    options = parser.parse_args()
    if unknown := set(options.sets) - set(SETS):
        parser.error(f"there is no set {', '.join(unknown)}: choose from {', '.join(SETS)}")
    os.environ.update(environment(threads=1))
    noise = report.quiet()
    generators = {
        name: generator
        for name, generator in (PEERS | OURS).items()
        if not options.methods or name.startswith(tuple(options.methods))
    }
    store = Store(options.out)
    for name in options.sets:
        try:
            contest = Contest(name, split(name), store, options.out / name, options.print)
        except UnavailableError as reason:
            print(f"{name}: {reason}")
            continue
        if options.draw:
            for _ in contest.draw_all(generators, options.seeds):
                pass
            continue
        text = section(contest, contest.results(generators, options.seeds))
        print(f"\n{name}\n\n{text}", flush=True)
        if options.write:
            whole = filter(None, (text, report.machine(1, {}), noise and f"Note: {noise}."))
            report.replace_section(f"tables-{name}", "\n\n".join(whole))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def section(contest: Contest, results: Mapping[str, list[dict[str, float]]]) -> str:
    """The table of a set, and how it was measured."""
    middle = {method: medians(scored) for method, scored in results.items() if scored}
    peers = [scores for method, scores in middle.items() if method in PEERS]
    rows = [[*row(method, scores), *_verdict(scores, peers)] for method, scores in middle.items() if method in OURS]
    rows = [[*row(method, scores), "", ""] for method, scores in middle.items() if method not in OURS] + rows
    seeds = "; ".join(f"{name}: {_count(scored)}" for name, scored in results.items() if name != FRESH)
    train, _, target = contest.split
    about = (
        f"{len(train):,} rows to learn from, as many fresh ones; TSTR is {'the AUC' if contest.split.classes else 'R²'}"
        f" of `{target}`. Medians ({seeds})."
    )
    return f"{report.table([*HEADER, 'must reach', 'met'], rows)}\n\n{about}"


def _count(scored: Sized) -> str:
    return "one seed" if len(scored) == 1 else f"{len(scored)} seeds"


def _verdict(ours: Mapping[str, float], peers: list[dict[str, float]]) -> tuple[str, str]:
    if not peers:
        return f"best, or within {WITHIN}", ""
    short = behind(ours, peers)
    return f"best, or within {WITHIN}", "yes" if short <= WITHIN else f"no: {short:.3f} behind"


if __name__ == "__main__":
    main()
