"""Run folders: a training that can be read, stopped, killed and resumed."""

from harmonium.runs.fit import fit
from harmonium.runs.resume import Checkpoint, resume

__all__ = ["Checkpoint", "fit", "resume"]
