"""Machines: layers, couplings and what is exact there."""

from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.rbm import RBM

__all__ = ["DBN", "RBM", "Machine"]
