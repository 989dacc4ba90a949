"""The census table: `hm.TableModel` beside tables that published generators drew, by one scorer.

    python reproduce/adult_table.py --out runs/adult-table                   # three trainings of 5 minutes on one core
    python reproduce/adult_table.py --out runs/adult-table --model rbm       # of 10 minutes
    python reproduce/adult_table.py --out runs/adult-table --model auto rbm --write

All generators have learned from the same 24,403 rows; the test file is the holdout that all tables are compared with,
and nothing is chosen by it.  Needs HARMONIUM_DATA with adult_table/train.csv.gz, test.csv.gz and NAME_1.csv.gz,
NAME_2.csv.gz of the published generators.  Drawn tables and scores are kept in OUT.
"""

from __future__ import annotations

import os

import experiment as ex
import pandas as pd
from by_default.sources import file
from by_default.store import Store
from launch import environment
from mixed_tables.contest import FRESH, Contest
from mixed_tables.generators import table_model
from mixed_tables.scores import HEADER, MEASURES, medians, row
from mixed_tables.sets import Split

PUBLISHED = {
    "tabsyn": "TabSyn", "tabularargn": "TabularARGN", "stasy": "STaSy",
    "tabularargn_dp": "TabularARGN, differentially private", "tabmt": "TabMT",
}  # fmt: skip
COPIES = "the training rows"
MINUTES = {"auto": 5.0, "rbm": 10.0}
GOALS = {"auto": (0.85, 0.978, 0.918), "rbm": (0.65, 0.968, 0.0)}  # C2ST, pair trends, TSTR
NEARER = 0.60


def main() -> None:
    parser = ex.arguments(__doc__, out="folder of the results", seed=False, threads=None)
    parser.add_argument("--model", nargs="*", default=["auto"], choices=MINUTES, help="default: auto")
    parser.add_argument("--minutes", type=float, help="of each training (default: 5, of an RBM 10)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--print", action="store_true", help="draw nothing")
    options = ex.options_of(parser)
    os.environ.update(environment(threads=1))
    split = Split(table("train"), table("test"), "income")
    contest = Contest("adult", split, Store(options.out), options.out / "adult", options.print)
    rows, fresh, seeds = [], {}, 0
    for name, title in PUBLISHED.items():
        drawn = [contest.scores(title, published(name, copy), copy) for copy in (1, 2)]
        rows.append([*row(title, medians([scores for scores, _ in drawn])), "", ""])
        fresh = drawn[0][1]
    copied, _ = contest.scores(COPIES, split.train, 0)
    rows = [[*row(name, scores), "", ""] for name, scores in ((FRESH, fresh), (COPIES, copied))] + rows
    for model in options.model:
        minutes = options.minutes or MINUTES[model]
        name = f'TableModel("{model}", minutes={minutes:g})'
        results = contest.results({name: table_model(model=model, minutes=minutes)}, options.seeds)
        if name in results:
            scores, seeds = medians(results[name]), len(results[name])
            rows.append([*row(name, scores), goal(model), ex.yes(reached(model, scores))])
    header = [*HEADER, "must reach", "met"]
    note = (
        f"{len(split.train):,} training rows, {len(split.holdout):,} test rows; TSTR is the AUC of `income`. Medians "
        f"over two published tables of each generator; seeds of `TableModel`: {seeds}."
    )
    print(f"\n{ex.table(header, rows)}\n\n{note}")
    if options.write:
        ex.publish("adult-table", header, rows, note)


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(file(f"adult_table/{name}.csv.gz"))


def published(name: str, copy: int) -> pd.DataFrame:
    """A table of a published generator; TabMT left cells empty where all others have a question mark."""
    return table(f"{name}_{copy}").fillna("?")


def goal(model: str) -> str:
    bounds = (f"{name} {bound}" for name, bound in zip(MEASURES, GOALS[model], strict=False) if bound)
    return f"{', '.join(bounds)}; nearer at most {NEARER}"


def reached(model: str, scores: dict[str, float]) -> bool:
    *higher, nearer = (scores[name] for name in MEASURES)
    return nearer <= NEARER and all(value >= bound for value, bound in zip(higher, GOALS[model], strict=True))


if __name__ == "__main__":
    main()
