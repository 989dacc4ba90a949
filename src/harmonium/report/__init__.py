"""One HTML file about a run: what was learned, how well, and the model itself, which runs in the page."""

from harmonium.report.page import write

__all__ = ["write"]
