"""A VAE whose prior is an RBM against one whose prior is standard normal: as many latent units, the same networks and
minutes, on the fixed binarisation of MNIST (compare Rolfe 2017).

    python reproduce/mnist_rbm_prior.py --prior rbm --minutes 20 --out runs/prior-rbm
    python reproduce/mnist_rbm_prior.py --prior normal --minutes 20 --out runs/prior-normal
    python reproduce/mnist_rbm_prior.py --write runs/prior-normal runs/prior-rbm    # their table, on docs/benchmarks

Needs HARMONIUM_DATA to point to a folder with binarized_mnist.npz (Larochelle & Murray 2011).  A run that was broken
off goes on when the command is given again.  Of either model the best epoch on validation cases is kept.  Test cases
are judged with binary latent units, by 1,000 importance samples each, and by the upper log Z of the prior.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

import harmonium as hm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
from report import machine, replace_section, table

LATENT, HIDDEN, BATCH, SAMPLES = 200, (200, 200), 100, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prior", choices=("rbm", "normal"), default="rbm")
    parser.add_argument("--minutes", type=float, default=20.0, help="of processor time, planned by a measured update")
    parser.add_argument("--epochs", type=int, help="train that long instead")
    parser.add_argument("--out", type=Path, help="run folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--temperatures", type=int, default=5000, help="of the final estimate of log Z")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, nargs="+", metavar="RUN", help="put these results into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.write:
        write([json.loads((run / "result.json").read_text()) for run in options.write])
        return
    data = hm.data.load("binarized_mnist")
    assert data.valid is not None
    if (options.out / "config.json").exists():
        model, history = hm.resume(options.out, optimizer=adam, progress=True)
    else:
        model = vae(options.prior)
        seconds = seconds_per_update(options.prior, data)
        epochs = options.epochs or max(4, round(options.minutes * 60 / (seconds * -(-len(data.train) // BATCH))))
        print(f"{seconds * 1e3:.2f} ms per update: {epochs} epochs in {options.minutes:g} minutes", flush=True)
        history = hm.fit(
            model,
            data.train,
            objective=objective(),
            epochs=epochs,
            batch_size=BATCH,
            learning_rate=hm.schedules.Exponential(2e-3, 1e-4),
            optimizer=adam,
            validation=data.valid[:2000],
            callbacks=[
                hm.training.LikelihoodMonitor(every=max(1, epochs // 20), samples=100, temperatures=500),
                hm.training.EarlyStopping("log_likelihood_lower", patience=None),
            ],
            seed=options.seed,
            out=options.out,
            progress=True,
        )
    judge(model, history, data, options)


def vae(prior: str) -> hm.VAE:
    if prior == "normal":
        return hm.VAE((28, 28), LATENT, HIDDEN)
    return hm.VAE((28, 28), hidden=HIDDEN, prior=hm.RBM(LATENT, LATENT))


def objective() -> hm.objectives.Objective:
    """The same bound; the prior's chains walk only where there are any."""
    return hm.ELBO(warm_up=5000, prior=hm.PCD(k=5, chains=100))


def adam(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    """As in reproduce/mnist_vae.py."""
    return torch.optim.Adam(parameters, lr=1e-3, eps=1e-4, fused=True)


def seconds_per_update(prior: str, data: hm.data.Dataset) -> float:
    """Of processor time, the median on a throw-away model: others may be working on the machine.

    The plan must be fixed before training, or it could not be resumed exactly.
    """
    rows = hm.data.as_cases(data.train[: 200 * BATCH])
    times: list[float] = []

    class Clock(hm.training.Callback):
        def on_update(self, training) -> None:  # type: ignore[no-untyped-def]
            times.append(time.process_time())

    hm.fit(
        vae(prior), rows, objective=objective(), batch_size=BATCH, epochs=1, optimizer=adam, callbacks=[Clock()]
    )  # fmt: skip
    return statistics.median(after - before for before, after in itertools.pairwise(times))


def judge(model: hm.VAE, history: hm.training.History, data: hm.data.Dataset, options: argparse.Namespace) -> None:
    """Test nats, by the upper log Z where the prior is a machine."""
    begun = time.perf_counter()
    z = None if model.prior is None else log_z(model.prior, options.temperatures)
    if z is not None:
        print(z, flush=True)
    splits = {"train": data.train[:2000], "valid": data.valid, "test": data.test}
    assert splits["valid"] is not None
    scores = {
        name: hm.evaluate(model, cases, samples=SAMPLES if name == "test" else 100, log_partition=z)
        for name, cases in splits.items()
    }
    last, test = history.rows[-1], scores["test"]
    seconds = seconds_per_update(options.prior, data)
    result = {
        "prior": options.prior,
        "latent": LATENT,
        "minutes": round(last["update"] * seconds / 60, 1),
        "minutes_by_the_clock": round(last["seconds"] / 60, 1),
        "epochs": last["epoch"],
        "updates": last["update"],
        "best_epoch": history.best["epoch"] if history.best else last["epoch"],
        "threads": options.threads,
        # Normalised by construction, a model with a normal prior has no second bound.
        "test": test.lower,
        "test_value": test.mean,
        "test_stderr": test.stderr,
        "test_bound": test.bound,
        "valid": scores["valid"].lower,
        "train": scores["train"].lower,
        "log_z": None if z is None else [z.lower, z.value, z.upper],
        "trusted": test.trusted,
        "why": test.why,
        "judging_seconds": round(time.perf_counter() - begun, 1),
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def log_z(prior: hm.models.Machine, temperatures: int) -> hm.likelihood.LogPartition:
    """Bracketed; a hundred chains give five hundred starts, at five times 1,000 sweeps apart."""
    assert prior.chains is not None
    states = [prior.chains]
    for copy in range(5):
        states.append(hm.sample(prior, len(states[-1]), sweeps=1000, init=states[-1], seed=copy))
    return hm.log_partition(
        prior, "ais", chains=500, temperatures=temperatures, chains_from=torch.stack(states[1:]), seed=1
    )


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
                f"[{log_z[0]:.2f}, {log_z[2]:.2f}]" if log_z else "0",
                "yes" if r["trusted"] else "no",
            ]
        )
    header = ["prior", "training", f"test, L_{SAMPLES:,}", "test, ELBO", "valid", "train", "log Z of the prior",
              "trusted"]  # fmt: skip
    note = machine(results[0]["threads"], {"torch": {torch.__version__}, "harmonium": {hm.__version__}})
    text = (
        f"### A VAE with an RBM as its prior, fixed binarisation of MNIST\n\n{table(header, rows)}\n\n{note} "
        "`reproduce/mnist_rbm_prior.py`; networks 784-200-200-200 and back; minutes are of processor time. Likelihoods "
        "with an RBM prior are by its upper log Z. Published with much larger networks: -81.01 (Rolfe 2017)."
    )
    replace_section("mnist-rbm-prior", text)


if __name__ == "__main__":
    main()
