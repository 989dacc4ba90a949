"""Sampling: Gibbs chains, annealing, and ladders of models that exchange states."""

from harmonium.sampling.impute import impute
from harmonium.sampling.sample import sample
from harmonium.sampling.tempering import Tempering
from harmonium.sampling.trajectory_tempering import TrajectoryTempering

__all__ = ["Tempering", "TrajectoryTempering", "impute", "sample"]
