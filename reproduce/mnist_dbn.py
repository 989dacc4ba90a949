"""Train a deep belief network 784-500-2000 on binary MNIST (the fixed binarisation) and judge it.

    python reproduce/mnist_dbn.py --out runs/mnist-dbn                                 # both machines, 15 + 12 minutes
    python reproduce/mnist_dbn.py --out runs/mnist-dbn --bottom runs/mnist-15/model.safetensors

Needs HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011).  ``--bottom`` takes the
first machine from a file, such as the one of reproduce/mnist_rbm.py.  The top machine starts as the transpose of the
first one (784 of its 2,000 hidden units), so that the network starts as good as the first machine alone, and learns
from samples of the 500 units that are drawn in every epoch.  An interrupted run continues when the command is given
again.  The model is kept in OUT/dbn.safetensors, the result in OUT/result.json and, with --write, in docs/benchmarks.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import experiment as ex

import harmonium as hm

HIDDEN, TOP, BATCH, CHAINS = 500, 2000, 100, 100
BOTTOM_RATE, BOTTOM_DECAY = 0.4, 1e-3
EPOCH_SECONDS = (2.3, 9.0)  # of the two machines on one thread, to turn minutes into epochs


def main() -> None:
    parser = ex.arguments(__doc__)
    parser.add_argument("--bottom", type=Path, help="a trained first machine, 784-500")
    parser.add_argument("--bottom-minutes", type=float, default=15.0, help="training of the first machine, about")
    parser.add_argument("--minutes", type=float, default=12.0, help="training of the top machine, about")
    parser.add_argument("--epochs", type=int, help="of the top machine, instead of --minutes")
    parser.add_argument("--rate", type=float, default=0.03, help="of the top machine, falling to 0")
    parser.add_argument("--weight-decay", type=float, default=5e-4, help="of the top machine")
    parser.add_argument("--temperatures", type=int, default=15_000, help="of the final estimate of log Z")
    parser.add_argument("--samples", type=int, default=100, help="importance samples per case")
    options = ex.options_of(parser)
    if not (options.write and ex.load_result(options.out)):  # a judged run is only published
        data = hm.data.load("binarized_mnist")
        dbn, history = train(data, options)
        ex.save_result(options.out, judged(dbn, data, options) | ex.summary_of(history))
    if options.write:
        write(ex.load_result(options.out))


def train(data: hm.data.Dataset, options: argparse.Namespace) -> tuple[hm.DBN, hm.training.History]:
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
                "average": hm.training.Average(),
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
    return dbn, histories[-1]


def judged(dbn: hm.DBN, data: hm.data.Dataset, options: argparse.Namespace) -> dict[str, Any]:
    """Test nats by importance sampling and the upper log Z of the top machine, with the bracket and the bound."""
    begun = time.perf_counter()
    starts = ex.chain_states(dbn.top, 2, 300)
    z = hm.log_partition(dbn.top, chains=2 * CHAINS, temperatures=options.temperatures, chains_from=starts, seed=1)
    print(z, flush=True)
    assert data.valid is not None
    test, valid = (
        hm.evaluate(dbn, cases, log_partition=z, samples=options.samples, seed=2)
        for cases in (data.test, data.valid[:2000])
    )
    return {
        "rate": options.rate,
        "weight_decay": options.weight_decay,
        "bottom": "trained here" if options.bottom is None else "taken from reproduce/mnist_rbm.py",
        "threads": options.threads,
        "samples": options.samples,
        "test": test.lower,
        "test_stderr": test.stderr,
        "test_upper": test.upper,
        "test_value": test.mean,
        "test_bound": test.bound,
        "valid_2000": valid.lower,
        "bracket": z.upper - z.lower,
        "log_z": [z.lower, z.value, z.upper],
        "ess": z.ess,
        "trusted": z.reliable,
        "why": z.why,
        "judging_seconds": round(time.perf_counter() - begun, 1),
    }


def write(result: dict[str, Any]) -> None:
    """One small table in docs/benchmarks."""
    header = ["training of the top RBM", "test, estimate by the upper log Z", "test, bracket", "variational bound",
              "valid (2,000 cases)", "weight decay", "log Z reliable"]  # fmt: skip
    row = [
        f"{result['minutes']:g} min, {result['updates']:,} updates",
        f"{result['test']:.2f} +- {result['test_stderr']:.2f}",
        ex.bracket(result["test"], result["test_upper"]),
        f"{result['test_bound']:.2f}",
        f"{result['valid_2000']:.2f}",
        f"{result['weight_decay']:g}",
        ex.yes(result["trusted"]),
    ]
    note = (
        f"DBN 784-500-2000, nats per case. The estimate is by importance sampling with {result['samples']} samples per "
        "case, which is too low on average; the bracket is that of log Z. First RBM: 784-500, "
        f"{result['bottom']}. log Z: {result['why']}."
    )
    ex.publish("mnist-dbn", header, [row], note, threads=result["threads"])


if __name__ == "__main__":
    main()
