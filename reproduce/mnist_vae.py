"""The VAE and the importance-weighted autoencoder of Burda et al. (2016, table 1) on MNIST, binarised in every epoch.

    python reproduce/mnist_vae.py --minutes 18 --out runs/vae                      # 784-200-200-50
    python reproduce/mnist_vae.py --minutes 60 --iwae 50 --out runs/iwae           # the same with L_50
    python reproduce/mnist_vae.py --minutes 60 --iwae 50 --layers 2 --out runs/iwae-2
    python reproduce/mnist_vae.py --epochs 10 --iwae 50 --start runs/vae --learning-rate 3e-4 --out runs/vae-iwae
    python reproduce/mnist_vae.py --write runs/vae runs/iwae runs/iwae-2           # their table, on docs/benchmarks

Needs HARMONIUM_DATA to point to a folder with mnist/*.gz.  An interrupted run continues when the command is given
again.  Test cases are judged by 5,000 importance samples each, as in the paper.  The recipe differs from the paper's in
its batch size (100 instead of 20), its first learning rate (0.003 instead of 0.001, chosen by validation cases after
nine epochs) and its length; nothing was chosen on test cases.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import experiment as ex
import torch

import harmonium as hm

BATCH, SAMPLES = 100, 5000
PUBLISHED = {(1, 1): -86.76, (1, 50): -84.78, (2, 1): -85.33, (2, 50): -82.90}


def main() -> None:
    parser = ex.arguments(__doc__, runs=True)
    parser.add_argument("--minutes", type=float, default=18.0, help="of processor time, planned by a measured update")
    parser.add_argument("--epochs", type=int, help="train that long instead")
    parser.add_argument("--iwae", type=int, default=0, metavar="K", help="ascend L_K; default: the ELBO")
    parser.add_argument("--layers", type=int, choices=(1, 2), default=1, help="of latent units")
    parser.add_argument("--start", type=Path, metavar="RUN", help="start from the model of this finished run")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="at the start; it falls to 1e-4")
    options = ex.options_of(parser)
    if options.write:
        write([ex.load_result(run) for run in options.write])
        return
    data = hm.data.load("mnist", binarize="dynamic", valid=1000)
    model, history = ex.trained(options.out, data.train, lambda: plan(data, options), optimizer=adam)
    ex.save_result(options.out, ex.summary_of(history) | judged(model, history, data, options))


def plan(data: hm.data.Dataset, options: argparse.Namespace) -> tuple[hm.VAE, dict[str, Any]]:
    model = hm.load(options.start / "model.safetensors") if options.start else vae(options.layers)
    seconds = seconds_of(options, data)
    epochs = options.epochs or max(4, round(options.minutes * 60 / (seconds * -(-len(data.train) // BATCH))))
    print(f"{seconds * 1e3:.2f} ms per update: {epochs} epochs in {options.minutes:g} minutes", flush=True)
    return model, {
        "objective": objective(options),
        "epochs": epochs,
        "batch_size": BATCH,
        "learning_rate": hm.schedules.Exponential(options.learning_rate, 1e-4),
        "optimizer": adam,
        "validation": data.valid,
        "callbacks": [hm.training.LikelihoodMonitor(every=max(1, epochs // 20), samples=100)],
        "seed": options.seed,
    }


def vae(layers: int) -> hm.VAE:
    if layers == 1:
        return hm.VAE((28, 28), 50, (200, 200))
    return hm.VAE((28, 28), (100, 50), ((200, 200), (100, 100)))


def adam(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    """The paper's: a large epsilon damps parameters whose gradients are small."""
    return torch.optim.Adam(parameters, lr=1e-3, eps=1e-4, fused=True)


def objective(options: argparse.Namespace) -> hm.objectives.Objective:
    return hm.IWAE(options.iwae, bfloat16=True) if options.iwae else hm.ELBO()


def seconds_of(options: argparse.Namespace, data: hm.data.Dataset) -> float:
    """Processor time of an update."""
    rows = hm.data.as_cases(data.train[: (20 if options.iwae else 200) * BATCH].round())
    return ex.seconds_per_update(
        lambda clock: hm.fit(
            vae(options.layers), rows, objective=objective(options), batch_size=BATCH, epochs=1, optimizer=adam,
            callbacks=[clock],
        )
    )  # fmt: skip


def judged(
    model: hm.VAE, history: hm.training.History, data: hm.data.Dataset, options: argparse.Namespace
) -> dict[str, Any]:
    """Test nats by importance sampling, and how many latent units the encoder uses."""
    print(f"{SAMPLES:,} importance samples for each of {len(data.test):,} test cases ...", flush=True)
    begun = time.perf_counter()
    test = hm.evaluate(model, data.test, samples=SAMPLES)
    train = hm.evaluate(model, data.train[:2000].round(), samples=100)
    last, before = history.rows[-1], ex.load_result(options.start) if options.start else None
    return {
        "layers": options.layers,
        "k": options.iwae or 1,
        "before": before and {name: before[name] for name in ("objective", "minutes", "epochs")},
        "learning_rate": options.learning_rate,
        "objective": f"L_{options.iwae}" if options.iwae else "ELBO",
        "minutes": round(last["update"] * seconds_of(options, data) / 60, 1),
        "minutes_by_the_clock": round(last["seconds"] / 60, 1),
        "threads": options.threads,
        "test": test.mean,
        "test_stderr": test.stderr,
        "test_elbo": test.bound,
        "thresholded_train": train.mean,
        "active": active(model, data),
        "judging_seconds": round(time.perf_counter() - begun, 1),
    }


@torch.no_grad()
def active(model: hm.VAE, data: hm.data.Dataset) -> int:
    """Units of the top layer whose posterior mean varies over cases by more than 0.01 (the paper's section 5.2)."""
    return int((model.encode(data.test)[0].var(0) > 0.01).sum())


def training_of(r: dict[str, Any]) -> str:
    """How long a model has been trained."""
    own, before = f"{r['minutes']:g} min, {r['epochs']} epochs", r.get("before")
    return own if before is None else f"{before['objective']} {before['minutes']:g} min, then {own}"


def write(results: list[dict[str, Any]]) -> None:
    """Put these rows into the table, which keeps its other rows."""
    rows = []
    for r in results:
        rows.append(
            [
                "784-200-200-50" if r["layers"] == 1 else "784-200-200-100-100-100-50",
                r["objective"],
                training_of(r),
                f"{r['test']:.2f} +- {r['test_stderr']:.2f}",
                f"{r['test_elbo']:.2f}",
                str(r["active"]),
                f"{PUBLISHED.get((r['layers'], r['k']), float('nan')):.2f} (3,280 epochs)",
                ex.measured(),
            ]
        )
    new = [row[:3] for row in rows]
    rows = sorted(rows + [row for row in ex.rows_of("mnist-vae") if row[:3] not in new], key=lambda row: len(row[0]))
    header = ["network", "objective", "training", f"test, L_{SAMPLES:,}", "test, ELBO", "active units on top",
              "Burda et al. 2016", "measured"]  # fmt: skip
    note = "`reproduce/mnist_vae.py`; minutes are of processor time on one core: other trainings were running."
    ex.publish("mnist-vae", header, rows, note, threads=results[0]["threads"])


if __name__ == "__main__":
    main()
