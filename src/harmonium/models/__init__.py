"""Machines: layers, couplings and what is exact there."""

from harmonium.models.dbn import DBN
from harmonium.models.machine import Machine
from harmonium.models.rbm import RBM

__all__ = ["DBN", "RBM", "Machine"]
