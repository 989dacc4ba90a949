"""Baselines: models that are trained in seconds."""

from harmonium.models.baselines.independent import Independent
from harmonium.models.baselines.mixture import BernoulliMixture
from harmonium.models.baselines.tree import ChowLiuTree

__all__ = ["BernoulliMixture", "ChowLiuTree", "Independent"]
