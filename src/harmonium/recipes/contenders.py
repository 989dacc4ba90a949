"""The models that `harmonium.compare` knows, each with its recipe: what is built, how it is trained and judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harmonium.models.autoregressive.made import MADE
from harmonium.models.autoregressive.nade import NADE
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.models.baselines.independent import Independent
from harmonium.models.baselines.mixture import BernoulliMixture
from harmonium.models.baselines.tree import ChowLiuTree
from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.dbm import DBM
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.models.vae.vae import VAE
from harmonium.objectives import ELBO, IWAE, PCD
from harmonium.recipes.procedures import Task, Trained, deep, estimated, fit_stack, fitted, mixed
from harmonium.training.penalties import WeightDecay
from harmonium.training.schedules import Linear
from harmonium.units import Units

__all__ = ["CONTENDERS", "Contender", "Scale"]

ORDERINGS = 16  # of an order-agnostic model, when it is judged
MANY = 10_000  # cases from which on models may be large


@dataclass(frozen=True)
class Scale:
    """What the sizes of a model go by.

    Attributes:
        visible: the units.
        cases: number of training cases.
    """

    visible: Units
    cases: int

    @property
    def hidden(self) -> int:
        """Hidden units of a layer."""
        return min(500 if self.cases >= MANY else 200, max(20, 3 * self.visible.size))

    @property
    def top(self) -> int:
        """Units of the uppermost layer: enough to start as the machine below turned over."""
        return max(self.hidden, self.visible.size)

    @property
    def wide(self) -> int:
        """Of the layers of a network with latent variables."""
        return min(200, self.hidden)

    @property
    def latent(self) -> int:
        """Latent variables."""
        return min(50, max(2, self.visible.columns // 2))


@dataclass(frozen=True)
class Contender:
    """A model and its recipe.

    Attributes:
        title: what it is called in tables and pictures.
        family: "baseline", "machine", "autoregressive" or "latent".
        build: a fresh model.
        train: within a time, in a folder.
        options: of `harmonium.fit`, by scale.
        judged: the model as it is judged.
        judge: options of `harmonium.evaluate`, by scale and number of cases.
    """

    title: str
    family: str
    build: Callable[[Scale], Model]
    train: Callable[[Any, Task, dict[str, Any]], Trained]
    options: Callable[[Scale], dict[str, Any]] = lambda scale: {}
    judged: Callable[[Any], Model] = lambda model: model
    judge: Callable[[Scale, int], dict[str, Any]] = lambda scale, cases: {}


def _machine(scale: Scale) -> dict[str, Any]:
    """Persistent chains; few cases want decay, real values small steps."""
    return {
        "objective": PCD(k=1, chains=100),
        "learning_rate": Linear(0.1 if scale.visible.finite else 0.01),
        "penalties": [WeightDecay(1e-4 if scale.cases >= MANY else 1e-3)],
        "batch_size": 100,
    }


def _stack(scale: Scale) -> dict[str, Any]:
    return _machine(scale) | {"learning_rate": Linear(0.05 if scale.visible.finite else 0.01)}


def _network(scale: Scale) -> dict[str, Any]:
    return {"learning_rate": Linear(2e-3), "batch_size": 100}


def _ordered(scale: Scale) -> dict[str, Any]:
    """On validation cases of binary MNIST a NADE learns several times faster than at Adam's usual rate."""
    return _network(scale) | {"learning_rate": Linear(5e-3 if scale.visible.finite else 2e-3)}


def _latent(scale: Scale) -> dict[str, Any]:
    return _network(scale) | {"learning_rate": Linear(3e-3), "objective": ELBO()}


def _weighted(scale: Scale) -> dict[str, Any]:
    return _latent(scale) | {"objective": IWAE(k=50 if scale.cases >= MANY else 10)}


def _annealed(scale: Scale, cases: int) -> dict[str, Any]:
    return {"temperatures": 10_000 if scale.hidden >= 500 else 1000}


def _sampled(scale: Scale, cases: int) -> dict[str, Any]:
    """Importance samples for every case: more where there are fewer cases."""
    return {"samples": max(100, min(1000, 5_000_000 // cases))}


CONTENDERS = {
    "independent": Contender("independent", "baseline", lambda scale: Independent(scale.visible), estimated),
    "mixture": Contender("mixture of Bernoullis", "baseline", lambda scale: BernoulliMixture(scale.visible, 1), mixed),
    "tree": Contender("Chow-Liu tree", "baseline", lambda scale: ChowLiuTree(scale.visible), estimated),
    "rbm": Contender(
        "RBM", "machine", lambda scale: RBM(scale.visible, scale.hidden), fitted, _machine, judge=_annealed
    ),
    "dbn": Contender(
        "DBN",
        "machine",
        lambda scale: DBN([scale.visible, scale.hidden, scale.top]),
        fit_stack,
        _stack,
        judge=_annealed,
    ),
    "dbm": Contender(
        "DBM", "machine", lambda scale: DBM([scale.visible, scale.hidden, scale.top]), deep, _stack, judge=_annealed
    ),
    "nade": Contender(
        "NADE", "autoregressive", lambda scale: NADE(scale.visible, hidden=scale.hidden), fitted, _ordered
    ),
    "eonade": Contender(
        f"order-agnostic NADE, {ORDERINGS} orderings", "autoregressive",
        lambda scale: OrderlessNADE(scale.visible, hidden=(scale.hidden, scale.hidden)), fitted, _network,
        judged=lambda model: model.ensemble(ORDERINGS),
    ),
    "made": Contender(
        "MADE", "autoregressive", lambda scale: MADE(scale.visible, hidden=(scale.hidden,)), fitted, _network
    ),
    "vae": Contender(
        "VAE", "latent", lambda scale: VAE(scale.visible, latent=scale.latent, hidden=(scale.wide, scale.wide)), fitted,
        _latent, judge=_sampled,
    ),
    "iwae": Contender(
        "IWAE", "latent", lambda scale: VAE(scale.visible, latent=scale.latent, hidden=(scale.wide, scale.wide)),
        fitted, _weighted, judge=_sampled,
    ),
}  # fmt: skip
"""By the names of the command line, in the order of tables."""
