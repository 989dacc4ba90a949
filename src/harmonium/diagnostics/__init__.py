"""Checks of Markov chains: drift, missing modes, convergence."""

from harmonium.diagnostics.diagnose import Diagnosis, diagnose
from harmonium.diagnostics.modes import mode_jumps, mode_jumps_along

__all__ = ["Diagnosis", "diagnose", "mode_jumps", "mode_jumps_along"]
