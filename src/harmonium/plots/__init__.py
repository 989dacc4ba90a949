"""Pictures of models, runs and comparisons.

Every function returns a matplotlib `Figure` of its own: no window, no global state, nothing to close.  Matplotlib is
imported when the first picture is made.
"""

from harmonium.plots.canvas import write
from harmonium.plots.comparison import comparison
from harmonium.plots.pictures import curves, diagnosis, filters, pictures, samples
from harmonium.plots.sites import contact_map, mutation_map
from harmonium.plots.tables import table_filters, table_samples

__all__ = [
    "comparison", "contact_map", "curves", "diagnosis", "filters", "mutation_map", "pictures", "samples",
    "table_filters", "table_samples", "write",
]  # fmt: skip
