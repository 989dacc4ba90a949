"""The likelihood protocol: exact where possible, otherwise an estimate with a bracket."""

from harmonium.likelihood.conditional import conditional_log_prob
from harmonium.likelihood.evaluate import Evaluation, evaluate
from harmonium.likelihood.independent import Gain
from harmonium.likelihood.log_z import LogPartition
from harmonium.likelihood.partition import log_partition
from harmonium.likelihood.posterior import anneal_posterior
from harmonium.likelihood.pseudo import pseudo_log_likelihood

__all__ = [
    "Evaluation", "Gain", "LogPartition", "anneal_posterior", "conditional_log_prob", "evaluate", "log_partition",
    "pseudo_log_likelihood",
]  # fmt: skip
