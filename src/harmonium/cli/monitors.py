"""Monitors of a training, and the measure that its best model is chosen by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harmonium.cli.objectives import keeps_chains
from harmonium.cli.shell import note

if TYPE_CHECKING:
    from harmonium.data import Dataset
    from harmonium.models.model import Model
    from harmonium.objectives import Objective

__all__ = ["MEASUREMENTS", "monitors"]

MEASUREMENTS = 5  # of the likelihood, by default
OF_NETWORKS = 50  # likewise of networks, which need no log Z


def monitors(
    data: Dataset, model: Model, objective: Objective, epochs: int | None, options: dict[str, Any]
) -> list[Any]:
    """Choose monitors and early stopping: by the likelihood if it is estimated, else by the pseudo-likelihood.

    A training without ``epochs`` plans its own.

    Raises:
        ValueError: for options that need validation cases or a lower bound, without them.
    """
    import harmonium as hm
    from harmonium.likelihood.exact import cheapest_enumeration
    from harmonium.likelihood.partition import EXACT_BITS
    from harmonium.models.machine.machine import Machine
    from harmonium.runs.checkpoint import Checkpoint

    callbacks: list[Any] = [Checkpoint(options["checkpoint_seconds"])]
    bounded = not isinstance(model, Machine) or cheapest_enumeration(model)[0] <= EXACT_BITS or keeps_chains(objective)
    if epochs is None:
        if options["likelihood_every"] == 0:
            raise ValueError(
                "--likelihood-every 0 goes with --epochs: a training that ends by itself is judged by its likelihood"
            )
        if options["likelihood_every"]:
            callbacks.append(hm.training.LikelihoodMonitor(every=options["likelihood_every"], samples=10))
        if options["patience"]:
            known = bounded and data.train.statistics().finite
            metric = "log_likelihood_lower" if known else "gap_score"
            callbacks.append(hm.training.EarlyStopping(metric, options["patience"]))
        return callbacks
    if data.valid is None:
        if options["patience"] or options["likelihood_every"]:
            raise ValueError(
                f"{data.name} has no validation cases, which --patience and --likelihood-every need: "
                "set some aside with --valid 0.1"
            )
        note(f"{data.name} has no validation cases: the last model is kept, not the best (--valid 0.1 sets some aside)")
        return callbacks
    every = options["likelihood_every"]
    if not isinstance(model, Machine):
        if every == 0:
            raise ValueError("--likelihood-every 0: a network is chosen by its validation likelihood: leave it out")
        measured = hm.training.LikelihoodMonitor(every=every or -(-epochs // OF_NETWORKS), samples=10)
        return [*callbacks, measured, hm.training.EarlyStopping("log_likelihood_lower", options["patience"])]
    if every is None:
        every = -(-epochs // MEASUREMENTS)
    callbacks.append(hm.training.Monitor(every=max(1, epochs // 100)))
    if every:
        callbacks.append(hm.training.LikelihoodMonitor(every=every))
    # An estimate without a lower bound is too high if chains mix badly: no model is chosen by it.
    if every and bounded:
        callbacks.append(hm.training.EarlyStopping("log_likelihood_lower", options["patience"]))
    elif model.visible.finite and model.sampled_layers == [0]:
        callbacks.append(hm.training.EarlyStopping("pseudo_log_likelihood", options["patience"]))
    elif options["patience"]:
        raise ValueError(
            "--patience for gaussian units and coupled hidden layers goes by the lower bound of the log-likelihood: "
            "use an objective with persistent chains (pcd), and leave --likelihood-every above 0"
        )
    return callbacks
