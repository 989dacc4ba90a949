"""Objects to JSON and back: what a run folder needs in order to be resumed."""

from __future__ import annotations

from typing import Any

from harmonium.objectives import (
    CD,
    ELBO,
    FPCD,
    IWAE,
    PCD,
    PT,
    PTT,
    TAP,
    ClampedGibbs,
    Discriminative,
    Exact,
    Hybrid,
    Jarzynski,
    MaximumLikelihood,
    MeanField,
    PseudoLikelihood,
)
from harmonium.training.callbacks import Callback, EarlyStopping, TimeLimit
from harmonium.training.equilibrium import EquilibriumMonitor
from harmonium.training.keep_trajectory import KeepTrajectory
from harmonium.training.metrics import Centered, Diagonal, Plain
from harmonium.training.mlflow import MLflow
from harmonium.training.monitor import LikelihoodMonitor, Monitor
from harmonium.training.natural import NaturalGradient
from harmonium.training.penalties import Sparsity, WeightDecay
from harmonium.training.schedules import Constant, Exponential, Linear
from harmonium.training.tensorboard import TensorBoard

__all__ = ["callback_config", "from_config"]

_KNOWN: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        CD, PCD, PT, PTT, FPCD, TAP, Jarzynski, Exact, PseudoLikelihood, Discriminative, Hybrid, MeanField,
        ClampedGibbs, Plain, Centered, Diagonal, NaturalGradient, Constant, Linear, Exponential, WeightDecay,
        Sparsity, Monitor, LikelihoodMonitor, EquilibriumMonitor, EarlyStopping, KeepTrajectory, TimeLimit,
        TensorBoard, MLflow, MaximumLikelihood, ELBO, IWAE,
    )
}  # fmt: skip


def callback_config(callback: Callback) -> dict[str, Any] | None:
    """The description of a callback; None for one that only its owner can build, such as a subclass of a known one."""
    return callback.config() if type(callback) in _KNOWN.values() else None


def from_config(config: dict[str, Any]) -> Any:
    """The object that a ``config()`` describes."""
    arguments = {name: from_config(value) if isinstance(value, dict) else value for name, value in config.items()}
    kind = arguments.pop("type")
    if kind not in _KNOWN:
        raise ValueError(f"a stored run names {kind!r}, which only you can build: pass it to harmonium.resume again")
    return _KNOWN[kind](**arguments)
