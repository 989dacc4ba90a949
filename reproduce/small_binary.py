"""What small_binary_nade.py and small_binary_sets.py share: six sets, one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import experiment as ex

import harmonium as hm


class Plan(Protocol):
    """How one set is trained."""

    @property
    def published(self) -> float: ...


def reproduce(
    description: str | None, plans: Mapping[str, Plan], run: Callable[[str, Any, Any], dict[str, Any]], section: str,
    columns: Mapping[str, Callable[[dict[str, Any]], str]], note: Callable[[list[dict[str, Any]]], str],
) -> None:  # fmt: skip
    """Parse arguments and run the sets that they name, or put the finished results into docs/benchmarks.

    Args:
        description: docstring of the script.
        plans: a plan for each set.
        run: from (name, plan, folder) to a result with "model", "setting" (with its "valid" likelihood) and "tried".
        section: name of the section of docs/benchmarks.
        columns: further columns, from the result of a set.
        note: text under the table, from all results.
    """
    known = ", ".join(plans)
    parser = ex.arguments(description, out="folder of the results", seed=False, write="only publish finished results")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {known} (default: all)")
    options = ex.options_of(parser)
    if unknown := set(options.names) - set(plans):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {known}")
    if options.write:
        results = [found for name in plans if (found := ex.load_result(options.out / f"{name}.json"))]
        header = ["set", "visible", "train", "valid", "test, exact", "published (unverified)", "difference", *columns]
        rows = [_cells(result) + [cell(result) for cell in columns.values()] for result in results]
        ex.publish(section, header, rows, note(results), threads=results[0]["threads"])
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or plans:
        data = hm.data.load(name)
        result = run(name, plans[name], options.out)
        model = result.pop("model")
        z = {"log_partition": hm.log_partition(model, method="exact")} if model.energy_part is not None else {}
        scores = {split: hm.evaluate(model, cases, **z) for split, cases in data.splits.items()}
        ex.save_result(
            options.out / f"{name}.json",
            {
                "name": name,
                "visible": data.train.shape[1],
                "published": plans[name].published,
                "threads": options.threads,
                **{split: [score.mean, score.stderr] for split, score in scores.items()},
                **result,
            },
        )


def _cells(result: dict[str, Any]) -> list[str]:
    train, valid, test = (result[split] for split in ("train", "valid", "test"))
    return [
        result["name"],
        f"{result['visible']}",
        f"{train[0]:.2f}",
        f"{valid[0]:.2f}",
        f"{test[0]:.2f} +- {test[1]:.2f}",
        f"{result['published']:.2f}",
        f"{test[0] - result['published']:+.2f}",
    ]
