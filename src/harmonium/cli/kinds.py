"""Models and objectives by the words of the command line, and which options go with which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harmonium.models.model import Model
    from harmonium.objectives import Objective
    from harmonium.units import Units

__all__ = ["KINDS", "OBJECTIVES", "Kind", "Sizes", "choose", "named", "words"]


@dataclass(frozen=True)
class Sizes:
    """How large a model is: units of its hidden layers from the bottom up, and latent ones."""

    layers: tuple[int, ...] = ()
    latent: int | None = None


@dataclass(frozen=True)
class Kind:
    """A model that can be trained by name.

    Attributes:
        title: in words.
        build: the model of these visible units and sizes.
        usual: its sizes where nobody names others.
        objectives: what it can be trained by; the first where nobody names another.
        single: whether it has one hidden layer, named by --hidden; otherwise --layers names them.
    """

    title: str
    build: Callable[[Units, Sizes], Model]
    usual: Sizes
    objectives: tuple[str, ...]
    single: bool = False

    @property
    def machine(self) -> bool:
        """Whether it is a Boltzmann machine."""
        return self.objectives[0] == "pcd"


@dataclass(frozen=True)
class Descent:
    """An objective by name, and which of --k and --chains it takes."""

    build: Callable[[dict[str, Any]], Objective]
    takes: tuple[str, ...] = ()


def _rbm(visible: Units, sizes: Sizes) -> Model:
    from harmonium.models.machine.rbm import RBM

    return RBM(visible, sizes.layers[0])


def _bm(visible: Units, sizes: Sizes) -> Model:
    from harmonium.models.machine.boltzmann import BoltzmannMachine

    return BoltzmannMachine(visible, sum(sizes.layers))


def _dbm(visible: Units, sizes: Sizes) -> Model:
    from harmonium.models.machine.dbm import DBM

    return DBM([visible, *sizes.layers])


def _nade(visible: Units, sizes: Sizes) -> Model:
    from harmonium.models.autoregressive.nade import NADE

    return NADE(visible, hidden=sizes.layers[0])


def _eonade(visible: Units, sizes: Sizes) -> Model:
    from harmonium.models.autoregressive.orderless import OrderlessNADE

    return OrderlessNADE(visible, hidden=sizes.layers)


def _made(visible: Units, sizes: Sizes) -> Model:
    from harmonium.models.autoregressive.made import MADE

    return MADE(visible, hidden=sizes.layers)


def _vae(visible: Units, sizes: Sizes) -> Model:
    from harmonium.models.vae.vae import VAE

    return VAE(visible, latent=sizes.latent, hidden=sizes.layers)


_OF_MACHINES = ("pcd", "pt", "ptt", "cd", "fpcd", "jarzynski", "tap", "exact", "pl")

KINDS = {
    "rbm": Kind("restricted Boltzmann machine", _rbm, Sizes((200,)), _OF_MACHINES, single=True),
    "dbm": Kind("deep Boltzmann machine", _dbm, Sizes((200, 100)), _OF_MACHINES),
    "bm": Kind("Boltzmann machine, all units coupled", _bm, Sizes(), _OF_MACHINES, single=True),
    "nade": Kind("neural autoregressive estimator", _nade, Sizes((500,)), ("ml",), single=True),
    "eonade": Kind("deep order-agnostic nade", _eonade, Sizes((500, 500)), ("ml",)),
    "made": Kind("masked autoencoder", _made, Sizes((500,)), ("ml",)),
    "vae": Kind("variational autoencoder", _vae, Sizes((200, 200), 50), ("elbo", "iwae")),
}


def _of(name: str) -> Any:
    import harmonium.objectives

    return getattr(harmonium.objectives, name)


OBJECTIVES = {
    "pcd": Descent(lambda o: _of("PCD")(k=o["k"] or 1, chains=o["chains"]), ("k", "chains")),
    "pt": Descent(lambda o: _of("PT")(k=o["k"] or 1, chains=o["chains"]), ("k", "chains")),
    "ptt": Descent(lambda o: _of("PTT")(k=o["k"] or 1, chains=o["chains"]), ("k", "chains")),
    "cd": Descent(lambda o: _of("CD")(k=o["k"] or 1), ("k",)),
    "fpcd": Descent(lambda o: _of("FPCD")(k=o["k"] or 1, chains=o["chains"]), ("k", "chains")),
    "jarzynski": Descent(lambda o: _of("Jarzynski")(k=o["k"] or 1, chains=o["chains"]), ("k", "chains")),
    "tap": Descent(lambda o: _of("TAP")(chains=o["chains"]), ("chains",)),
    "exact": Descent(lambda o: _of("Exact")()),
    "pl": Descent(lambda o: _of("PseudoLikelihood")()),
    "ml": Descent(lambda o: _of("MaximumLikelihood")()),
    "elbo": Descent(lambda o: _of("ELBO")()),
    "iwae": Descent(lambda o: _of("IWAE")(k=o["k"] or 50), ("k",)),
}


def choose(options: dict[str, Any], given: set[str]) -> tuple[Kind, Sizes, str]:
    """The kind of model, its sizes, and the word for its objective.

    Args:
        options: of the command.
        given: names of those that were typed.

    Raises:
        click.UsageError: for options that have no use with this model, in words.
    """
    name = options["model"]
    kind = KINDS[name]
    sizes = Sizes(_layers(name, kind, options), _latent(name, kind, options))
    objective = options["objective"] or kind.objectives[0]
    if objective not in kind.objectives:
        able = [other for other, known in KINDS.items() if objective in known.objectives]
        raise click.UsageError(
            f"--objective {objective} goes with --model {_either(able)}: {_a(name)} takes {_either(kind.objectives)}"
        )
    if objective == "pl" and (name != "bm" or sizes.layers):
        raise click.UsageError("--objective pl goes with --model bm without hidden units")
    if not kind.machine and "metric" in given and options["metric"] != "plain":
        raise click.UsageError(f"--metric {options['metric']} is for Boltzmann machines: leave it out for {_a(name)}")
    for option in ("k", "chains"):
        if option in given and option not in OBJECTIVES[objective].takes:
            raise click.UsageError(f"--{option} has no use with --objective {objective} of {_a(name)}: leave it out")
    return kind, sizes, objective


def _layers(name: str, kind: Kind, options: dict[str, Any]) -> tuple[int, ...]:
    """Sizes of the hidden layers, as --hidden or --layers say."""
    hidden, layers = options["hidden"], options["layers"]
    if kind.single:
        if layers is not None:
            able = _either([other for other, known in KINDS.items() if not known.single])
            raise click.UsageError(
                f"--layers goes with --model {able}: name the hidden units of --model {name} with --hidden"
            )
        if hidden == 0 and name != "bm":
            raise click.UsageError(f"--hidden 0: {_a(name)} needs hidden units; a machine without any is --model bm")
        return kind.usual.layers if hidden is None else (hidden,) if hidden else ()
    if hidden is not None:
        usual = ",".join(map(str, kind.usual.layers))
        raise click.UsageError(
            f"--hidden is for one hidden layer: name those of {_a(name)} with --layers, such as {usual}"
        )
    if name == "dbm" and layers is not None and len(layers) < 2:
        raise click.UsageError("--layers of a dbm are two or more: with one hidden layer it is an rbm")
    return kind.usual.layers if layers is None else tuple(layers)


def _latent(name: str, kind: Kind, options: dict[str, Any]) -> int | None:
    latent: int | None = options["latent"]
    if kind.usual.latent is None and latent is not None:
        raise click.UsageError(f"--latent goes with --model vae: {_a(name)} has no latent variables of that kind")
    return kind.usual.latent if latent is None else latent


def words(kind: Kind, sizes: Sizes) -> str:
    """What stands above the visible units."""
    if not sizes.layers:
        return "no hidden units"
    what = "Bernoulli hidden units" if kind.machine else "hidden units"
    above = f"{' and '.join(map(str, sizes.layers))} {what}"
    return above if sizes.latent is None else f"{above}, {sizes.latent} latent variables"


def named(objective: Objective) -> str:
    """An objective as it is announced."""
    config = objective.config()
    kind, k, chains = str(config["type"]), config.get("k"), config.get("chains")
    return kind + (f"-{k}" if k else "") + (f" with {chains} chains" if chains else "")


def _either(names: list[str] | tuple[str, ...]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _a(name: str) -> str:
    """With its article, as it is spoken."""
    return f"an {name}" if name in ("rbm", "eonade") else f"a {name}"
