"""What training descends: each objective is exchanged for another by one word."""

from harmonium.objectives.base import Batch, Gradient, Objective, ObjectiveState
from harmonium.objectives.contrastive import CD, PCD
from harmonium.objectives.exact import Exact

__all__ = ["CD", "PCD", "Batch", "Exact", "Gradient", "Objective", "ObjectiveState"]
