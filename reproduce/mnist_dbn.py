"""Train a deep belief network 784-500-2000 on binary MNIST (the fixed binarisation) and judge it.

    python reproduce/mnist_dbn.py --out runs/mnist-dbn                                 # both machines, 15 + 12 minutes
    python reproduce/mnist_dbn.py --out runs/mnist-dbn --bottom runs/mnist-15/model.safetensors

Needs HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011).  ``--bottom`` takes the
first machine from a file, such as reproduce/mnist_rbm.py leaves.  The top machine starts as the first one turned over
(784 of its 2,000 hidden units), so that the network starts as good as the first machine alone, and learns from samples
of the 500 units drawn anew every epoch.  A run that was broken off goes on when the command is given again.  The model
is left in OUT/dbn.safetensors, the numbers in OUT/result.json and, with --write, in docs/benchmarks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table

HIDDEN, TOP, BATCH, CHAINS = 500, 2000, 100, 100
BOTTOM_RATE, BOTTOM_DECAY = 0.05, 1e-3
EPOCH_SECONDS = (2.3, 9.0)  # of the two machines on one thread, to turn minutes into epochs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--bottom", type=Path, help="a trained first machine, 784-500")
    parser.add_argument("--bottom-minutes", type=float, default=15.0, help="training of the first machine, about")
    parser.add_argument("--minutes", type=float, default=12.0, help="training of the top machine, about")
    parser.add_argument("--epochs", type=int, help="of the top machine, instead of --minutes")
    parser.add_argument("--rate", type=float, default=0.01, help="of the top machine, falling to 0")
    parser.add_argument("--weight-decay", type=float, default=5e-4, help="of the top machine")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--temperatures", type=int, default=5000, help="of the final estimate of log Z")
    parser.add_argument("--samples", type=int, default=100, help="importance samples per case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    if options.write and (options.out / "result.json").exists():  # judged before: only put it on the page
        write(json.loads((options.out / "result.json").read_text()))
        return
    data = hm.data.load("binarized_mnist")
    bottom = hm.load(options.bottom) if options.bottom else hm.RBM(hm.Bernoulli((28, 28)), HIDDEN)
    dbn = hm.DBN.from_rbms([bottom, hm.RBM(HIDDEN, TOP, seed=options.seed)])
    epochs = [max(4, round(options.bottom_minutes * 60 / EPOCH_SECONDS[0])),
              options.epochs or max(4, round(options.minutes * 60 / EPOCH_SECONDS[1]))]  # fmt: skip
    rates, decays = (BOTTOM_RATE, options.rate), (BOTTOM_DECAY, options.weight_decay)
    histories = hm.greedy(
        dbn,
        data.train,
        validation=data.valid,
        skip=1 if options.bottom else 0,
        layers=[
            {
                "epochs": count,
                "learning_rate": hm.schedules.Linear(rate),
                "penalties": [hm.training.WeightDecay(decay)],
                "callbacks": [
                    hm.training.LikelihoodMonitor(
                        every=max(1, count // 5), start=1 if top else count // 2, temperatures=1000
                    ),
                    hm.training.EarlyStopping("log_likelihood_lower", patience=None),
                ],
            }
            for top, (count, rate, decay) in enumerate(zip(epochs, rates, decays, strict=True))
        ],
        objective=hm.PCD(k=1, chains=CHAINS),
        batch_size=BATCH,
        seed=options.seed,
        out=options.out,
        progress=True,
    )
    hm.save(dbn, options.out / "dbn.safetensors")
    judge(dbn, histories[-1], data, options)


def judge(dbn: hm.DBN, history: hm.training.History, data: hm.data.Dataset, options: argparse.Namespace) -> None:
    """Test nats by importance sampling below and the upper log Z of the top machine, with the bracket and the bound."""
    print("log Z of the top machine, both directions ...", flush=True)
    begun = time.perf_counter()
    states = [dbn.top.chains]
    for copy in range(2):  # at two times 300 sweeps apart; errors stay those of a hundred chains
        states.append(hm.sample(dbn.top, CHAINS, sweeps=300, init=states[-1], seed=copy))
    starts = torch.stack(states[1:])
    z = hm.log_partition(dbn.top, chains=CHAINS, temperatures=options.temperatures, chains_from=starts, seed=1)
    print(z, flush=True)
    scores = {
        name: hm.evaluate(dbn, cases, log_partition=z, samples=options.samples, seed=2)
        for name, cases in (("test", data.test), ("valid", data.valid[:2000]))
    }
    last = history.rows[-1]
    result = {
        "minutes": round(last["seconds"] / 60, 1),
        "updates": last["update"],
        "rate": options.rate,
        "weight_decay": options.weight_decay,
        "bottom": "trained here" if options.bottom is None else "taken from reproduce/mnist_rbm.py",
        "threads": options.threads,
        "best_epoch": history.best["epoch"] if history.best else last["epoch"],
        "samples": options.samples,
        "test": scores["test"].lower,
        "test_stderr": scores["test"].stderr,
        "test_upper": scores["test"].upper,
        "test_value": scores["test"].mean,
        "test_bound": scores["test"].bound,
        "valid_2000": scores["valid"].lower,
        "bracket": z.upper - z.lower,
        "log_z": [z.lower, z.value, z.upper],
        "ess": z.ess,
        "trusted": z.trusted,
        "why": z.why,
        "judging_seconds": round(time.perf_counter() - begun, 1),
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    if options.write:
        write(result)


def write(result: dict[str, Any]) -> None:
    """One small table in docs/benchmarks."""
    header = ["training of the top machine", "test, estimate by the upper log Z", "test, bracket", "variational bound",
              "valid (2,000 cases)", "weight decay", "trusted"]  # fmt: skip
    row = [
        f"{result['minutes']:g} min, {result['updates']:,} updates",
        f"{result['test']:.2f} +- {result['test_stderr']:.2f}",
        f"[{result['test']:.2f}, {result['test_upper']:.2f}]",
        f"{result['test_bound']:.2f}",
        f"{result['valid_2000']:.2f}",
        f"{result['weight_decay']:g}",
        "yes" if result["trusted"] else "no",
    ]
    versions = {"torch": {torch.__version__}, "harmonium": {hm.__version__}}
    how = (
        f"DBN 784-500-2000, nats per case. The estimate is by importance sampling with {result['samples']} samples per "
        "case, which is too low on average; the bracket is that of log Z. First machine: 784-500 RBM, "
        f"{result['bottom']}."
    )
    text = f"{table(header, [row])}\n\n{how} {machine(result['threads'], versions)} log Z: {result['why']}."
    replace_section("mnist-dbn", text)


if __name__ == "__main__":
    main()
