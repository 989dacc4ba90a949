"""Tables: DataFrames in, DataFrames out, and how good synthetic ones are."""

import lazy_loader

# Nothing heavy is imported before it is used: pandas and scikit-learn take a second.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
