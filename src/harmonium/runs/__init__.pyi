from .checkpoint import Checkpoint as Checkpoint
from .fit import fit as fit
from .folder import Run as Run
from .folder import open_run as open_run
from .resume import resume as resume
