"""Classify MNIST (the original IDX files, all labels) by networks that a deep belief network 784-1000-1000 and a deep
Boltzmann machine 784-500-1000 have pretrained, and by networks of the same layers from a random start.

    python reproduce/mnist_finetune.py --out runs/mnist-finetune            # about 40 minutes on one thread
    python reproduce/mnist_finetune.py --out runs/mnist-finetune --write    # put the results into docs/benchmarks

Needs HARMONIUM_DATA to point to a folder with mnist/*.gz.  Both machines learn layer by layer, the DBM then
jointly, from the 60,000 training images without labels, binarised in every epoch.  The networks see grey images; that
of the DBM also sees the mean field of its second layer.

The learning rate is chosen for each start separately by short trainings on 50,000 images: the least error (then
cross-entropy) on the other 10,000 after the last epoch.  The network is then trained once more, longer, on all 60,000
images, and after its last epoch it classifies the test set: once per start.  Labels and dropout are used in fine-tuning
only.  Every finished training is kept in OUT/results.json; given again, the command continues with the missing ones.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from typing import Any

import experiment as ex
import numpy as np
import torch
from torch import nn

import harmonium as hm
from harmonium.recipes.finetune import errors, random_start
from harmonium.recipes.greedy import fit_or_resume

DBN, DBM = [784, 1000, 1000], [784, 500, 1000]
STARTS = {
    "dbn": "DBN 784-1000-1000",
    "dbm": "DBM 784-500-1000",
    "random-dbn": "784-1000-1000, random start",
    "random-dbm": "784-500-1000, random start",
}
RATES = (1e-3, 3e-3)
DROPOUT = (0.2, 0.5)
"""Of the inputs and of the hidden units."""
Results = dict[str, dict[str, float]]
Splits = dict[str, tuple[hm.data.Cases, Any]]


def main() -> None:
    parser = ex.arguments(
        __doc__, out="folder of runs and results", seed=False, write="put the results into docs/benchmarks"
    )
    parser.add_argument("--starts", nargs="*", choices=list(STARTS), default=list(STARTS))
    parser.add_argument("--pretrain-epochs", type=int, default=12, help="of each machine of the DBN and of the DBM")
    parser.add_argument("--joint-epochs", type=int, default=3, help="of all layers of the DBM together")
    parser.add_argument("--choose-epochs", type=int, default=8, help="of the trainings that choose")
    parser.add_argument("--epochs", type=int, default=50, help="of the last training, on all images")
    parser.add_argument("--only-choose", action="store_true", help="leave the last training and the test set alone")
    options = ex.options_of(parser)
    options.out.mkdir(parents=True, exist_ok=True)
    store = options.out / "results.json"
    results: Results = json.loads(store.read_text()) if store.exists() else {}
    if options.write:
        write(results, options)
        return

    def train(key: str, start: nn.Sequential, split: Splits, judge: str, rate: float, n: int) -> None:
        if key not in results:
            begun = time.perf_counter()
            network = tuned(start, split["train"], rate, n)
            results[key] = judged(network, split[judge]) | {
                "seconds": round(time.perf_counter() - begun, 1),
                "epochs": n,
                "pretrain_epochs": 0 if "random" in key else options.pretrain_epochs,
                "joint_epochs": options.joint_epochs if key.startswith("dbm") else 0,
            }
            if store.exists():  # another process may train another start into the same folder
                results.update(json.loads(store.read_text()) | {key: results[key]})
            store.write_text(json.dumps(results, indent=1) + "\n")
            print(key, results[key], flush=True)

    for start in options.starts:
        network, inputs = begin(start, options)
        part = seen(hm.data.load("mnist", binarize="grey", valid=10_000), inputs)
        for rate in RATES:
            train(f"{start}/{rate:g}", network, part, "valid", rate, options.choose_epochs)
        if options.only_choose:
            continue
        whole = seen(hm.data.load("mnist", binarize="grey"), inputs)
        train(f"{start}/test", network, whole, "test", chosen(results, start), options.epochs)
    print(*rows_of(results), sep="\n")


def begin(start: str, options: argparse.Namespace) -> tuple[nn.Sequential, nn.Module]:
    """(network to train, its fixed part): outputs of the fixed part are computed once."""
    stream, drawn = hm.Stream(0, "mnist_finetune"), hm.data.load("mnist", binarize="dynamic").train
    # Not from the transpose of the first machine: its hidden units would start as copies of the pixels.
    layerwise: dict[str, Any] = {
        "transposed": False, "objective": hm.PCD(k=1, chains=100), "epochs": options.pretrain_epochs,
        "learning_rate": hm.schedules.Linear(0.05), "penalties": [hm.training.WeightDecay(2e-4)], "progress": True,
    }  # fmt: skip
    if start == "dbn":
        dbn = hm.DBN(DBN)
        hm.greedy(dbn, drawn, out=options.out / "dbn", **layerwise)
        return with_tanh(dbn.to_classifier(10, stream)), nn.Identity()
    if start == "dbm":
        dbm = hm.DBM(DBM)
        hm.greedy(dbm, drawn, out=options.out / "dbm", **layerwise)
        together: dict[str, Any] = {
            "objective": hm.PCD(k=5, chains=100, inference=hm.objectives.MeanField(10, 1e-2)),
            "epochs": options.joint_epochs,
            "learning_rate": hm.schedules.Linear(0.01),
            "penalties": [hm.training.WeightDecay(2e-4)],
            "progress": True,
        }
        dbm, _ = fit_or_resume(dbm, drawn, options.out / "dbm" / "joint", validation=None, **together)
        network = dbm.to_classifier(10, stream)
        return with_tanh(network[1:], DBM[0]), Spins(network[0], DBM[0])
    layers = DBN if start == "random-dbn" else DBM
    return random_start(with_tanh(hm.DBN(layers).to_classifier(10, stream)), stream), nn.Identity()


class Spins(nn.Module):
    """Outputs of ``inputs``, from 0 to 1, with those from number ``first`` on scaled to -1 to 1."""

    def __init__(self, inputs: nn.Module, first: int) -> None:
        super().__init__()
        self.inputs, self.first = inputs, first

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        x = self.inputs(v)
        return torch.cat((x[:, : self.first], 2 * x[:, self.first :] - 1), -1)


@torch.no_grad()
def with_tanh(network: nn.Sequential, first: int | None = None) -> nn.Sequential:
    """Rewrite a network with hidden units from -1 to 1: sigmoid(x) = (1 + tanh(x / 2)) / 2.

    Dropout and Adam then work around the middle of a unit, not around one of its ends: the DBN learns as fast as with
    sigmoids at three times the rate.  Inputs of the first layer from number ``first`` on range from -1 to 1.
    """
    layers: list[nn.Module] = []
    for layer in copy.deepcopy(network):
        if isinstance(layer, nn.Linear):
            spins = slice(0 if layers else layer.in_features if first is None else first, None)
            layer.bias += layer.weight[:, spins].sum(1) / 2
            layer.weight[:, spins] /= 2
        elif isinstance(layer, nn.Sigmoid):
            before = layers[-1]
            assert isinstance(before, nn.Linear)
            before.weight /= 2
            before.bias /= 2
            layer = nn.Tanh()
        layers.append(layer)
    return nn.Sequential(*layers)


@torch.no_grad()
def seen(grey: hm.data.Dataset, inputs: nn.Module) -> Splits:
    """Inputs of the network for every case, with the labels, by split."""
    found: Splits = {}
    for name in ("train", "valid", "test"):
        cases, labels = getattr(grey, name), getattr(grey.labels, name)
        if cases is not None:
            if not isinstance(inputs, nn.Identity):
                chunks = [inputs(v).numpy() for _, v in cases.chunks(1024, dtype=torch.float32)]
                cases = hm.data.as_cases(np.concatenate(chunks))
            found[name] = cases, labels
    return found


def tuned(network: nn.Sequential, data: tuple[hm.data.Cases, Any], rate: float, epochs: int) -> nn.Sequential:
    """A copy of the network after the last epoch of fine-tuning."""
    network = copy.deepcopy(network)
    # Products in bfloat16, parameters and their updates in float32; no cache, which would keep the weights of update 1.
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        rows = hm.finetune(
            network, *data, epochs=epochs, batch_size=100, learning_rate=rate, dropout=DROPOUT, progress=True
        )
    print(f"training cross-entropy {rows[-1]['cross_entropy']:.4f}", flush=True)
    return network


def judged(network: nn.Sequential, data: tuple[hm.data.Cases, Any]) -> dict[str, float]:
    """Error in percent, and cross-entropy in nats."""
    cases, labels = data
    wrong, entropy = errors(network, cases, torch.as_tensor(np.asarray(labels), dtype=torch.int64))
    return {"error": round(100 * wrong, 4), "cross_entropy": entropy}


def chosen(results: Results, start: str) -> float:
    """The rate with the least validation error."""

    def score(rate: float) -> tuple[float, float]:
        found = results[f"{start}/{rate:g}"]
        return found["error"], found["cross_entropy"]

    return min(RATES, key=score)


def rows_of(results: Results) -> list[list[str]]:
    """One row per start that has been tested."""
    rows = []
    for start, name in STARTS.items():
        if f"{start}/test" in results:
            rate = chosen(results, start)
            valid, test = results[f"{start}/{rate:g}"], results[f"{start}/test"]
            minutes = f"{test['seconds'] / 60:.0f} min"
            before = f"{test['pretrain_epochs']:g}" + (f" + {test['joint_epochs']:g}" if test["joint_epochs"] else "")
            epochs = f"{test['epochs']:g}"
            rows.append([name, f"{test['error']:.2f}", f"{valid['error']:.2f}", f"{rate:g}", before, epochs, minutes])
    return rows


def write(results: Results, options: argparse.Namespace) -> None:
    """One table in docs/benchmarks."""
    header = [
        "network, from", "test error in %", "validation error in % when chosen", "chosen rate", "pretraining, epochs",
        "last training, epochs", "last training",
    ]  # fmt: skip
    note = (
        "MNIST, original files, all labels, one training each; a test error of 1 % has a standard error of 0.1. Both "
        "models saw the 60,000 training images without labels. Pretraining epochs are per layer, for the DBM plus "
        f"those of both layers. The rate, {RATES[0]:g} or {RATES[1]:g}, was chosen by {options.choose_epochs} epochs "
        "on 50,000 images, evaluated on the other 10,000. The last training used all 60,000, and its last epoch was "
        "tested. Labels and dropout (0.2 of the inputs, 0.5 of the hidden units) were used in fine-tuning only. Hidden "
        "units were written as tanh, the same function; no images were altered; products are in bfloat16. Minutes are "
        "those of a machine that was busy with other work."
    )
    ex.publish("mnist-finetune", header, rows_of(results), note, threads=options.threads)


if __name__ == "__main__":
    main()
