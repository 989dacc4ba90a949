"""Effective sample size, R-hat and autocorrelation of many chains, computed by ArviZ.

This needs arviz-stats: ``pip install 'harmonium[diagnostics]'``.
"""

from __future__ import annotations

import importlib
import math
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

__all__ = ["LEAST_ESS", "MOST_RHAT", "Observable", "autocorrelation", "summarise"]

# Both from Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), section 4.
MOST_RHAT = 1.01  # reached after about a hundred autocorrelation times
LEAST_ESS = 400.0  # with less, the estimates of ESS and R-hat are too noisy


class Observable(NamedTuple):
    """Summary of a function of the state along the chains.

    Attributes:
        name: name of the function.
        mean: mean over chains and sweeps.
        tau: integrated autocorrelation time in sweeps (every tau-th state counts as independent); infinite if no chain
            ever moved.
        ess: effective sample size of all chains together (bulk, rank-normalised).
        rhat: rank-normalised split-R-hat, the spread of all chains relative to that within halves of chains; 1 if every
            chain covers the same values.
    """

    name: str
    mean: float
    tau: float
    ess: float
    rhat: float

    @property
    def mixed(self) -> bool:
        """Whether single chains have forgotten their starting points."""
        return self.rhat <= MOST_RHAT


def summarise(name: str, trace: Tensor) -> Observable:
    """Compute ESS, R-hat and tau of one observable.

    With C chains of T sweeps, W the mean variance within chains and var+ that of all, the autocorrelation at lag t is

        rho_t = 1 - (W - mean over chains of their autocovariance at t) / var+,   tau = 1 + 2 sum_t rho_t = C T / ESS,

    summed over Geyer's initial monotone sequence (Vehtari et al. 2021, equations 7 to 13). tau is that of the mean,
    without rank normalisation; it is 1 for an observable that is constant over all chains and sweeps.

    Args:
        name: name of the observable.
        trace: its values, (chains, sweeps).

    Returns:
        The summary.

    Raises:
        ImportError: if arviz-stats is not installed.
    """
    x = trace.double().cpu().numpy()
    mean = float(x.mean())
    if (x == x[0, 0]).all():
        return Observable(name, mean, 1.0, float(x.size), 1.0)
    if (x == x[:, :1]).all():  # no chain moved: there is no variance within chains to compare with
        return Observable(name, mean, math.inf, 0.0, math.inf)
    stats, axes = _arviz(), {"chain_axis": 0, "draw_axis": 1}
    with np.errstate(all="ignore"):  # a chain that does not move has zero variance
        ess, plain = (float(stats.ess(x, method=method, **axes)) for method in ("bulk", "mean"))
        rhat = float(stats.rhat(x, **axes))
    return Observable(name, mean, x.size / plain, ess, rhat)


def autocorrelation(trace: Tensor) -> np.ndarray[Any, Any]:
    """Autocorrelation of one observable at lags 0, 1, ..., as in `summarise`.

    Args:
        trace: values of the observable, (chains, sweeps).

    Returns:
        rho_t, (sweeps,), float64.
    """
    x = trace.double().cpu().numpy()
    sweeps = x.shape[1]
    covariance: np.ndarray[Any, Any] = _arviz().autocov(x, axis=1).mean(0)
    within = covariance[0] * sweeps / (sweeps - 1)
    total = covariance[0] + (x.mean(1).var(ddof=1) if len(x) > 1 else 0.0)
    rho: np.ndarray[Any, Any] = 1 - (within - covariance) / total if total > 0 else np.ones(sweeps)
    rho[0] = 1.0
    return rho


def _arviz() -> Any:
    try:
        return importlib.import_module("arviz_stats.base").array_stats
    except ImportError as error:
        raise ImportError("diagnostics need arviz-stats: pip install 'harmonium[diagnostics]'") from error
