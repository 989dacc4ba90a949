"""The value of an RBM that learned MNIST without labels, for classification with few labels.

    python reproduce/mnist_rbm.py --minutes 30 --dynamic --out runs/mnist-30
    python reproduce/mnist_few_labels.py --rbm runs/mnist-30/model.safetensors --write

One network, 784-500-10 with sigmoid units, from the RBM's weights or from torch's random start.  Dropout and the
learning rate of the first layer are chosen for each start, size and seed by the same number of further labelled cases;
then the test set is used once.  Needs HARMONIUM_DATA with mnist/*.gz.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from statistics import mean, stdev

import experiment as ex
import torch
from torch import Tensor, nn
from torch.nn import functional

import harmonium as hm

SIZES = {100: 200, 1000: 60, 10_000: 20}
"""Numbers of labels, and the epochs of training on them, in batches of 100."""


def main() -> None:
    parser = ex.arguments(__doc__, out=None, seed=False)
    parser.add_argument("--rbm", type=Path, required=True, help="an RBM 784-500 trained on MNIST without labels")
    parser.add_argument("--seeds", type=int, default=5)
    options = ex.options_of(parser)
    rbm = hm.load(options.rbm)
    data = hm.data.load("mnist")
    assert data.test is not None
    x, y = torch.as_tensor(data.train[:]).float(), torch.as_tensor(data.labels.train).long()
    test = torch.as_tensor(data.test[:]).float(), torch.as_tensor(data.labels.test).long()
    rows, begun = [], time.perf_counter()
    for size, epochs in SIZES.items():
        errors: dict[str, list[float]] = {"random": [], "pretrained": []}
        for seed in range(options.seeds):
            index = balanced(y, 2 * size, seed)
            train, valid = (x[index[:size]], y[index[:size]]), (x[index[size:]], y[index[size:]])
            for start, found in errors.items():
                net = chosen(rbm if start == "pretrained" else None, train, valid, epochs, seed)
                found.append(error(net, *test))
                print(f"{size} labels, seed {seed}, {start}: {found[-1]:.2f} % test error", flush=True)
        gains = [a - b for a, b in zip(errors["random"], errors["pretrained"], strict=True)]
        rows.append([f"{size:,}", *(spread(values) for values in (errors["random"], errors["pretrained"], gains))])
    header = ["labels", "random start, test error %", "pretrained, test error %", "gain, points"]
    note = f"Mean and standard deviation over {options.seeds} seeds; {time.perf_counter() - begun:.0f} s in all."
    print(f"{ex.table(header, rows)}\n\n{note}")
    if options.write:
        ex.publish("mnist-few-labels", header, rows, note, threads=options.threads)


def balanced(y: Tensor, count: int, seed: int) -> Tensor:
    """Indices of the same number of cases of every class; both halves are balanced."""
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    classes = [order[y[order] == c][: count // 10] for c in range(10)]
    return torch.stack(classes, 1).flatten()


def chosen(
    rbm: hm.RBM | None, train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor], epochs: int, seed: int
) -> nn.Module:
    """The network of the setting with the lowest cross-entropy on the validation cases."""
    rates = (0.0, 1e-4, 1e-3) if rbm is not None else (1e-3, 3e-3)
    nets = [fitted(rbm, *train, epochs, rate, drop, seed) for rate, drop in itertools.product(rates, (0.0, 0.5))]
    with torch.no_grad():
        losses = [float(functional.cross_entropy(net(valid[0]), valid[1])) for net in nets]
    return nets[losses.index(min(losses))]


def fitted(rbm: hm.RBM | None, x: Tensor, y: Tensor, epochs: int, rate: float, drop: float, seed: int) -> nn.Module:
    """The network after training with Adam; ``rate`` is that of the first layer."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(784, 500), nn.Sigmoid(), nn.Dropout(drop), nn.Linear(500, 10))
        first, last = net[0], net[3]
        if rbm is not None:
            with torch.no_grad():
                first.weight.copy_(rbm.weights.T)
                first.bias.copy_(rbm.hidden_bias)
        groups = [{"params": first.parameters(), "lr": rate}, {"params": last.parameters(), "lr": 3e-3}]
        optimizer = torch.optim.Adam(groups)
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(100):
                optimizer.zero_grad()
                functional.cross_entropy(net(x[batch]), y[batch]).backward()
                optimizer.step()
    return net.eval()


@torch.no_grad()
def error(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Wrong classes in per cent."""
    return 100 * float((net(x).argmax(1) != y).float().mean())


def spread(values: list[float]) -> str:
    return f"{mean(values):.2f} +- {stdev(values):.2f}"


if __name__ == "__main__":
    main()
