"""Reading a fitted model: gauges, effective couplings, contacts, and what mutations do."""

from harmonium.couplings.gauges import lattice_gas, zero_sum
from harmonium.couplings.mutations import mutation_scan, pair_scan

__all__ = ["lattice_gas", "mutation_scan", "pair_scan", "zero_sum"]
