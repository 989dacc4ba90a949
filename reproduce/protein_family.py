"""Train a categorical RBM on a family of proteins (PF00014, Kunitz domains) and judge its likelihood and correlations.

    python reproduce/protein_family.py --out runs/pf00014
    python reproduce/protein_family.py --out runs/pf00014 --write     # a judged run: only put it on the page

The alignment has 13,600 sequences of 53 sites with 21 states (20 amino acids and the gap), many of them near copies of
others.  Sequences that agree in at least 80 % of their sites are neighbours: each has the weight one over the number of
its neighbours, itself included, and connected components of neighbours stay on one side of the split, so that no test
sequence has a neighbour in the training data.  Model and epoch are chosen by the validation sequences only.

The connected correlations c_ij(a, b) = f_ij(a, b) - f_i(a) f_j(b) of all pairs of sites i < j and states a, b of the
(weighted) test sequences are compared with those of the model's samples and of the training sequences, by Pearson's r.
Needs HARMONIUM_DATA with PF00014.fasta.  An interrupted run continues when the command is given again; the model is
kept in OUT/model.safetensors, the result in OUT/result.json.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import experiment as ex
import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

import harmonium as hm
from harmonium.data.split import split_off

SITES, STATES = 53, 21
BATCH, CHAINS = 100, 500


class Part(NamedTuple):
    """Sequences of one side of the split, codes (n, sites), with their weights (n,)."""

    codes: np.ndarray[Any, Any]
    weights: np.ndarray[Any, np.dtype[np.float64]]


def main() -> None:
    parser = ex.arguments(__doc__)
    parser.add_argument("--hidden", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=90)
    parser.add_argument("--rate", type=float, default=0.3, help="learning rate at the start; falls linearly to zero")
    parser.add_argument("--weight-decay", type=float, default=1.5e-3)
    parser.add_argument("--k", type=int, default=2, help="Gibbs sweeps per update")
    parser.add_argument("--temperatures", type=int, default=3000, help="of the final log Z")
    parser.add_argument("--samples", type=int, default=4000, help="chains that the model's correlations come from")
    parser.add_argument("--steps", type=int, default=500, help="sweeps of each of them, from the base rate on")
    options = ex.options_of(parser)
    if not (options.write and ex.load_result(options.out)):  # a judged run is only published
        parts = family(Path(os.environ["HARMONIUM_DATA"]) / "PF00014.fasta")
        for name, part in parts.items():
            print(f"{name}: {len(part.codes):,} sequences, effectively {part.weights.sum():,.0f}", flush=True)
        model, history = train(parts, options)
        setting = {name: getattr(options, name) for name in ("hidden", "k", "rate", "weight_decay", "threads")}
        ex.save_result(options.out, judged(model, parts, options) | setting | ex.summary_of(history))
    if options.write:
        write(ex.load_result(options.out))


def family(path: Path) -> dict[str, Part]:
    """The alignment, weighted and split by whole clusters: 70 % of them to train, 10 % valid, 20 % test."""
    codes = hm.data.load(path).train[:].astype(np.uint8)
    near = hm.data.neighbours(codes, identity=0.8)
    weights = 1.0 / near.sum(1)
    count, cluster = connected_components(near, directed=False)
    parts = {}
    for name, chosen in split_off(count, {"valid": 0.1, "test": 0.2}, seed=0).items():
        here = np.isin(cluster, chosen)
        parts[name] = Part(codes[here], weights[here])
    return parts


def train(parts: dict[str, Part], options: argparse.Namespace) -> tuple[hm.models.Machine, hm.training.History]:
    """Centered PCD; the epoch with the best lower bound of the validation likelihood is kept."""
    codes, weights = parts["train"]

    def plan() -> tuple[Any, dict[str, Any]]:
        model = hm.RBM(hm.Categorical(SITES, STATES), options.hidden)
        return model, {
            "objective": hm.PCD(k=options.k, chains=CHAINS),
            "epochs": options.epochs,
            "batch_size": BATCH,
            "learning_rate": hm.schedules.Linear(options.rate),
            "average": hm.training.Average(),
            "penalties": [hm.training.WeightDecay(options.weight_decay)],
            "validation": parts["valid"].codes,
            "sample_weight": weights,
            "callbacks": [
                hm.training.Monitor(every=max(1, options.epochs // 20)),
                hm.training.LikelihoodMonitor(
                    every=max(1, options.epochs // 6), start=options.epochs // 2, temperatures=1000
                ),
                hm.training.EarlyStopping("log_likelihood_lower", patience=None),
            ],
            "seed": options.seed,
        }

    again = {"data": codes, "validation": parts["valid"].codes}
    found: tuple[hm.models.Machine, hm.training.History] = ex.trained(options.out, codes, plan, **again)
    return found


def frequencies(codes: np.ndarray[Any, Any] | Tensor, weights: np.ndarray[Any, Any] | None = None) -> Tensor:
    """f_ij(a, b), float64, (sites states, sites states); its diagonal is f_i(a)."""
    states = torch.nn.functional.one_hot(torch.as_tensor(codes).long(), STATES).flatten(1).double()
    w = torch.ones(len(states), dtype=torch.float64) if weights is None else torch.from_numpy(weights)
    return (states * (w / w.sum()).unsqueeze(-1)).T @ states


def connected(pairs: Tensor) -> Tensor:
    """c_ij(a, b) = f_ij(a, b) - f_i(a) f_j(b) for all sites i < j and states a, b, flat."""
    single = pairs.diagonal()
    blocks = (pairs - torch.outer(single, single)).view(SITES, STATES, SITES, STATES).transpose(1, 2)
    i, j = torch.triu_indices(SITES, SITES, offset=1)
    return blocks[i, j].flatten()


def sampled_frequencies(model: hm.models.Machine, chains: int, steps: int) -> Tensor:
    """Pair frequencies of the model's samples at ten times, (10, sites states, sites states).

    Chains from the base rate use half of the sweeps as burn-in, and are recorded ten times in the other half.  Most
    correlations are near zero, so r is limited by the noise of 1 / samples in each of them.
    """
    codes = hm.sample(model, chains, sweeps=steps // 2, seed=1)
    looks = []
    for look in range(10):
        codes = hm.sample(model, chains, sweeps=steps // 20, init=codes, seed=2 + look)
        looks.append(frequencies(codes))
    return torch.stack(looks)


def compare(model: hm.models.Machine, parts: dict[str, Part], options: argparse.Namespace) -> dict[str, float]:
    """Pearson's r between the connected correlations of the model, of the test and of the training sequences."""
    train, test = (connected(frequencies(*parts[name])) for name in ("train", "test"))
    looks = sampled_frequencies(model, options.samples, options.steps)
    early, late = looks.view(2, 5, *looks.shape[1:]).mean(1)
    sampled = connected(looks.mean(0))
    return {
        "r_model_test": pearson(sampled, test),
        "r_train_test": pearson(train, test),
        "r_model_train": pearson(sampled, train),
        "r_early_test": pearson(connected(early), test),
        "r_late_test": pearson(connected(late), test),
    }


def pearson(x: Tensor, y: Tensor) -> float:
    """Pearson's correlation coefficient."""
    return float(torch.corrcoef(torch.stack((x, y)))[0, 1])


@torch.no_grad()
def judged(model: hm.models.Machine, parts: dict[str, Part], options: argparse.Namespace) -> dict[str, Any]:
    """Correlations of samples against those of the test sequences; nats per sequence with the bracket of log Z."""
    begun = time.perf_counter()
    r = compare(model, parts, options)
    print(r, flush=True)
    starts = hm.sample(model, CHAINS, sweeps=500, init=model.visible.decode(model.chains), seed=3)
    z = hm.log_partition(
        model, "ais", chains=CHAINS, temperatures=options.temperatures, chains_from=starts, seed=1
    )  # fmt: skip
    print(z, flush=True)
    weighted = {
        name: float(np.average(model.log_prob(torch.from_numpy(part.codes), z.upper).numpy(), weights=part.weights))
        for name, part in parts.items()
    }
    return {
        **r,
        "sequences": {name: [len(part.codes), float(part.weights.sum())] for name, part in parts.items()},
        **ex.judge(model, {name: part.codes for name, part in parts.items()}, z),
        "weighted": weighted,
        "independent": {name: independent(model, part) for name, part in parts.items()},
        "samples": options.samples,
        "steps": options.steps,
        "judging_minutes": round((time.perf_counter() - begun) / 60, 1),
    }


def independent(model: hm.models.Machine, part: Part) -> list[float]:
    """Nats per sequence, plain and weighted mean, of independent sites with the frequencies of the training data."""
    (fields,) = model.base_rate()[0]
    log_f = torch.log_softmax(fields.double().view(SITES, STATES), -1)
    log_p = log_f[torch.arange(SITES), torch.from_numpy(part.codes).long()].sum(-1).numpy()
    return [float(log_p.mean()), float(np.average(log_p, weights=part.weights))]


def write(result: dict[str, Any]) -> None:
    """Two small tables in docs/benchmarks."""
    r_model, r_train = result["r_model_test"], result["r_train_test"]
    met = "yes" if r_model >= r_train - 0.02 else "**no**"
    first = ex.table(
        ["connected two-site correlations, Pearson's r", "measured", "must reach", "met"],
        [
            ["model and test", f"{r_model:.4f}", f">= {r_train - 0.02:.4f}", met],
            ["train and test", f"{r_train:.4f}", "", ""],
            ["model and train", f"{result['r_model_train']:.4f}", "", ""],
            [
                "model and test, first / second half of the samples",
                f"{result['r_early_test']:.4f} / {result['r_late_test']:.4f}",
                "",
                "",
            ],
        ],
    )
    rows = []
    for name in ("test", "valid", "train"):
        lower, _, upper, stderr = result[name]
        count, effective = result["sequences"][name]
        rows.append(
            [
                name,
                f"{count:,} ({effective:,.0f})",
                f"{lower:.2f} +- {stderr:.2f}",
                ex.bracket(lower, upper),
                f"{upper - lower:.2f}",
                f"{result['weighted'][name]:.2f}",
                " / ".join(f"{value:.2f}" for value in result["independent"][name]),
            ]
        )
    header = [
        "sequences", "number (effective)", "nats, by the upper log Z", "bracket", "width", "weighted mean",
        "independent sites, plain / weighted",
    ]  # fmt: skip
    trust = "log Z reliable" if result["trusted"] else "log Z not reliable"
    note = (
        f"{result['hidden']} hidden units, centered PCD-{result['k']}, {CHAINS} chains, batches of {BATCH}, learning "
        f"rate {result['rate']:g} falling linearly to zero, weight decay {result['weight_decay']:g}; epoch "
        f"{result['best_epoch']} of {result['epochs']}, {result['updates']:,} updates, {result['minutes']:g} min. The "
        f"model's correlations are those of {result['samples']:,} chains at ten times in the second half of "
        f"{result['steps']:,} sweeps from the base rate. log Z by annealed importance sampling in both directions, "
        f"{trust}: {result['why']}."
    )
    ex.publish("protein-family", header, rows, note, threads=result["threads"], before=first)


if __name__ == "__main__":
    main()
