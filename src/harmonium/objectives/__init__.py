"""What training descends: each objective is exchanged for another by one word."""

from harmonium.objectives.base import Batch, Gradient, Objective, ObjectiveState, TwoPhase
from harmonium.objectives.contrastive import CD, PCD
from harmonium.objectives.discriminative import Discriminative, Hybrid
from harmonium.objectives.elbo import ELBO, IWAE
from harmonium.objectives.exact import Exact
from harmonium.objectives.fpcd import FPCD
from harmonium.objectives.inference import ClampedGibbs, MeanField
from harmonium.objectives.jarzynski import Jarzynski
from harmonium.objectives.maximum_likelihood import MaximumLikelihood
from harmonium.objectives.parallel_tempering import PT
from harmonium.objectives.pseudo import PseudoLikelihood
from harmonium.objectives.ptt import PTT
from harmonium.objectives.tap import TAP

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
