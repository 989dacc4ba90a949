"""Checks of Markov chains: drift, missing modes, convergence, and the shares of modes."""

from harmonium.diagnostics.diagnose import Diagnosis, diagnose
from harmonium.diagnostics.mode_shares import ModeShares, mode_shares
from harmonium.diagnostics.modes import mode_jumps, mode_jumps_along

__all__ = ["Diagnosis", "ModeShares", "diagnose", "mode_jumps", "mode_jumps_along", "mode_shares"]
