"""Training of feed-forward classifiers by backpropagation."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from harmonium import kernels
from harmonium.core.checks import check_int, check_non_negative, check_pair, check_positive
from harmonium.core.random import RandomAddress, Stream, as_stream
from harmonium.data import Cases, as_cases
from harmonium.models.arrays import Array
from harmonium.models.initial import glorot_
from harmonium.recipes.batches import Batches, check_finite
from harmonium.training.eager import eager
from harmonium.training.optimizers import set_learning_rate

__all__ = ["as_targets", "errors", "finetune", "random_start", "with_dropout"]


def finetune(
    network: nn.Sequential,
    data: Array,
    labels: Array,
    *,
    validation: tuple[Array, Array] | None = None,
    epochs: int = 30,
    batch_size: int = 100,
    learning_rate: float = 1e-3,
    dropout: float | tuple[float, float] = 0.0,
    weight_decay: float = 0.0,
    patience: int | None = None,
    seed: int | Stream = 0,
    progress: bool = False,
) -> list[dict[str, float]]:
    """Train a classifier in place with cross-entropy and AdamW, under a cosine schedule that falls to 0.

    Args:
        network: from cases (n, features) to logits (n, classes), for example `DBN.to_classifier`.
        data: cases, (n, features).
        labels: class numbers from 0, (n,).
        validation: (cases, labels) that select the best epoch: the fewest errors, then the least cross-entropy.
            Without them the last epoch is kept.
        epochs: passes over the data.
        batch_size: cases per update.
        learning_rate: of the first update.
        dropout: probability of dropping an input of a Linear layer, or two: for the first and for the later ones
            (Hinton et al. 2012); the others are scaled up, so that the network itself does not change.
        weight_decay: decoupled weight decay (Loshchilov & Hutter 2019), on biases too.
        patience: stop after this number of epochs without improvement; None: never.
        seed: an int or a stream.
        progress: show a progress bar.

    Returns:
        one row per epoch: "cross_entropy" of the training batches (nats), and "error" (a fraction) and
        "valid_cross_entropy" of the validation cases.

    Raises:
        ValueError: for cases with missing values, labels that do not fit the cases or classes, or arguments out of
            range.
        DivergedError: if parameters are no longer finite.

    >>> import harmonium as hm
    >>> data = hm.data.load("digits")
    >>> network = hm.DBN([64, 30]).to_classifier(10)
    >>> rows = hm.finetune(network, data.train, data.labels.train, epochs=2)
    """
    wait = 1 if patience is None else patience
    epochs = check_int("epochs", epochs)
    batch_size = check_int("batch_size", batch_size)
    wait = check_int("patience", wait)
    drop = _probabilities(dropout)
    learning_rate = check_positive("learning_rate", learning_rate)
    weight_decay = check_non_negative("weight_decay", weight_decay)
    check_pair("validation", validation)
    if patience is not None and validation is None:
        raise ValueError("patience needs validation cases: pass validation=(cases, labels)")
    cases, target = as_targets(network, data, labels, "labels")
    valid = None if validation is None else as_targets(network, *validation, "validation labels")
    root = as_stream(seed).child("finetune")
    like = next(network.parameters())
    draws = root.child("dropout")
    # Fused: one pass over the parameters takes a quarter of the time of single operations.
    optimizer = eager(torch.optim.AdamW)(network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
    best, kept, since = (math.inf, math.inf), None, 0
    rows: list[dict[str, float]] = []
    with Batches(len(cases), epochs, batch_size, root, progress) as batches:
        for epoch in range(epochs):
            total = 0.0
            for index, done in batches.of_epoch(epoch):
                set_learning_rate(optimizer, learning_rate * 0.5 * (1 + math.cos(math.pi * done)))
                x = cases.rows(index, epoch=epoch, dtype=like.dtype, device=like.device)
                optimizer.zero_grad()
                logits = with_dropout(network, x, drop, index, draws.advance())
                loss = functional.cross_entropy(logits, target[index])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                total += float(loss.detach()) * len(index)
            check_finite(network.parameters(), epoch)
            row = {"epoch": epoch + 1, "cross_entropy": total / len(cases)}
            if valid is not None:
                row["error"], row["valid_cross_entropy"] = errors(network, *valid)
                score = row["error"], row["valid_cross_entropy"]
                since += 1
                if score < best:
                    best, kept, since = score, copy.deepcopy(network.state_dict()), 0
                batches.bar.set_postfix({"valid error": f"{100 * row['error']:.2f} %"})
            rows.append(row)
            if patience is not None and since >= patience:
                break
    if kept is not None:
        network.load_state_dict(kept)
    return rows


@torch.no_grad()
def errors(network: nn.Module, cases: Cases, target: Tensor) -> tuple[float, float]:
    """Fraction of misclassified cases, and mean cross-entropy in nats."""
    like = next(network.parameters())
    wrong = entropy = 0.0
    for start, x in cases.chunks(1024, dtype=like.dtype, device=like.device):
        logits, y = network(x), target[start : start + len(x)]
        wrong += float((logits.argmax(-1) != y).sum())
        entropy += float(functional.cross_entropy(logits, y, reduction="sum"))
    return wrong / len(cases), entropy / len(cases)


@torch.no_grad()
def random_start(network: nn.Sequential, seed: int | Stream = 0) -> nn.Sequential:
    """Build the same network with random weights (Glorot & Bengio 2010) and biases 0.

    Weights into a Sigmoid are four times as large, because its slope at 0 is 1/4.
    """
    fresh, stream = copy.deepcopy(network), as_stream(seed).child("random_start")
    for place, layer in enumerate(fresh):
        if isinstance(layer, nn.Linear):
            before_sigmoid = place + 1 < len(fresh) and isinstance(fresh[place + 1], nn.Sigmoid)
            glorot_(layer.weight, stream.child(place), gain=4.0 if before_sigmoid else 1.0)
            layer.bias.zero_()
    return fresh


def as_targets(network: nn.Sequential, data: Array, labels: Array, name: str) -> tuple[Cases, Tensor]:
    """Check cases and class numbers against each other and the network; the numbers become int64 (n,)."""
    if not isinstance(network, nn.Sequential):
        raise TypeError(f"network must be a torch.nn.Sequential such as dbn.to_classifier(10), found "
                        f"{type(network).__name__}")  # fmt: skip
    cases = as_cases(data)
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    if not linear:
        raise ValueError("network has no Linear layer: nothing to train")
    width = next(layer.in_features for layer in network if hasattr(layer, "in_features"))
    if cases.shape[1] != width:
        raise ValueError(f"data has {cases.shape[1]} columns; the network takes {width}")
    whose = "data" if name == "labels" else f"{name.removesuffix(' labels')} data"
    for start, x in cases.chunks(1024, dtype=torch.float64):
        if bool(torch.isnan(x).any()):
            row, column = (int(i) for i in torch.isnan(x).nonzero()[0])
            raise ValueError(
                f"{whose} has a missing value (NaN) in {cases.row_name(row, start)}, column {column}: a network takes "
                "complete cases; fill the gaps first, for example with harmonium.impute"
            )
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.shape != (len(cases),):
        raise ValueError(f"{name} has shape {array.shape}; expected ({len(cases)},), one class number per case")
    if array.dtype.kind not in "biu":
        raise ValueError(f"{name} must be integers, found dtype {array.dtype}: number the classes from 0")
    classes = linear[-1].out_features
    if array.min() < 0 or array.max() >= classes:
        bad = array.min() if array.min() < 0 else array.max()
        raise ValueError(f"{name} has the class {bad}; the network has classes 0 to {classes - 1}")
    return cases, torch.from_numpy(array.astype(np.int64)).to(linear[0].weight.device)


def _probabilities(dropout: float | tuple[float, float]) -> tuple[float, float]:
    """Dropout probabilities of the first Linear layer and of the later ones."""
    pair = tuple(dropout) if isinstance(dropout, Sequence) else (dropout, dropout)
    if len(pair) != 2 or not all(isinstance(p, Real) and 0 <= p < 1 for p in pair):
        raise ValueError(f"dropout must be one or two probabilities from 0 to below 1, found {dropout!r}")
    return pair


def with_dropout(
    network: nn.Sequential, x: Tensor, dropout: tuple[float, float], index: Tensor, draw: RandomAddress
) -> Tensor:
    """Apply the network with random inputs of its Linear layers dropped; ``index`` has the numbers of the cases."""
    linear = 0
    for layer in network:
        if isinstance(layer, nn.Linear):
            p = dropout[min(linear, 1)]
            if p:
                kept = torch.full(x.shape, 1 - p, dtype=layer.weight.dtype, device=x.device)  # x: bfloat16 by autocast
                x = x * kernels.bernoulli_rows(kept, index, draw.at(linear)).div_(1 - p)
            linear += 1
        x = layer(x)
    return x
