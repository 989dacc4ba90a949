"""How close a synthetic table comes to real rows, and whether it repeats those that its generator has seen."""

from harmonium.tables.quality.judge import quality
from harmonium.tables.quality.result import Quality, Scores

__all__ = ["Quality", "Scores", "quality"]
