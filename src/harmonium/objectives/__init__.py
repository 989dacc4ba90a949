"""Objectives: what training maximises, and how the gradient is estimated."""

from harmonium.objectives.base import Batch, Objective, ObjectiveState, Phases, TwoPhase
from harmonium.objectives.cd import CD
from harmonium.objectives.discriminative import Discriminative, Hybrid
from harmonium.objectives.elbo import ELBO, IWAE
from harmonium.objectives.exact import Exact
from harmonium.objectives.fpcd import FPCD
from harmonium.objectives.gradient import Gradient, gradient
from harmonium.objectives.inference import ClampedGibbs, MeanField
from harmonium.objectives.jarzynski import Jarzynski
from harmonium.objectives.maximum_likelihood import MaximumLikelihood
from harmonium.objectives.negative import SampledNegative
from harmonium.objectives.parallel_tempering import PT
from harmonium.objectives.pcd import PCD
from harmonium.objectives.pseudo import PseudoLikelihood
from harmonium.objectives.ptt import PTT
from harmonium.objectives.tap import TAP

__all__ = [
    "CD", "ELBO", "FPCD", "IWAE", "PCD", "TAP", "PT", "PTT", "Batch", "ClampedGibbs", "Discriminative", "Exact",
    "Gradient", "Hybrid", "Jarzynski", "MaximumLikelihood", "MeanField", "Objective", "ObjectiveState", "Phases",
    "PseudoLikelihood", "SampledNegative", "TwoPhase", "gradient",
]  # fmt: skip
