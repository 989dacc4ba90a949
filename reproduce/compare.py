"""Every model of the library on the same data within the same time, judged by one protocol.

    python reproduce/compare.py digits --minutes 0.25 --out runs/compare-digits --write
    python reproduce/compare.py binarized_mnist --minutes 5 --out runs/compare-mnist --write

The models, their recipes and the choice by validation are those of `harmonium compare`.  A comparison that was broken
off goes on when the command is given again, with more models too; the rows are left in OUT/comparison.csv, the picture
in OUT/comparison.png.  binarized_mnist needs HARMONIUM_DATA.  ``--write`` puts the table into docs/benchmarks, and
``--picture`` the picture beside it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import ROOT, machine, quiet, replace_section


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="by name, with validation and test cases")
    parser.add_argument("--models", help="names, separated by commas; default: all")
    parser.add_argument("--minutes", type=float, default=0.25, help="to train each model for")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks")
    parser.add_argument("--picture", action="store_true", help="put the picture into docs/pictures")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load, begun = quiet(), time.perf_counter()
    data = hm.data.load(options.data)
    found = hm.compare(
        data, options.models and options.models.split(","), seconds=60 * options.minutes, out=options.out,
        seed=options.seed, progress=sys.stderr.isatty(), say=lambda text: print(text, flush=True),
    )  # fmt: skip
    hm.plots.write(hm.plots.comparison(found, data.test), options.out / "comparison.png")
    print(found)
    seconds = time.perf_counter() - begun
    print(f"all in {seconds:.0f} s")
    if options.write:
        training, judging = (sum(times) for times in zip(*((e.seconds, e.judging) for e in found.entries), strict=True))
        busy = f" **Not a quiet machine:** {load}." if load else ""
        note = machine(options.threads, {"torch": {torch.__version__}})
        whole = f"Training takes {training:,.0f} s and judging {judging:,.0f} s, all models added up."
        replace_section(f"compare-{options.data}", f"{found.markdown()}\n{note} {whole}{busy}")
    if options.picture:
        target = ROOT / "docs" / "pictures" / f"compare-{options.data}.png"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(options.out / "comparison.png", target)


if __name__ == "__main__":
    main()
