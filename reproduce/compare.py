"""Every model of the library on the same data within the same time, evaluated by one protocol.

    python reproduce/compare.py digits --minutes 0.25 --out runs/compare-digits --write
    python reproduce/compare.py binarized_mnist --minutes 5 --out runs/compare-mnist --write

The models, their recipes and the choice by validation are those of `harmonium compare`.  An interrupted comparison
continues when the command is given again, also with more models; the rows are kept in OUT/comparison.csv, the picture
in OUT/comparison.png.  binarized_mnist needs HARMONIUM_DATA.  ``--write`` puts the table into docs/benchmarks, and
``--picture`` the picture into docs/pictures.
"""

from __future__ import annotations

import shutil
import sys
import time

import experiment as ex
import torch

import harmonium as hm


def main() -> None:
    parser = ex.arguments(__doc__, threads=2, write="put the table into docs/benchmarks")
    parser.add_argument("data", help="by name, with validation and test cases")
    parser.add_argument("--models", help="names, separated by commas; default: all")
    parser.add_argument("--minutes", type=float, default=0.25, help="to train each model for")
    parser.add_argument("--picture", action="store_true", help="put the picture into docs/pictures")
    options = ex.options_of(parser)
    load, begun = ex.quiet(), time.perf_counter()
    data = hm.data.load(options.data)
    found = hm.compare(
        data, options.models and options.models.split(","), seconds=60 * options.minutes, out=options.out,
        seed=options.seed, progress=sys.stderr.isatty(), log=lambda text: print(text, flush=True),
    )  # fmt: skip
    hm.plots.write(hm.plots.comparison(found, data.test), options.out / "comparison.png")
    print(found)
    seconds = time.perf_counter() - begun
    print(f"all in {seconds:.0f} s")
    if options.write:
        training, judging = (sum(times) for times in zip(*((e.seconds, e.judging) for e in found.entries), strict=True))
        busy = f" **Not a quiet machine:** {load}." if load else ""
        note = ex.machine(options.threads, {"torch": {torch.__version__}})
        whole = f"Training takes {training:,.0f} s and judging {judging:,.0f} s, all models added up."
        ex.replace_section(f"compare-{options.data}", f"{found.markdown()}\n{note} {whole}{busy}")
    if options.picture:
        target = ex.ROOT / "docs" / "pictures" / f"compare-{options.data}.png"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(options.out / "comparison.png", target)


if __name__ == "__main__":
    main()
