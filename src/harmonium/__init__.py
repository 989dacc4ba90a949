"""Restricted Boltzmann machines and the models around them, trained in one loop and judged under one protocol."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Names are imported when first used: `harmonium --help` must not wait for torch.
_HOMES = {
    "RBM": "models.machine.rbm",
    "BoltzmannMachine": "models.machine.boltzmann",
    "DBM": "models.machine.dbm",
    "ClassificationRBM": "models.machine.classification",
    "with_labels": "models.machine.classification",
    "DBN": "models.deep.dbn",
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
    "Machine": "models.machine.machine",
    "Model": "models.model",
    "Independent": "models.baselines.independent",
    "BernoulliMixture": "models.baselines.mixture",
    "ChowLiuTree": "models.baselines.tree",
    "MaximumLikelihood": "objectives.maximum_likelihood",
    "at_length": "models.machine.documents",
    "save": "models.io",
    "load": "models.io",
    "Stream": "core.random",
    "CD": "objectives.contrastive",
    "PCD": "objectives.contrastive",
    "FPCD": "objectives.fpcd",
    "TAP": "objectives.tap",
    "Jarzynski": "objectives.jarzynski",
    "PT": "objectives.parallel_tempering",
    "PTT": "objectives.ptt",
    "Exact": "objectives.exact",
    "Discriminative": "objectives.discriminative",
    "Hybrid": "objectives.discriminative",
    "PseudoLikelihood": "objectives.pseudo",
    "MeanField": "objectives.inference",
    "ClampedGibbs": "objectives.inference",
    "Objective": "objectives.base",
    "TwoPhase": "objectives.base",
    "Gradient": "objectives.base",
    "gradient": "objectives.base",
    "fit": "training.fit",
    "resume": "runs.resume",
    "Checkpoint": "runs.resume",
    "InterruptedRunError": "runs.resume",
    "RunInUseError": "runs.resume",
    "History": "training.history",
    "Callback": "training.callbacks",
    "EarlyStopping": "training.callbacks",
    "KeepTrajectory": "training.keep_trajectory",
    "Progress": "training.callbacks",
    "TensorBoard": "training.tensorboard",
    "MLflow": "training.mlflow",
    "TimeLimit": "training.callbacks",
    "Monitor": "training.monitor",
    "Likelihood": "training.monitor",
    "Equilibrium": "training.equilibrium",
    "DivergedError": "training.loop",
    "Plain": "training.metrics",
    "Centered": "training.metrics",
    "Diagonal": "training.metrics",
    "Natural": "training.natural",
    "WeightDecay": "training.penalties",
    "Sparsity": "training.penalties",
    "Constant": "training.schedules",
    "Linear": "training.schedules",
    "Exponential": "training.schedules",
    "log_partition": "likelihood.partition",
    "LogPartition": "likelihood.log_z",
    "Tempering": "sampling.tempering",
    "TrajectoryTempering": "sampling.trajectory_tempering",
    "evaluate": "likelihood.evaluate",
    "Evaluation": "likelihood.evaluate",
    "pseudo_log_likelihood": "likelihood.pseudo",
    "diagnose": "diagnostics.diagnose",
    "Diagnosis": "diagnostics.diagnose",
    "mode_jumps": "diagnostics.modes",
    "mode_jumps_along": "diagnostics.modes",
    "sample": "sampling.sample",
    "impute": "sampling.impute",
    "conditional_log_prob": "likelihood.conditional",
    "greedy": "recipes.greedy",
    "up_down": "recipes.up_down",
    "finetune": "recipes.finetune",
    "pretrain": "recipes.pretrain",
    "Pretraining": "recipes.pretrain",
    "from_sklearn": "exchange.scikit",
    "from_rbms": "exchange.rbms",
    "to_onnx": "exchange.onnx",
    "save_pretrained": "exchange.hub",
    "from_pretrained": "exchange.hub",
    "OrderlessNADE": "models.autoregressive.orderless",
    "MADE": "models.autoregressive.made",
    "ConvNADE": "models.autoregressive.convnade",
    "compare": "recipes.compare",
    "Comparison": "recipes.comparison",
    "DamagedFileError": "core.files",
    "NADE": "models.autoregressive.nade",
    "MixtureConditional": "models.autoregressive.conditionals",
    "UnitConditional": "models.autoregressive.conditionals",
    "VAE": "models.vae.vae",
    "Dense": "models.vae.architecture",
    "Convolutional": "models.vae.architecture",
    "ELBO": "objectives.elbo",
    "IWAE": "objectives.elbo",
    "anneal_posterior": "likelihood.posterior",
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
