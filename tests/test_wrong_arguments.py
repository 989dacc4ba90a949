"""Public functions and classes with one argument wrong at a time: every message names the argument.

A call is right first; then each of its arguments takes values that nobody can mean: other types, numbers out of range,
data of other widths.  What is raised must be a `TypeError` or a `ValueError` that names the argument.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

import harmonium as hm

RNG = np.random.default_rng(0)
BITS = RNG.integers(0, 2, (12, 6))
GAPS = BITS.astype(float)
GAPS[0, 1] = np.nan
LABELS = RNG.integers(0, 2, 12)

COUNT = [-1, 1.5, "many", [3], float("nan")]  # for a number of something
NUMBER = ["high", [0.1], float("nan"), float("inf"), -1.0]  # for a positive number
ANY_NUMBER = ["high", [0.1], float("nan")]
THING = ["nonsense", 3.5, object()]  # for an object of the library, or its name
CASES = ["nonsense", 3, np.zeros((4, 5)), np.full((4, 6), np.nan), np.full((4, 6), 7.0), [["a"] * 6], np.zeros((0, 6))]
MODEL = ["nonsense", 3, None, hm.RBM, BITS]
FLAG = ["maybe", 3.5]
SEED = ["x", 1.5]
WEIGHT = ["heavy", np.ones(5), -np.ones(12), np.full(12, np.nan)]


def rbm() -> hm.RBM:
    model = hm.RBM(6, 3)
    model.data_mean = torch.full((6,), 0.5).double()
    return model


class Right(NamedTuple):
    """A call that is right, and values that are wrong for its arguments."""

    function: Callable[..., Any]
    arguments: dict[str, Any]
    wrong: dict[str, list[Any]]


def calls() -> Iterator[Right]:
    quick = {"epochs": 1}
    yield Right(
        hm.fit,
        {"model": rbm(), "data": BITS, **quick},
        {
            "model": MODEL,
            "data": CASES,
            "epochs": COUNT,
            "batch_size": COUNT,
            "learning_rate": NUMBER,
            "validation": CASES,
            "objective": THING,
            "metric": THING,
            "optimizer": THING,
            "penalties": THING,
            "callbacks": THING,
            "sample_weight": WEIGHT,
            "seed": SEED,
            "minutes": NUMBER,
            "missing": ["nonsense", -1, 1.5],
            "device": ["nowhere", "cuda:77"],
            "initialise": FLAG,
            "progress": FLAG,
            "out": [3.5],
        },
    )
    yield Right(
        hm.evaluate,
        {"model": rbm(), "data": BITS},
        {
            "model": MODEL,
            "data": CASES,
            "samples": COUNT,
            "seed": SEED,
            "log_partition": THING,
            "method": THING,
            "chains": COUNT,
            "temperatures": COUNT[:3],
        },
    )
    yield Right(
        hm.log_partition,
        {"model": rbm(), "method": "ais"},
        {
            "model": MODEL,
            "method": THING,
            "chains": COUNT,
            "temperatures": COUNT,
            "sweeps": COUNT,
            "base": [3, "x"],
            "chains_from": CASES[:3],
            "seed": SEED,
        },
    )
    yield Right(
        hm.sample,
        {"model": rbm(), "n": 3},
        {
            "model": MODEL, "n": COUNT, "sweeps": COUNT, "seed": SEED, "init": CASES, "sampler": THING, "steps": COUNT,
            "progress": FLAG, "clamp": [3, "x"],
        },
    )  # fmt: skip
    yield Right(
        hm.impute,
        {"model": rbm(), "v": GAPS},
        {
            "model": MODEL,
            "v": CASES[:3],
            "sweeps": COUNT,
            "samples": COUNT,
            "seed": SEED,
            "mean": FLAG,
            "progress": FLAG,
        },
    )
    yield Right(hm.predict_gaps, {"model": rbm(), "v": GAPS}, {"model": MODEL, "v": CASES[:3]})
    yield Right(
        hm.conditional_log_prob,
        {"model": rbm(), "v": BITS, "given": [1, 0, 0, 0, 0, 0]},
        {"model": MODEL, "v": CASES, "given": ["x", [9], 3], "asked": ["x", [9], 3]},
    )
    yield Right(
        hm.diagnose,
        {"model": rbm(), "data": BITS, "chains": 4, "sweeps": 10},
        {
            "model": MODEL,
            "data": CASES,
            "chains": COUNT,
            "sweeps": COUNT,
            "seed": SEED,
        },
    )
    yield Right(
        hm.gradient,
        {"model": rbm(), "v": BITS, "objective": hm.CD()},
        {"model": MODEL, "v": CASES, "objective": THING, "sample_weight": WEIGHT, "seed": SEED},
    )
    yield Right(
        hm.greedy,
        {"model": hm.DBN([6, 4, 3]), "data": BITS, **quick},
        {
            "model": MODEL,
            "data": CASES,
            "epochs": COUNT,
            "learning_rate": NUMBER,
            "objective": THING,
            "seed": SEED,
        },
    )
    yield Right(hm.load, {"path": "nowhere.safetensors"}, {"path": [3.5, None]})
    for units in (hm.Bernoulli, hm.Gaussian, hm.Spin, hm.Poisson, hm.ReLU, hm.DReLU):
        yield Right(units, {"shape": 4}, {"shape": [*COUNT[:3], 0, (2, -1)]})
    yield Right(hm.Categorical, {"shape": 4, "states": 3}, {"shape": COUNT[:3], "states": [*COUNT, 1]})
    yield Right(hm.Binomial, {"shape": 4, "trials": 3}, {"shape": COUNT[:3], "trials": [*COUNT, 0]})
    yield Right(hm.ReplicatedSoftmax, {"words": 4}, {"words": COUNT})
    yield Right(hm.Mixed, {"layers": [hm.Bernoulli(2), hm.Gaussian(1)]}, {"layers": ["x", 3, [], [3]]})
    sizes: dict[str, list[Any]] = {"visible": [*COUNT[:3], 0], "hidden": [*COUNT[:3], 0]}
    yield Right(hm.RBM, {"visible": 6, "hidden": 3}, sizes | {"dtype": ["x", 3]})
    yield Right(hm.NADE, {"visible": 6, "hidden": 3}, sizes | {"order": ["x", [0, 0], 3.5]})
    yield Right(hm.MADE, {"visible": 6, "hidden": (3,)}, {"visible": COUNT[:3], "hidden": [(0,), (-1,), "x", 1.5]})
    yield Right(hm.OrderlessNADE, {"visible": 6, "hidden": (3,)}, {"visible": COUNT[:3], "hidden": [(0,), "x", 1.5]})
    yield Right(
        hm.VAE,
        {"visible": 6, "latent": 2, "hidden": (3,)},
        {
            "visible": COUNT[:3],
            "latent": [*COUNT[:3], 0],
            "hidden": [(0,), "x", 1.5],
        },
    )
    yield Right(hm.DBM, {"layers": [6, 4, 3]}, {"layers": ["x", 3, [], [6, -1], [6, "x"], [6]]})
    yield Right(hm.DBN, {"layers": [6, 4, 3]}, {"layers": ["x", 3, [], [6, -1], [6, "x"], [6]]})
    yield Right(
        hm.BoltzmannMachine,
        {"visible": 6, "hidden": 3},
        {"visible": COUNT[:3], "hidden": COUNT[:3], "edges": ["x", [(0, 99)], [(0,)], 3]},
    )
    yield Right(
        hm.ClassificationRBM,
        {"inputs": 6, "classes": 2, "hidden": 3},
        {"inputs": COUNT[:3], "hidden": COUNT[:3], "classes": [*COUNT[:3], 1]},
    )
    for kind in (hm.PCD, hm.CD, hm.FPCD, hm.PT, hm.PTT, hm.Jarzynski, hm.TAP, hm.IWAE, hm.ELBO):
        yield Right(
            kind,
            {},
            {
                name: COUNT
                for name, p in inspect.signature(kind).parameters.items()
                if str(p.annotation).split(" |")[0] == "int"
            },
        )
    training = hm.training
    yield Right(training.WeightDecay, {"l2": 0.1}, {"l2": NUMBER, "l1": NUMBER})
    yield Right(training.Sparsity, {}, {"target": [*NUMBER, 2.0], "cost": NUMBER, "decay": [*NUMBER, 1.0]})
    yield Right(training.EarlyStopping, {}, {"patience": COUNT})
    yield Right(training.Convergence, {}, {"least": COUNT, "patience": COUNT, "gain": ANY_NUMBER})
    yield Right(
        training.LikelihoodMonitor,
        {},
        {
            "every": COUNT,
            "chains": COUNT,
            "temperatures": COUNT,
            "start": COUNT,
            "samples": COUNT,
            "cases": COUNT,
        },
    )
    yield Right(training.Monitor, {}, {"every": COUNT, "cases": COUNT})
    yield Right(training.TimeLimit, {"seconds": 1.0}, {"seconds": NUMBER})
    yield Right(training.KeepTrajectory, {}, {"growth": NUMBER, "every": COUNT})
    yield Right(training.Trim, {"share": 0.1}, {"share": [*NUMBER, 1.5]})
    yield Right(training.NaturalGradient, {}, {"damping": NUMBER})
    yield Right(training.DrawGaps, {}, {"sweeps": COUNT})
    for schedule, arguments in (
        (hm.schedules.Constant, {"rate": 0.1}),
        (hm.schedules.Linear, {"start": 0.1, "end": 0.0}),
        (hm.schedules.Exponential, {"start": 0.1, "end": 0.01}),
        (hm.schedules.Cycles, {"start": 0.1}),
    ):
        yield Right(schedule, arguments, dict.fromkeys(arguments, NUMBER))
    yield Right(hm.sampling.Tempering, {}, {"rungs": [*COUNT, 1]})
    sk = hm.sklearn
    for estimator in (
        sk.RBM,
        sk.BernoulliRBM,
        sk.RBMClassifier,
        sk.DBNClassifier,
        sk.RBMImputer,
        sk.RBMOutlierDetector,
        sk.Density,
        sk.NADEDensity,
        sk.VAEDensity,
        sk.DBN,
    ):

        def fitted(estimator: Any = estimator, **options: Any) -> Any:
            quick = {"greedy_options": {"epochs": 1}} if estimator is sk.DBN else {"n_iter": 1}
            return estimator(**(quick | options)).fit(BITS.astype(float), LABELS)

        names = inspect.signature(estimator).parameters
        values: dict[str, list[Any]] = {
            "n_iter": COUNT,
            "batch_size": COUNT,
            "learning_rate": NUMBER,
            "n_components": COUNT,
            "hidden": COUNT[:3],
            "contamination": ["x", 0.0, 0.7, -1, float("nan")],
            "minutes": NUMBER,
            "visible": THING,
            "objective": THING,
            "validation_fraction": ["x", 1.5, -0.1],
            "n_iter_no_change": COUNT,
            "random_state": [1.5],
            "layers": ["x", -1, [0]],
            "sweeps": COUNT,
            "mean": FLAG,
        }
        right = dict.fromkeys(names)
        yield Right(fitted, {}, {name: values[name] for name in right if name in values})


def attempts() -> Iterator[tuple[str, Callable[..., Any], dict[str, Any], str]]:
    for right in calls():
        name = getattr(right.function, "__name__", "")
        if name == "fitted":
            name = inspect.signature(right.function).parameters["estimator"].default.__name__
        for argument, values in right.wrong.items():
            for value in values:
                yield name, right.function, right.arguments | {argument: value}, argument


def complaint(function: Callable[..., Any], arguments: dict[str, Any], argument: str) -> str | None:
    """What is wrong with the answer to a wrong argument; None: nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(**arguments)
        except (TypeError, ValueError) as error:
            named = re.search(rf"(?<![A-Za-z]){argument}(?![A-Za-z])", str(error))
            return None if named else f"does not name it: {error}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return "nothing was raised"


def test_every_message_names_the_argument() -> None:
    count, found = 0, []
    for name, function, arguments, argument in attempts():
        count += 1
        what = complaint(function, arguments, argument)
        if what is not None:
            found.append(f"{name}({argument}={arguments[argument]!r}): {what}")
    assert count >= 500
    assert not found, "\n".join(found)
