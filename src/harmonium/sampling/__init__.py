"""Sampling: Gibbs chains, annealing, and ladders of models that exchange states."""

from harmonium.sampling.impute import impute, predict_gaps
from harmonium.sampling.sample import sample
from harmonium.sampling.tempering import Tempering
from harmonium.sampling.trajectory_tempering import TrajectoryTempering

__all__ = ["Tempering", "TrajectoryTempering", "impute", "predict_gaps", "sample"]
