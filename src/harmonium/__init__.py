"""Restricted Boltzmann machines and the models around them, trained in one loop and judged under one protocol."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Names are imported when first used: `harmonium --help` must not wait for torch.
_HOMES = {
    "RBM": "models.rbm",
    "BoltzmannMachine": "models.boltzmann",
    "DBM": "models.dbm",
    "ClassificationRBM": "models.classification",
    "with_labels": "models.classification",
    "DBN": "models.dbn",
    "Bernoulli": "units.bernoulli",
    "Binomial": "units.binomial",
    "Categorical": "units.categorical",
    "Gaussian": "units.gaussian",
    "DReLU": "units.drelu",
    "Mixed": "units.mixed",
    "Poisson": "units.poisson",
    "ReLU": "units.relu",
    "ReplicatedSoftmax": "units.replicated_softmax",
    "Spin": "units.spin",
    "Units": "units.base",
    "Machine": "models.machine",
    "Model": "models.model",
    "Independent": "models.baselines.independent",
    "BernoulliMixture": "models.baselines.mixture",
    "ChowLiuTree": "models.baselines.tree",
    "MaximumLikelihood": "objectives.likelihood",
    "at_length": "models.lengths",
    "save": "models.store",
    "load": "models.store",
    "Stream": "random",
    "CD": "objectives.contrastive",
    "PCD": "objectives.contrastive",
    "FPCD": "objectives.fast",
    "TAP": "objectives.tap",
    "Jarzynski": "objectives.jarzynski",
    "PT": "objectives.tempered",
    "PTT": "objectives.trajectory",
    "Exact": "objectives.exact",
    "Discriminative": "objectives.discriminative",
    "Hybrid": "objectives.discriminative",
    "PseudoLikelihood": "objectives.pseudo",
    "MeanField": "objectives.clamped",
    "ClampedGibbs": "objectives.clamped",
    "Objective": "objectives.base",
    "TwoPhase": "objectives.base",
    "Gradient": "objectives.base",
    "gradient": "objectives.base",
    "fit": "training.fit",
    "resume": "training.runs",
    "Checkpoint": "training.runs",
    "InterruptedRunError": "training.runs",
    "RunInUseError": "training.runs",
    "History": "training.history",
    "Callback": "training.callbacks",
    "EarlyStopping": "training.callbacks",
    "KeepTrajectory": "training.trajectory",
    "Progress": "training.callbacks",
    "TensorBoard": "training.tensorboard",
    "MLflow": "training.mlflow",
    "TimeLimit": "training.callbacks",
    "Monitor": "training.monitor",
    "Likelihood": "training.monitor",
    "Equilibrium": "training.equilibrium",
    "DivergedError": "training.engine",
    "Plain": "training.metrics",
    "Centered": "training.metrics",
    "Diagonal": "training.metrics",
    "Natural": "training.natural",
    "WeightDecay": "training.penalties",
    "Sparsity": "training.penalties",
    "Constant": "training.schedules",
    "Linear": "training.schedules",
    "Exponential": "training.schedules",
    "log_partition": "paths.partition",
    "LogPartition": "paths.log_z",
    "Tempering": "paths.tempering",
    "TrajectoryTempering": "paths.trajectory_tempering",
    "evaluate": "paths.evaluate",
    "Evaluation": "paths.evaluate",
    "pseudo_log_likelihood": "paths.pseudo",
    "diagnose": "paths.diagnostics",
    "Diagnosis": "paths.diagnostics",
    "mode_jumps": "paths.modes",
    "mode_jumps_along": "paths.modes",
    "sample": "paths.sample",
    "impute": "paths.impute",
    "conditional_log_prob": "paths.conditional",
    "greedy": "recipes.greedy",
    "up_down": "recipes.updown",
    "finetune": "recipes.finetune",
    "pretrain": "recipes.pretrain",
    "Pretraining": "recipes.pretrain",
    "from_sklearn": "exchange.scikit",
    "from_rbms": "exchange.rbms",
    "to_onnx": "exchange.onnx",
    "save_pretrained": "exchange.hub",
    "from_pretrained": "exchange.hub",
    "OrderlessNADE": "models.orderless",
    "MADE": "models.made",
    "ConvNADE": "models.convnade",
    "compare": "recipes.compare",
    "Comparison": "recipes.comparison",
    "DamagedFileError": "files",
    "NADE": "models.nade",
    "MixtureConditional": "models.conditionals",
    "UnitConditional": "models.conditionals",
    "VAE": "models.vae",
    "Dense": "models.architecture",
    "Convolutional": "models.architecture",
    "ELBO": "objectives.bound",
    "IWAE": "objectives.bound",
    "anneal_posterior": "paths.posterior",
}
_MODULES = ("data", "plots", "sklearn", "testing", "units")

__all__ = [*_HOMES, *_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"harmonium.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"harmonium.{name}")
    raise AttributeError(f"module 'harmonium' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
