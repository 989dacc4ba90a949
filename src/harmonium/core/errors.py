"""The errors that the library raises besides Python's own."""

from __future__ import annotations

__all__ = ["DamagedFileError", "DivergedError", "InterruptedRunError", "LostProcessError", "RunInUseError"]


class DamagedFileError(ValueError):
    """A file is cut short, has a changed byte, or is not of this library."""


class DivergedError(ArithmeticError):
    """Parameters became infinite or NaN, and the model holds the last good ones; or they ended far from the data."""


class InterruptedRunError(KeyboardInterrupt):
    """Training was stopped by a signal after its checkpoint was written.

    Attributes:
        signal: its number.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.signal = number


class LostProcessError(RuntimeError):
    """Another process of the same program ended, stopped or did not come.

    Attributes:
        told: whether the other one said why, and prints it itself.
    """

    def __init__(self, message: str, told: bool = False) -> None:
        super().__init__(message)
        self.told = told


class RunInUseError(ValueError):
    """Another process trains in this folder, or the folder holds something else."""
