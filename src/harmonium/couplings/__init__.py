"""Reading a fitted model: gauges, effective couplings, contacts, and what mutations do."""

from harmonium.couplings.contacts import contact_scores
from harmonium.couplings.expansion import effective_couplings, three_body
from harmonium.couplings.gauges import lattice_gas, zero_sum
from harmonium.couplings.given_sequences import mean_couplings
from harmonium.couplings.mutations import mutation_scan, pair_scan
from harmonium.couplings.result import Couplings

__all__ = [
    "Couplings", "contact_scores", "effective_couplings", "lattice_gas", "mean_couplings", "mutation_scan", "pair_scan",
    "three_body", "zero_sum",
]  # fmt: skip
