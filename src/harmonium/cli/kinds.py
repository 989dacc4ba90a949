"""Models and objectives by the words of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from harmonium.models.machine import Machine
    from harmonium.objectives import Objective
    from harmonium.units import Units

__all__ = ["hidden_sizes", "machine", "named", "objective"]


def hidden_sizes(options: dict[str, Any]) -> list[int]:
    """Sizes of the hidden layers, as --hidden or --layers say."""
    kind, hidden, layers = options["model"], options["hidden"], options["layers"]
    if kind == "dbm":
        if hidden is not None:
            raise click.UsageError(
                "--hidden is for one hidden layer: name those of a dbm with --layers, such as 200,100"
            )
        if layers is not None and len(layers) < 2:
            raise click.UsageError("--layers of a dbm are two or more: with one hidden layer it is an rbm")
        return layers or [200, 100]
    if layers is not None:
        raise click.UsageError(f"--layers goes with --model dbm: name the hidden units of --model {kind} with --hidden")
    if kind == "rbm" and hidden == 0:
        raise click.UsageError("--hidden 0: an rbm needs hidden units; a machine without any is --model bm")
    hidden = (200 if kind == "rbm" else 0) if hidden is None else hidden
    if options["objective"] == "pl" and (kind != "bm" or hidden):
        raise click.UsageError("--objective pl goes with --model bm without hidden units")
    return [hidden] if hidden else []


def machine(visible: Units, hidden: list[int], kind: str) -> Machine:
    from harmonium.models.boltzmann import BoltzmannMachine
    from harmonium.models.dbm import DBM
    from harmonium.models.rbm import RBM

    if kind == "dbm":
        return DBM([visible, *hidden])
    return RBM(visible, hidden[0]) if kind == "rbm" else BoltzmannMachine(visible, sum(hidden))


def objective(options: dict[str, Any]) -> Objective:
    from harmonium.objectives import CD, FPCD, PCD, PT, PTT, TAP, Exact, Jarzynski, PseudoLikelihood

    k, chains = options["k"], options["chains"]
    known: dict[str, Callable[[], Objective]] = {
        "pcd": lambda: PCD(k=k, chains=chains),
        "pt": lambda: PT(k=k, chains=chains),
        "ptt": lambda: PTT(k=k, chains=chains),
        "cd": lambda: CD(k=k),
        "fpcd": lambda: FPCD(k=k, chains=chains),
        "jarzynski": lambda: Jarzynski(k=k, chains=chains),
        "tap": lambda: TAP(chains=chains),
        "exact": Exact,
        "pl": PseudoLikelihood,
    }
    return known[options["objective"]]()


def named(objective: Objective) -> str:
    config = objective.config()
    kind, k, chains = str(config["type"]), config.get("k"), config.get("chains")
    return kind + (f"-{k}" if k else "") + (f" with {chains} chains" if chains else "")
