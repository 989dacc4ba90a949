"""One HTML file that shows a run: what was learned, how well, and the model itself, to be played with."""

from harmonium.report.page import write

__all__ = ["write"]
