"""A VAE whose prior is an RBM against one whose prior is standard normal: the same number of latent units, networks and
minutes, on the fixed binarisation of MNIST (compare Rolfe 2017).

    python reproduce/mnist_rbm_prior.py --prior rbm --minutes 20 --out runs/prior-rbm
    python reproduce/mnist_rbm_prior.py --prior normal --minutes 20 --out runs/prior-normal
    python reproduce/mnist_rbm_prior.py --write runs/prior-normal runs/prior-rbm    # their table, on docs/benchmarks

Needs HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011).  An interrupted run
continues when the command is given again.  The best epoch of each model on validation cases is kept.  Test cases are
judged with binary latent units, by 1,000 importance samples each, and by the upper log Z of the prior.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import experiment as ex
import torch

import harmonium as hm

LATENT, HIDDEN, BATCH, SAMPLES = 200, (200, 200), 100, 1000


def main() -> None:
    parser = ex.arguments(__doc__, runs=True)
    parser.add_argument("--prior", choices=("rbm", "normal"), default="rbm")
    parser.add_argument("--minutes", type=float, default=20.0, help="of processor time, planned by a measured update")
    parser.add_argument("--epochs", type=int, help="train that long instead")
    parser.add_argument("--temperatures", type=int, default=5000, help="of the final estimate of log Z")
    options = ex.options_of(parser)
    if options.write:
        write([ex.load_result(run) for run in options.write])
        return
    data = hm.data.load("binarized_mnist")
    model, history = ex.trained(options.out, data.train, lambda: plan(data, options), optimizer=adam)
    ex.save_result(options.out, ex.summary_of(history) | judged(model, history, data, options))


def plan(data: hm.data.Dataset, options: argparse.Namespace) -> tuple[hm.VAE, dict[str, Any]]:
    assert data.valid is not None
    model, seconds = vae(options.prior), seconds_of(options.prior, data)
    epochs = options.epochs or max(4, round(options.minutes * 60 / (seconds * -(-len(data.train) // BATCH))))
    print(f"{seconds * 1e3:.2f} ms per update: {epochs} epochs in {options.minutes:g} minutes", flush=True)
    return model, {
        "objective": objective(),
        "epochs": epochs,
        "batch_size": BATCH,
        "learning_rate": hm.schedules.Exponential(2e-3, 1e-4),
        "optimizer": adam,
        "validation": data.valid[:2000],
        "callbacks": [
            hm.training.LikelihoodMonitor(every=max(1, epochs // 20), samples=100, temperatures=500),
            hm.training.EarlyStopping("log_likelihood_lower", patience=None),
        ],
        "seed": options.seed,
    }


def vae(prior: str) -> hm.VAE:
    if prior == "normal":
        return hm.VAE((28, 28), LATENT, HIDDEN)
    return hm.VAE((28, 28), hidden=HIDDEN, prior=hm.RBM(LATENT, LATENT))


def objective() -> hm.objectives.Objective:
    """The same bound for both; chains run only if the prior is an RBM."""
    return hm.ELBO(warm_up=5000, prior=hm.PCD(k=5, chains=100))


def adam(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    """As in reproduce/mnist_vae.py."""
    return torch.optim.Adam(parameters, lr=1e-3, eps=1e-4, fused=True)


def seconds_of(prior: str, data: hm.data.Dataset) -> float:
    """Processor time of an update."""
    rows = hm.data.as_cases(data.train[: 200 * BATCH])
    return ex.seconds_per_update(
        lambda clock: hm.fit(
            vae(prior), rows, objective=objective(), batch_size=BATCH, epochs=1, optimizer=adam, callbacks=[clock]
        )
    )


def judged(
    model: hm.VAE, history: hm.training.History, data: hm.data.Dataset, options: argparse.Namespace
) -> dict[str, Any]:
    """Test nats, by the upper log Z if the prior is a machine."""
    begun = time.perf_counter()
    z = None
    if model.prior is not None:
        # A hundred chains give five hundred starts, at five times 1,000 sweeps apart.
        starts = ex.chain_states(model.prior, 5)
        z = hm.log_partition(
            model.prior, "ais", chains=500, temperatures=options.temperatures, chains_from=starts, seed=1
        )
        print(z, flush=True)
    splits = {"train": data.train[:2000], "valid": data.valid, "test": data.test}
    scores = {
        name: hm.evaluate(model, cases, samples=SAMPLES if name == "test" else 100, log_partition=z)
        for name, cases in splits.items()
    }
    last, test = history.rows[-1], scores["test"]
    return {
        "prior": options.prior,
        "latent": LATENT,
        "minutes": round(last["update"] * seconds_of(options.prior, data) / 60, 1),
        "minutes_by_the_clock": round(last["seconds"] / 60, 1),
        "threads": options.threads,
        # A model with a normal prior is normalised, and has no second bound.
        "test": test.lower,
        "test_value": test.mean,
        "test_stderr": test.stderr,
        "test_bound": test.bound,
        "valid": scores["valid"].lower,
        "train": scores["train"].lower,
        "log_z": None if z is None else [z.lower, z.value, z.upper],
        "trusted": test.reliable,
        "why": test.why,
        "judging_seconds": round(time.perf_counter() - begun, 1),
    }


def write(results: list[dict[str, Any]]) -> None:
    """The table."""
    rows = []
    for r in results:
        log_z = r["log_z"]
        rows.append(
            [
                f"RBM {r['latent']} x {r['latent']}" if log_z else f"standard normal, {r['latent']}",
                f"{r['minutes']:g} min, best of {r['epochs']} epochs: {r['best_epoch']}",
                f"{r['test']:.2f} +- {r['test_stderr']:.2f}",
                f"{r['test_bound']:.2f}",
                f"{r['valid']:.2f}",
                f"{r['train']:.2f}",
                ex.bracket(log_z[0], log_z[2]) if log_z else "0",
                ex.yes(r["trusted"]),
            ]
        )
    header = ["prior", "training", f"test, L_{SAMPLES:,}", "test, ELBO", "valid", "train", "log Z of the prior",
              "log Z reliable"]  # fmt: skip
    note = (
        "`reproduce/mnist_rbm_prior.py`; networks 784-200-200-200 and back; minutes are of processor time. Likelihoods "
        "with an RBM prior are by its upper log Z. Published with much larger networks: -81.01 (Rolfe 2017)."
    )
    ex.publish("mnist-rbm-prior", header, rows, note, threads=results[0]["threads"])


if __name__ == "__main__":
    main()
