"""The VAE and the importance-weighted autoencoder of Burda et al. (2016, table 1) on MNIST, binarised anew every epoch.

    python reproduce/mnist_vae.py --minutes 18 --out runs/vae                      # 784-200-200-50
    python reproduce/mnist_vae.py --minutes 60 --iwae 50 --out runs/iwae           # the same by L_50
    python reproduce/mnist_vae.py --minutes 60 --iwae 50 --layers 2 --out runs/iwae-2
    python reproduce/mnist_vae.py --epochs 10 --iwae 50 --start runs/vae --learning-rate 3e-4 --out runs/vae-iwae
    python reproduce/mnist_vae.py --write runs/vae runs/iwae runs/iwae-2           # their table, on docs/benchmarks

Needs HARMONIUM_DATA to point to a folder with mnist/*.gz.  A run that was broken off goes on when the command is given
again.  Test cases are judged by 5,000 importance samples each, as in the paper.  The recipe differs from the paper's in
its batch size (100 for 20), its first learning rate (0.003 for 0.001, by validation cases after nine epochs) and in how
long it trains; nothing was chosen on test cases.
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
from report import machine, measured, replace_section, rows_of, table

BATCH, SAMPLES = 100, 5000
PUBLISHED = {(1, 1): -86.76, (1, 50): -84.78, (2, 1): -85.33, (2, 50): -82.90}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=18.0, help="of processor time, planned by a measured update")
    parser.add_argument("--epochs", type=int, help="train that long instead")
    parser.add_argument("--iwae", type=int, default=0, metavar="K", help="ascend L_K; default: the ELBO")
    parser.add_argument("--layers", type=int, choices=(1, 2), default=1, help="of latent units")
    parser.add_argument("--start", type=Path, metavar="RUN", help="go on from the model of this run, trained before")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="at the start; it falls to 1e-4")
    parser.add_argument("--out", type=Path, help="run folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, nargs="+", metavar="RUN", help="put these results into docs/benchmarks")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.write:
        write([json.loads((run / "result.json").read_text()) for run in options.write])
        return
    data = hm.data.load("mnist", binarize="dynamic", valid=1000)
    if (options.out / "config.json").exists():
        model, history = hm.resume(options.out, optimizer=adam, progress=True)
    else:
        model = hm.load(options.start / "model.safetensors") if options.start else vae(options.layers)
        seconds = seconds_per_update(options, data)
        epochs = options.epochs or max(4, round(options.minutes * 60 / (seconds * -(-len(data.train) // BATCH))))
        print(f"{seconds * 1e3:.2f} ms per update: {epochs} epochs in {options.minutes:g} minutes", flush=True)
        history = hm.fit(
            model,
            data.train,
            objective=objective(options),
            epochs=epochs,
            batch_size=BATCH,
            learning_rate=hm.schedules.Exponential(options.learning_rate, 1e-4),
            optimizer=adam,
            validation=data.valid,
            callbacks=[hm.training.LikelihoodMonitor(every=max(1, epochs // 20), samples=100)],
            seed=options.seed,
            out=options.out,
            progress=True,
        )
    judge(model, history, data, options)


def vae(layers: int) -> hm.VAE:
    if layers == 1:
        return hm.VAE((28, 28), 50, (200, 200))
    return hm.VAE((28, 28), (100, 50), ((200, 200), (100, 100)))


def adam(parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    """The paper's: a large epsilon damps parameters whose gradients are small."""
    return torch.optim.Adam(parameters, lr=1e-3, eps=1e-4, fused=True)


def objective(options: argparse.Namespace) -> hm.objectives.Objective:
    return hm.IWAE(options.iwae, bfloat16=True) if options.iwae else hm.ELBO()


def seconds_per_update(options: argparse.Namespace, data: hm.data.Dataset) -> float:
    """Of processor time, the median on a throw-away model: others may be working on the machine.

    The plan must be fixed before training, or it could not be resumed exactly.
    """
    rows = hm.data.as_cases(data.train[: (20 if options.iwae else 200) * BATCH].round())
    times: list[float] = []

    class Clock(hm.training.Callback):
        def on_update(self, training) -> None:  # type: ignore[no-untyped-def]
            times.append(time.process_time())

    hm.fit(
        vae(options.layers), rows, objective=objective(options), batch_size=BATCH, epochs=1, optimizer=adam,
        callbacks=[Clock()],
    )  # fmt: skip
    return statistics.median(after - before for before, after in itertools.pairwise(times))


def judge(model: hm.VAE, history: hm.training.History, data: hm.data.Dataset, options: argparse.Namespace) -> None:
    """Test nats by importance sampling, and how many latent units the encoder uses."""
    print(f"{SAMPLES:,} importance samples for each of {len(data.test):,} test cases ...", flush=True)
    begun = time.perf_counter()
    test = hm.evaluate(model, data.test, samples=SAMPLES)
    train = hm.evaluate(model, data.train[:2000].round(), samples=100)
    last, seconds = history.rows[-1], seconds_per_update(options, data)
    before = None
    if options.start:
        known = json.loads((options.start / "result.json").read_text())
        before = {name: known[name] for name in ("objective", "minutes", "epochs")}
    result = {
        "layers": options.layers,
        "k": options.iwae or 1,
        "before": before,
        "learning_rate": options.learning_rate,
        "objective": f"L_{options.iwae}" if options.iwae else "ELBO",
        "minutes": round(last["update"] * seconds / 60, 1),
        "minutes_by_the_clock": round(last["seconds"] / 60, 1),
        "epochs": last["epoch"],
        "updates": last["update"],
        "threads": options.threads,
        "test": test.mean,
        "test_stderr": test.stderr,
        "test_elbo": test.bound,
        "thresholded_train": train.mean,
        "active": active(model, data),
        "judging_seconds": round(time.perf_counter() - begun, 1),
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


@torch.no_grad()
def active(model: hm.VAE, data: hm.data.Dataset) -> int:
    """Units of the top layer whose posterior mean varies over cases by more than 0.01 (the paper's section 5.2)."""
    return int((model.encode(data.test)[0].var(0) > 0.01).sum())


def told(r: dict[str, Any]) -> str:
    """How long a model was trained."""
    own, before = f"{r['minutes']:g} min, {r['epochs']} epochs", r.get("before")
    return own if before is None else f"{before['objective']} {before['minutes']:g} min, then {own}"


def write(results: list[dict[str, Any]]) -> None:
    """Put these rows into the table, which keeps its others."""
    rows = []
    for r in results:
        rows.append(
            [
                "784-200-200-50" if r["layers"] == 1 else "784-200-200-100-100-100-50",
                r["objective"],
                told(r),
                f"{r['test']:.2f} +- {r['test_stderr']:.2f}",
                f"{r['test_elbo']:.2f}",
                str(r["active"]),
                f"{PUBLISHED.get((r['layers'], r['k']), float('nan')):.2f} (3,280 epochs)",
                measured(),
            ]
        )
    fresh = [row[:3] for row in rows]
    rows = sorted(rows + [row for row in rows_of("mnist-vae") if row[:3] not in fresh], key=lambda row: len(row[0]))
    header = ["network", "ascended", "training", f"test, L_{SAMPLES:,}", "test, ELBO", "active units on top",
              "Burda et al. 2016", "measured"]  # fmt: skip
    note = machine(results[0]["threads"], {"torch": {torch.__version__}, "harmonium": {hm.__version__}})
    text = (
        f"### VAE and importance-weighted autoencoder, MNIST binarised anew every epoch\n\n{table(header, rows)}"
        f"\n\n{note} `reproduce/mnist_vae.py`; minutes are of processor time on one core: other trainings were running."
    )
    replace_section("mnist-vae", text)


if __name__ == "__main__":
    main()
