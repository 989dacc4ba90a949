"""Data: named sets and files become `Cases`, binarised or standardised in a stated way.

This floor knows no model.  See `load` for what can be loaded and `Cases` for what a model is fed.
"""

from .cases import Cases, as_cases, from_source
from .dataset import Dataset, Labels
from .download import download
from .load import load
from .named import names
from .similarity import neighbours
from .summary import Summary

__all__ = [
    "Cases",
    "Dataset",
    "Labels",
    "Summary",
    "as_cases",
    "download",
    "from_source",
    "load",
    "names",
    "neighbours",
]
