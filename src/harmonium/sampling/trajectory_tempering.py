"""Parallel trajectory tempering: a sampler for machines whose training was recorded."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from harmonium.core.random import Stream
from harmonium.models.io import load_trajectory
from harmonium.models.machine.batched import stack, with_parameters
from harmonium.models.machine.machine import Machine
from harmonium.models.state import Clamp
from harmonium.sampling.tempering import ReplicaExchange, default_base, first_rows
from harmonium.sampling.trajectory import Trajectory, model_at, thin

__all__ = ["TrajectoryTempering"]


@dataclass(frozen=True)
class TrajectoryTempering(ReplicaExchange):
    """Parallel tempering along the training of a machine (Béreux et al. 2024, arXiv:2405.15376).

    At the bottom, units are independent with the means of the data; above are snapshots of the machine in the order of
    training; at the top is the machine itself.  A pilot run with its own random numbers leaves out snapshots that
    exchanges do not need.

    Args:
        models: machines of one architecture, from early to late (see `KeepTrajectory`).
        target: least acceptance of exchanges between neighbours.

    Raises:
        ValueError: for no models, or a target outside (0, 1).

    Warns:
        UserWarning: if two neighbours are too far apart, naming them.

    >>> import harmonium as hm
    >>> kept = hm.training.KeepTrajectory()
    >>> rbm, bars = hm.RBM(16, 4), hm.data.load("bars-and-stripes").train
    >>> history = hm.fit(rbm, bars, epochs=20, callbacks=[kept])
    >>> hm.sample(rbm, 3, sweeps=10, sampler=hm.sampling.TrajectoryTempering(kept.models)).shape
    torch.Size([3, 16])
    """

    models: Sequence[Machine] = field(repr=False)
    target: float = 0.3

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("TrajectoryTempering(models=[]) has no models: record them by fit(..., "
                             "callbacks=[KeepTrajectory()])")  # fmt: skip
        if not 0 < self.target < 1:
            raise ValueError(f"TrajectoryTempering(target=...) must lie between 0 and 1, found {self.target!r}")

    @classmethod
    def from_run(cls, run: str | Path, target: float = 0.3) -> TrajectoryTempering:
        """Read the trajectory in a run folder.

        Raises:
            FileNotFoundError: if it has none.
        """
        return cls(load_trajectory(run), target)

    def ladder(self, machine: Machine, stream: Stream, clamp: Clamp | None = None) -> Trajectory:
        for index, model in enumerate(self.models):
            if model.config() != machine.config():
                raise ValueError(
                    f"models[{index}] of the trajectory is {model!r}, but the machine is {machine!r}: use the "
                    "trajectory of its own training"
                )
        bottom = model_at(machine, default_base(machine) or machine.base_rate(), 0.0)
        rungs = stack([bottom, *self.models, machine])
        chosen, accepted = thin(rungs, self.target, stream, None if clamp is None else first_rows(clamp))
        apart = [
            f"{_named(a, len(self.models))} and {_named(b, len(self.models))} ({100 * share:.2g} %)"
            for (a, b), share in zip(pairwise(chosen), accepted, strict=True)
            if share < self.target
        ]
        if apart:
            warnings.warn(
                f"neighbours on the trajectory are too far apart to exchange {100 * self.target:.0f} % of their "
                f"states: {'; '.join(apart)}. Keep more models, for example by KeepTrajectory(growth=1.1)",
                UserWarning,
                stacklevel=3,
            )
        return Trajectory(with_parameters(rungs, {name: p[chosen] for name, p in rungs.named_parameters()}), clamp)


def _named(rung: int, models: int) -> str:
    return "the base rate" if rung == 0 else f"models[{rung - 1}]" if rung <= models else "the machine"
