"""Pretraining of a classifier with a deep model, compared with the same classifier from random weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harmonium.core.checks import check_int, check_options, check_pair, check_path
from harmonium.core.numbers import fixed
from harmonium.core.random import Stream, as_stream
from harmonium.data import Cases, as_cases
from harmonium.models.arrays import Array
from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.dbm import DBM
from harmonium.objectives import PCD
from harmonium.recipes.finetune import as_targets, errors, finetune, random_start
from harmonium.recipes.greedy import fit_or_resume, greedy
from harmonium.training.schedules import Linear
from harmonium.units import Bernoulli, Gaussian, Units

__all__ = ["Pretraining", "expected", "pretrain"]

UPDATES = 6000  # least number per layer; after a tenth of it, small weights make a worse start than random ones


@dataclass(frozen=True)
class Pretraining:
    """Result of `pretrain`: a classifier and the gain of pretraining.

    Attributes:
        network: the fine-tuned classifier of the first repetition, `torch.nn.Sequential`.
        model: the deep model it started from.
        classes: the labels of its outputs, in order.
        error: error rate (0 to 1) of the pretrained network, one per repetition.
        baseline: error rate of the same network from random weights, one per repetition.
        judged: the cases that the errors refer to: "test", "validation" or "training".
        cases: number of those cases.
        labelled: number of training cases with labels.
    """

    network: nn.Sequential = field(repr=False)
    model: DBN | DBM
    classes: list[Any]
    error: list[float]
    baseline: list[float]
    judged: str
    cases: int
    labelled: int

    @property
    def gain(self) -> float:
        """Mean error from random weights minus mean error after pretraining; negative if pretraining did harm."""
        return float(np.mean(self.baseline) - np.mean(self.error))

    def __str__(self) -> str:
        return (
            f"{self.judged} error with {self.labelled} labels: pretrained {_spread(self.error)}, "
            f"random start {_spread(self.baseline)}; gain {100 * self.gain:+.2f} points "
            f"({self.cases} cases, {len(self.error)} repetition{'s' if len(self.error) > 1 else ''})"
        )


def pretrain(
    data: Array,
    labels: Array,
    *,
    model: type[DBN] | type[DBM] = DBN,
    layers: Sequence[Units | int] = (500, 500),
    validation: tuple[Array, Array] | None = None,
    test: tuple[Array, Array] | None = None,
    greedy_options: Mapping[str, Any] | None = None,
    joint_options: Mapping[str, Any] | None = None,
    finetune_options: Mapping[str, Any] | None = None,
    repetitions: int = 1,
    seed: int | Stream = 0,
    out: str | Path | None = None,
    progress: bool = False,
) -> Pretraining:
    """Train a deep model without labels, fine-tune it as a classifier, and compare with a start from random weights.

    Both networks have the same hidden layers, fine-tuning and order of cases, and each keeps its best epoch on the
    validation cases. If grey values are sampled as binary ones ("dynamic", "fixed"), the model learns from the samples,
    and the networks see the grey values (Hinton & Salakhutdinov 2006; Salakhutdinov & Hinton 2009).

    A DBN is trained layer by layer, each from small weights. A DBM is then also trained jointly. Its network has the
    mean field of the second layer as an additional input, or, with more than two hidden layers, is the unrolled mean
    field (see `DBM.to_classifier`); the random start sees the cases only.

    Args:
        data: training cases, (n, features); the model is trained on all of them.
        labels: labels of the training cases, (n,), integers, or -1 if unknown; labelled cases fine-tune the network.
        model: `DBN` or `DBM`.
        layers: hidden layers from the bottom up. The visible layer is Bernoulli for values from 0 to 1, else Gaussian.
        validation: (cases, labels) that select the epoch.
        test: (cases, labels) for the reported errors (default: the validation cases, else the training cases).
        greedy_options: options of `harmonium.greedy`. Defaults: learning_rate=0.1 (DBM: 0.05, Gaussian: 0.01);
            transposed=False (a transposed second layer copies the data into its units); ten epochs per layer, or as
            many as make 6,000 updates.
        joint_options: options of `harmonium.fit` for the joint training of a DBM. Defaults: epochs=10, PCD with 5
            sweeps and 100 chains, learning_rate=Linear(0.01).
        finetune_options: options of `harmonium.finetune`. Default: batches of 100, or a tenth of the labelled cases.
        repetitions: number of fine-tunings of each network, with different seeds (the model is trained once).
        seed: an int or a stream.
        out: a folder for the runs of the machines; an interrupted pretraining resumes from it.
        progress: show progress bars.

    Returns:
        A `Pretraining`; ``print`` it for the errors and the gain.

    Raises:
        ValueError: if the number of labels differs from that of the cases; if there are fewer than two classes, or a
            class in validation or test that training does not have; for layers that the model or its network does not
            support.

    >>> import harmonium as hm
    >>> data = hm.data.load("digits")
    >>> test = (data.test, data.labels.test)
    >>> options = {"epochs": 2}
    >>> found = hm.pretrain(data.train, data.labels.train, layers=[32], test=test, greedy_options=options)
    >>> found.cases, len(found.error)
    (300, 1)
    """
    repetitions = check_int("repetitions", repetitions)
    check_path("out", out)
    for name, options_of in (("greedy", greedy_options), ("joint", joint_options), ("finetune", finetune_options)):
        check_options(f"{name}_options", options_of)
    for name, pair in (("test", test), ("validation", validation)):
        check_pair(name, pair)
    if isinstance(layers, str) or not hasattr(layers, "__len__") or not len(layers):
        raise ValueError(f"layers must be a list of hidden layers, such as [500, 500], found {layers!r}")
    if model not in (DBN, DBM):
        raise ValueError(f"model must be harmonium.DBN or harmonium.DBM, found {model!r}")
    if joint_options is not None and model is DBN:
        raise ValueError("joint_options are for a DBM: the layers of a DBN are not trained together")
    cases, y = as_cases(data), _labels(labels, len(as_cases(data)), "labels")
    labelled = np.flatnonzero(y != -1) if y.dtype.kind in "iu" else np.arange(len(y))
    classes = np.unique(y[labelled])
    if len(classes) < 2:
        raise ValueError(f"labels has {len(classes)} class(es); a classifier needs at least two")
    root = as_stream(seed).child("pretrain")
    means = expected(cases)
    judges = [
        (name, expected(as_cases(pair[0])), _numbers(pair[1], len(as_cases(pair[0])), classes, f"{name} labels"))
        for name, pair in (("test", test), ("validation", validation))
        if pair is not None
    ]
    judges.append(("training", means.select(labelled), np.searchsorted(classes, y[labelled])))
    valid = next(((x, number) for name, x, number in judges if name == "validation"), None)

    statistics = cases.statistics()
    binary = statistics.low >= 0 and statistics.high <= 1
    visible = (Bernoulli if binary else Gaussian)(cases.shape[1])
    deep = model([visible, *layers], seed=root.child(model.__name__.lower()))
    template = _network(DBN([visible, *layers]), len(classes), root)  # fails early for unsupported layers
    chosen = dict(greedy_options or {})
    rate = 0.01 if not binary else 0.1 if model is DBN else 0.05  # the inputs of a DBM's machines are doubled
    defaults = {"epochs": _epochs(len(cases), chosen), "learning_rate": rate,
                "progress": progress, "out": out, "transposed": False, "seed": root.child("greedy")}  # fmt: skip
    greedy(deep, cases, **(defaults | chosen))
    if isinstance(deep, DBM):
        together: dict[str, Any] = {"epochs": 10, "learning_rate": Linear(0.01),
                    "objective": PCD(k=5, chains=100), "progress": progress, "validation": None,
                    "seed": root.child("joint")}  # fmt: skip
        folder = None if out is None else Path(out) / "joint"
        deep, _ = fit_or_resume(deep, cases, folder, **(together | dict(joint_options or {})))

    batch = min(100, max(1, len(labelled) // 10))  # at least ten updates per epoch
    error: list[float] = []
    baseline: list[float] = []
    first = None
    judged, x, number = judges[0]
    for repetition in range(repetitions):
        here = root.child("repetition", repetition)
        pretrained = _network(deep, len(classes), here)
        for network, errors_of in ((pretrained, error), (random_start(template, here), baseline)):
            options: dict[str, Any] = {"seed": here, "progress": progress, "validation": valid, "batch_size": batch}
            finetune(network, judges[-1][1], judges[-1][2], **(options | dict(finetune_options or {})))
            errors_of.append(errors(network, *as_targets(network, x, number, f"{judged} labels"))[0])
        first = first or pretrained
    assert first is not None
    return Pretraining(first, deep, classes.tolist(), error, baseline, judged, len(x), len(labelled))


def _epochs(cases: int, options: Mapping[str, Any]) -> int:
    """Number of epochs: ten, or as many as make `UPDATES` updates."""
    batch_size: int = options.get("batch_size", 100)
    batch_size = check_int("batch_size of greedy_options", batch_size)
    per_epoch = math.ceil(cases / batch_size)
    return max(10, math.ceil(UPDATES / per_epoch))


def _network(model: DBN | DBM, n_classes: int, seed: Stream) -> nn.Sequential:
    if isinstance(model, DBN):
        return model.to_classifier(n_classes, seed)
    return model.to_classifier(n_classes, seed, unroll=len(model.hidden) > 2)


def expected(cases: Cases) -> Cases:
    """Replace sampled binary values by their probabilities (the grey values).

    Args:
        cases: any cases.

    Returns:
        The probabilities; the cases themselves if they are not sampled.
    """
    return cases.derive(sampler=None, binarization=None) if cases.binarization in ("dynamic", "fixed") else cases


def _labels(labels: Array, count: int, name: str) -> np.ndarray[Any, Any]:
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.shape != (count,):
        raise ValueError(f"{name} has shape {array.shape}; expected ({count},), one label per case")
    if array.dtype.kind == "O" and all(isinstance(label, (int, np.integer)) for label in array.tolist()):
        array = array.astype(np.int64)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} has values that are not finite: write -1 for an unknown label")
    return array.astype(np.int64) if array.dtype.kind == "f" and (array == array.astype(np.int64)).all() else array


def _numbers(labels: Array, count: int, classes: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    array = _labels(labels, count, name)
    other = np.setdiff1d(array, classes)
    if len(other):
        raise ValueError(f"{name}: no training case has the label {other[0]!r}; expected one of {classes.tolist()}")
    return np.searchsorted(classes, array)


def _spread(error: Sequence[float]) -> str:
    mean = f"{fixed(100 * float(np.mean(error)))} %"
    if len(error) == 1:
        return mean
    deviation = float(torch.tensor(error, dtype=torch.float64).std())
    return f"{mean} +- {fixed(100 * deviation / math.sqrt(len(error)))}"
