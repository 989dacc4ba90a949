"""The models of a comparison, and the recipe of each class: how it is trained and judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, NamedTuple

from harmonium.models.autoregressive.made import MADE
from harmonium.models.autoregressive.nade import NADE
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.models.baselines.baseline import Baseline
from harmonium.models.baselines.independent import Independent
from harmonium.models.baselines.mixture import BernoulliMixture
from harmonium.models.baselines.tree import ChowLiuTree
from harmonium.models.deep.dbn import DBN
from harmonium.models.directed import Directed
from harmonium.models.machine.dbm import DBM
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.models.vae.vae import VAE
from harmonium.objectives import IWAE
from harmonium.recipes.judging import ONCE, SAMPLES, Effort
from harmonium.recipes.procedures import Procedure, fit_baseline, fit_dbm, fit_mixture, fit_model, fit_stack
from harmonium.units import Units

__all__ = ["CONTENDERS", "Contender", "Recipe", "Sizes", "recipe_of"]

ORDERINGS = 16  # of an order-agnostic model at most, when it is judged
MANY = 10_000  # training cases from which on models may be large


@dataclass(frozen=True)
class Sizes:
    """Sizes of the models for some data.

    Attributes:
        visible: the visible units.
        train: number of training cases.
        test: number of test cases.
    """

    visible: Units
    train: int
    test: int

    @property
    def hidden(self) -> int:
        """Hidden units of a layer."""
        return min(500 if self.train >= MANY else 200, max(20, 3 * self.visible.size))

    @property
    def top(self) -> int:
        """Size of the top layer; at least the visible size, so that it can start with the transposed weights below."""
        return max(self.hidden, self.visible.size)

    @property
    def wide(self) -> int:
        """Hidden units of a layer of a network with latent variables."""
        return min(200, self.hidden)

    @property
    def latent(self) -> int:
        """Latent variables."""
        return min(50, max(2, self.visible.columns // 2))


class Contender(NamedTuple):
    """A model that `harmonium.compare` knows by name: its title, how it is built, and options of `harmonium.fit`."""

    title: str
    build: Callable[[Sizes], Model]
    options: Callable[[Sizes], dict[str, Any]] = lambda sizes: {}


def _vae(sizes: Sizes) -> VAE:
    return VAE(sizes.visible, latent=sizes.latent, hidden=(sizes.wide, sizes.wide))


CONTENDERS = {
    "independent": Contender("independent", lambda sizes: Independent(sizes.visible)),
    "mixture": Contender("mixture of Bernoullis", lambda sizes: BernoulliMixture(sizes.visible, 1)),
    "tree": Contender("Chow-Liu tree", lambda sizes: ChowLiuTree(sizes.visible)),
    "rbm": Contender("RBM", lambda sizes: RBM(sizes.visible, sizes.hidden)),
    "dbn": Contender("DBN", lambda sizes: DBN([sizes.visible, sizes.hidden, sizes.top])),
    "dbm": Contender("DBM", lambda sizes: DBM([sizes.visible, sizes.hidden, sizes.top])),
    "nade": Contender("NADE", lambda sizes: NADE(sizes.visible, hidden=sizes.hidden)),
    "eonade": Contender(
        "order-agnostic NADE",
        lambda sizes: OrderlessNADE(sizes.visible, hidden=(sizes.hidden, sizes.hidden)),
    ),
    "made": Contender("MADE", lambda sizes: MADE(sizes.visible, hidden=(sizes.hidden,))),
    "vae": Contender("VAE", _vae),
    "iwae": Contender("IWAE", _vae, lambda sizes: {"objective": IWAE(k=50 if sizes.train >= MANY else 10)}),
}
"""By the names of the command line, in the order of tables."""


@dataclass(frozen=True)
class Recipe:
    """How a class of models is compared.

    Attributes:
        family: "baseline", "machine", "autoregressive" or "latent".
        train: the procedure that trains it within a time.
        options: of `harmonium.fit`.
        effort: what its judgement takes more of, where there is time.
        judging: share of the time for the judgement; what training leaves of its own is added.
    """

    family: str
    train: Procedure
    options: dict[str, Any] = field(default_factory=dict)
    effort: Effort = ONCE
    judging: float = 0.2


@singledispatch
def recipe_of(model: Any, sizes: Sizes) -> Recipe:
    """Choose the recipe of a model by its class.

    A class of your own takes that of its base, or the one that you register: ``@recipe_of.register(MyModel)``.

    Raises:
        ValueError: if there is none.
    """
    raise ValueError(
        f"a {type(model).__name__} has no recipe: add one with harmonium.recipes.contenders.recipe_of.register"
    )


@recipe_of.register(Baseline)
def _(model: Baseline, sizes: Sizes) -> Recipe:
    return Recipe("baseline", fit_baseline)


@recipe_of.register(BernoulliMixture)
def _(model: BernoulliMixture, sizes: Sizes) -> Recipe:
    return Recipe("baseline", fit_mixture)


@recipe_of.register(Machine)
def _(model: Machine, sizes: Sizes) -> Recipe:
    return _machine(model, fit_model)


@recipe_of.register(DBM)
def _(model: DBM, sizes: Sizes) -> Recipe:
    return _machine(model, fit_dbm)


@recipe_of.register(DBN)
def _(model: DBN, sizes: Sizes) -> Recipe:
    return _machine(model, fit_stack)


@recipe_of.register(Directed)
def _(model: Directed, sizes: Sizes) -> Recipe:
    return Recipe("autoregressive", fit_model)


@recipe_of.register(OrderlessNADE)
def _(model: OrderlessNADE, sizes: Sizes) -> Recipe:
    effort = Effort("orderings", 1, ORDERINGS, lambda model, count: (model.ensemble(count), {}))
    return Recipe("autoregressive", fit_model, effort=effort)


@recipe_of.register(VAE)
def _(model: VAE, sizes: Sizes) -> Recipe:
    return Recipe("latent", fit_model, effort=SAMPLES)


def _machine(model: Machine | DBN, train: Procedure) -> Recipe:
    effort = SAMPLES if model.likelihood_is_estimated else ONCE
    return Recipe("machine", train, effort=effort, judging=0.3)  # log Z takes what it takes
