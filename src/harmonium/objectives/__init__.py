"""What training descends: each objective is exchanged for another by one word."""

from harmonium.objectives.base import Batch, Gradient, Objective, ObjectiveState, TwoPhase
from harmonium.objectives.bound import ELBO, IWAE
from harmonium.objectives.clamped import ClampedGibbs, MeanField
from harmonium.objectives.contrastive import CD, PCD
from harmonium.objectives.discriminative import Discriminative, Hybrid
from harmonium.objectives.exact import Exact
from harmonium.objectives.fast import FPCD
from harmonium.objectives.jarzynski import Jarzynski
from harmonium.objectives.likelihood import MaximumLikelihood
from harmonium.objectives.pseudo import PseudoLikelihood
from harmonium.objectives.tap import TAP
from harmonium.objectives.tempered import PT
from harmonium.objectives.trajectory import PTT

__all__ = [
    "CD",
    "ELBO",
    "FPCD",
    "IWAE",
    "PCD",
    "TAP",
    "PT",
    "PTT",
    "Batch",
    "ClampedGibbs",
    "Discriminative",
    "Exact",
    "Gradient",
    "Hybrid",
    "Jarzynski",
    "MaximumLikelihood",
    "MeanField",
    "Objective",
    "ObjectiveState",
    "PseudoLikelihood",
    "TwoPhase",
]
