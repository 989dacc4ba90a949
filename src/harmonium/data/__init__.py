"""Data: named sets and files become `Cases`, binarised or standardised in a stated way.

This package knows no model.  `load` says what can be loaded, `Cases` what a model is trained on.
"""

from typing import TYPE_CHECKING

from harmonium.data.cases import Cases, as_cases
from harmonium.data.dataset import Dataset, Labels
from harmonium.data.download import download
from harmonium.data.load import from_source, load
from harmonium.data.named import names
from harmonium.data.similarity import neighbours
from harmonium.data.summary import Summary

if TYPE_CHECKING:
    from harmonium.data import table as table
else:
    import lazy_loader

    __getattr__, *_ = lazy_loader.attach(__name__, ["table"])  # importing pandas takes half a second

__all__ = [
    "Cases", "Dataset", "Labels", "Summary", "as_cases", "download", "from_source", "load", "names", "neighbours",
]  # fmt: skip
