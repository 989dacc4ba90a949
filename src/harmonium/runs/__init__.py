"""Run folders: a training that can be read, stopped, killed and resumed."""

import lazy_loader

# Nothing heavy is imported before it is used: the command line reads names and folders without torch.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
