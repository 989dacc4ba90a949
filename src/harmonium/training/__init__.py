"""Training: one loop for every model, and what can be exchanged in it."""

from harmonium.training import schedules
from harmonium.training.average import Average
from harmonium.training.callbacks import Callback, EarlyStopping, ProgressBar, TimeLimit
from harmonium.training.chain_control import ChainControl
from harmonium.training.convergence import Convergence
from harmonium.training.equilibrium import EquilibriumMonitor
from harmonium.training.gap_monitor import GapMonitor
from harmonium.training.gaps import DrawGaps, OmitGaps
from harmonium.training.history import History
from harmonium.training.keep_trajectory import KeepTrajectory
from harmonium.training.metrics import Centered, Diagonal, Plain
from harmonium.training.mlflow import MLflow
from harmonium.training.monitor import LikelihoodMonitor, Monitor
from harmonium.training.muon import Muon
from harmonium.training.natural import NaturalGradient
from harmonium.training.penalties import Sparsity, WeightDecay
from harmonium.training.proximal import L1, GroupLasso, L1Squared, MaxNorm
from harmonium.training.sum_gaps import SumGaps
from harmonium.training.tensorboard import TensorBoard
from harmonium.training.trim import Trim

__all__ = [
    "schedules", "Average", "Callback", "Centered", "ChainControl", "Convergence", "Diagonal", "DrawGaps",
    "EarlyStopping", "EquilibriumMonitor", "GapMonitor", "GroupLasso", "History", "KeepTrajectory", "L1", "L1Squared",
    "LikelihoodMonitor", "MLflow", "MaxNorm", "Monitor", "Muon", "NaturalGradient", "OmitGaps", "Plain", "ProgressBar",
    "Sparsity", "SumGaps", "TensorBoard", "TimeLimit", "Trim", "WeightDecay",
]  # fmt: skip
